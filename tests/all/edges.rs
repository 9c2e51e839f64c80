//! Starts, restarts and stops under circumstances that do not come up every day.

use gearbox_tests::{Client, Mpm, Setup, free_port, process, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

every_mpm!(
    started_with_sigchld_ignored,
    a_start_right_after_a_graceful_stop,
    a_restart_ends_what_drains,
);

/// With SIGCHLD ignored, as some launchers leave it, the kernel would collect children before the
/// parent can know.
fn started_with_sigchld_ignored(mpm: Mpm) {
    let script = "trap '' CHLD URG; exec \"$0\" \"$@\"";
    let mut server = Setup::new(mpm).through(&["sh", "-c", script]).file("a", "a").start();
    let child = server.children()[0];
    kill(Pid::from_raw(child), Signal::SIGKILL).expect("there");
    until("the child is replaced", || {
        let all = server.children();
        (!all.is_empty() && !all.contains(&child)).then_some(())
    });
    server.asks("graceful");
    assert_eq!(server.status().generation, 2);
    assert_eq!(server.connect().get("/a").body, b"a");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), 0);
}

/// With a kept-alive connection that holds the old children up.
fn a_start_right_after_a_graceful_stop(mpm: Mpm) {
    let port = free_port();
    for _ in 0..5 {
        let setup = Setup::new(mpm).line(&format!("Listen 127.0.0.1:{port}")).file("a", "a");
        let server = setup.start();
        let mut kept = server.connect();
        assert_eq!(kept.get("/a").body, b"a");
        server.asks("graceful-stop");
        std::net::TcpListener::bind(("127.0.0.1", port)).expect("the address is free");
        assert!(server.try_status().is_none(), "and so is the control socket");
        let response = kept.get("/a");
        assert_eq!(response.field("connection").as_deref(), Some("close"));
    }
}

/// A child that has been draining since a graceful restart has StopTimeout from the next one that is
/// not graceful.
fn a_restart_ends_what_drains(mpm: Mpm) {
    let big = vec![b'x'; 32 << 20];
    let setup = Setup::new(mpm).line("StopTimeout 1").file("big", big).file("a", "a");
    let server = setup.start();
    let mut download = Client::slow(server.address());
    download.begin_download("/big");
    server.asks("graceful");
    let draining = until("one child drains", || {
        let status = server.status();
        let mut old = status.children.iter().filter(|child| child.state == "draining");
        let first = old.next().map(|child| child.pid);
        first.filter(|_| old.next().is_none())
    });
    server.asks("restart");
    until("it is gone", || (!process::is_alive(draining)).then_some(()));
    assert_eq!(server.connect().get("/a").body, b"a");
}

/// A stop that comes while a trial runs is the last word: nothing is refused, nobody is told READY.
#[test]
fn a_stop_during_a_trial() {
    let mut server = Setup::new(Mpm::Event).stopping_at("trial").start();
    server.signal(Signal::SIGUSR1);
    let is_trial = |pid: &i32| process::field(*pid, "State").is_some_and(|s| s.starts_with('T'));
    until("the trial stops", || server.children().into_iter().find(is_trial));
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), 0);
    assert!(!server.error_log().contains("GB0326"), "{}", server.error_log());
}

/// The PID file and the control socket by another name are the same.
#[test]
fn another_path_to_the_same_files() {
    let server = Setup::new(Mpm::Event).file("a", "a").start();
    let link = server.root().join("link");
    std::os::unix::fs::symlink(server.root().join("logs"), &link).expect("ours");
    let lines = "PidFile @ROOT@/link/gearbox.pid\nControlSocket @ROOT@/link/gearbox.sock\n";
    let lines = lines.replace("@ROOT@", &server.root().display().to_string());
    server.configure(&(server.configuration() + &lines));
    server.asks("graceful");
    assert_eq!(server.status().generation, 2);
    assert_eq!(server.stop(), 0);
}
