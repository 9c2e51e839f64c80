//! `SetHandler server-status`: httpd's page and its keys, JSON, Prometheus's text.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use gearbox_tests::{Client, Mpm, Server, Setup, free_port, run, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

every_mpm!(
    the_keys_of_auto,
    numbers_move,
    the_page,
    json,
    prometheus,
    without_extended_status,
    counts_outlive_children_and_restarts,
    the_exporter,
);

const LOCATION: &str = "<Location /server-status>\nSetHandler server-status\n</Location>";

fn setup(mpm: Mpm) -> Setup {
    let few = if mpm == Mpm::C99 { "" } else { "StartServers 4" };
    let setup = Setup::new(mpm).line("LoadModule status_module modules/mod_status.so");
    setup.line(LOCATION).line(few).file("a", "0123456789")
}

fn get(server: &Server, query: &str) -> String {
    let response = server.connect().get(&format!("/server-status{query}"));
    assert_eq!(response.status, 200, "{query}: {}", response.text());
    response.text()
}

fn auto(server: &Server) -> Vec<(String, String)> {
    let text = get(server, "?auto");
    let lines = text.lines().skip(1).map(|line| line.split_once(": ").expect("a key and a value"));
    lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn value(server: &Server, key: &str) -> String {
    let auto = auto(server);
    let found = auto.iter().find(|(name, _)| name == key);
    found.unwrap_or_else(|| panic!("{key} in {auto:?}")).1.clone()
}

fn count(server: &Server, key: &str) -> u64 {
    value(server, key).parse().expect("a number")
}

/// Keys that are always there, and those that come with ExtendedStatus.
const ALWAYS: &str = "ServerVersion|ServerMPM|Server Built|CurrentTime|RestartTime|\
    ParentServerConfigGeneration|ParentServerMPMGeneration|ServerUptimeSeconds|ServerUptime|\
    Load1|Load5|Load15";
const EXTENDED: &str = "Total Accesses|Total kBytes|Total Duration|CPUUser|CPUSystem|\
    CPUChildrenUser|CPUChildrenSystem|CPULoad|Uptime|ReqPerSec|BytesPerSec|BytesPerReq|\
    DurationPerReq";
const WORKERS: &str = "BusyWorkers|GracefulWorkers|IdleWorkers";
const ASYNC: &str = "Processes|Stopping|ConnsTotal|ConnsAsyncWaitIO|ConnsAsyncWriting|\
    ConnsAsyncKeepAlive|ConnsAsyncClosing";

/// httpd's keys in httpd's order, once there is something to divide and to divide by.
fn keys(mpm: Mpm, extended: bool) -> Vec<&'static str> {
    let groups = [
        ALWAYS,
        if extended { EXTENDED } else { "" },
        WORKERS,
        if mpm == Mpm::Event { ASYNC } else { "" },
        "Scoreboard",
    ];
    groups.into_iter().flat_map(|group| group.split('|')).filter(|key| !key.is_empty()).collect()
}

fn the_keys_of_auto(mpm: Mpm) {
    let server = setup(mpm).start();
    server.connect().get("/a");
    let found = until("the server has used processor time, and some time has passed", || {
        let found: Vec<String> = auto(&server).into_iter().map(|(key, _)| key).collect();
        (found.iter().any(|key| key == "CPULoad")).then_some(found)
    });
    assert_eq!(found, keys(mpm, true));
    let text = get(&server, "?auto");
    assert_eq!(text.lines().next(), Some("localhost"));
    assert_eq!(value(&server, "ServerMPM"), mpm.name());
    let letters = value(&server, "Scoreboard");
    assert!(letters.chars().all(|letter| "_SRWKDCLGI.".contains(letter)), "{letters}");
    // Whoever asks is being served.
    assert!(letters.contains('W') && count(&server, "BusyWorkers") >= 1, "{letters}");
    assert_eq!(server.connect().request("POST", "/server-status", "").status, 405);
}

