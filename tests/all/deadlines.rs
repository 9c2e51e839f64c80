//! Times and limits of a connection: not cut before, and not kept much longer.

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use gearbox_tests::{Client, Mpm, Setup, exchange, until};

every_mpm!(
    an_idle_connection,
    a_busy_connection,
    a_connection_without_a_request,
    a_head_that_never_ends,
    a_client_that_does_not_read,
    a_client_that_reads_slowly,
    keep_alive_off,
    as_many_requests_as_allowed,
    http_1_0,
);

/// How much later than its time something may happen on a slow machine.
const SLACK: Duration = Duration::from_secs(5);

/// Asserts that something took this long, and not much longer.
#[track_caller]
fn took(start: Instant, wanted: Duration) {
    let took = start.elapsed();
    assert!(took >= wanted, "after {took:?} already, not after {wanted:?}");
    assert!(took < wanted + SLACK, "only after {took:?}, not after {wanted:?}");
}

fn site(mpm: Mpm, lines: &str) -> Setup {
    Setup::new(mpm).line(lines).file("a", "hello")
}

const TIME: Duration = Duration::from_millis(500);

fn an_idle_connection(mpm: Mpm) {
    let server = site(mpm, "KeepAliveTimeout 500ms\nTimeout 30").start();
    let mut client = server.connect();
    assert_eq!(client.get("/a").text(), "hello");
    // Before the last request: the server's clock begins when it has answered, which ours cannot see.
    let start = Instant::now();
    assert_eq!(client.get("/a").text(), "hello");
    assert!(client.is_closed(), "without a word");
    took(start, TIME);
}

/// The time begins anew with every request.
fn a_busy_connection(mpm: Mpm) {
    let server = site(mpm, "KeepAliveTimeout 500ms\nMaxKeepAliveRequests 0").start();
    let mut client = server.connect();
    let start = Instant::now();
    while start.elapsed() < TIME * 2 {
        assert_eq!(client.get("/a").text(), "hello");
    }
}

/// Timeout holds, not KeepAliveTimeout.
fn a_connection_without_a_request(mpm: Mpm) {
    let server = site(mpm, "KeepAliveTimeout 10ms\nTimeout 500ms").start();
    let start = Instant::now();
    let mut client = server.connect();
    assert!(client.is_closed(), "nothing asked, nothing answered");
    took(start, TIME);
}

/// Sent byte by byte: the time counts for the whole head.
fn a_head_that_never_ends(mpm: Mpm) {
    let lines = "KeepAliveTimeout 30\nTimeout 500ms\nCustomLog logs/access common";
    let server = site(mpm, lines).start();
    for before in [0, 1] {
        let mut client = server.connect();
        for _ in 0..before {
            assert_eq!(client.get("/a").text(), "hello");
        }
        let start = Instant::now();
        client.send("GET /a HTTP/1.1\r\nHost: a\r\nX: ").expect("the server reads");
        client.stream().set_read_timeout(Some(TIME / 10)).expect("a socket");
        let mut raw = Vec::new();
        loop {
            let mut piece = [0; 1000];
            match client.body().read(&mut piece) {
                Ok(0) => break,
                Ok(n) => raw.extend_from_slice(&piece[..n]),
                Err(e) if e.kind() == ErrorKind::WouldBlock => _ = client.send("x"),
                Err(e) => panic!("{e}"),
            }
            assert!(start.elapsed() < TIME + SLACK, "it goes on and on");
        }
        took(start, TIME);
        let answer = String::from_utf8_lossy(&raw).into_owned();
        let head =
            "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\nDate: ";
        assert!(answer.starts_with(head) && answer.ends_with("\r\n\r\n"), "{answer:?}");
        until("it is logged", || server.log("access").contains("\"-\" 408 -").then_some(()));
    }
}

/// A document longer than what fits between server and client.
const LONG: usize = 24 << 20;

fn a_client_that_does_not_read(mpm: Mpm) {
    for sendfile in ["On", "Off"] {
        let lines =
            format!("Timeout 500ms\nCustomLog logs/access common\nEnableSendfile {sendfile}");
        let server = site(mpm, &lines).file("long", vec![b'x'; LONG]).start();
        let mut client = Client::connect_narrow(server.address(), 64 * 1024);
        let start = Instant::now();
        client.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n").expect("the server reads");
        until("the server gives up", || (!server.log("access").is_empty()).then_some(()));
        took(start, TIME);
        assert!(client.read_to_end().len() < LONG, "not all of it");
        assert_eq!(server.connect().get("/a").text(), "hello", "others are served");
    }
}

