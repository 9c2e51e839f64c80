//! Large documents, slow clients, documents that change while they are sent, and the end of a
//! connection.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::PathBuf;

use gearbox_tests::{Client, Mpm, Server, Setup, exchange, until};

every_mpm!(
    a_large_document,
    parts_of_a_large_document,
    slow_clients,
    many_at_a_time,
    a_document_that_shrinks,
    a_document_that_grows,
    a_document_that_is_written_anew,
    a_document_that_is_replaced,
    a_client_that_sends_its_fin_first,
    requests_in_one_write,
    a_large_body_nobody_reads,
);

const MIB: usize = 1 << 20;

/// Bytes in which every stretch differs from every other.
fn pattern(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(len).collect()
}

/// A site with this document, for each way of sending it.
fn sites(mpm: Mpm, document: &[u8]) -> impl Iterator<Item = Server> {
    ["On", "Off"].into_iter().map(move |sendfile| {
        let setup = Setup::new(mpm).line(&format!("EnableSendfile {sendfile}"));
        setup.file("large", document).file("small", "small").start()
    })
}

const GET: &str = "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Not `assert_eq`: nobody wants to see megabytes.
#[track_caller]
fn is_same(got: &[u8], wanted: &[u8]) {
    let common = got.iter().zip(wanted).take_while(|(a, b)| a == b).count();
    assert!(common == wanted.len() && common == got.len(), "differ from byte {common} on");
}

fn a_large_document(mpm: Mpm) {
    let document = pattern(64 * MIB + 12_345);
    for server in sites(mpm, &document) {
        let mut client = server.connect();
        let response = client.get("/large");
        assert_eq!(response.status, 200);
        is_same(&response.body, &document);
        assert_eq!(client.get("/small").text(), "small", "the connection goes on");
    }
}

fn parts_of_a_large_document(mpm: Mpm) {
    let document = pattern(3 * MIB + 1);
    for server in sites(mpm, &document) {
        let mut client = server.connect();
        let last = document.len() - 1;
        for (first, last) in [
            (0, last),
            (1, last - 1),
            (MIB - 1, MIB),
            (MIB, 2 * MIB - 1),
            (4097, 3 * MIB),
            (last, last),
        ] {
            let range = format!("Range: bytes={first}-{last}\r\n");
            let response = client.request("GET", "/large", &range);
            assert_eq!(response.status, 206, "{range}");
            is_same(&response.body, &document[first..=last]);
        }
    }
}

/// Some bytes at a time, out of a small buffer.
fn slow_clients(mpm: Mpm) {
    let document = pattern(4 * MIB);
    for server in sites(mpm, &document) {
        let mut client = Client::connect_narrow(server.address(), 64 * 1024);
        client.send(GET).expect("the server reads");
        assert_eq!(client.read_head().expect("an answer").status, 200);
        let mut got = Vec::new();
        while got.len() < document.len() {
            let mut piece = [0; 5003];
            let len = piece.len().min(document.len() - got.len());
            client.body().read_exact(&mut piece[..len]).expect("more");
            got.extend_from_slice(&piece[..len]);
        }
        is_same(&got, &document);
        assert_eq!(client.get("/small").text(), "small");
    }
}

fn many_at_a_time(mpm: Mpm) {
    let document = pattern(2 * MIB);
    for server in sites(mpm, &document) {
        std::thread::scope(|scope| {
            for n in 0..24 {
                let (server, document) = (&server, &document);
                scope.spawn(move || {
                    let mut client = Client::connect_narrow(server.address(), 128 * 1024);
                    let first = n * 1111;
                    let range = format!("Range: bytes={first}-\r\n");
                    is_same(&client.request("GET", "/large", &range).body, &document[first..]);
                    assert_eq!(client.get("/small").text(), "small");
                });
            }
        });
    }
}

/// Longer than what fits between server and client.
const CHANGING_LEN: usize = 24 * MIB;

/// A document in the middle of being sent.
struct Sending {
    client: Client,
    path: PathBuf,
    got: Vec<u8>,
}

/// Has a document sent, and reads no more than its beginning.
fn begin(server: &Server) -> Sending {
    let mut client = Client::connect_narrow(server.address(), 64 * 1024);
    client.send(GET).expect("the server reads");
    let head = client.read_head().expect("an answer");
    assert_eq!(head.field("content-length"), Some(CHANGING_LEN.to_string()));
    let mut got = vec![0; 1000];
    client.body().read_exact(&mut got).expect("the beginning");
    Sending { client, path: server.root().join("htdocs/large"), got }
}

impl Sending {
    /// Everything that was sent.
    fn rest(mut self) -> Vec<u8> {
        self.got.extend(self.client.read_to_end());
        self.got
    }
}

/// What was sent ends early, and the log says why.
#[track_caller]
fn ended_early(server: &Server, got: &[u8]) {
    assert!(got.len() < CHANGING_LEN, "all of it was sent");
    until("the log says so", || {
        server.error_log().contains("GB0202: connection closed in the middle").then_some(())
    });
    assert_eq!(server.connect().get("/small").text(), "small", "others are served");
}

