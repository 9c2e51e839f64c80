//! As many children as the load needs: they grow, shrink, are replaced, and no request is lost.

use std::time::{Duration, Instant};

use gearbox_tests::{Client, Load, Mpm, Server, Setup, process, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pooled_mpm!(
    grows_and_shrinks,
    rests_under_constant_load,
    replaces_children_after_their_share,
    serves_on_with_one_child_at_a_time,
    replaces_killed_children,
    says_that_the_limit_is_reached,
    moves_limits_under_load,
);

/// Few threads a child, and few idle: at the beginning 4 threads serve, and there may be 64.
const SMALL: &str = "\
<IfModule !mpm_prefork_module>
StartServers 1
ThreadsPerChild 4
ServerLimit 16
MaxRequestWorkers 64
MinSpareThreads 4
MaxSpareThreads 9
</IfModule>
<IfModule mpm_event_module>
AsyncRequestWorkerFactor 1
</IfModule>
<IfModule mpm_prefork_module>
StartServers 4
ServerLimit 64
MaxRequestWorkers 64
MinSpareServers 4
MaxSpareServers 9
</IfModule>";

fn setup(mpm: Mpm) -> Setup {
    Setup::new(mpm).line(SMALL).line("MaxKeepAliveRequests 0").file("a", "a")
}

/// Children that take connections, and those that finish what they hold.
fn children(server: &Server) -> (usize, usize) {
    let children = server.status().children;
    let draining = children.iter().filter(|child| child.state == "draining").count();
    (children.len() - draining, draining)
}

/// Clients in the middle of a request: each holds a thread of worker and prefork, and counts against
/// what a child of event takes.
fn hold(server: &Server, count: usize) -> Vec<Client> {
    let begin = |_| {
        let mut client = server.connect();
        client.send("GET /a HTTP/1.1\r\nHost: localhost\r\n").expect("connected");
        client
    };
    (0..count).map(begin).collect()
}

fn let_go(clients: Vec<Client>) {
    for mut client in clients {
        client.send("Connection: close\r\n\r\n").expect("connected");
        let answer = client.read("GET").expect("an answer");
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"a".as_slice()));
    }
}

/// Children there must be for so many clients in a request, and those there may be.
fn needed(mpm: Mpm, clients: usize) -> usize {
    match mpm {
        Mpm::Prefork => clients,
        Mpm::Worker => clients / 4,
        // Four threads, all idle, and as many connections again; what has been accepted before its
        // bytes came is not counted yet.
        _ => clients / 16,
    }
}

fn grows_and_shrinks(mpm: Mpm) {
    let server = setup(mpm).line("Timeout 60").start();
    let begun = Instant::now();
    let held = hold(&server, 40);
    // As many as are held, and a thread for another one.
    until("children grow", || (children(&server).0 > needed(mpm, 40)).then_some(()));
    assert_eq!(server.connect().get("/a").body, b"a");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let most = children(&server).0;
    let_go(held);
    let idle_max = if mpm == Mpm::Prefork { 9 } else { 2 };
    until("children shrink", || {
        let (active, draining) = children(&server);
        (active <= idle_max && draining == 0).then_some(())
    });
    assert!(most > idle_max, "{most} children");
    let (active, _) = children(&server);
    assert!(active >= if mpm == Mpm::Prefork { 4 } else { 1 }, "{active} children");
}

/// No child is started or stopped while the load stays the same.
fn rests_under_constant_load(mpm: Mpm) {
    let server = setup(mpm).start();
    let load = Load::new(server.address(), "/a", b"a").clients(10).start();
    let single = Load::new(server.address(), "/a", b"a").clients(2);
    let single = single.one_request_per_connection().start();
    // However long it takes to find the right number: then it stays.
    let mut seen = (server.children(), Instant::now());
    until("the number of children rests", || {
        let now = server.children();
        if now != seen.0 {
            seen = (now, Instant::now());
        }
        (seen.1.elapsed() > Duration::from_secs(8)).then_some(())
    });
    load.stop().assert_clean();
    single.stop().assert_clean();
}

fn pids(server: &Server) -> std::collections::BTreeSet<String> {
    server.log("access_log").lines().map(str::to_owned).collect()
}

fn replaces_children_after_their_share(mpm: Mpm) {
    let setup = setup(mpm).line("MaxConnectionsPerChild 50\nCustomLog logs/access_log %P");
    let server = setup.start();
    let load = Load::new(server.address(), "/a", b"a").clients(4);
    let kept = load.clone().start();
    let tally = load.clients(8).one_request_per_connection().requests(1500).run();
    tally.assert_clean();
    kept.stop().assert_clean();
    // More may have woken a child than its share; about so many children were there.
    let pids = pids(&server).len();
    assert!((15..=36).contains(&pids), "{pids} children for 1500 connections");
    let log = server.error_log();
    assert!(!log.contains(":error]") && !log.contains("GB0303"), "{log}");
}

