//! Requests whose end two readers could see in two places: only one answer, and the connection is
//! closed. What follows must never be taken for a request.

use gearbox_tests::{Mpm, Server};

use crate::malformed::Then::{Closed, Open};
use crate::malformed::{answers, site};

every_mpm!(lengths, transfer_codings, broken_chunks, whole_bodies, bodies_that_are_left_unread);

const HOST: &str = "Host: localhost\r\n";
/// What an attacker wants to have answered on somebody else's behalf.
const SMUGGLED: &str = "GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[track_caller]
fn closes(server: &Server, method: &str, fields: &str, body: &str, status: u16) {
    let request = format!("{method} /a HTTP/1.1\r\n{HOST}{fields}\r\n{body}{SMUGGLED}");
    answers(server, request, status, Closed);
}

fn lengths(mpm: Mpm) {
    let server = site(mpm);
    for (fields, status) in [
        ("Content-Length: 1\r\nContent-Length: 2\r\n", 400),
        ("Content-Length: 1, 1\r\n", 400),
        ("Content-Length: 1, 2\r\n", 400),
        ("Content-Length: -1\r\n", 400),
        ("Content-Length: +1\r\n", 400),
        ("Content-Length: 0x1\r\n", 400),
        ("Content-Length: 1 1\r\n", 400),
        ("Content-Length:\r\n", 400),
        ("Content-Length: 99999999999999999999999\r\n", 400),
        ("Content-Length : 0\r\n", 400),
        ("Content-Length\0: 0\r\n", 400),
        // More than hyper counts to.
        ("Content-Length: 18446744073709551615\r\n", 431),
    ] {
        closes(&server, "GET", fields, "ab", status);
    }
}

fn transfer_codings(mpm: Mpm) {
    let server = site(mpm);
    let end = "0\r\n\r\n";
    for (fields, status) in [
        // Chunked decides, and nothing behind it is read (RFC 9112, section 6.1).
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 200),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 200),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", 200),
        // Not chunked in the end: where the body ends cannot be told.
        ("Transfer-Encoding: identity\r\n", 400),
        ("Transfer-Encoding: xchunked\r\n", 400),
        ("Transfer-Encoding: \x0bchunked\r\n", 400),
        ("Transfer-Encoding: chunked, identity\r\n", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", 400),
        ("Transfer-Encoding : chunked\r\n", 400),
        ("Transfer-Encoding:\r\n", 400),
    ] {
        closes(&server, "GET", fields, end, status);
    }
    let http_10 = format!("GET /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n{end}{SMUGGLED}");
    let raw = gearbox_tests::exchange(server.address(), http_10);
    assert!(raw.starts_with(b"HTTP/1.0 400 ") || raw.starts_with(b"HTTP/1.1 400 "));
    assert_eq!(String::from_utf8_lossy(&raw).matches("HTTP/1.").count(), 1);
}

fn broken_chunks(mpm: Mpm) {
    let server = site(mpm);
    for body in [
        "zz\r\n\r\n",
        "-1\r\n\r\n",
        "0x0\r\n\r\n",
        "\r\n\r\n",
        "fffffffffffffffff\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "1;a\nx\r\n0\r\n\r\n",
        "0\r\nX : y\r\n\r\n",
        "1\nx\n0\n\n",
    ] {
        closes(&server, "GET", "Transfer-Encoding: chunked\r\n", body, 200);
    }
}

/// Where everything is there and well formed the next request is answered.
fn whole_bodies(mpm: Mpm) {
    let server = site(mpm);
    for (method, status) in [("GET", 200), ("POST", 405), ("DELETE", 405)] {
        for (fields, body) in [
            ("Content-Length: 0\r\n", ""),
            ("Content-Length: 3\r\n", "abc"),
            ("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"),
            ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ] {
            let request = format!("{method} /a HTTP/1.1\r\n{HOST}{fields}\r\n{body}");
            answers(&server, request, status, Open);
        }
    }
    // A body that looks like a request is one.
    let len = SMUGGLED.len();
    let request = format!("POST /a HTTP/1.1\r\n{HOST}Content-Length: {len}\r\n\r\n{SMUGGLED}");
    answers(&server, request, 405, Open);
}

/// A body nobody reads, and that is not there yet, ends the connection.
fn bodies_that_are_left_unread(mpm: Mpm) {
    let server = site(mpm);
    for (fields, body) in [
        ("Content-Length: 1000000\r\n", "a"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nabcde\r\n"),
        ("Transfer-Encoding: chunked\r\n", "fffff\r\nabcde"),
    ] {
        closes(&server, "POST", fields, body, 405);
    }
}
