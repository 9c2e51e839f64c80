//! A child that is killed under load takes only what it held with it.

use std::time::{Duration, Instant};

use gearbox_tests::{Load, Mpm, Setup, process, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

every_mpm!(only_requests_of_the_killed_child_fail);

/// How long a slot may be empty.
const REPLACED_WITHIN: Duration = Duration::from_secs(1);
const CLIENTS: usize = 16;
const KILLS: usize = 3;
/// Requests answered before and after each.
const REQUESTS: u64 = 2000;

fn only_requests_of_the_killed_child_fail(mpm: Mpm) {
    let setup = Setup::new(mpm).file("a", "some text").line("MaxKeepAliveRequests 0");
    let server = setup
        .line(match mpm {
            // As many as there may be, so that the pool has nothing to add by itself.
            Mpm::Event => "StartServers 3\nMaxRequestWorkers 75",
            Mpm::Worker => "StartServers 4\nThreadsPerChild 8\nMaxRequestWorkers 32",
            // More than one for each client: none waits for another to finish.
            Mpm::Prefork => "StartServers 20\nMaxRequestWorkers 20",
            Mpm::C99 => "",
        })
        .start();
    let count = server.children().len();
    let unused = server.children().first().map(|&child| process::sockets(child)).expect("a child");
    let load = Load::new(server.address(), "/a", b"some text").clients(CLIENTS).start();
    let mut held = 0;
    for _ in 0..KILLS {
        let goal = load.answered() + REQUESTS;
        until("requests are answered", || (load.answered() >= goal).then_some(()));
        let children = server.children();
        let busiest = children.iter().copied().max_by_key(|&child| process::sockets(child));
        let busiest = busiest.expect("a child");
        let connections = process::sockets(busiest) - unused;
        assert!(connections > 0, "a child that holds nothing was killed");
        held += connections as u64;
        let killed = Instant::now();
        kill(Pid::from_raw(busiest), Signal::SIGKILL).expect("it is there");
        until("the child is replaced", || {
            let now = server.children();
            (now.len() == count && !now.contains(&busiest)).then_some(())
        });
        let empty = killed.elapsed();
        assert!(empty < REPLACED_WITHIN, "the slot was empty for {empty:?}");
    }
    let goal = load.answered() + REQUESTS;
    until("requests are answered", || (load.answered() >= goal).then_some(()));
    let tally = load.stop();
    assert!(tally.failed <= held, "{held} connections were in killed children: {tally:?}");
    assert_eq!((tally.refused, tally.wrong), (0, 0), "{tally:?}");
    assert_eq!(tally.connections, CLIENTS as u64 + tally.failed, "a client without harm changed");
    let log = server.error_log();
    let told = log.lines().filter(|line| line.contains("exit signal SIGKILL (9)")).count();
    assert_eq!(told, KILLS, "{log}");
}
