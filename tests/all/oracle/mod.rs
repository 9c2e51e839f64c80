//! The same requests to Apache httpd 2.4, on the same directory, under an equal configuration: same
//! status, same fields, same bytes, but for the differences in one table.

mod differences;
mod requests;

use std::collections::BTreeSet;

use gearbox_tests::{Httpd, Mpm, Server, Setup, exchange};

use crate::files::DATE_S;
use differences::{Asked, DIFFERENCES};
use requests::requests;

every_mpm!(answers_as_httpd_does);

/// The first of the answers that came back.
struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
    count: usize,
}

impl Answer {
    fn to(request: &str, address: std::net::SocketAddr) -> Self {
        let raw = exchange(address, request);
        let head_len = raw.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(raw.len());
        let head = String::from_utf8_lossy(&raw[..head_len]).into_owned();
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap_or("");
        let fields = lines.filter_map(|line| line.split_once(':'));
        Self {
            // What is no HTTP/1 is HTTP/0.9: the bare document.
            status: line.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0),
            fields: fields.map(|(n, v)| (n.to_lowercase(), v.trim().to_owned())).collect(),
            body: raw.get(head_len + 4..).unwrap_or(b"").to_vec(),
            count: raw.windows(7).filter(|window| *window == b"HTTP/1.").count(),
        }
    }

    fn field(&self, name: &str) -> Option<String> {
        let value = self.fields.iter().find(|(known, _)| known == name).map(|(_, v)| v.clone());
        // Its words are in any case.
        if name == "connection" { value.map(|value| value.to_lowercase()) } else { value }
    }
}

/// Of any answer, and of a success.
const COMPARED: &[&str] =
    &["location", "allow", "last-modified", "connection", "accept-ranges", "etag", "content-range"];
const COMPARED_OF_SUCCESS: &[&str] = &["content-length", "content-type"];

/// What differs between two answers, with both values.
fn differing(ours: &Answer, httpd: &Answer) -> Vec<(&'static str, String)> {
    if ours.status != httpd.status {
        return vec![("status", format!("{} and {}", ours.status, httpd.status))];
    }
    let success = ours.status / 100 == 2;
    let names = COMPARED.iter().chain(COMPARED_OF_SUCCESS.iter().filter(|_| success));
    let mut all: Vec<_> = names
        .filter(|name| ours.field(name) != httpd.field(name))
        .map(|name| (*name, format!("{:?} and {:?}", ours.field(name), httpd.field(name))))
        .collect();
    if ours.count != httpd.count {
        all.push(("count", format!("{} and {}", ours.count, httpd.count)));
    } else if success && ours.count == 1 && ours.body != httpd.body {
        all.push(("body", format!("{} and {} bytes", ours.body.len(), httpd.body.len())));
    }
    all
}

const SECTIONS: &str = "\
<Directory @ROOT@/htdocs/denied>
Require all denied
</Directory>
<Directory @ROOT@/htdocs/denied/open>
Require all granted
</Directory>
<Location /by-url>
Require all denied
</Location>";

fn site(mpm: Mpm) -> Server {
    let large = vec![b'x'; 300_000];
    let files: [(&str, &[u8]); 13] = [
        ("index.html", b"<p>root"),
        ("a.txt", b"hello\n"),
        ("empty", b""),
        ("dir/index.html", b"<p>dir"),
        ("bare/x", b"x"),
        ("denied/a", b"a"),
        ("denied/open/a", b"a"),
        ("plain", b"plain"),
        ("unheard.of", b"x"),
        ("a b.html", b"<p>a b"),
        ("a.html.bak", b"<p>old"),
        ("by-url/a", b"a"),
        ("large", &large),
    ];
    let setup = Setup::new(mpm).line(SECTIONS);
    let server = files.iter().fold(setup, |setup, (path, bytes)| setup.file(path, *bytes)).start();
    files.iter().for_each(|(path, _)| server.set_modified(path, DATE_S));
    server
}

fn answers_as_httpd_does(mpm: Mpm) {
    let server = site(mpm);
    let types = concat!(env!("CARGO_MANIFEST_DIR"), "/../conf/mime.types");
    let httpd = Httpd::beside(&server, &format!("TypesConfig {types}\n{SECTIONS}"));
    let mut wrong = String::new();
    let mut used = BTreeSet::new();
    for request in requests() {
        let ours = Answer::to(&request, server.address());
        let theirs = Answer::to(&request, httpd.address());
        let asked = Asked { request: &request, ours: ours.status, httpd: theirs.status };
        for (what, values) in differing(&ours, &theirs) {
            let known = DIFFERENCES.iter().position(|d| d.what == what && (d.to)(&asked));
            match known {
                Some(index) => _ = used.insert(index),
                None => {
                    let shown = request.get(..200).unwrap_or(&request).escape_debug();
                    wrong += &format!("{shown} ({}): {what} {values}\n", ours.status);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "gearbox and httpd differ:\n{wrong}");
    let unused = DIFFERENCES.iter().enumerate().filter(|(index, _)| !used.contains(index));
    let unused: Vec<_> = unused.map(|(_, d)| format!("{}: {}", d.what, d.why)).collect();
    assert!(unused.is_empty(), "no difference any more: {unused:#?}");
}
