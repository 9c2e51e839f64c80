//! Requests that are not well formed: the right status, and a closed connection where it is not sure
//! where the next request would begin.

use gearbox_tests::{Client, Mpm, Server, exchange};

every_mpm!(
    request_lines,
    fields,
    hosts,
    expectations,
    too_long,
    a_refusal_byte_for_byte,
    garbage_after_a_good_request,
    however_the_bytes_arrive,
);

/// What becomes of the connection after the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// The server closes it, and sends nothing more.
    Closed,
    /// The next request is answered.
    Open,
}

use Then::{Closed, Open};

pub(crate) fn site(mpm: Mpm) -> Server {
    let server = Server::with_files(mpm, &[("a", b"a"), ("next", b"the next")]);
    // So long ago that answers do not change while the test runs.
    ["a", "next"].iter().for_each(|path| server.set_modified(path, 1_500_000_000));
    server
}

/// Sends bytes on a new connection and looks at the answer and what comes after it.
#[track_caller]
pub(crate) fn answers(server: &Server, request: impl AsRef<[u8]>, status: u16, then: Then) {
    let request = request.as_ref();
    let shown = request.get(..200).unwrap_or(request).escape_ascii();
    let mut client = server.connect();
    // The server may have heard enough before everything is sent.
    let _ = client.send(request);
    let response = client.read("GET").unwrap_or_else(|error| panic!("{shown}: {error}"));
    assert_eq!(response.status, status, "{shown}");
    match then {
        Closed => {
            assert_eq!(response.field("connection").as_deref(), Some("close"), "{shown}");
            assert!(client.is_closed(), "{shown}: closed, and nothing more sent");
        }
        Open => assert_eq!(client.get("/next").text(), "the next", "{shown}"),
    }
}

