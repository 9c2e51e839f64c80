//! Conditional requests: If-Match, If-None-Match, the two dates, If-Range.

use gearbox_tests::Mpm;

use crate::files::{DATE, ETAG, site};

every_mpm!(conditions, conditions_on_a_range, a_document_that_was_just_written);

const EARLIER: &str = "Thu, 02 Jan 2020 03:04:04 GMT";
const LATER: &str = "Thu, 02 Jan 2020 03:04:06 GMT";

fn conditions(mpm: Mpm) {
    let server = site(mpm);
    let mut client = server.connect();
    for (fields, status) in [
        (format!("If-None-Match: {ETAG}"), 304),
        (format!("If-None-Match: W/{ETAG}"), 304),
        ("If-None-Match: *".to_owned(), 304),
        (format!("If-None-Match: \"x\", {ETAG}"), 304),
        (format!("If-None-Match: \"x\"\r\nIf-None-Match: {ETAG}"), 304),
        ("If-None-Match: \"x\"".to_owned(), 200),
        ("If-None-Match: 6-59b1f7226f340".to_owned(), 200),
        (format!("If-Modified-Since: {DATE}"), 304),
        (format!("If-Modified-Since: {LATER}"), 304),
        (format!("If-Modified-Since: {EARLIER}"), 200),
        ("If-Modified-Since: yesterday".to_owned(), 200),
        ("If-Modified-Since: Thursday, 02-Jan-20 03:04:05 GMT".to_owned(), 304),
        ("If-Modified-Since: Thu Jan  2 03:04:05 2020".to_owned(), 304),
        (format!("If-Match: {ETAG}"), 200),
        ("If-Match: *".to_owned(), 200),
        (format!("If-Match: W/{ETAG}"), 412),
        ("If-Match: \"x\"".to_owned(), 412),
        (format!("If-Unmodified-Since: {DATE}"), 200),
        (format!("If-Unmodified-Since: {EARLIER}"), 412),
        // Tags win over dates, what must fail over what may spare the body.
        (format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {DATE}"), 200),
        (format!("If-None-Match: {ETAG}\r\nIf-Modified-Since: {EARLIER}"), 304),
        (format!("If-Match: {ETAG}\r\nIf-Unmodified-Since: {EARLIER}"), 200),
        (format!("If-Match: \"x\"\r\nIf-None-Match: {ETAG}"), 412),
    ] {
        for method in ["GET", "HEAD"] {
            let response = client.request(method, "/a.txt", &format!("{fields}\r\n"));
            assert_eq!(response.status, status, "{method} with {fields}");
            let body = if method == "GET" && status == 200 { "hello\n" } else { "" };
            match status {
                200 => assert_eq!(response.text(), body, "{method} with {fields}"),
                304 => {
                    assert_eq!(response.field("etag").as_deref(), Some(ETAG));
                    assert_eq!(response.field("content-length"), None);
                }
                _ => assert!(!response.text().contains("hello")),
            }
        }
    }
    // Of what is not there nothing is asked.
    assert_eq!(client.request("GET", "/none", "If-Match: \"x\"\r\n").status, 404);
    assert_eq!(client.request("GET", "/none", "If-None-Match: *\r\n").status, 404);
    assert_eq!(client.get("/a.txt").text(), "hello\n");
}

fn conditions_on_a_range(mpm: Mpm) {
    let server = site(mpm);
    let mut client = server.connect();
    for (fields, status) in [
        (format!("If-Range: {ETAG}"), 206),
        (format!("If-Range: {DATE}"), 206),
        (format!("If-Range: W/{ETAG}"), 200),
        ("If-Range: \"x\"".to_owned(), 200),
        (format!("If-Range: {EARLIER}"), 200),
        (format!("If-Range: {LATER}"), 200),
        ("If-Range: nonsense".to_owned(), 200),
        (format!("If-Match: {ETAG}"), 206),
        ("If-Match: \"x\"".to_owned(), 412),
        (format!("If-None-Match: {ETAG}"), 304),
    ] {
        let response =
            client.request("GET", "/a.txt", &format!("Range: bytes=1-2\r\n{fields}\r\n"));
        assert_eq!(response.status, status, "{fields}");
        match status {
            200 => assert_eq!(response.text(), "hello\n", "{fields}"),
            206 => assert_eq!(response.text(), "el", "{fields}"),
            _ => assert!(!response.text().contains("el\n"), "{fields}"),
        }
    }
    // Without its part the client gets all of it, satisfiable or not.
    let stale = "Range: bytes=9-\r\nIf-Range: \"x\"\r\n";
    assert_eq!(client.request("GET", "/a.txt", stale).text(), "hello\n");
}

/// It may change again within the same tick of the clock: its tag is weak, and a part is not put
/// together with a part of another state.
fn a_document_that_was_just_written(mpm: Mpm) {
    let server = site(mpm);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    server.set_modified("a.txt", now.as_secs() + 3600);
    let mut client = server.connect();
    let response = client.get("/a.txt");
    let etag = response.field("etag").expect("a tag");
    assert!(etag.starts_with("W/\"6-"), "{etag}");
    assert_eq!(response.field("last-modified"), response.field("date"), "never in the future");
    let parted = format!("Range: bytes=0-1\r\nIf-Range: {etag}\r\n");
    assert_eq!(client.request("GET", "/a.txt", &parted).status, 200);
    let same = format!("If-None-Match: {etag}\r\n");
    assert_eq!(client.request("GET", "/a.txt", &same).status, 304);
}
