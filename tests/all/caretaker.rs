//! A restart that fails after the server's image was replaced: the children of the last good
//! generation go on serving and none is replaced, until a restart relieves them.

use std::net::TcpStream;

use gearbox_tests::{Module, Mpm, Server, Setup, UnderLoad, free_port, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

every_mpm!(
    a_generation_that_does_not_come_up,
    children_that_say_nothing,
    the_next_good_restart_ends_it,
    none_is_replaced_and_the_last_ends_the_server,
    can_be_stopped,
);

const NO_CHILD: &str = "the MPM could not bring up any child";

fn pids(server: &Server) -> Vec<i32> {
    let mut pids: Vec<i32> = server.status().children.iter().map(|child| child.pid).collect();
    pids.sort_unstable();
    pids
}

/// Every child the MPM starts with is ready.
fn is_complete(server: &Server) {
    until("all children are ready", || {
        let children = server.status().children;
        children.iter().all(|child| child.state == "ready").then_some(())
    });
}

/// What `-k` says while the children of `generation` go on.
fn refused(generation: u64, reason: &str) -> String {
    format!(
        "gearbox: restart refused, degraded: the children of generation {generation} go on and are not \
         replaced until a restart succeeds:\n{reason}\n"
    )
}

/// The restart fails for this reason; the children of `generation` go on.
#[track_caller]
fn fails(server: &Server, action: &str, generation: u64, reason: &str) {
    let (children, log_before) = (pids(server), server.error_log());
    let output = server.ask(action);
    let wanted = refused(generation, reason);
    assert_eq!((output.status, output.stderr.as_str()), (1, wanted.as_str()));
    let status = server.status();
    assert_eq!((status.state.as_str(), status.reason.as_str()), ("degraded", reason));
    assert_eq!(status.generation, generation);
    assert_eq!(status.mpm, format!("mpm_{}", server.mpm().name()));
    until("only the older children are left", || (pids(server) == children).then_some(()));
    let log = server.error_log();
    let told = format!("GB0323: restart failed: {reason}; degraded: ");
    assert!(log.strip_prefix(&log_before).is_some_and(|log| log.contains(&told)), "{log}");
}

/// It is over: a whole new generation serves.
#[track_caller]
fn recovers(server: &Server, configuration: &str) {
    let old = pids(server);
    server.configure(configuration);
    server.asks("graceful");
    let status = server.status();
    assert_eq!((status.state.as_str(), status.reason.as_str()), ("serving", ""));
    assert_eq!(i64::from(server.pid()), status.pid);
    let is_new = |child: &i32| !old.contains(child);
    until("the old children are gone", || pids(server).iter().all(is_new).then_some(()));
}

fn a_generation_that_does_not_come_up(mpm: Mpm) {
    let server = UnderLoad::start(mpm, |setup| setup);
    is_complete(&server);
    let good = server.configuration();
    // The last of them is the second restart that fails in a row.
    for (generation, way, action) in
        [(1, "DIES", "graceful"), (3, "FATAL", "restart"), (5, "RUN", "graceful")]
    {
        let module = Module::sick(way);
        server.load(&module.load_module());
        fails(&server, action, generation, NO_CHILD);
        server.is_served();
        recovers(&server, &good);
        server.is_served();
        is_complete(&server);
    }
    let log = server.error_log();
    assert!(!log.contains("is exiting"), "{log}");
    assert_eq!(server.ends_clean().stop(), 0);
}

/// They have ten seconds.
fn children_that_say_nothing(mpm: Mpm) {
    let server = UnderLoad::start(mpm, |setup| setup);
    is_complete(&server);
    let good = server.configuration();
    let module = Module::sick("SILENT");
    server.load(&module.load_module());
    fails(&server, "graceful", 1, "no child of generation 2 was ready within 10 s");
    server.is_served();
    recovers(&server, &good);
    server.is_served();
    assert_eq!(server.ends_clean().stop(), 0);
}

/// Also after attempts that fail or are refused, and where the image failed that had the listeners.
fn the_next_good_restart_ends_it(mpm: Mpm) {
    let server = UnderLoad::start(mpm, |setup| setup);
    is_complete(&server);
    let good = server.configuration();
    let mark = server.root().join("mark");
    let options = ["-DSICK=SECOND_PREPARE".to_owned(), format!("-DMARK=\"{}\"", mark.display())];
    let module =
        Module::compile("mpm_sick.c", "mpm_sick_module", &[options[0].as_str(), &options[1]]);
    server.load(&module.load_module());
    let sick = "GB0314: gearbox: mpm_sick_module cannot be used: not feeling well";
    fails(&server, "graceful", 1, sick);
    server.is_served();
    // The mark is there: its trial fails.
    let output = server.ask("graceful");
    let wanted = refused(1, sick);
    assert_eq!((output.status, output.stderr.as_str()), (1, wanted.as_str()));
    assert_eq!(server.status().state, "degraded");
    // An address that nobody would answer on is not listened on.
    let port = free_port();
    server.configure(&format!("{good}Listen 127.0.0.1:{port}\n"));
    let dies = Module::sick("DIES");
    server.load(&dies.load_module());
    fails(&server, "restart", 1, NO_CHILD);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "a client would wait there");
    server.is_served();
    recovers(&server, &format!("{good}Listen 127.0.0.1:{port}\n"));
    TcpStream::connect(("127.0.0.1", port)).expect("the new address");
    server.is_served();
    assert_eq!(server.ends_clean().stop(), 0);
}

/// A server that is degraded, without clients.
fn degraded(mpm: Mpm) -> (Server, Module) {
    let server = Setup::new(mpm).file("a", "a").start();
    is_complete(&server);
    let module = Module::sick("DIES");
    server.load(&module.load_module());
    fails(&server, "graceful", 1, NO_CHILD);
    (server, module)
}

fn none_is_replaced_and_the_last_ends_the_server(mpm: Mpm) {
    let (mut server, _module) = degraded(mpm);
    let mut left = pids(&server);
    while left.len() > 1 {
        let child = left.remove(0);
        kill(Pid::from_raw(child), Signal::SIGKILL).expect("it is there");
        until("the child is gone", || (!pids(&server).contains(&child)).then_some(()));
        assert_eq!(server.connect().request("GET", "/a", "Connection: close\r\n").body, b"a");
        assert_eq!(pids(&server), left);
        assert_eq!(server.status().state, "degraded");
    }
    kill(Pid::from_raw(left[0]), Signal::SIGKILL).expect("it is there");
    assert_eq!(server.wait(), 1);
    let log = server.error_log();
    assert!(log.contains("GB0335: no child is left that serves"), "{log}");
    assert!(!server.root().join("logs/gearbox.pid").exists());
    assert!(!server.root().join("logs/gearbox.sock").exists());
}

fn can_be_stopped(mpm: Mpm) {
    for signal in [Signal::SIGTERM, Signal::SIGWINCH] {
        let (mut server, _module) = degraded(mpm);
        server.signal(signal);
        assert_eq!(server.wait(), 0, "{signal}");
    }
    for action in ["stop", "graceful-stop"] {
        let (mut server, _module) = degraded(mpm);
        server.asks(action);
        assert_eq!(server.wait(), 0, "{action}");
    }
}
