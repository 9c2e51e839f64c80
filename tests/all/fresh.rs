//! A document is fresh at every request: who changed a file sees the change with the next request, over
//! any connection.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use gearbox_tests::{Client, Mpm, Server};

every_mpm!(replaced, written_in_place, removed_and_made, after_being_kept);

fn site(mpm: Mpm) -> Server {
    Server::with_files(mpm, &[("a", b"0000"), ("index.html", b"0000")])
}

fn path(server: &Server, name: &str) -> PathBuf {
    server.root().join("htdocs").join(name)
}

/// Written over, the file and its length stay the same.
fn write_in_place(server: &Server, name: &str, content: &str) {
    let mut file = OpenOptions::new().write(true).open(path(server, name)).expect("ours");
    file.write_all(content.as_bytes()).expect("ours");
}

/// What a path gives: over this connection, and over a new one. (The MPM in C serves one connection at
/// a time.)
fn both(server: &Server, client: &mut Client, target: &str) -> [String; 2] {
    let first = client.get(target).text();
    if server.mpm() == Mpm::C99 {
        *client = server.connect();
        return [first, client.get(target).text()];
    }
    [first, server.connect().get(target).text()]
}

fn replaced(mpm: Mpm) {
    let server = site(mpm);
    let mut client = server.connect();
    for n in 0..50 {
        let content = format!("{n:04}");
        server.put("a", content.as_bytes());
        server.put("index.html", content.as_bytes());
        assert_eq!(both(&server, &mut client, "/a"), [content.clone(), content.clone()]);
        assert_eq!(client.get("/").text(), content);
    }
}

fn written_in_place(mpm: Mpm) {
    let server = site(mpm);
    let mut client = server.connect();
    let mut tags = Vec::new();
    for n in 0..50 {
        let content = format!("{n:04}");
        write_in_place(&server, "a", &content);
        assert_eq!(both(&server, &mut client, "/a"), [content.clone(), content]);
        tags.push(client.request("HEAD", "/a", "").field("etag").expect("a tag"));
    }
    // A strong tag stands for one state; the clock may be too slow to tell two apart.
    tags.retain(|tag| !tag.starts_with("W/"));
    let strong = tags.len();
    tags.dedup();
    assert_eq!(tags.len(), strong, "{tags:?}");
}

fn removed_and_made(mpm: Mpm) {
    let server = site(mpm);
    let mut client = server.connect();
    for n in 0..10 {
        std::fs::remove_file(path(&server, "a")).expect("ours");
        assert_eq!(client.get("/a").status, 404);
        let content = format!("{n}");
        std::fs::write(path(&server, "a"), &content).expect("ours");
        assert_eq!(both(&server, &mut client, "/a"), [content.clone(), content]);
    }
    std::fs::remove_file(path(&server, "a")).expect("ours");
    std::fs::create_dir(path(&server, "a")).expect("ours");
    assert_eq!(client.get("/a").status, 301);
}

/// Every child has had time to take the file into memory.
fn after_being_kept(mpm: Mpm) {
    let server = site(mpm);
    server.wait_until_settled("a");
    for _ in 0..40 {
        assert_eq!(server.connect().get("/a").text(), "0000");
    }
    write_in_place(&server, "a", "0001");
    for _ in 0..40 {
        assert_eq!(server.connect().get("/a").text(), "0001");
    }
    server.put("a", b"longer");
    for _ in 0..40 {
        assert_eq!(server.connect().get("/a").text(), "longer");
    }
    // The times of the old state do not bring it back.
    server.set_modified("a", 1_500_000_000);
    server.wait_until_settled("a");
    assert_eq!(server.connect().get("/a").text(), "longer");
    write_in_place(&server, "a", "anothr");
    server.set_modified("a", 1_500_000_000);
    for _ in 0..40 {
        assert_eq!(server.connect().get("/a").text(), "anothr");
    }
}
