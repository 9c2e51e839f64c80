//! Access logs and the error log, line by line, and logs that cannot be written.

use gearbox_tests::{Client, Mpm, Server, Setup, exchange, free_port, until};

every_mpm!(
    common_and_combined,
    a_format_of_ones_own,
    what_a_client_sends_is_escaped,
    refusals_of_what_cannot_be_read,
    error_log_lines,
    levels,
    a_full_disk_for_the_access_log,
    a_full_disk_for_every_log,
);

/// Waits for that many lines of a log.
fn lines(server: &Server, log: &str, count: usize) -> Vec<String> {
    let text = until("the lines are in the log", || {
        let text = server.log(log);
        (text.lines().count() >= count).then_some(text)
    });
    text.lines().map(str::to_owned).collect()
}

/// An access log line without its time, which must look like one.
fn timeless(line: &str) -> String {
    let (before, rest) = line.split_once('[').expect("a time");
    let (time, after) = rest.split_once(']').expect("its end");
    let shape = |c: char| match c {
        '0'..='9' => '9',
        'a'..='z' => 'a',
        'A'..='Z' => 'A',
        '-' => '+',
        c => c,
    };
    let shaped: String = time.chars().map(shape).collect();
    assert_eq!(shaped, "99/Aaa/9999:99:99:99 +9999", "{line}");
    format!("{before}[]{after}")
}

fn common_and_combined(mpm: Mpm) {
    let setup = Setup::new(mpm).line("CustomLog logs/common common");
    let server = setup.line("CustomLog logs/combined combined").file("a", "hello").start();
    let mut client = server.connect();
    let from = "Referer: http://other.example/?x\r\nUser-Agent: Test/1.0 (of logs)\r\n";
    client.request("GET", "/a?b=c&d", from);
    client.request("HEAD", "/a", "");
    client.request("GET", "/a", "Range: bytes=1-2\r\n");
    client.request("GET", "/a", "If-None-Match: *\r\n");
    client.request("GET", "http://u.example/a", "");
    client.request("OPTIONS", "*", "");
    let none = client.request("GET", "/none", "").body.len();
    let post = client.request("POST", "/a", "").body.len();
    drop(client);
    exchange(server.address(), "GET /a HTTP/1.0\r\n\r\n");
    let ends = [
        "\"GET /a?b=c&d HTTP/1.1\" 200 5".to_owned(),
        "\"HEAD /a HTTP/1.1\" 200 -".to_owned(),
        "\"GET /a HTTP/1.1\" 206 2".to_owned(),
        "\"GET /a HTTP/1.1\" 304 -".to_owned(),
        "\"GET http://u.example/a HTTP/1.1\" 200 5".to_owned(),
        "\"OPTIONS * HTTP/1.1\" 200 -".to_owned(),
        format!("\"GET /none HTTP/1.1\" 404 {none}"),
        format!("\"POST /a HTTP/1.1\" 405 {post}"),
        "\"GET /a HTTP/1.0\" 200 5".to_owned(),
    ];
    let common: Vec<String> = ends.iter().map(|end| format!("127.0.0.1 - - [] {end}")).collect();
    let mut combined: Vec<String> =
        common.iter().map(|line| format!("{line} \"-\" \"-\"")).collect();
    combined[0] = format!("{} \"http://other.example/?x\" \"Test/1.0 (of logs)\"", common[0]);
    for (log, wanted) in [("common", common), ("combined", combined)] {
        let got: Vec<String> =
            lines(&server, log, wanted.len()).iter().map(|line| timeless(line)).collect();
        assert_eq!(got, wanted, "{log}");
    }
}

fn a_format_of_ones_own(mpm: Mpm) {
    let format = r#"LogFormat "%a %A %p %m %U %q|%H %B %v %k %T \"%{X-Test}i\" %{Host}i%%" own"#;
    let setup = Setup::new(mpm).line(format).line("CustomLog logs/own own").file("a", "hello");
    // The port is for redirects; %v is the name.
    let server = setup.line("ServerName localhost:8443").start();
    let mut client = server.connect();
    client.request("GET", "/a?b", "X-Test: yes\r\n");
    client.request("HEAD", "/a", "");
    let port = server.address().port();
    let wanted = [
        format!("127.0.0.1 127.0.0.1 {port} GET /a ?b|HTTP/1.1 5 localhost 0 0 \"yes\" localhost%"),
        format!("127.0.0.1 127.0.0.1 {port} HEAD /a |HTTP/1.1 0 localhost 1 0 \"-\" localhost%"),
    ];
    assert_eq!(lines(&server, "own", 2), wanted);
}

/// No client can forge a line, or send the administrator's terminal commands.
fn what_a_client_sends_is_escaped(mpm: Mpm) {
    let setup = Setup::new(mpm).line("CustomLog logs/access combined").file("a", "hello");
    let server = setup.start();
    let mut client = server.connect();
    let head: &[u8] = b"GET /\\x%0a%1b\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\
        Referer: \"quoted\" \\ back\tslash\r\nUser-Agent: \x80\xff\r\n\r\n";
    client.send(head).expect("the server reads");
    let len = client.read("GET").expect("an answer").body.len();
    let wanted = format!(
        "127.0.0.1 - - [] \"GET /\\\\x%0a%1b\\xc3\\xa9 HTTP/1.1\" 404 {len} \
         \"\\\"quoted\\\" \\\\ back\\tslash\" \"\\x80\\xff\""
    );
    assert_eq!(timeless(&lines(&server, "access", 1)[0]), wanted);
    // The error log shows the path, which has the bytes themselves.
    let path = server.root().join("htdocs").display().to_string();
    let wanted = format!("AH00128: File does not exist: {path}/\\\\x\\n\\x1b\\xc3\\xa9\n");
    assert!(server.error_log().contains(&wanted), "{}", server.error_log());
}

