//! Under a service manager: what the server tells it (`sd_notify(3)`), and the sockets it passes
//! (`sd_listen_fds(3)`).

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use gearbox_tests::{
    Client, Conf, Mpm, Server, Setup, WAIT_MAX, compile_module, gearbox_binary, process, run,
};
use nix::sys::signal::Signal;

every_mpm!(it_is_told_of_every_step, a_passed_socket_is_used_and_kept);

/// What stands in for systemd.
struct Manager {
    dir: tempfile::TempDir,
    socket: UnixDatagram,
}

impl Manager {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let socket = UnixDatagram::bind(dir.path().join("notify")).expect("a socket");
        socket.set_read_timeout(Some(WAIT_MAX)).expect("a socket");
        Self { dir, socket }
    }

    /// Starts a server as it does.
    fn start(&self, setup: Setup, environment: &[&str]) -> Server {
        let socket = format!("NOTIFY_SOCKET={}", self.dir.path().join("notify").display());
        setup.through(&[&["env", &socket], environment].concat()).start()
    }

    fn next(&self) -> Vec<String> {
        let mut buf = [0; 4096];
        let len = loop {
            match self.socket.recv(&mut buf) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                received => break received.expect("a message"),
            }
        };
        String::from_utf8_lossy(&buf[..len]).lines().map(str::to_owned).collect()
    }

    /// The next message that is no sign of life.
    fn news(&self) -> Vec<String> {
        let end = Instant::now() + WAIT_MAX;
        loop {
            let message = self.next();
            if message != ["WATCHDOG=1"] {
                return message;
            }
            assert!(Instant::now() < end, "nothing but signs of life");
        }
    }

    fn hears(&self, wanted: &[&str]) {
        assert_eq!(self.news(), wanted);
    }

    fn hears_of_a_restart(&self) {
        let message = self.news();
        let time = message.get(2).and_then(|line| line.strip_prefix("MONOTONIC_USEC="));
        let time: u64 = time.and_then(|word| word.parse().ok()).expect("the time");
        let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).expect("a clock");
        let age = Duration::from(now).saturating_sub(Duration::from_micros(time));
        assert!(age < WAIT_MAX, "{age:?} ago");
        assert_eq!(message[..2], ["RELOADING=1", "STATUS=trying the configuration"]);
    }

    fn hears_of_readiness(&self, pid: i32, status: &str) {
        let (pid, status) = (format!("MAINPID={pid}"), format!("STATUS={status}"));
        self.hears(&["READY=1", &pid, &status]);
    }
}

fn it_is_told_of_every_step(mpm: Mpm) {
    let manager = Manager::new();
    let mut server = manager.start(Setup::new(mpm).file("a", "a"), &[]);
    let pid = server.pid();
    let serves = |n| format!("generation {n} serves (mpm_{})", mpm.name());
    manager.hears_of_readiness(pid, &serves(1));
    server.asks("graceful");
    manager.hears_of_a_restart();
    manager.hears_of_readiness(pid, &serves(2));
    let good = server.configuration();
    server.configure(&format!("{good}Nonsense\n"));
    assert_eq!(server.ask("restart").status, 1);
    manager.hears_of_a_restart();
    let message = manager.news();
    assert_eq!((message.len(), message[0].as_str()), (3, "READY=1"), "as before: {message:?}");
    assert!(
        message[2].starts_with("STATUS=restart refused, generation 2 goes on: "),
        "{message:?}"
    );
    server.configure(&good);
    server.signal(Signal::SIGHUP);
    manager.hears_of_a_restart();
    manager.hears_of_readiness(pid, &serves(3));
    server.signal(Signal::SIGTERM);
    manager.hears(&["STOPPING=1", "STATUS=stopping"]);
    assert_eq!(server.wait(), 0);
}

