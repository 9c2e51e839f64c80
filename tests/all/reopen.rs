//! Logs that are moved away and opened anew while the server serves: every line is in one of the
//! files, once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gearbox_tests::{Client, Mpm, Server, Setup, gearbox, process, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::drain::big;
use crate::stop::download;

every_mpm!(
    ten_rotations_under_load,
    connections_that_wait,
    children_that_drain,
    a_restart_reopens_too,
    a_detached_server,
    a_log_that_cannot_be_opened,
);

/// How soon it comes back when no child is late.
const SOON: Duration = Duration::from_secs(4);

fn setup(mpm: Mpm) -> Setup {
    let setup = Setup::new(mpm).file("a", "a").file("big", big());
    let setup = setup.line("KeepAliveTimeout 60\nTimeout 60\nMaxKeepAliveRequests 0");
    setup.line("CustomLog logs/access_log \"%U%q %>s\"")
}

fn log(server: &Server, name: &str) -> PathBuf {
    server.root().join("logs").join(name)
}

/// Moves a log away; where it is now.
fn rotate(server: &Server, name: &str, n: usize) -> PathBuf {
    let to = log(server, &format!("{name}.{n}"));
    std::fs::rename(log(server, name), &to).expect("there is a log");
    to
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a log")
}

/// Asks for a reopening, which takes no child's last chance.
fn reopens(server: &Server) {
    let asked = Instant::now();
    server.asks("reopen");
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
}

/// Clients that ask for something else each time; how many requests each has made.
fn ask_on(server: &Server, clients: usize, stop: &AtomicBool, answered: &AtomicU64) -> Vec<u64> {
    let one = |client: usize| {
        let mut connection = None;
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            let mut open = connection.take().unwrap_or_else(|| server.connect());
            let response = open.get(&format!("/a?{client}-{count}"));
            assert_eq!((response.status, response.text().as_str()), (200, "a"));
            count += 1;
            answered.fetch_add(1, Ordering::Relaxed);
            // Every so often a new connection.
            let ends = response.field("connection").as_deref() == Some("close");
            connection = (!ends && count % 50 != 0).then_some(open);
        }
        count
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..clients).map(|client| scope.spawn(move || one(client))).collect();
        all.into_iter().map(|thread| thread.join().expect("a client")).collect()
    })
}

fn ten_rotations_under_load(mpm: Mpm) {
    const ROTATIONS: usize = 10;
    const REQUESTS: u64 = 100;
    let server = setup(mpm).start();
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut files = Vec::new();
    let mut closed = Vec::new();
    // The MPM in C has room for one.
    let clients = if mpm == Mpm::C99 { 1 } else { 4 };
    let counts = std::thread::scope(|scope| {
        let load = scope.spawn(|| ask_on(&server, clients, &stop, &answered));
        for n in 0..ROTATIONS {
            let goal = answered.load(Ordering::Relaxed) + REQUESTS;
            until("requests are answered", || {
                assert!(!load.is_finished(), "the clients have ended");
                (answered.load(Ordering::Relaxed) >= goal).then_some(())
            });
            let old = rotate(&server, "access_log", n);
            if n % 2 == 0 {
                reopens(&server);
                closed.push((old.clone(), read(&old)));
            } else {
                server.signal(Signal::SIGUSR2);
                let new = log(&server, "access_log");
                until("there is a new log", || new.exists().then_some(()));
            }
            files.push(old);
        }
        let goal = answered.load(Ordering::Relaxed) + REQUESTS;
        until("requests are answered", || (answered.load(Ordering::Relaxed) >= goal).then_some(()));
        stop.store(true, Ordering::Relaxed);
        load.join().expect("the clients")
    });
    files.push(log(&server, "access_log"));
    let wanted: u64 = counts.iter().sum();
    let lines = until("everything is logged", || {
        let all: String = files.iter().map(|file| read(file)).collect();
        (all.lines().count() as u64 >= wanted).then_some(all)
    });
    let mut times: HashMap<&str, usize> = HashMap::new();
    lines.lines().for_each(|line| *times.entry(line).or_default() += 1);
    for (client, count) in counts.into_iter().enumerate() {
        for n in 0..count {
            let line = format!("/a?{client}-{n} 200");
            assert_eq!(times.remove(line.as_str()), Some(1), "{line}");
        }
    }
    assert!(times.is_empty(), "{times:?}");
    for (file, text) in closed {
        assert!(read(&file) == text, "written to after -k had come back: {}", file.display());
    }
    assert!(files.iter().all(|file| read(file).ends_with('\n')), "whole lines");
}

/// After a reopening that has come back nothing goes to the old file.
fn logged(server: &Server, old: &Path, before: &str, line: &str) {
    until("the request is logged", || {
        assert_eq!(read(old), before, "in the old file");
        server.log("access_log").lines().any(|l| l == line).then_some(())
    });
}

/// A child or thread that waits for a request, or for its client to read, is reached.
fn connections_that_wait(mpm: Mpm) {
    let server = setup(mpm).start();
    let mut idle = server.connect();
    assert_eq!(idle.get("/a?0").status, 200);
    until("it is logged", || (!server.log("access_log").is_empty()).then_some(()));
    for n in 1..=2 {
        let old = rotate(&server, "access_log", n);
        let before = read(&old);
        reopens(&server);
        assert_eq!(idle.get(&format!("/a?{n}")).status, 200);
        logged(&server, &old, &before, &format!("/a?{n} 200"));
    }
    drop(idle);
    let mut download = download(server.address());
    let old = rotate(&server, "access_log", 3);
    let before = read(&old);
    reopens(&server);
    assert!(download.read_to_end() == big(), "the download is whole");
    logged(&server, &old, &before, "/big 200");
}

