//! Nothing outside DocumentRoot is ever served: paths that climb, symbolic links, what is no file.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use gearbox_tests::{Mpm, Server, Setup, exchange};
use nix::sys::stat::Mode;

every_mpm!(
    paths_that_climb,
    files_of_settings_and_passwords,
    links_where_they_may_be_followed,
    links_where_they_may_not,
    a_file_that_becomes_a_link,
    neither_file_nor_directory,
    files_the_server_may_not_read,
);

const SECRET: &[u8] = b"nobody may see this";

/// A site, and a secret beside it.
fn site(mpm: Mpm, lines: &str) -> Server {
    let setup = Setup::new(mpm).line(lines).file("a", "a").file("dir/b", "b");
    let server = setup.file("dir/index.html", "index").start();
    std::fs::create_dir(server.root().join("private")).expect("ours");
    std::fs::write(server.root().join("private/secret"), SECRET).expect("ours");
    server
}

fn in_htdocs(server: &Server, path: &str) -> PathBuf {
    server.root().join("htdocs").join(path)
}

#[track_caller]
fn refused(server: &Server, target: &str, status: u16) {
    let response = server.connect().get(target);
    assert_eq!(response.status, status, "{target}");
    assert!(!response.text().contains("nobody may see"), "{target}");
}

fn paths_that_climb(mpm: Mpm) {
    let server = site(mpm, "Options None");
    for (target, status) in [
        ("/../private/secret", 400),
        ("/dir/../../private/secret", 400),
        ("/./../private/secret", 400),
        ("/dir/..//../private/secret", 400),
        ("/%2e%2e/private/secret", 400),
        ("/.%2e/private/secret", 400),
        ("/%2E./private/secret", 400),
        ("/dir/%2e%2e/%2e%2e/private/secret", 400),
        ("/%2e%2e%2fprivate%2fsecret", 404),
        ("/..%2fprivate/secret", 404),
        ("/..%2Fprivate/secret", 404),
        ("/..%00/private/secret", 404),
        ("/%252e%252e/private/secret", 404),
        ("/..%5cprivate%5csecret", 404),
        ("/%c0%ae%c0%ae/private/secret", 404),
        ("/..;/private/secret", 404),
        ("/.../private/secret", 404),
        ("/a/../../private/secret", 400),
        ("/a%00.html", 404),
        ("/%00", 404),
        ("/%", 400),
        ("/%2", 400),
        ("/%zz", 400),
        ("/a%", 400),
        ("/a/", 404),
        ("/a/b", 404),
        ("/a/.", 404),
    ] {
        refused(&server, target, status);
    }
    let absolute = server.root().join("private/secret").display().to_string();
    for prefix in ["", "/", "//", "/dir/../", "/%2f"] {
        refused(&server, &format!("{prefix}{absolute}"), 404);
    }
    // Without leaving the site they are what they name.
    for (target, body) in [
        ("/dir/../a", "a"),
        ("//a", "a"),
        ("/./a", "a"),
        ("/dir//b", "b"),
        ("/dir/x/../b", "b"),
        ("/%61", "a"),
        ("/dir/.", "index"),
        ("/a/..//a", "a"),
        ("/a?../../%zz%00", "a"),
    ] {
        let response = server.connect().get(target);
        assert_eq!((response.status, response.text().as_str()), (200, body), "{target}");
    }
    let backslashes = "GET /..\\private\\secret HTTP/1.1\r\nHost: a\r\n\r\n";
    assert!(exchange(server.address(), backslashes).starts_with(b"HTTP/1.1 404 "));
}

/// What httpd's stock configuration denies by `<Files ".ht*">`, under every spelling.
fn files_of_settings_and_passwords(mpm: Mpm) {
    let site = "DirectoryIndex .htindex index.html\n<Location />\nRequire all granted\n</Location>";
    let mut setup = Setup::new(mpm).line(site).file("dir/index.html", "index");
    for path in [".htaccess", ".htpasswd", "dir/.htpasswd", ".HTACCESS", ".htpasswds/alice"] {
        setup = setup.file(path, SECRET);
    }
    let server = setup.file(".ha", "a").file("a.htm", "b").file("x.htaccess", "c").start();
    symlink(".htpasswd", in_htdocs(&server, ".htlink")).expect("ours");
    for target in [
        "/.htaccess",
        "/.htpasswd",
        "/%2ehtaccess",
        "/%2Ehtaccess",
        "/.%68taccess",
        "/.h%74access",
        "/%2e%68%74passwd",
        "//.htaccess",
        "/./.htaccess",
        "/dir/../.htaccess",
        "/dir/.htpasswd",
        "/dir//.htpasswd",
        "/dir/./.htpasswd",
        "/%2e/%2ehtpasswd",
        "/.htaccess?a=b",
        "/.htaccess/",
        "/.htaccess/x",
        "/.HTACCESS",
        "/.hTaccess",
        "/.htpasswds/alice",
        "/.htlink",
        // Nobody learns which there are.
        "/.htnone",
    ] {
        // Not only the first time.
        refused(&server, target, 403);
        refused(&server, target, 403);
    }
    assert_eq!(server.connect().request("HEAD", "/.htpasswd", "").status, 403);
    for (target, body) in [("/.ha", "a"), ("/a.htm", "b"), ("/x.htaccess", "c"), ("/dir/", "index")]
    {
        let response = server.connect().get(target);
        assert_eq!((response.status, response.text().as_str()), (200, body), "{target}");
    }
    let log = server.error_log();
    let told = "AH01630: client denied by server configuration: ";
    assert!(log.contains(&format!("{told}{}", in_htdocs(&server, ".htpasswd").display())), "{log}");
}

