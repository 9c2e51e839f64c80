//! Stopping, and restarting in the way that stops: requests in flight finish within StopTimeout,
//! nothing else is waited for.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use gearbox_tests::{Client, Mpm, Server, Setup, until};
use nix::sys::signal::Signal;

use crate::drain::{BIG, big};

every_mpm!(
    requests_in_flight_finish,
    with_nothing_in_flight_it_ends_at_once,
    a_long_download_is_cut_at_stop_timeout,
    no_stop_timeout,
    a_second_signal_hurries,
    a_stop_ends_a_graceful_stop,
    the_port_is_free_while_downloads_finish,
    a_restart_lets_requests_finish,
);

/// Longer than anything here may take.
const LONG: Duration = Duration::from_secs(60);
/// How soon something happens that waits for nobody, on a slow machine.
const SOON: Duration = Duration::from_secs(4);

fn setup(mpm: Mpm, stop_timeout: Duration) -> Setup {
    let setup = Setup::new(mpm).file("a", "a").file("big", big());
    // The clients here are patient, and so is the server.
    let setup = setup.line("KeepAliveTimeout 60\nTimeout 60");
    setup.line(&format!("StopTimeout {}", stop_timeout.as_secs()))
}

/// A download that the server can neither finish nor give up.
pub(crate) fn download(address: SocketAddr) -> Client {
    let mut client = Client::slow(address);
    client.begin_download(BIG);
    client
}

/// Connections between two requests. The MPM in C has no room for them beside another one.
fn idle(server: &Server, count: usize) -> Vec<Client> {
    let count = if server.mpm() == Mpm::C99 { 0 } else { count };
    let client = |_| {
        let mut client = server.connect();
        assert_eq!(client.get("/a").body, b"a");
        client
    };
    (0..count).map(client).collect()
}

pub(crate) fn is_refused(address: SocketAddr) {
    until("connections are refused", || TcpStream::connect(address).is_err().then_some(()));
}

/// The ways to stop.
fn stop(server: &Server, how: usize) {
    match how {
        0 => server.signal(Signal::SIGTERM),
        1 => server.signal(Signal::SIGINT),
        // `-k stop` comes back when the server has ended; that is another test's.
        _ => {
            let socket = server.root().join("logs/gearbox.sock");
            let answer = gearbox_tests::status::tell(&socket, r#"{"command":"stop"}"#);
            assert!(answer.expect("an answer").contains("true"));
        }
    }
}

fn requests_in_flight_finish(mpm: Mpm) {
    for how in 0..3 {
        let mut server = setup(mpm, LONG).start();
        let address = server.address();
        let mut download = download(address);
        let mut idle = idle(&server, 2);
        let mut asking = idle.pop();
        if let Some(client) = &mut asking {
            client.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
        }
        let told = Instant::now();
        stop(&server, how);
        for client in &mut idle {
            assert!(client.is_closed(), "an idle connection");
        }
        if let Some(client) = &mut asking {
            let response = client.read("GET").expect("an answer");
            assert_eq!((response.status, response.text().as_str()), (200, "a"));
            assert!(client.is_closed());
        }
        is_refused(address);
        assert!(download.read_to_end() == big(), "the download is whole");
        drop(download);
        assert_eq!(server.wait(), 0);
        let took = told.elapsed();
        assert!(took < SOON, "{took:?} for a stop in way {how}");
        assert!(!server.error_log().contains("AH00046"), "{}", server.error_log());
    }
}

fn with_nothing_in_flight_it_ends_at_once(mpm: Mpm) {
    let mut server = setup(mpm, LONG).start();
    let mut idle = idle(&server, 3);
    let mut silent = server.connect();
    let told = Instant::now();
    server.asks("stop");
    let took = told.elapsed();
    assert!(took < SOON, "{took:?}");
    // It has ended when `-k` comes back.
    assert!(TcpListener::bind(server.address()).is_ok());
    assert!(!server.root().join("logs/gearbox.pid").exists());
    assert_eq!(server.wait(), 0);
    for client in idle.iter_mut().chain([&mut silent]) {
        assert!(client.is_closed());
    }
}

/// What came of a download nobody could wait for.
fn is_cut(mut download: Client) {
    let got = download.read_to_end().len();
    assert!(got < big().len(), "{got} bytes");
}

fn a_long_download_is_cut_at_stop_timeout(mpm: Mpm) {
    let wait = Duration::from_secs(1);
    let mut server = setup(mpm, wait).start();
    let download = download(server.address());
    let told = Instant::now();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), 0);
    let took = told.elapsed();
    assert!(took >= wait && took < wait + SOON, "{took:?}");
    assert!(server.error_log().contains("AH00046: child process "), "{}", server.error_log());
    is_cut(download);
}

