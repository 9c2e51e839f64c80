//! A connection wakes one child, not every one.

use gearbox_tests::{Mpm, Setup, process, until};

const CHILDREN: usize = 4;
const CONNECTIONS: usize = 200;

/// How often the children woke up for connections that came one by one and said nothing.
#[test]
fn a_connection_wakes_one_child() {
    let server = Setup::new(Mpm::Event).line(&format!("StartServers {CHILDREN}")).start();
    let children =
        until("all are there", || Some(server.children()).filter(|all| all.len() == CHILDREN));
    let sockets = || children.iter().map(|&child| process::sockets(child)).sum::<usize>();
    let sleeps = || children.iter().map(|&child| process::sleeps(child)).sum::<u64>();
    // The first connections find every child asleep, and come to rest.
    let mut idle = vec![server.connect()];
    until("all sleep", || {
        let asleep =
            |&child: &i32| process::field(child, "State").is_some_and(|s| s.starts_with('S'));
        children.iter().all(asleep).then_some(())
    });
    let (sockets_before, sleeps_before) = (sockets(), sleeps());
    for n in 1..=CONNECTIONS {
        idle.push(server.connect());
        until("it is accepted", || (sockets() == sockets_before + n).then_some(()));
    }
    until("all sleep", || (sleeps() >= sleeps_before + CONNECTIONS as u64).then_some(()));
    let woken = sleeps() - sleeps_before;
    println!("{CHILDREN} children: {woken} wake-ups for {CONNECTIONS} connections");
    // A tenth for the timers of the connections.
    assert!(woken <= CONNECTIONS as u64 * 11 / 10, "{woken} wake-ups");
}
