//! Static files: methods, fields, ranges, directories, types, names.

use std::os::unix::ffi::OsStrExt;

use gearbox_tests::{Mpm, Response, Server, Setup, exchange};

every_mpm!(
    an_answer_byte_for_byte,
    methods,
    ranges,
    an_empty_file,
    directories,
    an_index_of_several_names,
    redirects_to_a_directory,
    types_by_extension,
    a_table_of_types,
    names_with_odd_bytes,
);

/// 2 January 2020, 3:04:05.
pub(crate) const DATE_S: u64 = 1_577_934_245;
pub(crate) const DATE: &str = "Thu, 02 Jan 2020 03:04:05 GMT";
/// Of six bytes then: size and microseconds, in hexadecimal.
pub(crate) const ETAG: &str = "\"6-59b1f7226f340\"";

pub(crate) fn site(mpm: Mpm) -> Server {
    let server = Server::with_files(mpm, &[("a.txt", b"hello\n"), ("empty", b"")]);
    server.set_modified("a.txt", DATE_S);
    server
}

fn an_answer_byte_for_byte(mpm: Mpm) {
    let server = site(mpm);
    let head = format!(
        "HTTP/1.1 200 OK\r\nLast-Modified: {DATE}\r\nEtag: {ETAG}\r\nAccept-Ranges: bytes\r\n\
         Content-Length: 6\r\nContent-Type: text/plain\r\nServer: gearbox\r\nDate: "
    );
    // The first time, from the disk, and later, perhaps from memory.
    for _ in 0..3 {
        for (method, body) in [("GET", "hello\n"), ("HEAD", "")] {
            let request = format!("{method} /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let raw = String::from_utf8(exchange(server.address(), request)).expect("text");
            let rest = raw.strip_prefix(&head).unwrap_or_else(|| panic!("{raw}"));
            let (date, rest) = rest.split_once("\r\n").expect("more");
            assert_eq!((date.len(), rest), (29, format!("\r\n{body}").as_str()));
        }
    }
}

fn methods(mpm: Mpm) {
    let server = site(mpm);
    let mut client = server.connect();
    for (method, target, status) in [
        ("GET", "/a.txt", 200),
        ("HEAD", "/a.txt", 200),
        ("OPTIONS", "/a.txt", 200),
        ("OPTIONS", "*", 200),
        ("POST", "/a.txt", 405),
        ("PUT", "/a.txt", 405),
        ("PUT", "/new.txt", 405),
        ("DELETE", "/a.txt", 405),
        ("PATCH", "/a.txt", 405),
        ("TRACE", "/a.txt", 405),
        ("HEAD", "/none", 404),
    ] {
        let response = client.request(method, target, "");
        assert_eq!(response.status, status, "{method} {target}");
        let allow = (method == "OPTIONS" || status == 405).then(|| "GET,HEAD,OPTIONS".to_owned());
        assert_eq!(response.field("allow"), allow, "{method} {target}");
        if method == "OPTIONS" {
            assert_eq!(response.field("content-length").as_deref(), Some("0"));
        }
    }
    assert_eq!(client.get("/a.txt").text(), "hello\n");
    // After this one the connection is closed.
    let response = client.request("BREW", "/a.txt", "");
    assert_eq!((response.status, response.field("allow")), (501, Some("GET,HEAD,OPTIONS".into())));
    assert!(client.is_closed());
}

/// Status, Content-Range and body of a request for a part.
fn part(response: &Response) -> (u16, Option<String>, String) {
    (response.status, response.field("content-range"), response.text())
}

fn ranges(mpm: Mpm) {
    let server = site(mpm);
    let mut client = server.connect();
    for (range, content_range, body) in [
        ("bytes=0-0", "0-0", "h"),
        ("bytes=0-", "0-5", "hello\n"),
        ("bytes=5-", "5-5", "\n"),
        ("bytes=2-3", "2-3", "ll"),
        ("bytes=-1", "5-5", "\n"),
        ("bytes=-100", "0-5", "hello\n"),
        ("bytes=4-99999999999999999999", "4-5", "o\n"),
        ("BYTES=1-1", "1-1", "e"),
    ] {
        let response = client.request("GET", "/a.txt", &format!("Range: {range}\r\n"));
        let wanted = (206, Some(format!("bytes {content_range}/6")), body.to_owned());
        assert_eq!(part(&response), wanted, "{range}");
        assert_eq!(response.field("etag").as_deref(), Some(ETAG));
    }
    for range in ["bytes=6-", "bytes=7-9", "bytes=-0"] {
        let response = client.request("GET", "/a.txt", &format!("Range: {range}\r\n"));
        assert_eq!(part(&response).0, 416, "{range}");
        assert_eq!(part(&response).1.as_deref(), Some("bytes */6"), "{range}");
    }
    // Malformed, of another kind, or several: the whole.
    for fields in [
        "Range: bytes=3-2\r\n",
        "Range: bytes=\r\n",
        "Range: bytes=-\r\n",
        "Range: bytes=a-b\r\n",
        "Range: lines=0-1\r\n",
        "Range: bytes=0-1,3-4\r\n",
        "Range: bytes=0-1\r\nRange: bytes=2-3\r\n",
    ] {
        let response = client.request("GET", "/a.txt", fields);
        assert_eq!(part(&response), (200, None, "hello\n".to_owned()), "{fields}");
    }
    let response = client.request("HEAD", "/a.txt", "Range: bytes=0-1\r\n");
    assert_eq!(response.status, 200, "a part of what is not sent");
    let response = client.request("GET", "/none", "Range: bytes=0-1\r\n");
    assert_eq!(response.status, 404);
}

fn an_empty_file(mpm: Mpm) {
    let server = site(mpm);
    let mut client = server.connect();
    for fields in ["", "Range: bytes=0-\r\n", "Range: bytes=-1\r\n"] {
        let response = client.request("GET", "/empty", fields);
        assert_eq!(part(&response), (200, None, String::new()), "{fields}");
        assert_eq!(response.field("content-length").as_deref(), Some("0"));
        assert_eq!(response.field("content-type"), None);
    }
}

fn directories(mpm: Mpm) {
    let setup = Setup::new(mpm).file("index.html", "root").file("dir/index.html", "dir");
    let server = setup.file("bare/file", "x").start();
    let mut client = server.connect();
    for (target, body) in
        [("/", "root"), ("/dir/", "dir"), ("/dir/index.html", "dir"), ("/?query", "root")]
    {
        let response = client.get(target);
        assert_eq!((response.status, response.text().as_str()), (200, body), "{target}");
        assert_eq!(response.field("content-type").as_deref(), Some("text/html"), "{target}");
    }
    assert_eq!(client.get("/bare/").status, 403);
    assert!(server.error_log().contains("AH01276: Cannot serve directory "));
    assert_eq!(client.get("/none/").status, 404);
}

fn an_index_of_several_names(mpm: Mpm) {
    let setup = Setup::new(mpm).line("DirectoryIndex first.txt sub second.html");
    let setup = setup.file("sub/x", "x").file("second.html", "second").file("off/first.txt", "f");
    let off = "<Directory @ROOT@/htdocs/off>\nDirectoryIndex disabled\n</Directory>";
    let server = setup.line(off).start();
    let mut client = server.connect();
    // A directory is none, and what comes first wins as soon as it is there.
    assert_eq!(client.get("/").text(), "second");
    server.put("first.txt", b"first");
    assert_eq!(client.get("/").text(), "first");
    std::fs::remove_file(server.root().join("htdocs/first.txt")).expect("ours");
    assert_eq!(client.get("/").text(), "second");
    assert_eq!(client.get("/off/").status, 403);
}

fn redirects_to_a_directory(mpm: Mpm) {
    let setup = Setup::new(mpm).file("dir/x", "x").file("a b?%é\"<>/x", "x");
    let server = setup.file("other.example/x", "x").start();
    for (request, location) in [
        ("GET /dir HTTP/1.1\r\nHost: localhost\r\n", "http://localhost/dir/"),
        ("HEAD /dir HTTP/1.1\r\nHost: localhost\r\n", "http://localhost/dir/"),
        ("GET /dir?a=b&c HTTP/1.1\r\nHost: localhost:81\r\n", "http://localhost:81/dir/?a=b&c"),
        ("GET /%64ir HTTP/1.1\r\nHost: localhost\r\n", "http://localhost/dir/"),
        ("GET http://h/dir HTTP/1.1\r\nHost: localhost\r\n", "http://h/dir/"),
        (
            "GET /a%20b%3f%25%c3%a9%22%3c%3e HTTP/1.1\r\nHost: localhost\r\n",
            "http://localhost/a%20b%3F%25%C3%A9%22%3C%3E/",
        ),
        // Not to another host.
        ("GET //other.example HTTP/1.1\r\nHost: localhost\r\n", "http://localhost/other.example/"),
        ("GET /x/..//other.example HTTP/1.1\r\nHost: a\r\n", "http://a/other.example/"),
    ] {
        let mut client = server.connect();
        client.send(format!("{request}\r\n")).expect("the server reads");
        let method = request.split(' ').next().expect("a method");
        let response = client.read(method).expect("an answer");
        assert_eq!(response.status, 301, "{request}");
        assert_eq!(response.field("location").as_deref(), Some(location), "{request}");
    }
    let raw = exchange(server.address(), "GET /dir HTTP/1.0\r\n\r\n");
    let port = server.address().port();
    let raw = String::from_utf8_lossy(&raw).into_owned();
    let named = ["http://localhost/dir/".to_owned(), format!("http://localhost:{port}/dir/")];
    assert!(named.iter().any(|url| raw.contains(&format!("\r\nLocation: {url}\r\n"))), "{raw}");
}

fn content_type(server: &Server, path: &str) -> Option<String> {
    let response = server.connect().get(&format!("/{path}"));
    assert_eq!(response.status, 200, "{path}");
    response.field("content-type")
}

fn types_by_extension(mpm: Mpm) {
    let files = [
        ("a.html", Some("text/html")),
        ("a.HTML", Some("text/html")),
        ("a.css", Some("text/css")),
        ("a.js", Some("text/javascript")),
        ("a.svg", Some("image/svg+xml")),
        ("a.tar.gz", Some("application/gzip")),
        ("a.html.bak", Some("text/html")),
        ("html", None),
        (".css", None),
        ("a.", None),
        ("a.unheard-of", None),
        ("d.html/a", None),
    ];
    let setup = files.iter().fold(Setup::new(mpm), |setup, (path, _)| setup.file(path, "x"));
    let server = setup.start();
    for (path, wanted) in files {
        assert_eq!(content_type(&server, path).as_deref(), wanted, "{path}");
    }
}

fn a_table_of_types(mpm: Mpm) {
    let dir = tempfile::tempdir().expect("a directory");
    let table = dir.path().join("types");
    std::fs::write(&table, "# a comment\ntext/x-own own OWN2\ntext/nothing\n").expect("ours");
    let setup = Setup::new(mpm).line(&format!("TypesConfig {}", table.display()));
    let server = setup.file("a.own", "x").file("a.own2", "x").file("a.html", "x").start();
    assert_eq!(content_type(&server, "a.own").as_deref(), Some("text/x-own"));
    assert_eq!(content_type(&server, "a.own2").as_deref(), Some("text/x-own"));
    assert_eq!(content_type(&server, "a.html"), None, "it replaces the shipped table");
}

fn names_with_odd_bytes(mpm: Mpm) {
    let server = Server::with_files(mpm, &[]);
    let long = "l".repeat(255);
    let names: [&[u8]; 14] = [
        b"a b",
        b"%",
        b"%41",
        b"?q",
        b"#f",
        b"a+b&c=d;e,f",
        b"back\\slash",
        b"\"<>'`{|}^[]",
        "umläut".as_bytes(),
        b"\xff\xfe",
        b"line\r\nbreak",
        b"\x01\x7f\t",
        b"..hidden...",
        long.as_bytes(),
    ];
    let mut client = server.connect();
    for name in names {
        let path = server.root().join("htdocs").join(std::ffi::OsStr::from_bytes(name));
        std::fs::write(path, name).expect("ours");
        let target: String = name.iter().map(|byte| format!("%{byte:02x}")).collect();
        let response = client.get(&format!("/{target}"));
        assert_eq!((response.status, &*response.body), (200, name), "{}", name.escape_ascii());
    }
    // As a browser would ask for it.
    assert_eq!(client.get("/uml%C3%A4ut").status, 200);
    assert_eq!(client.get("/umläut").status, 200);
    assert_eq!(client.get(&format!("/{long}l")).status, 403, "longer than a name can be");
}