/// What `sendfile` has put into the socket are pages of the file itself: cut off, they may be zeros.
fn a_document_that_shrinks(mpm: Mpm) {
    let document = pattern(CHANGING_LEN);
    for (server, sendfile) in sites(mpm, &document).zip([true, false]) {
        let sending = begin(&server);
        let file = OpenOptions::new().write(true).open(&sending.path).expect("ours");
        file.set_len(MIB as u64).expect("ours");
        let got = sending.rest();
        let sure = if sendfile { got.len().min(MIB) } else { got.len() };
        is_same(&got[..sure], &document[..sure]);
        ended_early(&server, &got);
    }
}

fn a_document_that_grows(mpm: Mpm) {
    let document = pattern(CHANGING_LEN);
    for server in sites(mpm, &document) {
        let sending = begin(&server);
        let file = OpenOptions::new().append(true).open(&sending.path);
        file.expect("ours").write_all(b"one more line").expect("ours");
        let got = sending.rest();
        is_same(&got, &document[..got.len()]);
        ended_early(&server, &got);
    }
}

/// In place, with as many bytes. What the system had taken for sending may be old or new, as the
/// system likes; nothing that looks like a whole document is sent.
fn a_document_that_is_written_anew(mpm: Mpm) {
    let document = pattern(CHANGING_LEN);
    let anew: Vec<u8> = document.iter().map(|byte| !byte).collect();
    for (server, sendfile) in sites(mpm, &document).zip([true, false]) {
        let sending = begin(&server);
        let mut file = OpenOptions::new().write(true).open(&sending.path).expect("ours");
        file.write_all(&anew).expect("ours");
        let got = sending.rest();
        if !sendfile {
            is_same(&got, &document[..got.len()]);
        }
        ended_early(&server, &got);
        let response = server.connect().get("/large");
        is_same(&response.body, &anew);
    }
}

/// By renaming, as it should be done: who is being sent the old one gets all of it.
fn a_document_that_is_replaced(mpm: Mpm) {
    let document = pattern(CHANGING_LEN);
    for server in sites(mpm, &document) {
        let sending = begin(&server);
        server.put("large", b"new");
        let Sending { mut client, mut got, .. } = sending;
        let mut rest = vec![0; CHANGING_LEN - got.len()];
        client.body().read_exact(&mut rest).expect("the rest");
        got.extend(rest);
        is_same(&got, &document);
        assert_eq!(client.get("/large").text(), "new");
    }
}

fn a_client_that_sends_its_fin_first(mpm: Mpm) {
    let document = pattern(8 * MIB);
    for server in sites(mpm, &document) {
        let raw = exchange(server.address(), GET);
        assert!(raw.starts_with(b"HTTP/1.1 200 OK\r\n"));
        is_same(&raw[raw.len() - document.len()..], &document);
        let mut client = server.connect();
        client.send(format!("{GET}{GET}")).expect("the server reads");
        client.finish();
        for _ in 0..2 {
            is_same(&client.read("GET").expect("an answer").body, &document);
        }
        assert!(client.is_closed());
    }
}

fn requests_in_one_write(mpm: Mpm) {
    let document = pattern(MIB);
    for server in sites(mpm, &document) {
        let mut client = server.connect();
        let line = |method: &str, target: &str| {
            format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
        };
        let asked = [
            ("GET", "/small", 200),
            ("GET", "/large", 200),
            ("HEAD", "/large", 200),
            ("GET", "/none", 404),
            ("OPTIONS", "/small", 200),
            ("DELETE", "/small", 405),
            ("GET", "/large", 200),
            ("GET", "/small", 200),
        ];
        let all: String = asked.iter().map(|(method, target, _)| line(method, target)).collect();
        client.send(all.repeat(3)).expect("the server reads");
        for (method, target, status) in asked.iter().cycle().take(3 * asked.len()) {
            let response = client.read(method).expect("an answer");
            assert_eq!(response.status, *status, "{method} {target}");
            match (*method, *target) {
                ("GET", "/large") => is_same(&response.body, &document),
                ("GET", "/small") => assert_eq!(response.text(), "small"),
                _ => {}
            }
        }
        assert_eq!(client.get("/small").text(), "small");
    }
}

/// The server reads it away before it closes: otherwise the system would answer it with RST, and that
/// can destroy the response.
fn a_large_body_nobody_reads(mpm: Mpm) {
    let server = Server::with_files(mpm, &[("a", b"a")]);
    let len = 32 * MIB;
    let head = format!("POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len}\r\n\r\n");
    let mut client = server.connect();
    client.send(head).expect("the server reads");
    client.send(vec![b'x'; len]).expect("the server reads on after its answer");
    let response = client.read("POST").expect("an answer");
    assert_eq!(response.status, 405);
    assert_eq!(response.field("connection").as_deref(), Some("close"));
    client.finish();
    let mut more = Vec::new();
    client.body().read_to_end(&mut more).expect("a FIN, not an RST");
    assert_eq!(more, b"");
}
