//! Restarting, and swapping the MPM, while clients that never retry go on asking.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use gearbox_tests::{
    Client, Load, Mpm, Running, Server, Setup, free_port, modules_dir, process, until,
};

/// Numbers for the clients of these tests under each MPM.
const NUMBERS: &str = "\
<IfModule mpm_event_module>
StartServers 2
</IfModule>
<IfModule mpm_worker_module>
StartServers 2
ServerLimit 10
ThreadsPerChild 50
MaxRequestWorkers 100
</IfModule>
<IfModule mpm_prefork_module>
StartServers 100
ServerLimit 100
MaxRequestWorkers 100
</IfModule>";

fn setup(mpm: Mpm) -> Setup {
    let setup = Setup::new(mpm).line(NUMBERS).line("MaxKeepAliveRequests 0");
    setup.line("CustomLog logs/access_log \"%P %>s\"").file("1k.bin", body())
}

fn body() -> Vec<u8> {
    (0..1024_u32).map(|n| (n * n / 7 % 251) as u8).collect()
}

/// Clients that keep their connections, and clients with a connection for each request.
struct Clients {
    kept: Running,
    single: Running,
}

impl Clients {
    fn of(server: &Server) -> Self {
        let load = Load::new(server.address(), "/1k.bin", &body());
        let single = load.clone().clients(8).one_request_per_connection();
        Self { kept: load.clients(40).start(), single: single.start() }
    }

    /// Waits until both kinds have been answered for a while.
    fn go_on(&self) {
        let (kept, single) = (self.kept.answered(), self.single.answered());
        until("both kinds of clients are answered", || {
            let both = self.kept.answered() > kept + 500 && self.single.answered() > single + 50;
            both.then_some(())
        });
    }

    /// Nothing was lost.
    #[track_caller]
    fn stop(self) {
        for load in [self.kept, self.single] {
            load.stop().assert_clean();
        }
    }
}

/// `-k graceful`; the new generation has answered requests.
fn swaps(server: &Server, mpm: Mpm, clients: &Clients) {
    let before = server.status();
    server.load(&mpm.load_module());
    server.asks("graceful");
    let status = server.status();
    assert_eq!((status.generation, status.pid), (before.generation + 1, before.pid));
    assert_eq!((status.mpm.as_str(), status.state.as_str()), (&*mpm.identifier(), "serving"));
    clients.go_on();
    let is_new = |line: &str| {
        let pid = line.split(' ').next().and_then(|word| word.parse().ok());
        status
            .children
            .iter()
            .any(|child| Some(child.pid) == pid && child.generation == status.generation)
    };
    until("the new generation answers", || {
        server.log("access_log").lines().rev().take(2000).any(is_new).then_some(())
    });
}

fn after(mpm: Mpm) -> Mpm {
    match mpm {
        Mpm::Event => Mpm::Prefork,
        Mpm::Prefork => Mpm::Worker,
        Mpm::Worker | Mpm::C99 => Mpm::Event,
    }
}

fn old_children_go(server: &Server) {
    until("the old children are gone", || {
        let status = server.status();
        status.children.iter().all(|child| child.generation == status.generation).then_some(())
    });
    let known = server.status().children.len();
    assert_eq!(process::children(server.pid()).len(), known, "and no others are there");
}

/// Each generation answers requests, none is lost, nothing of the old ones is left.
#[test]
fn twenty_swaps_under_load() {
    let server = setup(Mpm::Event).start();
    let clients = Clients::of(&server);
    let mut mpm = Mpm::Event;
    for _ in 0..20 {
        mpm = after(mpm);
        swaps(&server, mpm, &clients);
    }
    clients.stop();
    assert_eq!(server.status().generation, 21);
    assert_eq!(server.status().pid, i64::from(server.pid()));
    old_children_go(&server);
    assert_eq!(server.stop(), 0);
}

/// An MPM without a `run`, in C, takes its turn.
#[test]
fn an_mpm_in_c_takes_over_and_hands_over() {
    let server = setup(Mpm::Event).start();
    let load = Load::new(server.address(), "/1k.bin", &body()).clients(4);
    let load = load.one_request_per_connection().start();
    for mpm in [Mpm::C99, Mpm::Worker, Mpm::C99, Mpm::C99, Mpm::Prefork] {
        server.load(&mpm.load_module());
        server.asks("graceful");
        assert_eq!(server.status().mpm, mpm.identifier());
        let before = load.answered();
        until("it answers", || (load.answered() > before + 100).then_some(()));
    }
    load.stop().assert_clean();
    old_children_go(&server);
}

/// Replaces a file as an installation does: by renaming.
fn replace(path: &Path) {
    let new = path.with_extension("new");
    std::fs::copy(path, &new).expect("a newer build");
    std::fs::rename(new, path).expect("ours");
}

#[test]
fn a_newer_build_of_the_mpm() {
    let server = setup(Mpm::Event).start();
    let file = server.root().join("mod_mpm_event.so");
    std::fs::copy(modules_dir().join("mod_mpm_event.so"), &file).expect("a copy");
    server.load(&format!("LoadModule mpm_event_module {}", file.display()));
    server.asks("graceful");
    let clients = Clients::of(&server);
    for _ in 0..3 {
        replace(&file);
        let inode = std::fs::metadata(&file).expect("ours").ino();
        server.asks("graceful");
        clients.go_on();
        let status = server.status();
        let new = status.children.iter().filter(|child| child.generation == status.generation);
        for child in new {
            let maps = std::fs::read_to_string(format!("/proc/{}/maps", child.pid)).expect("there");
            let is_mapped = |line: &str| {
                line.ends_with("/mod_mpm_event.so")
                    && line.split_whitespace().nth(4) == Some(&inode.to_string())
            };
            assert!(maps.lines().any(is_mapped), "the newer file is used");
        }
    }
    clients.stop();
}

