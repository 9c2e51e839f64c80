//! The parent killed by SIGKILL, in every phase of its life: nothing is left, and the next start
//! works.

use std::time::{Duration, Instant};

use gearbox_tests::{Mpm, Server, Setup, free_port, process, until};
use nix::sys::signal::Signal;

every_mpm!(killed_while_serving);

/// Every process of a server: the parent, its children, a trial.
fn processes(server: &Server) -> Vec<i32> {
    let mut all = server.children();
    all.push(server.pid());
    all
}

/// Kills the parent; whatever it had is gone within a second, and another server can take its place.
fn kill(mut server: Server, port: u16, mpm: Mpm) {
    let all = processes(&server);
    server.signal(Signal::SIGKILL);
    let killed = Instant::now();
    server.wait();
    until("all processes are gone", || {
        all.iter().all(|pid| !process::is_alive(*pid)).then_some(())
    });
    // Threads of a process may end a moment after its first one.
    until("no socket is left", || std::net::TcpListener::bind(("127.0.0.1", port)).ok());
    assert!(killed.elapsed() < Duration::from_secs(1), "{:?}", killed.elapsed());
    // In the same place: PID file and control socket of the dead one lie there.
    let next = server.again();
    assert_eq!(next.connect().get("/a").body, b"a");
    assert_eq!(next.status().mpm, mpm.identifier());
    assert_eq!(next.stop(), 0);
}

fn setup(mpm: Mpm, port: u16) -> Setup {
    Setup::new(mpm).line(&format!("Listen 127.0.0.1:{port}")).file("a", "a")
}

fn killed_while_serving(mpm: Mpm) {
    let port = free_port();
    let server = setup(mpm, port).start();
    let mut client = server.connect();
    assert_eq!(client.get("/a").body, b"a");
    kill(server, port, mpm);
    assert!(client.is_closed());
}

fn is_stopped(pid: i32) -> bool {
    process::field(pid, "State").is_some_and(|state| state.starts_with('T'))
}

/// Stops the server at a point of a restart, and kills it there.
fn killed_at(point: &str) {
    for mpm in [Mpm::Event, Mpm::Worker, Mpm::Prefork] {
        let port = free_port();
        let server = setup(mpm, port).stopping_at(point).start();
        server.signal(Signal::SIGUSR1);
        until(&format!("a process stops at {point}"), || {
            processes(&server).into_iter().find(|pid| is_stopped(*pid))
        });
        kill(server, port, mpm);
    }
}

#[test]
fn killed_during_the_trial() {
    killed_at("trial");
}

#[test]
fn killed_after_the_trial() {
    killed_at("passed");
}

#[test]
fn killed_before_exec() {
    killed_at("exec");
}

#[test]
fn killed_after_exec() {
    killed_at("image");
}

#[test]
fn killed_with_what_was_handed_over() {
    killed_at("inherited");
}

#[test]
fn killed_before_the_new_generation() {
    killed_at("begin");
}

#[test]
fn killed_when_the_new_generation_is_ready() {
    killed_at("ready");
}

#[test]
fn killed_while_the_old_generation_drains() {
    killed_at("draining");
}

/// A trial that is killed is a restart that is refused.
#[test]
fn a_killed_trial() {
    let server = setup(Mpm::Event, free_port()).stopping_at("trial").start();
    server.signal(Signal::SIGUSR1);
    let trial =
        until("the trial stops", || server.children().into_iter().find(|pid| is_stopped(*pid)));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(trial), Signal::SIGKILL).expect("there");
    until("it is refused", || server.error_log().contains("GB0326").then_some(()));
    assert!(
        server.error_log().contains("was ended by signal SIGKILL (9)"),
        "{}",
        server.error_log()
    );
    assert_eq!(server.status().generation, 1);
    assert_eq!(server.connect().get("/a").body, b"a");
}
