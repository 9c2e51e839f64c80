//! `gearbox status`: how the server is, from outside, whatever its workers do.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gearbox_tests::{Client, Mpm, Output, Server, Setup, gearbox, gearbox_binary, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

every_mpm!(while_every_worker_is_stuck, of_a_server_that_serves);

/// Runs `gearbox status` for a server.
pub(crate) fn show(server: &Server, arguments: &[&str]) -> Output {
    let file = server.root().join("gearbox.conf").display().to_string();
    gearbox(["status", "-f", &file].iter().chain(arguments))
}

/// Long enough for the program, its configuration and the answer.
const SOON: Duration = Duration::from_millis(100);

fn few_workers(mpm: Mpm) -> Setup {
    let lines = match mpm {
        Mpm::Event => "StartServers 1\nServerLimit 1\nThreadsPerChild 2\nMaxRequestWorkers 2",
        Mpm::Worker => "StartServers 1\nServerLimit 1\nThreadsPerChild 2\nMaxRequestWorkers 2",
        Mpm::Prefork => "StartServers 2\nServerLimit 2\nMaxRequestWorkers 2",
        Mpm::C99 => "",
    };
    Setup::new(mpm).line(lines).file("a", "a")
}

/// Clients that begin a request hold every worker that a connection can hold, and then the children
/// are stopped altogether.
fn while_every_worker_is_stuck(mpm: Mpm) {
    let server = few_workers(mpm).start();
    let mut clients: Vec<Client> = (0..2).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send("GET /a HT").expect("it reads");
    }
    let answers = |what: &str| {
        // The machine may be busy with something else for a while.
        let fastest = (0..10).map(|_| {
            let begin = Instant::now();
            let Output { status, stdout, stderr } = show(&server, &["--json"]);
            assert_eq!((status, stderr.as_str()), (0, ""), "{what}: {stdout}");
            begin.elapsed()
        });
        let fastest = fastest.min().expect("several");
        assert!(fastest < SOON, "{what}: {fastest:?}");
    };
    answers("clients hold the workers");
    let children = server.children();
    for child in &children {
        kill(Pid::from_raw(*child), Signal::SIGSTOP).expect("a child");
    }
    answers("the children are stopped");
    for child in &children {
        kill(Pid::from_raw(*child), Signal::SIGCONT).expect("a child");
    }
    for client in &mut clients {
        client.send("TP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
    }
    assert_eq!(clients[0].read("GET").expect("an answer").body, b"a");
}

fn of_a_server_that_serves(mpm: Mpm) {
    let server = few_workers(mpm).start();
    // In a pipe: without colours.
    let Output { status, stdout, stderr } = show(&server, &[]);
    assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}");
    let name = mpm.identifier();
    let first = format!("gearbox (pid {}): serving, generation 1, {name}\n", server.pid());
    assert!(stdout.starts_with(&first), "{stdout}");
    assert!(stdout.contains(&format!("listening on {}\n", server.address())), "{stdout}");
    for child in server.children() {
        let line = stdout.lines().find(|line| line.trim().starts_with(&format!("{child} ")));
        let line = line.unwrap_or_else(|| panic!("child {child} in\n{stdout}"));
        assert!(line.ends_with(&name), "{line}");
    }
    let json = show(&server, &["--json"]).stdout;
    assert_eq!(json.lines().count(), 1, "{json}");
    let value: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value["pid"], server.pid());
    assert_eq!(value["status"]["state"], "serving");
}

#[test]
fn the_options_may_stand_before_the_word() {
    let server = few_workers(Mpm::Prefork).start();
    let file = server.root().join("gearbox.conf").display().to_string();
    let output = gearbox(["-f", &file, "-D", "X", "status"]);
    assert_eq!(output.status, 0, "{}", output.stderr);
    let output = gearbox(["status", "-f", &file, "-C", "PidFile /nonexistent/pid"]);
    assert_eq!(output.status, 1, "{}", output.stdout);
}

#[test]
fn without_a_server() {
    let (dir, file) = few_workers(Mpm::Event).write();
    let file = file.display().to_string();
    let output = gearbox(["status", "-f", &file]);
    let wanted = (1, "", "gearbox (no pid file) not running\n");
    assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), wanted);
    std::fs::write(dir.path().join("logs/gearbox.pid"), "123\n").expect("ours");
    let output = gearbox(["status", "--json", "-f", &file]);
    assert_eq!((output.status, output.stdout.as_str()), (1, ""));
    assert_eq!(output.stderr, "gearbox (pid 123?) not running\n");
}

/// Line after line, until nobody reads any more; a server that has ended is no reason to stop.
#[test]
fn watched() {
    let server = few_workers(Mpm::Event).start();
    let file = server.root().join("gearbox.conf");
    let mut watch = Command::new(gearbox_binary())
        .args(["status", "--json", "--watch", "0.1", "-f"])
        .arg(file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut out = watch.stdout.take().expect("piped");
    let (mut seen, mut buf) = (Vec::new(), [0; 4096]);
    until("three answers", || {
        let n = out.read(&mut buf).expect("it writes");
        assert_ne!(n, 0, "it has ended");
        seen.extend_from_slice(&buf[..n]);
        (seen.iter().filter(|byte| **byte == b'\n').count() >= 3).then_some(())
    });
    drop(out);
    let status = until("it ends", || watch.try_wait().expect("our child"));
    assert_eq!(status.code(), Some(0));
}

#[test]
fn mistakes() {
    let help = gearbox(["status", "--help"]);
    assert_eq!((help.status, help.stderr.as_str()), (0, ""));
    for word in ["--json", "--watch [<SECONDS>]", "-f <FILE>", "Exit status: 0 it serves"] {
        assert!(help.stdout.contains(word), "{word} in\n{}", help.stdout);
    }
    for arguments in [&["--watch", "0"][..], &["--nonsense"], &["--watch", "x"], &["-Z"]] {
        let output = gearbox(["status"].iter().chain(arguments));
        assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{arguments:?}");
    }
}
