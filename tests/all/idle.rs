//! What connections cost that only wait for their next request.

use std::time::{Duration, Instant};

use gearbox_tests::{Client, Mpm, Server, Setup, process};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

const CONNECTIONS: usize = 4000;
/// Memory is compared with what this many take.
const BASELINE: usize = 100;
/// Most bytes of process memory for each.
const BYTES_MAX: u64 = 512;
/// Longest wait of 99 in 100 requests.
const LATENCY_MAX: Duration = Duration::from_millis(20);
/// Requests measured of each kind.
const REQUESTS: usize = 500;

/// A connection for each, here and in the server, which takes the limit over.
fn raise_descriptor_limit() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    let wanted = CONNECTIONS as u64 + 1000;
    if soft < wanted {
        // Only root gets above the hard limit.
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted)).expect("descriptors enough");
    }
}

fn answered(server: &Server, client: &mut Client) -> Duration {
    let start = Instant::now();
    let response = client.get("/a");
    assert_eq!((response.status, response.body.as_slice()), (200, b"a".as_slice()), "{server:?}");
    start.elapsed()
}

/// The time within which 99 of 100 were answered.
fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() * 99 / 100]
}

#[test]
fn four_thousand_keep_alive_connections() {
    raise_descriptor_limit();
    let setup = Setup::new(Mpm::Event).file("a", "a").line("StartServers 1\nServerLimit 1");
    let setup = setup.line("ThreadsPerChild 4\nMaxRequestWorkers 4");
    let server = setup.line("KeepAliveTimeout 600\nMaxKeepAliveRequests 0").start();
    let &[child] = &server.children()[..] else { panic!("one child") };
    let mut idle = Vec::new();
    let mut open = |count: usize| {
        while idle.len() < count {
            let mut client = server.connect();
            answered(&server, &mut client);
            idle.push(client);
        }
        process::memory(child)
    };
    let before = open(BASELINE);
    let after = open(CONNECTIONS);
    let each = after.saturating_sub(before) / (CONNECTIONS - BASELINE) as u64;
    println!(
        "{CONNECTIONS} idle connections: {} KiB of process memory in all (PSS; {BASELINE}: {} KiB), \
         {each} bytes each",
        after / 1024,
        before / 1024
    );
    assert!(each <= BYTES_MAX, "{each} bytes each");

    let new = (0..REQUESTS).map(|_| {
        let start = Instant::now();
        answered(&server, &mut server.connect());
        start.elapsed()
    });
    let new = p99(new.collect());
    let step = CONNECTIONS / REQUESTS;
    let kept = p99(idle.iter_mut().step_by(step).map(|c| answered(&server, c)).collect());
    println!("99 of 100 answered within {new:?} on a new connection, {kept:?} on one of them");
    assert!(new.max(kept) <= LATENCY_MAX, "{new:?}, {kept:?}");
    assert_eq!(server.children(), [child]);
}