fn numbers_move(mpm: Mpm) {
    let server = setup(mpm).start();
    let (accesses, bytes) = (count(&server, "Total Accesses"), count(&server, "Total kBytes"));
    server.put("large", &[b'x'; 200 * 1024]);
    let mut client = server.connect();
    for _ in 0..10 {
        client.get("/a");
        assert_eq!(client.get("/large").body.len(), 200 * 1024);
    }
    drop(client);
    // Those that ask count, too, when they are answered.
    until("20 requests more are counted", || {
        let more = count(&server, "Total Accesses") - accesses;
        (more >= 21).then_some(more)
    });
    assert!(count(&server, "Total kBytes") >= bytes + 2000);
    let idle = count(&server, "IdleWorkers");
    assert!(idle >= 1 || mpm == Mpm::C99, "{idle}");
    if mpm == Mpm::Event {
        let mut kept: Vec<Client> = (0..5).map(|_| server.connect()).collect();
        kept.iter_mut().for_each(|client| assert_eq!(client.get("/a").status, 200));
        until("five are kept alive", || (count(&server, "ConnsAsyncKeepAlive") == 5).then_some(()));
        drop(kept);
        until("none is", || (count(&server, "ConnsAsyncKeepAlive") == 0).then_some(()));
    } else if mpm != Mpm::C99 {
        let mut kept: Vec<Client> = (0..2).map(|_| server.connect()).collect();
        kept[0].get("/a");
        kept[1].send("GET /a HT").expect("it reads");
        until("one is kept alive, one is read from", || {
            let letters = value(&server, "Scoreboard");
            (letters.contains('K') && letters.contains('R')).then_some(())
        });
    }
}

fn the_page(mpm: Mpm) {
    let server = setup(mpm).start();
    server.connect().get("/a?<b>&c");
    let response = server.connect().request("GET", "/server-status?refresh=7", "");
    assert_eq!(response.field("refresh").as_deref(), Some("7"));
    assert_eq!(response.field("content-type").as_deref(), Some("text/html; charset=ISO-8859-1"));
    let text = response.text();
    for part in [
        "<title>Apache Status</title>",
        "<h1>Apache Server Status for localhost",
        &format!("<dt>Server MPM: {}</dt>", mpm.name()),
        "<dt>Parent Server Config. Generation: 1</dt>",
        " requests currently being processed, ",
        "<td>127.0.0.1</td><td>http/1.1</td><td nowrap>localhost</td>",
        "<td nowrap>GET /server-status?refresh=7 HTTP/1.1</td>",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(!text.contains("<b>&c"), "{text}");
    assert_eq!(text.contains("<th>wait-io</th>"), mpm == Mpm::Event);
    assert!(!get(&server, "?notable").contains("<th>Srv</th>"));
    assert_eq!(server.connect().request("HEAD", "/server-status", "").status, 200);
}

fn json(mpm: Mpm) {
    let server = setup(mpm).start();
    server.connect().get("/a");
    let value: Value = serde_json::from_str(&get(&server, "?json")).expect("JSON");
    assert_eq!(value["mpm"], mpm.name());
    assert_eq!(value["facts"]["generation"], 1);
    let children = value["children"].as_array().expect("a list");
    let pids: Vec<i32> = children.iter().map(|c| c["pid"].as_i64().expect("one") as i32).collect();
    assert!(pids.iter().all(|pid| server.children().contains(pid)), "{pids:?}");
    let shown = children.iter().flat_map(|c| c["workers"].as_array().expect("a list"));
    let requests: Vec<&str> = shown.filter_map(|w| w["request"]["request"].as_str()).collect();
    assert!(requests.contains(&"GET /server-status?json HTTP/1.1"), "{requests:?}");
}

/// A line of Prometheus's text format: name, labels, value.
fn sample(line: &str) -> (String, String, f64) {
    let (name, value) = line.rsplit_once(' ').expect("a value");
    let (name, labels) = match name.split_once('{') {
        None => (name, ""),
        Some((name, labels)) => (name, labels.strip_suffix('}').expect("a brace")),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    assert!(name.starts_with("gearbox_") && name.chars().all(plain), "{line}");
    for label in labels.split(',').filter(|label| !label.is_empty()) {
        let (key, value) = label.split_once("=\"").expect("a label");
        let value = value.strip_suffix('"').expect("a quoted value");
        assert!(key.chars().all(plain) && !value.contains(['"', '\\']), "{line}");
    }
    (name.to_owned(), labels.to_owned(), value.parse().expect("a number"))
}

fn prometheus(mpm: Mpm) {
    let server = setup(mpm).start();
    for _ in 0..3 {
        server.connect().get("/a");
    }
    let response = server.connect().get("/server-status?prometheus");
    assert_eq!(response.field("content-type").as_deref(), Some("text/plain; version=0.0.4"));
    let text = response.text();
    assert!(text.ends_with('\n'));
    let (mut family, mut seen) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let words: Vec<&str> = comment.splitn(3, ' ').collect();
            match words[..] {
                ["HELP", name, _] => {
                    assert!(!seen.contains(&name.to_owned()), "{name} twice");
                    seen.push(name.to_owned());
                    name.clone_into(&mut family);
                }
                ["TYPE", name, kind] => {
                    assert_eq!(name, family);
                    assert!(["gauge", "counter", "histogram"].contains(&kind), "{line}");
                }
                _ => panic!("{line}"),
            }
            continue;
        }
        let (name, _, value) = sample(line);
        let rest = name.strip_prefix(&family).unwrap_or_else(|| panic!("{name} under {family}"));
        assert!(["", "_bucket", "_sum", "_count"].contains(&rest), "{line}");
        assert!(value >= 0.0, "{line}");
    }
    let samples: Vec<_> = text.lines().filter(|l| !l.starts_with('#')).map(sample).collect();
    let of = |wanted: &str| -> Vec<f64> {
        samples.iter().filter(|(name, ..)| name == wanted).map(|(.., value)| *value).collect()
    };
    let buckets = of("gearbox_request_duration_seconds_bucket");
    assert!(buckets.is_sorted() && buckets.len() == 12, "{buckets:?}");
    assert_eq!(of("gearbox_request_duration_seconds_count"), [buckets[11]]);
    assert_eq!(of("gearbox_requests_total"), [buckets[11]]);
    assert!(buckets[11] >= 3.0);
}

