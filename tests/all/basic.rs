//! What every MPM must do.

use gearbox_tests::{Mpm, Server, exchange};

every_mpm!(serves_a_file, keeps_a_connection_alive, stops_when_told);

fn serves_a_file(mpm: Mpm) {
    let server = Server::with_files(mpm, &[("hello.txt", b"hello\n")]);
    let response = server.connect().get("/hello.txt");
    assert_eq!(response.status_line, "HTTP/1.1 200 OK");
    assert_eq!(response.body, b"hello\n");
    assert_eq!(response.field("content-type").as_deref(), Some("text/plain"));
    let raw = exchange(server.address(), "GET /none HTTP/1.0\r\n\r\n");
    assert!(raw.starts_with(b"HTTP/1.0 404 Not Found\r\n"), "{}", String::from_utf8_lossy(&raw));
}

fn keeps_a_connection_alive(mpm: Mpm) {
    let server = Server::with_files(mpm, &[("a", b"a"), ("b", b"bb")]);
    let mut client = server.connect();
    for _ in 0..20 {
        assert_eq!(client.get("/a").body, b"a");
        assert_eq!(client.get("/b").body, b"bb");
    }
}

fn stops_when_told(mpm: Mpm) {
    let server = Server::with_files(mpm, &[("a", b"a")]);
    let mut idle = server.connect();
    assert_eq!(idle.get("/a").status, 200);
    assert_eq!(server.stop(), 0);
    assert!(idle.is_closed());
}
