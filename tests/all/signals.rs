//! Random sequences of signals, from a seed: whatever comes when, the server ends up serving or
//! stopped.

use std::time::Duration;

use gearbox_tests::{Mpm, Server, Setup, process, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Sequences in the gate; `GEARBOX_TEST_SEQUENCES` says otherwise.
const SEQUENCES: u64 = 200;
/// Threads that work on them.
const THREADS: u64 = 4;

/// A generator good enough to choose with (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// Restarts are likelier than ends: an end ends the sequence.
const SIGNALS: [Signal; 12] = [
    Signal::SIGUSR1,
    Signal::SIGUSR1,
    Signal::SIGUSR1,
    Signal::SIGHUP,
    Signal::SIGHUP,
    Signal::SIGUSR2,
    Signal::SIGUSR2,
    Signal::SIGCHLD,
    Signal::SIGWINCH,
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGURG,
];

/// Starts a server without waiting for it, sends it signals at random moments, and looks at what has
/// become of it. In which case it is told.
fn sequence(seed: u64) {
    let mut random = Random(seed);
    let mpms = [Mpm::Event, Mpm::Worker, Mpm::Prefork];
    let mpm = mpms[random.below(3) as usize];
    // Signals before anything is set up end a program, as they always do: from the first log line on.
    let mut server = Setup::new(mpm)
        .line("StartServers 2\nStopTimeout 1\nGracefulRestartTimeout 1\nGracefulShutdownTimeout 1")
        .file("a", "a")
        .start_when(|log| log.contains("Command line: "));
    let mut sent = Vec::new();
    let mut everybody = Vec::new();
    for _ in 0..=random.below(8) {
        let signal = SIGNALS[random.below(SIGNALS.len() as u64) as usize];
        if random.below(3) == 0 {
            server.load(&mpms[random.below(3) as usize].load_module());
        }
        everybody.extend(server.children());
        if kill(Pid::from_raw(server.pid()), signal).is_err() {
            break;
        }
        sent.push(signal);
        // Not a wait for anything: signals shall come at all moments.
        std::thread::park_timeout(Duration::from_micros(random.below(12_000)));
    }
    everybody.extend(server.children());
    let ends = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGWINCH];
    let what = format!("seed {seed}, {mpm:?}, {sent:?}");
    if sent.iter().any(|signal| ends.contains(signal)) {
        let status = server.wait_for(&what);
        assert_eq!(status, 0, "{what}:\n{}", server.error_log());
        until(&format!("{what}: everybody is gone"), || {
            everybody.iter().all(|pid| !process::is_alive(*pid)).then_some(())
        });
        return;
    }
    until(&format!("{what}: it serves\n{}", server.error_log()), || serves(&mut server, &what));
    assert_eq!(server.stop(), 0, "{what}");
}

/// Whether it serves with children of the newest generation alone.
fn serves(server: &mut Server, what: &str) -> Option<()> {
    assert!(process::is_alive(server.pid()), "{what}:\n{}", server.error_log());
    let status = server.try_status()?;
    let is_settled = status.children.iter().all(|child| child.generation == status.generation);
    let serves = status.state == "serving" && is_settled && !status.children.is_empty();
    (serves && server.connect().get("/a").body == b"a").then_some(())
}

#[test]
fn random_sequences() {
    let said = std::env::var("GEARBOX_TEST_SEQUENCES").ok();
    let count = said.map_or(SEQUENCES, |said| said.parse().expect("a number"));
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            std::thread::spawn(move || (thread..count).step_by(THREADS as usize).for_each(sequence))
        })
        .collect();
    for thread in threads {
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}