fn without_extended_status(mpm: Mpm) {
    let server = setup(mpm).line("ExtendedStatus Off").start();
    server.connect().get("/a");
    let found: Vec<String> = auto(&server).into_iter().map(|(key, _)| key).collect();
    assert_eq!(found, keys(mpm, false));
    let page = get(&server, "");
    assert!(page.contains("you need to use the <code>ExtendedStatus On</code>"), "{page}");
    assert!(!page.contains("GET /"), "{page}");
}

fn counts_outlive_children_and_restarts(mpm: Mpm) {
    let server = setup(mpm).start();
    for _ in 0..50 {
        server.connect().get("/a");
    }
    let before = until("all are counted", || {
        let accesses = count(&server, "Total Accesses");
        (accesses >= 50).then_some(accesses)
    });
    let children = server.children();
    for child in &children {
        kill(Pid::from_raw(*child), Signal::SIGKILL).expect("a child");
    }
    until("others take their place", || {
        let now = server.children();
        (!now.is_empty() && now.iter().all(|pid| !children.contains(pid))).then_some(())
    });
    assert!(count(&server, "Total Accesses") >= before);
    server.asks("graceful");
    assert!(count(&server, "Total Accesses") > before);
    assert_eq!(value(&server, "ParentServerConfigGeneration"), "2");
    let json: Value = serde_json::from_str(&get(&server, "?json")).expect("JSON");
    let facts = &json["facts"];
    assert_eq!(facts["restarts_graceful"], 1, "{facts}");
    assert!(facts["exits_signal"].as_u64() >= Some(children.len() as u64), "{facts}");
}

#[test]
fn a_handler_that_is_not_there() {
    let conf = gearbox_tests::Conf::of(Mpm::Event, "SetHandler cgi-script");
    let (status, text) = conf.check();
    assert_eq!(status, 1);
    assert!(text.contains("only the handlers server-status and None are supported yet"), "{text}");
}

/// Debian's exporter, as it comes: `scripts/test --full` says where it is.
fn the_exporter(mpm: Mpm) {
    let Some(program) = std::env::var_os("GEARBOX_TEST_EXPORTER") else { return };
    let server = setup(mpm).start();
    server.connect().get("/a");
    let help = run(Command::new(&program).arg("--help"));
    let help = help.stdout + &help.stderr;
    // The option's name, before and since version 1.0.
    let newer = help.contains("--web.listen-address");
    let option = if newer { "--web.listen-address" } else { "--telemetry.address" };
    let port = free_port();
    let mut exporter = Command::new(&program)
        .arg(format!("{option}=127.0.0.1:{port}"))
        .arg(format!("--scrape_uri=http://{}/server-status?auto", server.address()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let text = until("it exports", || {
        // It answers in chunks: all that comes is enough.
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        let mut reader = BufReader::new(&stream);
        (&stream).write_all(b"GET /metrics HTTP/1.0\r\n\r\n").ok()?;
        let mut text = String::new();
        reader.read_to_string(&mut text).ok()?;
        text.contains("apache_up").then_some(text)
    });
    let _ = exporter.kill();
    let _ = exporter.wait();
    let sample = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name} in\n{text}"));
        line.rsplit_once(' ').expect("a value").1.parse::<f64>().expect("a number")
    };
    assert!((sample("apache_up ") - 1.0).abs() < f64::EPSILON);
    assert!(sample("apache_accesses_total ") >= 1.0);
    assert!(sample("apache_workers{state=\"busy\"} ") >= 1.0);
    assert!(sample("apache_scoreboard{state=\"reply\"} ") >= 1.0);
    assert!(text.contains(&format!("mpm=\"{}\"", mpm.name())), "{text}");
    assert_eq!(text.contains("apache_connections{state=\"keepalive\"}"), mpm == Mpm::Event);
}