fn request_lines(mpm: Mpm) {
    let server = site(mpm);
    for (line, status, then) in [
        ("junk", 400, Closed),
        ("GET", 400, Closed),
        ("GET /a", 400, Closed),
        ("GET  /a HTTP/1.1", 400, Closed),
        ("GET /a  HTTP/1.1", 400, Closed),
        ("GET /a HTTP/1.1 ", 400, Closed),
        (" GET /a HTTP/1.1", 400, Closed),
        ("GET\t/a HTTP/1.1", 400, Closed),
        ("GET /a b HTTP/1.1", 400, Closed),
        ("G(T /a HTTP/1.1", 400, Closed),
        ("GET /a\0 HTTP/1.1", 400, Closed),
        ("GET /\x7f HTTP/1.1", 400, Closed),
        ("GET /\r HTTP/1.1", 400, Closed),
        ("GET a HTTP/1.1", 400, Closed),
        ("GET * HTTP/1.1", 400, Closed),
        ("GET /a http/1.1", 400, Closed),
        ("GET /a HTTP/1.2", 400, Closed),
        ("GET /a HTTP/2.0", 400, Closed),
        ("GET /a HTTP/11", 400, Closed),
        ("PRI * HTTP/2.0", 400, Closed),
        ("GET http:///a HTTP/1.1", 400, Closed),
        ("GET ftp://localhost/a HTTP/1.1", 400, Closed),
        ("GET file:///etc/passwd HTTP/1.1", 400, Closed),
        ("GET http://u:p@localhost/a HTTP/1.1", 400, Closed),
        ("FOO /a HTTP/1.1", 501, Closed),
        ("get /a HTTP/1.1", 501, Closed),
        ("PROPFIND /a HTTP/1.1", 501, Closed),
        ("CONNECT localhost:80 HTTP/1.1", 405, Open),
        ("TRACE /a HTTP/1.1", 405, Open),
        ("GET http://other.example/a HTTP/1.1", 200, Open),
        ("GET https://other.example/a HTTP/1.1", 200, Open),
        ("\r\nGET /a HTTP/1.1", 200, Open),
    ] {
        answers(&server, format!("{line}\r\nHost: localhost\r\n\r\n"), status, then);
    }
    answers(&server, b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, Closed);
    // HTTP/0.9, the HTTP/2 preface with its first frame, TLS, another protocol.
    answers(&server, "GET /a\r\n\r\n", 400, Closed);
    answers(&server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 400, Closed);
    answers(&server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", 400, Closed);
    answers(&server, "SSH-2.0-OpenSSH_9.9\r\n", 400, Closed);
    // A bare LF ends a line (RFC 9112, section 2.2); a bare CR does not.
    answers(&server, "GET /a HTTP/1.1\nHost: localhost\n\n", 200, Open);
    answers(&server, "GET /a HTTP/1.1\r\nHost: localhost\n\r\n", 200, Open);
    answers(&server, "GET /a HTTP/1.1\rHost: localhost\r\r", 400, Closed);
}

fn fields(mpm: Mpm) {
    let server = site(mpm);
    for (field, status, then) in [
        ("X : a", 400, Closed),
        ("X", 400, Closed),
        (": a", 400, Closed),
        ("X(: a", 400, Closed),
        ("X\0: a", 400, Closed),
        ("X: a\0b", 400, Closed),
        ("X: a\x01b", 400, Closed),
        ("X: a\rb", 400, Closed),
        ("X: a\x7fb", 400, Closed),
        ("X: a\r\n folded", 400, Closed),
        ("X:", 200, Open),
        ("X:\ta\t", 200, Open),
    ] {
        let request = format!("GET /a HTTP/1.1\r\nHost: localhost\r\n{field}\r\n\r\n");
        answers(&server, request, status, then);
    }
    answers(&server, "GET /a HTTP/1.1\r\n X: a\r\nHost: localhost\r\n\r\n", 400, Closed);
    answers(&server, b"GET /a HTTP/1.1\r\nHost: localhost\r\nX: \xff\r\n\r\n", 200, Open);
}

fn hosts(mpm: Mpm) {
    let server = site(mpm);
    for (fields, status, then) in [
        ("", 400, Closed),
        ("Host:\r\n", 400, Closed),
        ("Host: :80\r\n", 400, Closed),
        ("Host: a\r\nHost: a\r\n", 400, Closed),
        ("Host: a\r\nHost: b\r\n", 400, Closed),
        ("Host: a b\r\n", 400, Closed),
        ("Host: a/b\r\n", 400, Closed),
        ("Host: a@b\r\n", 400, Closed),
        ("Host: a, b\r\n", 400, Closed),
        ("Host: ..\r\n", 400, Closed),
        ("Host: a:b\r\n", 400, Closed),
        ("Host: a:65536\r\n", 400, Closed),
        ("Host: [::1\r\n", 400, Closed),
        ("Host: [::1]:80\r\n", 200, Open),
        ("Host: anything.example:8080\r\n", 200, Open),
    ] {
        answers(&server, format!("GET /a HTTP/1.1\r\n{fields}\r\n"), status, then);
        // HTTP/1.0 needs none, but a bad one is bad.
        let named = if fields.is_empty() || fields.starts_with("Host: :") || fields == "Host:\r\n" {
            200
        } else {
            status
        };
        let raw = exchange(server.address(), format!("GET /a HTTP/1.0\r\n{fields}\r\n"));
        assert!(raw.starts_with(format!("HTTP/1.0 {named} ").as_bytes()), "{fields}");
    }
    // The absolute form wins over the field, and does not replace it.
    let absolute = "GET http://other.example/a HTTP/1.1\r\n";
    answers(&server, format!("{absolute}Host: localhost\r\n\r\n"), 200, Open);
    answers(&server, format!("{absolute}\r\n"), 400, Closed);
}

fn expectations(mpm: Mpm) {
    let server = site(mpm);
    for (fields, status, then) in [
        ("Expect: magic\r\n", 417, Open),
        ("Expect: 100-continue\r\nExpect: magic\r\n", 417, Open),
        ("Expect: 100-Continue\r\n", 200, Open),
        // The answer needs no body, so the client need not send it: the next request could be taken
        // for it.
        ("Expect: 100-continue\r\nContent-Length: 3\r\n", 200, Closed),
    ] {
        let request = format!("GET /a HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        answers(&server, request, status, then);
    }
}

fn too_long(mpm: Mpm) {
    let server = site(mpm);
    let line = |method: &str, host: &str, len: usize| {
        let rest = len - format!("{method} {host}/ HTTP/1.1").len();
        format!("{method} {host}/{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(rest))
    };
    answers(&server, line("GET", "", 250), 404, Open);
    // A name no file can have, in a line that is not too long yet.
    for (method, host) in [("GET", ""), ("HEAD", ""), ("GET", "http://a.example:80")] {
        let mut client = server.connect();
        client.send(line(method, host, 8190)).expect("the server reads");
        assert_eq!(client.read(method).expect("an answer").status, 403);
        client.send(line(method, host, 8191)).expect("the server reads");
        assert_eq!(client.read(method).expect("an answer").status, 414);
        assert!(client.is_closed());
    }
    answers(&server, line("GET", "", 100_000), 414, Closed);
    let fields = |fields: &str| format!("GET /a HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    answers(&server, fields(&format!("X: {}\r\n", "a".repeat(8187))), 200, Open);
    answers(&server, fields(&format!("X: {}\r\n", "a".repeat(8188))), 431, Closed);
    answers(&server, fields(&format!("X: {}\r\n", "a".repeat(100_000))), 431, Closed);
    answers(&server, fields(&format!("{}: a\r\n", "X".repeat(70_000))), 431, Closed);
    answers(&server, fields(&"X: a\r\n".repeat(99)), 200, Open);
    answers(&server, fields(&"X: a\r\n".repeat(100)), 431, Closed);
    // A head without end.
    answers(&server, format!("GET /a HTTP/1.1\r\n{}", "X: a\r\n".repeat(20_000)), 431, Closed);
    answers(&server, "a".repeat(100_000), 431, Closed);
}

/// Without the date, which differs from second to second.
fn dateless(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let lines = text.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: "));
    lines.collect()
}

/// hyper's own refusals have no body, the site's a page.
fn a_refusal_byte_for_byte(mpm: Mpm) {
    let server = site(mpm);
    let raw = |request: &str| dateless(&exchange(server.address(), request));
    let bare =
        |status| format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(raw("junk\r\n\r\n"), bare("400 Bad Request"));
    assert_eq!(raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), bare("400 Bad Request"));
    let long = format!("GET /a HTTP/1.1\r\n{}\r\n", "X: a\r\n".repeat(101));
    assert_eq!(raw(&long), bare("431 Request Header Fields Too Large"));
    assert_eq!(
        raw("GET /a HTTP/1.1\r\n\r\n"),
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 217\r\nContent-Type: text/html; charset=utf-8\r\n\
         Connection: close\r\nServer: gearbox\r\n\r\n<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta \
         charset=\"utf-8\"><title>400 Bad Request</title></head>\n<body>\n<h1>Bad Request</h1>\n<p>Your \
         browser sent a request that this server could not understand.</p>\n</body>\n</html>\n"
    );
    // Nothing asked, nothing answered.
    for nothing in ["", "\r\n", "\r\n\r\n", "GET /a HTTP/1.1\r\nHost: a\r\n"] {
        assert_eq!(raw(nothing), "", "{nothing:?}");
    }
}

fn garbage_after_a_good_request(mpm: Mpm) {
    let server = site(mpm);
    for garbage in ["\0\x01\x02garbage\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "x\r\n\r\n"] {
        let mut client = server.connect();
        let good = "GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n";
        client.send(format!("{good}{garbage}{good}")).expect("the server reads");
        assert_eq!(client.read("GET").expect("the good one").text(), "the next");
        let refused = client.read("GET").expect("the bad one");
        assert_eq!((refused.status, refused.body.len()), (400, 0), "{garbage:?}");
        assert!(client.is_closed(), "{garbage:?}: nothing behind it counts");
    }
}

/// Every way to cut the bytes in two, the second part sent when the server has read the first, gives
/// the same answer.
fn however_the_bytes_arrive(mpm: Mpm) {
    let server = site(mpm);
    for request in [
        "\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\nHEAD /%6eext HTTP/1.0\r\n\r\n",
        "GET /../a HTTP/1.1\nHost: a\nX: y\n\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\nGET /a HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let whole = dateless(&exchange(server.address(), request));
        assert!(whole.starts_with("HTTP/1.1 "), "{whole}");
        for cut in 1..request.len() {
            let (first, second) = request.split_at(cut);
            let mut client = Client::connect(server.address());
            client.send(first).expect("the server reads");
            client.wait_until_read();
            // It may know enough by now.
            let _ = client.send(second);
            let _ = client.stream().shutdown(std::net::Shutdown::Write);
            let answer = dateless(&client.read_to_end());
            assert_eq!(answer, whole, "{:?} and {:?}", first, second);
        }
    }
}
