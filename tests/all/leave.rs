//! A child that is told to leave, and requests of which a part has come: they are answered, whether the
//! order comes before or after that part, and nobody is kept waiting behind them.

use std::io;
use std::net::SocketAddr;

use gearbox_tests::{Client, Mpm, Server, Setup, process, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::drain::old_children;
use crate::stop::is_refused;

every_mpm!(begun_before_a_stop, begun_before_a_restart, begun_with_a_stop, nobody_waits_behind_it);

const BEGINNING: &str = "GET /a HTTP/1.1\r\nHo";
const REST: &str = "st: localhost\r\n\r\n";

fn setup(mpm: Mpm) -> Setup {
    Setup::new(mpm).file("a", "a").line("KeepAliveTimeout 60\nTimeout 60\nStopTimeout 60")
}

fn begin(address: SocketAddr) -> Client {
    let mut client = Client::connect(address);
    client.send(BEGINNING).expect("sent");
    client
}

/// Sends the rest; the answer is the connection's last.
fn is_answered(client: &mut Client) {
    client.send(REST).expect("sent");
    let response = client.read("GET").expect("an answer");
    assert_eq!((response.status, response.text().as_str()), (200, "a"));
    assert!(client.is_closed());
}

fn begun_before_a_stop(mpm: Mpm) {
    let mut server = setup(mpm).start();
    let mut client = begin(server.address());
    client.wait_until_read();
    server.signal(Signal::SIGTERM);
    is_refused(server.address());
    is_answered(&mut client);
    assert_eq!(server.wait(), 0);
}

fn begun_before_a_restart(mpm: Mpm) {
    let server = setup(mpm).start();
    let mut client = begin(server.address());
    client.wait_until_read();
    server.asks("restart");
    until("no other old child is left", || (old_children(&server) <= 1).then_some(()));
    is_answered(&mut client);
}

/// The one child of a server, which does nothing until [`Stopped::go_on`].
struct Stopped(Pid);

impl Stopped {
    fn of(server: &Server) -> Self {
        let child = Pid::from_raw(server.children()[0]);
        // Its threads may have begun a moment ago.
        until("it waits", || process::is_asleep(child.as_raw()).then_some(()));
        kill(child, Signal::SIGSTOP).expect("it is there");
        until("it is stopped", || state(child).starts_with('T').then_some(()));
        Self(child)
    }

    /// Tells the server to stop, and waits until the child would know.
    fn is_told(&self, server: &Server) {
        server.signal(Signal::SIGTERM);
        until("the child is told", || {
            let pending = process::field(self.0.as_raw(), "ShdPnd").expect("it is there");
            (pending != "0000000000000000").then_some(())
        });
    }

    fn go_on(&self) {
        kill(self.0, Signal::SIGCONT).expect("it is there");
    }
}

fn state(pid: Pid) -> String {
    process::field(pid.as_raw(), "State").unwrap_or_default()
}

/// The MPM in C takes nothing once it is told.
fn begun_with_a_stop(mpm: Mpm) {
    if mpm == Mpm::C99 {
        return;
    }
    let mut server = setup(mpm).line("StartServers 1").start();
    let child = Stopped::of(&server);
    let mut client = begin(server.address());
    child.is_told(&server);
    child.go_on();
    client.wait_until_read();
    until("the child waits", || process::is_asleep(child.0.as_raw()).then_some(()));
    is_answered(&mut client);
    assert_eq!(server.wait(), 0);
}

/// A child that leaves may take a connection that woke it. It must not take another one for which it
/// has no time.
fn nobody_waits_behind_it(mpm: Mpm) {
    if mpm == Mpm::C99 {
        return;
    }
    let lines = "StartServers 1\nListen 127.0.0.1:0\nListen 127.0.0.1:0";
    let mut server = setup(mpm).line(lines).start();
    let child = Stopped::of(&server);
    let mut first = begin(server.addresses()[0]);
    child.is_told(&server);
    let mut second = Client::connect(server.addresses()[1]);
    second.send([BEGINNING, REST].concat()).expect("sent");
    child.go_on();
    match second.read("GET") {
        Ok(response) => assert_eq!((response.status, response.text().as_str()), (200, "a")),
        Err(error) => assert_ne!(error.kind(), io::ErrorKind::WouldBlock, "it waits"),
    }
    is_answered(&mut first);
    assert_eq!(server.wait(), 0);
}