fn no_stop_timeout(mpm: Mpm) {
    let mut server = setup(mpm, Duration::ZERO).start();
    let download = download(server.address());
    let told = Instant::now();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), 0);
    let took = told.elapsed();
    assert!(took < SOON, "{took:?}");
    is_cut(download);
}

fn a_second_signal_hurries(mpm: Mpm) {
    for (first, second) in [(Signal::SIGTERM, Signal::SIGINT), (Signal::SIGWINCH, Signal::SIGTERM)]
    {
        let mut server = setup(mpm, Duration::from_secs(1)).start();
        if first == Signal::SIGTERM {
            server.configure(&server.configuration().replace("StopTimeout 1", "StopTimeout 60"));
            server.asks("graceful");
        }
        let download = download(server.address());
        server.signal(first);
        until("the server stops", || server.error_log().contains("shutting down").then_some(()));
        is_refused(server.address());
        let told = Instant::now();
        server.signal(second);
        assert_eq!(server.wait(), 0);
        let took = told.elapsed();
        assert!(took < SOON, "{took:?} after {first} and {second}");
        is_cut(download);
    }
}

/// What a graceful stop waits for, the next requests of kept connections, a stop does not.
fn a_stop_ends_a_graceful_stop(mpm: Mpm) {
    let mut server = setup(mpm, LONG).start();
    let mut idle = idle(&server, 2);
    server.signal(Signal::SIGWINCH);
    is_refused(server.address());
    let told = Instant::now();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), 0);
    let took = told.elapsed();
    assert!(took < SOON, "{took:?}");
    idle.iter_mut().for_each(|client| assert!(client.is_closed(), "an idle connection"));
}

fn the_port_is_free_while_downloads_finish(mpm: Mpm) {
    let mut server = setup(mpm, LONG).start();
    let mut download = download(server.address());
    server.asks("graceful-stop");
    let again = until("the port is free", || TcpListener::bind(server.address()).ok());
    assert!(!server.root().join("logs/gearbox.pid").exists());
    assert!(download.read_to_end() == big(), "the download is whole");
    drop((download, again));
    assert_eq!(server.wait(), 0);
}

fn a_restart_lets_requests_finish(mpm: Mpm) {
    for by_signal in [false, true] {
        let server = setup(mpm, LONG).start();
        let mut download = download(server.address());
        let mut idle = idle(&server, 2);
        let old = server.children();
        if by_signal {
            server.signal(Signal::SIGHUP);
            until("the new generation serves", || {
                let log = server.error_log();
                (log.matches("resuming normal operations").count() == 2).then_some(())
            });
        } else {
            server.asks("restart");
        }
        assert_eq!(server.connect().get("/a").body, b"a");
        for client in &mut idle {
            assert!(client.is_closed(), "an idle connection");
        }
        until("only the download is waited for", || {
            let left = server.children().iter().filter(|child| old.contains(child)).count();
            (left == 1).then_some(())
        });
        assert!(download.read_to_end() == big(), "the download is whole");
        drop(download);
        until("the old children are gone", || {
            server.children().iter().all(|child| !old.contains(child)).then_some(())
        });
        assert_eq!(server.stop(), 0);
    }
}