/// So is one of an older generation.
fn children_that_drain(mpm: Mpm) {
    let server = setup(mpm).start();
    let old = |n| {
        let old = rotate(&server, "access_log", n);
        let before = read(&old);
        reopens(&server);
        (old, before)
    };
    let mut idle = server.connect();
    assert_eq!(idle.get("/a?0").status, 200);
    server.asks("graceful");
    let (file, before) = old(1);
    let response = idle.get("/a?1");
    assert_eq!(response.field("connection").as_deref(), Some("close"));
    logged(&server, &file, &before, "/a?1 200");
    drop(idle);

    let mut download = download(server.address());
    server.asks("graceful");
    for n in 2..=3 {
        let (file, before) = old(n);
        if n == 3 {
            assert!(download.read_to_end() == big(), "the download is whole");
            logged(&server, &file, &before, "/big 200");
        }
    }
}

fn a_restart_reopens_too(mpm: Mpm) {
    let server = setup(mpm).start();
    for (n, how) in ["graceful", "restart"].into_iter().enumerate() {
        assert_eq!(server.connect().get(&format!("/a?{n}")).status, 200);
        until("it is logged", || (!server.log("access_log").is_empty()).then_some(()));
        let (old, errors) = (rotate(&server, "access_log", n), rotate(&server, "error_log", n));
        server.asks(how);
        until("the old children are gone", || {
            let status = server.status();
            status.children.iter().all(|c| c.generation == status.generation).then_some(())
        });
        let (before, errors_before) = (read(&old), read(&errors));
        assert_eq!(server.connect().get("/a?new").status, 200);
        logged(&server, &old, &before, "/a?new 200");
        assert!(server.error_log().contains("resuming normal operations"));
        assert_eq!(read(&errors), errors_before);
    }
}

/// Its standard error leads to the error log, wherever that is.
fn a_detached_server(mpm: Mpm) {
    let setup = setup(mpm);
    let server = setup.detach();
    assert_eq!(server.output().status, 0, "{:?}", server.output());
    let pid = server.pid().expect("a PID file");
    let path = |name: &str| server.root().join("logs").join(name);
    for n in 1..=2 {
        let old = path(&format!("error_log.{n}"));
        std::fs::rename(path("error_log"), &old).expect("there is a log");
        if n == 1 {
            let conf = server.root().join("gearbox.conf");
            let output =
                gearbox(["-f".as_ref(), conf.as_os_str(), "-k".as_ref(), "reopen".as_ref()]);
            assert_eq!((output.status, output.stderr.as_str()), (0, ""));
        } else {
            kill(Pid::from_raw(pid), Signal::SIGUSR2).expect("it is there");
        }
        let all = || process::children(pid).into_iter().chain([pid]);
        let wanted = path("error_log").display().to_string();
        let stderr = |pid| {
            let all = process::descriptors(pid);
            all.into_iter().find_map(|(n, target)| (n == 2).then_some(target))
        };
        until("standard error is the new file everywhere", || {
            all().all(|pid| stderr(pid).as_ref() == Some(&wanted)).then_some(())
        });
        until("nobody has the old one", || {
            let old = old.display().to_string();
            let has = |pid| process::descriptors(pid).iter().any(|(_, target)| *target == old);
            (!all().any(has)).then_some(())
        });
        assert!(read(&old).lines().last().is_some_and(|line| line.contains("GB0329")));
        assert_eq!(read(&path("error_log")), "");
    }
}

fn a_log_that_cannot_be_opened(mpm: Mpm) {
    let extra = tempfile::tempdir().expect("a directory");
    let (here, away) = (extra.path().join("here"), extra.path().join("away"));
    std::fs::create_dir(&here).expect("ours");
    let lost = format!("CustomLog {}/access_log \"%U%q %>s\"", here.display());
    let server = self::setup(mpm).line(&lost).start();
    let get = |target: &str| assert_eq!(Client::connect(server.address()).get(target).status, 200);
    std::fs::rename(&here, &away).expect("ours");
    let other = rotate(&server, "access_log", 1);
    let output = server.ask("reopen");
    let path = here.join("access_log").display().to_string();
    let wanted = format!(
        "gearbox: {path} cannot be opened, the old file is kept: No such file or directory (os error 2)\n"
    );
    assert_eq!((output.status, output.stderr.as_str()), (1, wanted.as_str()));
    assert!(server.error_log().contains(&format!("GB0330: {path} cannot be opened")));
    get("/a?kept");
    // The other log is not held up by it.
    logged(&server, &other, "", "/a?kept 200");
    until("it is in the old file", || {
        (read(&away.join("access_log")) == "/a?kept 200\n").then_some(())
    });
    std::fs::create_dir(&here).expect("ours");
    reopens(&server);
    get("/a?new");
    until("it is in the new one", || {
        (read(&here.join("access_log")) == "/a?new 200\n").then_some(())
    });
    assert_eq!(read(&away.join("access_log")), "/a?kept 200\n");
}
