//! The scoreboard in shared memory: hostile contents, and who waits for what when a child drains.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use gearbox_tests::{Client, Mpm, Server, Setup, process, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::status::show;

every_mpm!(anything_may_stand_there);

/// A generator of numbers (splitmix64), so that a failure can be repeated.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Fills every scoreboard of a server with random words, or with ones.
fn scribble(server: &Server, seed: &mut u64) {
    let boards = process::descriptors(server.pid());
    let boards = boards.iter().filter(|(_, target)| target.contains("gearbox-scoreboard"));
    let mut found = 0;
    for (number, _) in boards {
        let path = format!("/proc/{}/fd/{number}", server.pid());
        let memory = OpenOptions::new().read(true).write(true).open(path).expect("its owner may");
        let len = memory.metadata().expect("it is open").len();
        let ones = random(seed).is_multiple_of(4);
        let word = |_| if ones { u64::MAX } else { random(seed) >> (random(seed) % 64) };
        let words: Vec<u8> = (0..len / 8).map(word).flat_map(u64::to_le_bytes).collect();
        memory.write_all_at(&words, 0).expect("it is not sealed against writing");
        found += 1;
    }
    assert!(found > 0, "a scoreboard");
}

/// Whatever a child writes: it serves on, nobody crashes, numbers stay within bounds, and children are
/// still known by the parent's own table.
fn anything_may_stand_there(mpm: Mpm) {
    let location = "<Location /s>\nSetHandler server-status\n</Location>";
    let mut server = Setup::new(mpm).line(location).file("a", "a").start();
    let mut seed = 1;
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        scribble(&server, &mut seed);
        assert_eq!(server.connect().get("/a").body, b"a");
        for query in ["", "auto", "json", "prometheus", "notable"] {
            let response = server.connect().get(&format!("/s?{query}"));
            assert_eq!(response.status, 200, "{query}");
            assert!(response.body.is_ascii(), "{query}");
        }
        let before = server.children();
        let shown = show(&server, &["--json"]);
        assert_eq!(shown.status, 0, "{}", shown.stderr);
        let value: Value = serde_json::from_str(&shown.stdout).expect("JSON");
        let children = value["status"]["children"].as_array().expect("a list").clone();
        let pids: Vec<i32> =
            children.iter().map(|c| c["pid"].as_i64().expect("one") as i32).collect();
        // The pool may start and end children meanwhile.
        let known = [before, server.children()].concat();
        assert!(!pids.is_empty() && pids.iter().all(|pid| known.contains(pid)), "{pids:?}");
        assert!(children.iter().all(|c| c["busy"].as_u64() <= Some(10_000)), "{children:?}");
    }
    let child = server.children()[0];
    kill(Pid::from_raw(child), Signal::SIGKILL).expect("a child");
    until("another one takes its place", || {
        let children = server.children();
        (!children.is_empty() && !children.contains(&child)).then_some(())
    });
    scribble(&server, &mut seed);
    server.asks("graceful");
    assert_eq!(server.connect().get("/a").body, b"a");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), 0);
}

/// A client that does not read holds up a drain: it is named.
fn held(mpm: Mpm) -> (Server, Client) {
    let setup = Setup::new(mpm).line("GracefulRestartTimeout 2").line("StartServers 1");
    let server = setup.file("large", vec![b'x'; 8 << 20]).start();
    let mut client = Client::connect_narrow(server.address(), 4096);
    client.send("GET /large?x HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
    client.read_head().expect("an answer");
    server.asks("graceful");
    (server, client)
}

#[test]
fn what_a_drain_waits_for() {
    for mpm in [Mpm::Worker, Mpm::Prefork] {
        let (server, client) = held(mpm);
        let line = until("the old child is shown, and what it waits for", || {
            let table = show(&server, &[]).stdout;
            let line = table.lines().find(|line| line.contains("waits for"))?;
            assert!(table.contains("draining"), "{table}");
            Some(line.trim().to_owned())
        });
        let wanted = "waits for 127.0.0.1: GET /large?x HTTP/1.1 (";
        assert!(line.starts_with(wanted), "{line}");
        let told = until("it is killed at the deadline, and the log says why", || {
            let log = server.error_log();
            let line = log.lines().find(|line| line.contains("AH00046"))?;
            Some(line.to_owned())
        });
        let wanted = "still did not exit, sending a SIGKILL; it waited for 127.0.0.1: GET /large?x HTTP/1.1 (";
        assert!(told.contains(wanted), "{told}");
        drop(client);
    }
}