/// The MPM in C, whose children are beyond hope when this is true.
pub(crate) fn fatal_if(conf: &Conf, condition: &str) -> PathBuf {
    let source = include_str!("../fixtures/mpm_c99.c");
    let text = source.replace("if (count > LISTENERS_MAX)", &format!("if ({condition})"));
    assert_ne!(source, text);
    let module = conf.root().join("mod_mpm_c99.so");
    compile_module(&conf.put("mpm.c", &text), &module, &[]);
    module
}

/// Also in an idle server, in the next image, and while nothing but old children serves.
#[test]
fn signs_of_life_go_on() {
    const LIMIT: Duration = Duration::from_millis(2000);
    let manager = Manager::new();
    let usec = format!("WATCHDOG_USEC={}", LIMIT.as_micros());
    let server = manager.start(Setup::new(Mpm::Event).file("a", "a"), &[&usec]);
    let mut last = Instant::now();
    let mut lives = |times: usize| {
        let mut seen = 0;
        while seen < times {
            let message = manager.next();
            if message == ["WATCHDOG=1"] {
                assert!(last.elapsed() < LIMIT, "{:?}", last.elapsed());
                last = Instant::now();
                seen += 1;
            }
        }
    };
    lives(2);
    server.asks("graceful");
    lives(2);
    let conf = Conf::text("");
    server.load(&format!("LoadModule mpm_c99_module {}", fatal_if(&conf, "count > 0").display()));
    assert_eq!(server.ask("graceful").status, 1);
    assert_eq!(server.status().state, "degraded");
    lives(2);
    assert_eq!(server.connect().get("/a").body, b"a");
}

/// Passes its standard input as descriptor 3, as systemd does.
pub(crate) const PASS: &[&str] =
    &["sh", "-c", "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\""];

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("a socket");
    (listener, address)
}

fn a_passed_socket_is_used_and_kept(mpm: Mpm) {
    let (listener, address) = listener();
    let own = process::descriptors(std::process::id() as i32).into_iter();
    let socket = own.into_iter().find(|(n, _)| *n == listener.as_raw_fd()).expect("ours").1;
    let setup = Setup::new(mpm).file("a", "a").line(&format!("Listen {address}"));
    let server = setup.stdin(listener).through(PASS).start();
    let has_it = || process::descriptors(server.pid()).iter().any(|(_, to)| *to == socket);
    assert_eq!(server.addresses(), [address]);
    for _ in 0..2 {
        assert_eq!(Client::connect(address).get("/a").body, b"a");
        server.asks("graceful");
        assert!(!server.error_log().contains("GB0333"), "{}", server.error_log());
    }
    assert_eq!(Client::connect(address).get("/a").body, b"a");
    assert!(has_it(), "the very socket that was passed");
}

#[test]
fn a_socket_that_no_listen_names() {
    let (listener, address) = listener();
    let server = Setup::new(Mpm::Event).stdin(listener).through(PASS).start();
    let wanted = format!("GB0333: the service manager passed {address}, which no Listen names");
    assert!(server.error_log().contains(&wanted), "{}", server.error_log());
    assert!(TcpStream::connect(address).is_err(), "it is closed");
}

#[test]
fn what_is_no_socket_is_refused() {
    let (_dir, file) = Setup::new(Mpm::Event).write();
    let mut command = Command::new(PASS[0]);
    command.args(&PASS[1..]).arg(gearbox_binary()).arg("-f").arg(&file).arg("-DFOREGROUND");
    let output = run(&mut command);
    let wanted =
        "GB0322: gearbox: the service manager's descriptor 3 is not a listening TCP socket\n";
    assert_eq!((output.status, output.stderr.as_str()), (1, wanted));
}

/// What the environment says is for the process it names.
#[test]
fn sockets_of_another_process_are_not_taken() {
    let (listener, address) = listener();
    let script = PASS[2].replace("$$", "1");
    let server = Setup::new(Mpm::Event).stdin(listener).through(&["sh", "-c", &script]).start();
    assert!(!server.error_log().contains("GB0333"), "{}", server.error_log());
    assert!(!server.addresses().contains(&address));
}