/// Longer in all than Timeout, but it never stands still for so long.
fn a_client_that_reads_slowly(mpm: Mpm) {
    for sendfile in ["On", "Off"] {
        let lines = format!("Timeout 1\nEnableSendfile {sendfile}");
        let server = site(mpm, &lines).file("long", vec![b'x'; LONG]).start();
        let mut client = Client::connect_narrow(server.address(), 64 * 1024);
        client.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n").expect("the server reads");
        assert_eq!(client.read_head().expect("an answer").status, 200);
        let start = Instant::now();
        let mut left = LONG;
        let mut piece = vec![0; 256 * 1024];
        while left > 0 {
            // The pace of this client, not a wait for anything.
            std::thread::sleep(TIME / 40);
            let len = piece.len().min(left);
            client.body().read_exact(&mut piece[..len]).expect("the next piece");
            left -= len;
        }
        assert!(start.elapsed() > Duration::from_secs(1), "slow enough to show anything");
    }
}

fn keep_alive_off(mpm: Mpm) {
    let server = site(mpm, "KeepAlive Off").start();
    for fields in ["", "Connection: keep-alive\r\n"] {
        let mut client = server.connect();
        let response = client.request("GET", "/a", fields);
        assert_eq!(response.text(), "hello");
        assert_eq!(response.field("connection").as_deref(), Some("close"));
        assert!(client.is_closed());
    }
    let two = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2);
    let raw = exchange(server.address(), two);
    assert_eq!(String::from_utf8_lossy(&raw).matches("HTTP/1.1 200 OK").count(), 1);
}

/// So many after the first, as httpd counts.
fn as_many_requests_as_allowed(mpm: Mpm) {
    for (lines, allowed) in [
        ("MaxKeepAliveRequests 2", Some(2)),
        ("MaxKeepAliveRequests 1", Some(1)),
        ("", Some(100)),
        ("MaxKeepAliveRequests 0", None),
    ] {
        let server = site(mpm, lines).start();
        // One after the other, and all in one write.
        for pipelined in [false, true] {
            let mut client = server.connect();
            let request = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
            let count = allowed.map_or(250, |allowed| allowed + 1);
            if pipelined {
                client.send(request.repeat(count + 1)).expect("the server reads");
            }
            for n in 1..=count {
                if !pipelined {
                    client.send(request).expect("the server reads");
                }
                let response = client.read("GET").expect("an answer");
                let closes = response.field("connection").as_deref() == Some("close");
                assert_eq!(closes, n == count && allowed.is_some(), "{lines}, {n}");
            }
            if allowed.is_some() {
                assert!(client.is_closed(), "{lines}");
            }
        }
    }
}

fn http_1_0(mpm: Mpm) {
    let server = site(mpm, "").start();
    let mut client = server.connect();
    for _ in 0..2 {
        client.send("GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").expect("the server reads");
        let response = client.read("GET").expect("an answer");
        let connection = response.field("connection").map(|value| value.to_lowercase());
        assert_eq!((response.status, connection.as_deref()), (200, Some("keep-alive")));
    }
    client.send("GET /a HTTP/1.0\r\n\r\n").expect("the server reads");
    assert_eq!(client.read("GET").expect("an answer").text(), "hello");
    assert!(client.is_closed());
    drop(client);
    let mut client = server.connect();
    let response = client.request("GET", "/a", "Connection: close\r\n");
    assert_eq!(response.field("connection").as_deref(), Some("close"));
    assert!(client.is_closed());
}

/// A client that got the last answer and does not close holds its thread for two seconds, no longer.
/// The MPM in C serves one connection at a time, so that the next one shows it.
#[test]
fn lingering_close_ends() {
    let server = site(Mpm::C99, "Timeout 30").start();
    let mut client = server.connect();
    let start = Instant::now();
    assert_eq!(client.request("GET", "/a", "Connection: close\r\n").text(), "hello");
    assert!(client.is_closed(), "its FIN is there");
    assert_eq!(server.connect().get("/a").text(), "hello");
    took(start, Duration::from_secs(2));
    drop(client);
}