/// The child that has had its share may hold a connection for long; the next one serves beside it.
fn serves_on_with_one_child_at_a_time(mpm: Mpm) {
    let setup = Setup::new(mpm).file("a", "a").line("MaxConnectionsPerChild 1\nStartServers 1");
    let setup = match mpm {
        Mpm::Prefork => setup.line("MaxRequestWorkers 2\nMinSpareServers 1"),
        _ => setup.line("ThreadsPerChild 2\nMaxRequestWorkers 2\nMinSpareThreads 1"),
    };
    let server = setup.line("Timeout 60").start();
    let held = hold(&server, 1);
    for _ in 0..5 {
        assert_eq!(server.connect().get("/a").body, b"a");
    }
    let_go(held);
}

fn replaces_killed_children(mpm: Mpm) {
    let server = setup(mpm).start();
    for _ in 0..3 {
        let before = server.children();
        kill(Pid::from_raw(before[0]), Signal::SIGKILL).expect("ours");
        until("another one serves", || {
            let status = server.status();
            let ready = status.children.iter().filter(|child| child.state == "ready");
            let is_new = !server.children().contains(&before[0]);
            (is_new && ready.count() >= before.len()).then_some(())
        });
        assert_eq!(server.connect().get("/a").body, b"a");
    }
    assert!(server.children().into_iter().all(process::is_alive));
}

fn says_that_the_limit_is_reached(mpm: Mpm) {
    let setup = Setup::new(mpm).file("a", "a").line("Timeout 60\nStartServers 1");
    let (setup, code) = match mpm {
        Mpm::Prefork => (setup.line("MaxRequestWorkers 2\nMinSpareServers 1"), "AH00161"),
        Mpm::Worker => (setup, "AH00286"),
        _ => (setup.line("AsyncRequestWorkerFactor 1"), "AH00484"),
    };
    let setup = match mpm {
        Mpm::Prefork => setup,
        _ => setup.line("ThreadsPerChild 2\nMaxRequestWorkers 2\nMinSpareThreads 1"),
    };
    let server = setup.start();
    let held = hold(&server, if mpm == Mpm::Event { 4 } else { 2 });
    let sentence = format!(
        "{code}: server reached MaxRequestWorkers setting of 2, consider raising the \
         MaxRequestWorkers setting"
    );
    until("it is said", || server.error_log().contains(&sentence).then_some(()));
    let_go(held);
    let over = "GB0501: server was at the MaxRequestWorkers setting of 2 for ";
    until("how long it was is said", || server.error_log().contains(over).then_some(()));
    let_go(hold(&server, 2));
    assert_eq!(
        server.error_log().matches(code).count(),
        1,
        "once a minute: {}",
        server.error_log()
    );
}

/// Every limit goes up and down again by graceful restarts, and nobody notices.
fn moves_limits_under_load(mpm: Mpm) {
    let server = setup(mpm).start();
    let load = Load::new(server.address(), "/a", b"a").clients(12).start();
    let single = Load::new(server.address(), "/a", b"a").clients(4);
    let single = single.one_request_per_connection().start();
    let text = server.configuration();
    let more = text.replace(" 64\n", " 128\n").replace(" 16\n", " 64\n").replace(" 9\n", " 90\n");
    let less = text.replace(" 64\n", " 24\n").replace(" 16\n", " 6\n").replace(" 9\n", " 8\n");
    for configuration in [&more, &less, &text] {
        server.configure(configuration);
        server.asks("graceful");
        let (kept, each) = (load.answered(), single.answered());
        until("both are answered", || {
            (load.answered() > kept + 500 && single.answered() > each + 100).then_some(())
        });
    }
    load.stop().assert_clean();
    single.stop().assert_clean();
    assert_eq!(server.status().generation, 4);
    let log = server.error_log();
    assert!(!log.contains("AH00046"), "no child was killed: {log}");
}

/// What the host does to sockets and children as the configuration says.
#[test]
fn sockets_and_children_are_set_up() {
    let trace = tempfile::NamedTempFile::new().expect("a file for the trace");
    let path = trace.path().to_str().expect("a plain name").to_owned();
    let calls = "trace=listen,setsockopt";
    let setup = setup(Mpm::Worker).line("ListenBacklog 100\nSendBufferSize 70000");
    let setup = setup.line("AcceptFilter http data\nCoreDumpDirectory @ROOT@/htdocs");
    let server = setup.through(&["strace", "-f", "-e", calls, "-e", "signal=none", "-o", &path]);
    let server = server.start();
    let calls = std::fs::read_to_string(&path).expect("ours");
    for wanted in [", 100)", "SO_SNDBUF, [70000]", "TCP_DEFER_ACCEPT, [30]"] {
        assert!(calls.contains(wanted), "{wanted}: {calls}");
    }
    assert!(!calls.contains("SO_RCVBUF"), "{calls}");
    for child in server.children() {
        let directory = std::fs::read_link(format!("/proc/{child}/cwd")).expect("a child of ours");
        assert_eq!(directory, server.root().join("htdocs").canonicalize().expect("ours"));
    }
    assert_eq!(server.connect().get("/a").body, b"a");
}
