//! What gearbox and httpd are asked.

use crate::files::{DATE, ETAG};

/// Targets, each asked for with every method.
const TARGETS: &[&str] = &[
    "/",
    "/a.txt",
    "/empty",
    "/dir",
    "/dir/",
    "/dir?x=y",
    "/dir/?x",
    "/bare",
    "/bare/",
    "/none",
    "/none/",
    "/denied",
    "/denied/",
    "/denied/a",
    "/denied/open/a",
    "/a.txt/",
    "/a.txt/x",
    "/plain",
    "/unheard.of",
    "/a%20b.html",
    "/a.html.bak",
    "/A.TXT",
    "/by-url/a",
    "/by-url",
    "/large",
];

const METHODS: &[&str] =
    &["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"];

/// Targets that are only got.
const ODD_TARGETS: &[&str] = &[
    "//a.txt",
    "/./a.txt",
    "/dir/../a.txt",
    "/dir//index.html",
    "/..",
    "/../a.txt",
    "/dir/../../a",
    "/%2e%2e/a.txt",
    "/%2e%2e%2fa.txt",
    "/a.txt%00",
    "/%00",
    "/%",
    "/%2",
    "/%zz",
    "/dir%2findex.html",
    "/%61.txt",
    "/a.txt?%zz%00",
    "//dir",
    "//other.example/x",
    "/..\\a.txt",
    "/%5c",
    "*",
    "a.txt",
    "http://localhost/a.txt",
    "http://other.example/dir",
    "http://other.example",
    "http:///a.txt",
    "https://localhost/a.txt",
    "ftp://localhost/a.txt",
    "/a.txt#fragment",
    "/<|>",
    "/\u{e9}",
    "/dir/.",
    "/dir/..",
    "/.",
    "/denied/../a.txt",
    "/dir/%2e%2e/denied/a",
    "/%64enied/a",
];

/// Fields of a GET and a HEAD of `/a.txt`.
const FIELDS: &[&str] = &[
    "If-None-Match: @",
    "If-None-Match: W/@",
    "If-None-Match: *",
    "If-None-Match: \"x\"",
    "If-None-Match: \"x\", @",
    "If-None-Match: x",
    "If-Modified-Since: %",
    "If-Modified-Since: Thu, 02 Jan 2020 03:04:04 GMT",
    "If-Modified-Since: Fri, 03 Jan 2098 03:04:05 GMT",
    "If-Modified-Since: yesterday",
    "If-Modified-Since: Thursday, 02-Jan-20 03:04:05 GMT",
    "If-Modified-Since: Thu Jan  2 03:04:05 2020",
    "If-Match: @",
    "If-Match: W/@",
    "If-Match: *",
    "If-Match: \"x\"",
    "If-Unmodified-Since: %",
    "If-Unmodified-Since: Thu, 02 Jan 2020 03:04:04 GMT",
    "If-None-Match: \"x\"\r\nIf-Modified-Since: %",
    "If-None-Match: @\r\nIf-Modified-Since: Thu, 02 Jan 2019 03:04:05 GMT",
    "If-Match: @\r\nIf-None-Match: @",
    "If-Match: \"x\"\r\nIf-None-Match: @",
    "Range: bytes=0-0",
    "Range: bytes=0-",
    "Range: bytes=-1",
    "Range: bytes=-100",
    "Range: bytes=5-",
    "Range: bytes=6-",
    "Range: bytes=2-3",
    "Range: bytes=3-2",
    "Range: bytes=-0",
    "Range: bytes=0-99",
    "Range: bytes=a-b",
    "Range: bytes=",
    "Range: bytes=-",
    "Range: bytes=1-99999999999999999999",
    "Range: bytes=0-1,3-4",
    "Range: bytes=0-1,",
    "Range: lines=0-1",
    "Range: BYTES=0-1",
    "Range: bytes =0-1",
    "Range: bytes=0-1\r\nIf-Range: @",
    "Range: bytes=0-1\r\nIf-Range: W/@",
    "Range: bytes=0-1\r\nIf-Range: \"x\"",
    "Range: bytes=0-1\r\nIf-Range: %",
    "Range: bytes=0-1\r\nIf-Range: Thu, 02 Jan 2020 03:04:04 GMT",
    "Range: bytes=0-1\r\nIf-Range: x",
    "Range: bytes=0-1\r\nIf-Match: \"x\"",
    "Range: bytes=0-1\r\nIf-None-Match: @",
    "Range: bytes=9-\r\nIf-Range: \"x\"",
    "Connection: close",
    "Connection: Close, TE",
    "Connection: keep-alive",
    "Expect: magic",
    "X: a\r\n folded",
    "X : a",
    "X",
    "X: a\x01b",
    "X(: a",
    ": a",
    "Host: localhost",
    "Content-Length: 1\r\nContent-Length: 2",
    "Content-Length: 1, 2",
    "Content-Length: -1",
    "Content-Length: x",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: chunked, identity",
];

/// Whole requests.
const WHOLE: &[&str] = &[
    "junk\r\n\r\n",
    "GET /a.txt\r\n\r\n",
    "GET  /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /a.txt HTTP/1.1 \r\nHost: localhost\r\n\r\n",
    "GET /a.txt http/1.1\r\nHost: localhost\r\n\r\n",
    "GET /a.txt HTTP/1.2\r\nHost: localhost\r\n\r\n",
    "GET /a.txt HTTP/2.0\r\nHost: localhost\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\r\nGET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /a.txt HTTP/1.1\nHost: localhost\n\n",
    "GET /a.txt HTTP/1.1\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost:\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: a b\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "GET /dir HTTP/1.1\r\nHost: other.example:99\r\n\r\n",
    "GET http://a.example/dir HTTP/1.1\r\nHost: other.example:99\r\n\r\n",
    "GET /a.txt HTTP/1.0\r\n\r\n",
    "GET /a.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "GET /dir HTTP/1.0\r\nHost: localhost\r\n\r\n",
    "GET /a.txt HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "CONNECT /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "PROPFIND /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "get /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\nGET /dir/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n\0\x01garbage\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "GET /a.txt HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n\
     0\r\n\r\nGET /dir/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\
     GET /dir/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
     GET /dir/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
];

/// All of it.
pub(super) fn requests() -> Vec<String> {
    let whole = |method: &str, target: &str, fields: &str| {
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
    };
    let mut all: Vec<String> = WHOLE.iter().map(|request| (*request).to_owned()).collect();
    for method in METHODS {
        all.extend(TARGETS.iter().map(|target| whole(method, target, "")));
    }
    all.extend(ODD_TARGETS.iter().map(|target| whole("GET", target, "")));
    for fields in FIELDS {
        let fields = fields.replace('@', ETAG).replace('%', DATE);
        all.extend(["GET", "HEAD"].map(|m| whole(m, "/a.txt", &format!("{fields}\r\n"))));
    }
    // As documented; httpd lets one byte more through.
    for len in [8190, 8192, 100_000] {
        let rest = |fixed: &str| "a".repeat(len - fixed.len());
        all.push(whole("GET", &format!("/{}", rest("GET / HTTP/1.1")), ""));
        all.push(whole("GET", "/a.txt", &format!("X: {}\r\n", rest("X: "))));
    }
    all.extend([99, 100].map(|count| whole("GET", "/a.txt", &"X: a\r\n".repeat(count))));
    all
}
