//! A graceful restart seen by those who are connected: what is under way goes on, the next answer on
//! a connection is its last, nobody is lost or kept waiting.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use gearbox_tests::{Client, Mpm, Response, Server, Setup, WAIT_MAX, free_port, process, until};
use nix::sys::signal::Signal;

use crate::stop::download;

every_mpm!(
    a_download_goes_on,
    a_download_is_cut_at_the_deadline,
    a_request_behind_a_download_is_answered,
    what_is_connected_is_answered_and_closed,
    an_address_that_is_given_up_is_free,
    a_lone_client_is_never_kept_waiting,
    a_graceful_stop_has_a_deadline,
);

/// A document no system takes in without its client reading.
pub(crate) const BIG: &str = "/big";

pub(crate) fn big() -> &'static [u8] {
    static BYTES: LazyLock<Vec<u8>> =
        LazyLock::new(|| (0..16_u32 << 20).map(|n| (n ^ n >> 7 ^ n >> 15) as u8).collect());
    &BYTES
}

fn setup(mpm: Mpm) -> Setup {
    let setup = Setup::new(mpm).file("a", "a").file("big", big());
    setup.line("KeepAliveTimeout 60\nTimeout 60")
}

pub(crate) fn old_children(server: &Server) -> usize {
    let status = server.status();
    status.children.iter().filter(|child| child.generation != status.generation).count()
}

fn waits_until_old_children_are_gone(server: &Server) {
    until("the old children are gone", || (old_children(server) == 0).then_some(()));
}

fn a_download_goes_on(mpm: Mpm) {
    let server = setup(mpm).start();
    let mut download = download(server.address());
    for _ in 0..3 {
        server.asks("graceful");
        assert_eq!(server.connect().get("/a").body, b"a");
    }
    until("only the download is waited for", || (old_children(&server) == 1).then_some(()));
    assert!(download.read_to_end() == big(), "the download is whole");
    drop(download);
    waits_until_old_children_are_gone(&server);
    assert!(!server.error_log().contains("AH00046"), "{}", server.error_log());
}

fn a_download_is_cut_at_the_deadline(mpm: Mpm) {
    let server = setup(mpm).line("GracefulRestartTimeout 1").start();
    let mut download = download(server.address());
    let begun = Instant::now();
    server.asks("graceful");
    until("the child is killed", || server.error_log().contains("AH00046").then_some(()));
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    waits_until_old_children_are_gone(&server);
    let got = download.read_to_end().len();
    assert!(got < big().len(), "{got} bytes");
    assert_eq!(server.connect().get("/a").body, b"a");
}

fn a_request_behind_a_download_is_answered(mpm: Mpm) {
    let server = setup(mpm).start();
    let mut client = Client::slow(server.address());
    let get = |target| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.send(get(BIG) + &get("/a") + &get("/a")).expect("sent");
    let head = client.read("HEAD").expect("an answer");
    assert_eq!((head.status, head.field("connection")), (200, None));
    server.asks("graceful");
    let mut body = vec![0; big().len()];
    client.read_exact(&mut body).expect("the download is whole");
    assert!(body == big());
    let response = client.read("GET").expect("an answer");
    assert_eq!((response.status, response.text().as_str()), (200, "a"));
    assert_eq!(response.field("connection").as_deref(), Some("close"));
    assert!(client.is_closed());
    drop(client);
    waits_until_old_children_are_gone(&server);
}

fn closes(client: &mut Client) {
    let response = client.get("/a");
    is_the_last(client, response);
}

/// The connection is answered and closed: with this response, or, where the child hears of the drain
/// a moment later, with one of the next.
fn is_the_last(client: &mut Client, mut response: Response) {
    let end = Instant::now() + WAIT_MAX;
    while response.field("connection").is_none() && Instant::now() < end {
        response = client.get("/a");
    }
    assert_eq!((response.status, response.text().as_str()), (200, "a"));
    assert_eq!(response.field("connection").as_deref(), Some("close"));
    assert!(client.is_closed());
}