/// hyper does not show what it refuses, so the line says only who and with what status.
fn refusals_of_what_cannot_be_read(mpm: Mpm) {
    let setup = Setup::new(mpm).line("CustomLog logs/access combined").file("a", "hello");
    let server = setup.start();
    let long_head = format!("GET /a HTTP/1.1\r\n{}\r\n", "X: a\r\n".repeat(101));
    let long_line = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(70_000));
    for (n, (request, status, reason)) in [
        ("junk\r\n\r\n", 400, "invalid HTTP method parsed"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "invalid HTTP version parsed"),
        (&long_head, 431, "message head is too large"),
        (&long_line, 414, "URI too long"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = server.connect();
        let ours = client.stream().local_addr().expect("connected");
        client.send(request).expect("the server reads");
        assert_eq!(client.read("GET").expect("an answer").status, status, "{reason}");
        let line = timeless(&lines(&server, "access", n + 1)[n]);
        assert_eq!(line, format!("127.0.0.1 - - [] \"-\" {status} - \"-\" \"-\""));
        let wanted = format!("[client {ours}] GB0201: request refused: {reason}");
        assert!(server.error_log().contains(&wanted), "{wanted}\n{}", server.error_log());
    }
}

fn error_log_lines(mpm: Mpm) {
    let sections = "<Location /no>\nRequire all denied\n</Location>";
    let server = Setup::new(mpm).line(sections).file("bare/x", "x").start();
    let mut client = server.connect();
    let ours = client.stream().local_addr().expect("connected");
    for target in ["/none", "/no", "/bare/", "/%zz", "/%00"] {
        client.get(target);
        if target == "/%zz" {
            // After a bad request the connection is closed.
            client = Client::connect(server.address());
        }
    }
    let htdocs = server.root().join("htdocs").display().to_string();
    let log = server.error_log();
    for (level, text) in [
        ("info", format!("AH00128: File does not exist: {htdocs}/none")),
        ("error", format!("AH01630: client denied by server configuration: {htdocs}/no")),
        (
            "error",
            format!(
                "AH01276: Cannot serve directory {htdocs}/bare/: No matching DirectoryIndex \
                 (index.html) found, and server-generated directory index forbidden by Options \
                 directive"
            ),
        ),
        ("error", "AH10244: invalid URI path (/%zz)".to_owned()),
    ] {
        let line = log
            .lines()
            .find(|line| line.ends_with(&text))
            .unwrap_or_else(|| panic!("{text}: {log}"));
        let (time, rest) = line.split_once("] ").expect("a time");
        assert_eq!(time.len(), "[Sat Nov 21 06:54:00.123456 2026".len(), "{line}");
        let rest = rest.strip_prefix(&format!("[http:{level}] [pid ")).expect(&text);
        let (pid, rest) = rest.split_once(":tid ").expect("a thread");
        assert!(server.children().contains(&pid.parse().expect("a number")), "{line}");
        let (_, rest) = rest.split_once("] ").expect("its end");
        assert_eq!(rest, format!("[client {ours}] {text}"));
    }
    assert!(
        log.contains("AH00026: found %2f (encoded '/') or %00 in URI path (/%00), returning 404")
    );
}

fn levels(mpm: Mpm) {
    for (level, shows_info, shows_error) in
        [("warn", false, true), ("crit", false, false), ("crit http:info", true, true)]
    {
        let sections = "<Location /no>\nRequire all denied\n</Location>";
        // The server is found by a line of its own level.
        let lines = format!("LogLevel {level} server:info\n{sections}");
        let server = Setup::new(mpm).line(&lines).start();
        let mut client = server.connect();
        assert_eq!(client.get("/none").status, 404);
        assert_eq!(client.get("/no").status, 403);
        let log = server.error_log();
        assert_eq!(log.contains("AH00128"), shows_info, "{level}: {log}");
        assert_eq!(log.contains("AH01630"), shows_error, "{level}: {log}");
    }
}

fn a_full_disk_for_the_access_log(mpm: Mpm) {
    let setup = Setup::new(mpm).line("CustomLog /dev/full common").line("CustomLog logs/ok common");
    let server = setup.file("a", "hello").start();
    for _ in 0..30 {
        let mut client = server.connect();
        assert_eq!(client.get("/a").text(), "hello");
        assert_eq!(client.get("/none").status, 404);
    }
    assert_eq!(lines(&server, "ok", 60).len(), 60, "the other log has every line");
    let log = server.error_log();
    let told =
        "GB0401: access log cannot be written, serving goes on: ENOSPC: No space left on device";
    let count = log.matches(told).count();
    // Not once a request: that would fill the next disk.
    assert!((1..=server.children().len()).contains(&count), "{log}");
}

fn a_full_disk_for_every_log(mpm: Mpm) {
    let port = free_port();
    let lines = format!("Listen 127.0.0.1:{port}\nErrorLog /dev/full\nCustomLog /dev/full common");
    let server = Setup::new(mpm).line(&lines).file("a", "hello").detach();
    assert_eq!(server.output().status, 0, "{}", server.output().stderr);
    let address = ([127, 0, 0, 1], port).into();
    for _ in 0..30 {
        let mut client = Client::connect(address);
        assert_eq!(client.get("/a").text(), "hello");
        assert_eq!(client.get("/none").status, 404);
        assert_eq!(client.get("/%").status, 400);
    }
}
