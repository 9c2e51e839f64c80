//! Restarting, and swapping the MPM, while clients that never retry go on asking.

use gearbox_tests::{Load, Mpm, Server, Setup, process, until};

/// Numbers for 64 connections at a time under each MPM.
const NUMBERS: &str = "\
<IfModule mpm_event_module>
StartServers 2
</IfModule>
<IfModule mpm_worker_module>
StartServers 2
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

fn waits_until_old_children_are_gone(server: &Server) {
    until("the old children are gone", || {
        let status = server.status();
        status.children.iter().all(|child| child.generation == status.generation).then_some(())
    });
}

/// Each generation answers requests, none is lost, nothing of the old ones is left.
#[test]
fn twenty_swaps_under_load() {
    let server = setup(Mpm::Event).start();
    let pid = server.pid();
    let kept = Load::new(server.address(), "/1k.bin", &body()).clients(40).start();
    let single = Load::new(server.address(), "/1k.bin", &body()).clients(8);
    let single = single.one_request_per_connection().start();
    let mut mpm = Mpm::Event;
    for n in 1..=20 {
        mpm = match mpm {
            Mpm::Event => Mpm::Prefork,
            Mpm::Prefork => Mpm::Worker,
            _ => Mpm::Event,
        };
        server.load(&mpm.load_module());
        server.asks("graceful");
        let status = server.status();
        assert_eq!((status.generation, status.pid), (1 + n, i64::from(pid)));
        assert_eq!(status.mpm, format!("mpm_{}", mpm.name()));
        let (kept_before, single_before) = (kept.answered(), single.answered());
        until("both kinds of clients are answered", || {
            let both =
                kept.answered() > kept_before + 500 && single.answered() > single_before + 50;
            both.then_some(())
        });
        let new: Vec<i32> = status.children.iter().map(|child| child.pid).collect();
        until("the new generation has answered", || {
            let log = server.log("access_log");
            let is_new = |line: &str| {
                let pid = line.split(' ').next().and_then(|word| word.parse().ok());
                pid.is_some_and(|pid: i32| new.contains(&pid))
            };
            log.lines().any(is_new).then_some(())
        });
    }
    for load in [kept, single] {
        let tally = load.stop();
        println!("{tally:?}");
        tally.assert_clean();
    }
    assert_eq!(server.pid(), pid);
    waits_until_old_children_are_gone(&server);
    assert_eq!(process::children(pid).len(), server.status().children.len());
    assert_eq!(server.stop(), 0);
}