fn what_is_connected_is_answered_and_closed(mpm: Mpm) {
    let mut setup = setup(mpm);
    if mpm == Mpm::Prefork {
        setup = setup.line("StartServers 8");
    }
    let server = setup.start();
    until("all children are ready", || {
        server.status().children.iter().all(|child| child.state == "ready").then_some(())
    });
    let address = server.address();
    let mut kept = Vec::new();
    // The MPM in C has room for one.
    for _ in 0..if mpm == Mpm::C99 { 1 } else { 3 } {
        let mut client = Client::connect(address);
        let response = client.get("/a");
        assert_eq!((response.status, response.field("connection")), (200, None));
        kept.push(client);
    }
    let mut silent = Vec::new();
    let mut beginning = Vec::new();
    if mpm != Mpm::C99 {
        let sockets = || server.children().iter().map(|child| process::sockets(*child)).sum();
        let before: usize = sockets();
        silent.push(Client::connect(address));
        beginning.push(Client::connect(address));
        beginning[0].send("GET /a HTTP/1.1\r\nHo").expect("sent");
        until("they are accepted", || (sockets() == before + 2).then_some(()));
    }
    let old = server.children();
    server.asks("graceful");
    for client in &mut beginning {
        client.send("st: localhost\r\n\r\n").expect("sent");
        let response = client.read("GET").expect("an answer");
        is_the_last(client, response);
    }
    kept.iter_mut().chain(&mut silent).for_each(closes);
    drop((kept, silent, beginning));
    until("the old children are gone", || {
        server.children().iter().all(|child| !old.contains(child)).then_some(())
    });
}

fn an_address_that_is_given_up_is_free(mpm: Mpm) {
    let (stays, goes) = (free_port(), free_port());
    let lines = format!("Listen 127.0.0.1:{stays}\nListen 127.0.0.1:{goes}");
    let server = setup(mpm).line(&lines).start();
    let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let mut download = download(address(stays));
    let line = format!("Listen 127.0.0.1:{goes}\n");
    server.configure(&server.configuration().replace(&line, ""));
    server.asks("graceful");
    until("connections are refused", || TcpStream::connect(address(goes)).is_err().then_some(()));
    TcpListener::bind(address(goes)).expect("it is free for others");
    until("only the download is waited for", || (old_children(&server) == 1).then_some(()));
    assert_eq!(Client::connect(address(stays)).get("/a").body, b"a");
    assert!(download.read_to_end() == big(), "the download is whole");
    drop(download);
    waits_until_old_children_are_gone(&server);
}

/// Restarts while a single client connects again and again: a connection that wakes only a child
/// which leaves has nobody who comes after it to wake another.
fn a_lone_client_is_never_kept_waiting(mpm: Mpm) {
    const RESTARTS: usize = 12;
    const LONGEST: Duration = Duration::from_secs(4);
    let server = setup(mpm).start();
    let (mut longest, mut requests) = (Duration::ZERO, 0_usize);
    std::thread::scope(|scope| {
        let restarts = scope.spawn(|| (0..RESTARTS).for_each(|_| server.asks("graceful")));
        while !restarts.is_finished() {
            let begun = Instant::now();
            let response = server.connect().request("GET", "/a", "Connection: close\r\n");
            assert_eq!((response.status, response.text().as_str()), (200, "a"));
            longest = longest.max(begun.elapsed());
            requests += 1;
        }
    });
    println!("{requests} requests during {RESTARTS} restarts, the longest took {longest:?}");
    assert!(longest < LONGEST, "{longest:?}");
    assert!(requests > RESTARTS, "{requests}");
    waits_until_old_children_are_gone(&server);
}

fn a_graceful_stop_has_a_deadline(mpm: Mpm) {
    for by_signal in [true, false] {
        let mut server = setup(mpm).line("GracefulShutdownTimeout 1").start();
        let mut download = download(server.address());
        let told = Instant::now();
        if by_signal {
            server.signal(Signal::SIGWINCH);
        } else {
            server.asks("graceful-stop");
        }
        assert_eq!(server.wait(), 0);
        let took = told.elapsed();
        assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(5), "{took:?}");
        assert!(server.error_log().contains("AH00046"), "{}", server.error_log());
        let got = download.read_to_end().len();
        assert!(got < big().len(), "{got} bytes");
    }
}

/// A resized terminal is no reason to stop, as it is with httpd.
#[test]
fn a_terminal_may_be_resized() {
    let terminal = nix::pty::openpty(None, None).expect("a terminal");
    let setup = setup(Mpm::Event).through(&["setsid", "--ctty"]).stdin(terminal.slave);
    let server = setup.start();
    for n in 1..=2 {
        assert_ne!(process::session(server.pid()).1, 0, "a terminal controls it");
        let log = || server.error_log().matches("GB0329").count();
        server.signal(Signal::SIGWINCH);
        server.signal(Signal::SIGUSR2);
        until("the signal after that is dealt with", || (log() == n).then_some(()));
        let (status, log) = (server.status(), server.error_log());
        assert_eq!((status.state.as_str(), log.contains("SIGWINCH")), ("serving", false), "{log}");
        // The next image has the terminal too.
        server.asks("graceful");
    }
}
