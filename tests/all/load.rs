//! Many clients and many requests: nothing fails, everything is logged.

use gearbox_tests::{Load, Mpm, Server, Setup, until};

every_mpm!(a_hundred_thousand_requests, a_connection_per_request);

/// A server with room for 64 connections at a time. (The MPM in C has room for one: the clients
/// wait for each other.)
fn roomy(mpm: Mpm) -> Setup {
    Setup::new(mpm).line(match mpm {
        Mpm::Event => "StartServers 2",
        Mpm::Worker => "StartServers 2\nThreadsPerChild 32\nMaxRequestWorkers 64",
        Mpm::Prefork => "StartServers 64\nServerLimit 64\nMaxRequestWorkers 64",
        Mpm::C99 => "",
    })
}

/// 1 KiB in which every stretch is different.
fn body() -> Vec<u8> {
    let text: Vec<u8> = (0..1024_u32).map(|n| (n * n / 7 % 251) as u8).collect();
    assert_eq!(text.len(), 1024);
    text
}

fn logged(server: &Server, requests: u64) {
    until("everything is logged", || {
        let lines = server.log("access_log").lines().count() as u64;
        assert!(lines <= requests, "{lines} lines for {requests} requests");
        (lines == requests).then_some(())
    });
}

fn a_hundred_thousand_requests(mpm: Mpm) {
    const REQUESTS: u64 = 100_000;
    let setup = roomy(mpm).file("1k.bin", body()).line("MaxKeepAliveRequests 0");
    let server = setup.line("CustomLog logs/access_log \"%s %B\"").start();
    let children = server.children();
    let tally = Load::new(server.address(), "/1k.bin", &body()).requests(REQUESTS).run();
    tally.assert_clean();
    assert_eq!((tally.answered, tally.connections), (REQUESTS, 64), "{tally:?}");
    assert_eq!(server.children(), children, "no child had to be replaced");
    logged(&server, REQUESTS);
    assert!(server.log("access_log").lines().all(|line| line == "200 1024"));
}

fn a_connection_per_request(mpm: Mpm) {
    const REQUESTS: u64 = 3000;
    let setup = roomy(mpm).file("1k.bin", body());
    let server = setup.line("CustomLog logs/access_log common").start();
    let load = Load::new(server.address(), "/1k.bin", &body()).requests(REQUESTS);
    let tally = load.one_request_per_connection().run();
    tally.assert_clean();
    assert_eq!((tally.answered, tally.connections), (REQUESTS, REQUESTS), "{tally:?}");
    logged(&server, REQUESTS);
}
