//! `Require`, in `<Directory>` and `<Location>`: what is denied is denied by every name it has.

use gearbox_tests::{Mpm, Server, Setup};

every_mpm!(denied_is_denied, inner_sections_win, an_index_that_may_not_be_had);

const SECTIONS: &str = "\
<Directory @ROOT@/htdocs/private>
Require all denied
</Directory>
<Directory @ROOT@/htdocs/private/open>
Require all granted
</Directory>
<Location /by-url>
Require all denied
</Location>
<Location /private/open/not>
Require all denied
</Location>";

fn site(mpm: Mpm) -> Server {
    let paths = ["a", "private/a", "private/index.html", "private/open/a", "private/open/not/a"];
    let setup = Setup::new(mpm).line(SECTIONS).file("by-url/a", "x").file("by-url-not/a", "x");
    paths.iter().fold(setup, |setup, path| setup.file(path, "x")).start()
}

fn denied_is_denied(mpm: Mpm) {
    let server = site(mpm);
    for target in [
        "/private",
        "/private/",
        "/private/a",
        "/private/none",
        "/private/index.html",
        "//private/a",
        "/%70rivate/a",
        "/x/../private/a",
        "/private/./a",
        "/private/open/../a",
        "/private/open/%2e%2e/a",
        "/private/a?query",
        "http://localhost/private/a",
        "/by-url",
        "/by-url/",
        "/by-url/a",
        "//by-url//a",
        "/by%2durl/a",
        "/x/../by-url/a",
    ] {
        for method in ["GET", "HEAD", "OPTIONS", "POST", "BREW"] {
            let response = server.connect().request(method, target, "");
            assert_eq!(response.status, 403, "{method} {target}");
            assert_eq!(response.field("etag"), None, "{method} {target}");
        }
    }
    let told = "AH01630: client denied by server configuration: ";
    let path = server.root().join("htdocs/private/a");
    assert!(server.error_log().contains(&format!("{told}{}\n", path.display())));
}

fn inner_sections_win(mpm: Mpm) {
    let server = site(mpm);
    let mut client = server.connect();
    for (target, status) in [
        ("/a", 200),
        ("/private/open/a", 200),
        ("/by-url-not/a", 200),
        ("/private/open/not/a", 403),
        ("/private/open/none", 404),
        ("/privat", 404),
    ] {
        assert_eq!(client.get(target).status, status, "{target}");
    }
}

fn an_index_that_may_not_be_had(mpm: Mpm) {
    let sections = "DirectoryIndex a b\n<Location /a>\nRequire all denied\n</Location>";
    let server = Setup::new(mpm).line(sections).file("a", "a").file("c/x", "x").start();
    let mut client = server.connect();
    assert_eq!(client.get("/").status, 403);
    server.put("b", b"b");
    assert_eq!(client.get("/").text(), "b");
}
