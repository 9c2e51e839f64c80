//! What a request costs in calls of the kernel, seen by strace.

use std::collections::BTreeMap;

use gearbox_tests::{Client, Mpm, Setup, until};

/// Requests counted, in all.
const REQUESTS: usize = 256;
/// What is asked for: small enough to be kept in memory.
const BODY: [u8; 1024] = [b'a'; 1024];

/// The calls that event's child makes, by name, while `ask` uses connections that have had an
/// answer each.
fn calls(lines: &str, clients: usize, ask: impl FnOnce(&mut [Client])) -> BTreeMap<String, usize> {
    let trace = tempfile::NamedTempFile::new().expect("a file for the trace");
    let path = trace.path().to_str().expect("a plain name").to_owned();
    let setup = Setup::new(Mpm::Event).file("a", BODY).line("StartServers 1");
    let setup = setup.line("MaxRequestWorkers 25\nMaxKeepAliveRequests 0").line(lines);
    let strace = ["strace", "-f", "-s", "20", "-e", "signal=none", "-o", &path];
    let server = setup.through(&strace).start();
    let &[child] = &server.children()[..] else { panic!("one child") };
    let read = || std::fs::read_to_string(&path).expect("ours");
    // Where a request is in the trace, when it is.
    let find = |target: &str| until("it is traced", || read().find(&format!("GET {target} ")));

    let mut clients: Vec<Client> = (0..clients).map(|_| server.connect()).collect();
    let mut n = 0;
    // A file that has just changed is not kept.
    until("the file is kept", || {
        n += 1;
        let begin = format!("/a?{n}");
        clients.iter_mut().for_each(|client| assert_eq!(client.get("/a").body, BODY));
        clients[0].get(&begin);
        clients[0].get(&format!("/a?{n}e"));
        let end = find(&format!("/a?{n}e"));
        (!read()[find(&begin)..end].contains("openat")).then_some(())
    });
    clients[0].get("/a?begin");
    ask(&mut clients);
    clients[0].get("/a?end");

    // From the reading of the first request to that of the last: as many calls as without the one
    // and with the other.
    let (begin, end) = (find("/a?begin"), find("/a?end"));
    let trace = read();
    let line = |at: usize| trace[..at].rfind('\n').map_or(0, |n| n + 1);
    let mut calls = BTreeMap::new();
    let of_child = format!("{child} ");
    for call in trace[line(begin)..line(end)].lines().filter_map(|l| l.strip_prefix(&of_child)) {
        let call = call.trim_start();
        // Second halves of calls; and the time, where it costs a call.
        if call.starts_with("<...") || call.starts_with("clock_gettime") {
            continue;
        }
        let name = call.split('(').next().expect("a name");
        *calls.entry(name.to_owned()).or_insert(0) += 1;
    }
    // The first request, which is not one of those counted.
    calls.values_mut().for_each(|count| *count -= 1);
    calls
}

fn expected(calls: &[&str]) -> BTreeMap<String, usize> {
    calls.iter().map(|&name| (name.to_owned(), REQUESTS)).collect()
}

fn one_after_the_other(clients: &mut [Client]) {
    for n in 0..REQUESTS {
        let client = n % clients.len();
        assert_eq!(clients[client].get("/a").body, BODY);
    }
}

#[test]
fn of_a_request() {
    let calls = calls("", 4, one_after_the_other);
    assert_eq!(calls, expected(&["epoll_wait", "read", "statx", "writev"]));
}

#[test]
fn of_a_request_that_is_logged() {
    let calls = calls("CustomLog logs/access_log combined", 4, one_after_the_other);
    assert_eq!(calls, expected(&["epoll_wait", "read", "statx", "write", "writev"]));
}

/// Requests that come together share an `epoll_wait`.
#[test]
fn of_requests_at_the_same_time() {
    let clients = 32;
    let mut calls = calls("", clients, |clients| {
        for _ in 0..REQUESTS / clients.len() {
            for client in &mut *clients {
                client.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
            }
            for client in &mut *clients {
                assert_eq!(client.read("GET").expect("an answer").body, BODY);
            }
        }
    });
    let waits = calls.remove("epoll_wait").expect("it waits");
    println!("{waits} epoll_wait for {REQUESTS} requests of {clients} clients");
    assert!(waits <= REQUESTS / 2, "{waits}");
    assert_eq!(calls, expected(&["read", "statx", "writev"]));
}