#[test]
fn a_newer_build_of_the_server() {
    let server = setup(Mpm::Event).copied().start();
    let clients = Clients::of(&server);
    let binary = server.root().join("bin/gearbox");
    let mut mpm = Mpm::Event;
    for _ in 0..3 {
        replace(&binary);
        mpm = after(mpm);
        swaps(&server, mpm, &clients);
        let runs = std::fs::metadata(format!("/proc/{}/exe", server.pid())).expect("it runs");
        assert_eq!(runs.ino(), std::fs::metadata(&binary).expect("ours").ino());
    }
    clients.stop();
    old_children_go(&server);
}

#[test]
fn addresses_come_and_go() {
    let server = setup(Mpm::Event).start();
    let clients = Clients::of(&server);
    let text = server.configuration();
    let mut mpm = Mpm::Event;
    for _ in 0..3 {
        let port = free_port();
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        server.configure(&format!("{text}Listen {address}\n"));
        mpm = after(mpm);
        swaps(&server, mpm, &clients);
        assert_eq!(Client::connect(address).get("/1k.bin").body, body());
        // The first one stays, on the port that the kernel chose at the start.
        assert_eq!(server.connect().get("/1k.bin").body, body());
        server.configure(&text);
        mpm = after(mpm);
        swaps(&server, mpm, &clients);
        until("nobody listens there", || std::net::TcpStream::connect(address).err());
    }
    clients.stop();
}

/// Bytes of the long download.
const LONG: usize = 24 << 20;

fn long_body() -> Vec<u8> {
    (0..LONG as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

/// A download that takes half a minute, across swaps of the MPM: right to the last byte.
#[test]
fn a_long_download_and_idle_connections() {
    const TAKES: Duration = Duration::from_secs(30);
    let setup = setup(Mpm::Event).file("long.bin", long_body()).line("KeepAliveTimeout 120");
    let server = setup.line("<IfModule mpm_prefork_module>\nStartServers 300\nServerLimit 400\nMaxRequestWorkers 400\n</IfModule>\n<IfModule mpm_worker_module>\nMaxRequestWorkers 400\n</IfModule>").start();
    let clients = Clients::of(&server);
    let mut mpm = Mpm::Event;
    let mut idle: Vec<Client> = (0..200).map(|_| server.connect()).collect();
    for client in &mut idle {
        assert_eq!(client.get("/1k.bin").body, body());
    }
    let address = server.address();
    let download = std::thread::spawn(move || {
        let mut client = Client::connect(address);
        client
            .send("GET /long.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .expect("sent");
        let (begun, mut all) = (Instant::now(), Vec::new());
        let mut buf = vec![0; LONG / 300];
        loop {
            match client.stream().read(&mut buf).expect("the download goes on") {
                0 => return (all, begun.elapsed()),
                len => all.extend_from_slice(&buf[..len]),
            }
            // As fast as a slow client is.
            let due = TAKES.mul_f64(all.len() as f64 / LONG as f64);
            std::thread::park_timeout(due.saturating_sub(begun.elapsed()));
        }
    });
    let mut swapped = 0;
    while !download.is_finished() {
        mpm = after(mpm);
        swaps(&server, mpm, &clients);
        swapped += 1;
        // The next request on an idle connection is answered, and is its last.
        if let Some(mut client) = idle.pop() {
            let response = client.get("/1k.bin");
            assert_eq!(response.body, body());
            assert_eq!(response.field("connection").as_deref(), Some("close"));
        }
        std::thread::park_timeout(Duration::from_millis(900));
    }
    let (all, took) = download.join().expect("the download");
    let head = all.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
    assert!(all[head..] == long_body(), "{} bytes", all.len() - head);
    assert!(took >= TAKES.mul_f64(0.9), "{took:?}");
    assert!(swapped >= 10, "{swapped} swaps");
    for mut client in idle {
        let response = client.get("/1k.bin");
        assert_eq!(response.body, body());
        assert_eq!(response.field("connection").as_deref(), Some("close"));
    }
    clients.stop();
    old_children_go(&server);
}

/// What a process has: descriptors, mapped memory, shared memory.
fn belongings(pid: i32) -> (usize, u64, usize) {
    let descriptors = process::descriptors(pid);
    let shared = descriptors.iter().filter(|(_, target)| target.starts_with("/memfd:")).count();
    let size = process::field(pid, "VmRSS").expect("it runs");
    let size = size.split(' ').next().and_then(|word| word.parse().ok()).expect("a number");
    (descriptors.len(), size, shared)
}

/// After a hundred restarts the parent has what it had after the first.
#[test]
fn a_hundred_restarts_leave_nothing_behind() {
    let server = Setup::new(Mpm::Event).line("StartServers 2").file("a", "a").start();
    let restart = |n: u64| {
        server.asks(if n.is_multiple_of(2) { "graceful" } else { "restart" });
        old_children_go(&server);
    };
    restart(0);
    let first = belongings(server.pid());
    for n in 1..100 {
        restart(n);
    }
    // The connection that asked for the state may be open for a moment longer.
    let last = until("descriptors and shared memory are as after the first", || {
        let now = belongings(server.pid());
        (now.0 <= first.0 && now.2 <= first.2).then_some(now)
    });
    assert!(last.1 <= first.1 + first.1 / 20, "{} KiB, after the first {} KiB", last.1, first.1);
    assert_eq!(server.status().generation, 101);
    assert_eq!(server.connect().get("/a").body, b"a");
}