/// Links to the secret, to its directory, to a file of the site, and to nothing.
fn make_links(server: &Server) {
    for (target, link) in [
        ("../private/secret", "file"),
        ("../private", "directory"),
        ("a", "inside"),
        ("nowhere", "broken"),
        ("loop", "loop"),
        ("../../private/secret", "dir/deep"),
    ] {
        symlink(target, in_htdocs(server, link)).expect("ours");
    }
    symlink(server.root().join("private/secret"), in_htdocs(server, "absolute")).expect("ours");
}

fn links_where_they_may_be_followed(mpm: Mpm) {
    let server = site(mpm, "Options FollowSymLinks");
    make_links(&server);
    for target in ["/file", "/directory/secret", "/absolute", "/dir/deep"] {
        assert_eq!(server.connect().get(target).body, SECRET, "{target}");
    }
    assert_eq!(server.connect().get("/inside").body, b"a");
    refused(&server, "/broken", 404);
    refused(&server, "/loop", 403);
    // The path is cleaned before any link is looked at.
    refused(&server, "/directory/../private/secret", 404);
}

fn links_where_they_may_not(mpm: Mpm) {
    let server = site(mpm, "Options None");
    make_links(&server);
    for target in [
        "/file",
        "/directory/secret",
        "/directory/",
        "/directory",
        "/absolute",
        "/dir/deep",
        "/inside",
        "/broken",
        "/loop",
    ] {
        // Not only the first time.
        refused(&server, target, 403);
        refused(&server, target, 403);
    }
    let log = server.error_log();
    let told = "AH00037: Symbolic link not allowed or link target not accessible: ";
    let path = in_htdocs(&server, "file");
    assert!(log.contains(&format!("{told}{}", path.display())), "{log}");
}

/// A document that is known, then replaced by a link to the secret: by itself, or its directory.
fn a_file_that_becomes_a_link(mpm: Mpm) {
    let server = site(mpm, "Options None");
    for path in ["a", "dir/b"] {
        server.set_modified(path, 1_500_000_000);
    }
    server.wait_until_settled("a");
    server.wait_until_settled("dir/b");
    std::fs::write(server.root().join("private/b"), SECRET).expect("ours");
    let mut client = server.connect();
    for target in ["/a", "/dir/b", "/a", "/dir/b"] {
        assert_eq!(client.get(target).status, 200, "{target}");
    }
    std::fs::remove_file(in_htdocs(&server, "a")).expect("ours");
    symlink("../private/secret", in_htdocs(&server, "a")).expect("ours");
    std::fs::rename(in_htdocs(&server, "dir"), in_htdocs(&server, "old")).expect("ours");
    symlink("../private", in_htdocs(&server, "dir")).expect("ours");
    for target in ["/a", "/dir/b"] {
        let response = client.get(target);
        assert_eq!(response.status, 403, "{target}");
        assert!(!response.text().contains("nobody may see"), "{target}");
    }
}

/// Nobody waits for the other end of a pipe.
fn neither_file_nor_directory(mpm: Mpm) {
    let server = site(mpm, "");
    nix::unistd::mkfifo(&in_htdocs(&server, "pipe"), Mode::from_bits_truncate(0o666))
        .expect("a pipe");
    let _socket = std::os::unix::net::UnixListener::bind(in_htdocs(&server, "socket"));
    symlink("/dev/null", in_htdocs(&server, "device")).expect("ours");
    symlink("/proc/self/root/etc/passwd", in_htdocs(&server, "magic")).expect("ours");
    for target in ["/pipe", "/socket", "/device", "/magic"] {
        refused(&server, target, 403);
    }
}

fn files_the_server_may_not_read(mpm: Mpm) {
    let server = site(mpm, "");
    for (path, mode) in [("a", 0), ("dir", 0o600)] {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(in_htdocs(&server, path), mode).expect("ours");
    }
    for target in ["/a", "/dir/b", "/dir/"] {
        refused(&server, target, 403);
    }
    assert!(server.error_log().contains("AH00132: file permissions deny server access: "));
}
