//! `?prometheus`: Prometheus's text format, version 0.0.4.

use std::fmt::Write as _;

use super::snapshot::{LETTERS, Snapshot};
use super::tally::BOUNDS_US;

/// One metric after the other: its help and type, then its samples.
struct Writer(String);

impl Writer {
    fn metric(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP gearbox_{name} {help}\n# TYPE gearbox_{name} {kind}");
    }

    /// `labels` with their braces, or nothing.
    fn sample(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "gearbox_{name}{labels} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.metric(name, kind, help);
        self.sample(name, "", value);
    }

    fn several<'a>(
        &mut self,
        (name, kind, help): (&str, &str, &str),
        label: &str,
        values: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        self.metric(name, kind, help);
        for (value, n) in values {
            self.sample(name, &format!("{{{label}=\"{value}\"}}"), n);
        }
    }
}

/// What the letters of threads mean.
const STATES: [&str; LETTERS.len()] = [
    "dead",
    "starting",
    "ready",
    "read",
    "write",
    "keepalive",
    "log",
    "dns",
    "closing",
    "graceful",
    "idle_kill",
];

pub(super) fn page(s: &Snapshot) -> String {
    let mut out = Writer(String::new());
    let facts = &s.facts;
    out.metric("info", "gauge", "Version and MPM of the server.");
    let labels = format!("{{version=\"{}\",mpm=\"{}\"}}", plain(&s.version), plain(&s.mpm));
    out.sample("info", &labels, 1);
    out.one("uptime_seconds", "counter", "Since the server was first started.", s.uptime_s);
    out.one("generation", "gauge", "Number of the generation that serves.", facts.generation);
    let restarts = [
        ("graceful", facts.restarts_graceful),
        ("hard", facts.restarts_hard),
        ("refused", facts.restarts_refused),
        ("failed", facts.restarts_failed),
    ];
    out.several(("restarts_total", "counter", "Restarts by what came of them."), "kind", restarts);
    out.one("children_started_total", "counter", "Child processes made.", facts.children_started);
    let exits = [
        ("ordered", facts.exits_ordered),
        ("error", facts.exits_error),
        ("signal", facts.exits_signal),
    ];
    out.several(("child_exits_total", "counter", "Children that left."), "reason", exits);
    out.one("children", "gauge", "Child processes there are.", s.children.len());
    let stopping = s.children.iter().filter(|child| child.stopping).count();
    out.one("children_stopping", "gauge", "Children that finish what they hold.", stopping);
    let states = STATES.into_iter().zip(s.workers.by_state);
    out.several(("workers", "gauge", "Threads by what they do."), "state", states);
    out.one("workers_limit", "gauge", "Threads the configuration allows.", s.workers.limit);
    let c = &s.connections;
    out.one("connections", "gauge", "Open connections.", c.total);
    let phases = [
        ("reading", c.reading),
        ("processing", c.processing),
        ("writing", c.writing),
        ("keepalive", c.keep_alive),
        ("closing", c.closing),
    ];
    let by_phase = ("connections_by_state", "gauge", "Connections by what they wait for.");
    out.several(by_phase, "state", phases);
    if s.extended {
        requests(&mut out, s);
    }
    out.metric("cpu_seconds_total", "counter", "Processor time, of children that left included.");
    let (user, system) = (s.cpu.user + s.cpu.children_user, s.cpu.system + s.cpu.children_system);
    out.sample("cpu_seconds_total", "{mode=\"user\"}", user);
    out.sample("cpu_seconds_total", "{mode=\"system\"}", system);
    out.0
}

fn requests(out: &mut Writer, s: &Snapshot) {
    let total = &s.total;
    out.one("requests_total", "counter", "Requests answered.", total.requests);
    out.one("response_bytes_total", "counter", "Bytes of responses' bodies.", total.bytes);
    let name = "request_duration_seconds";
    out.metric(name, "histogram", "From a request's head to the end of its response.");
    let mut count = 0;
    for (n, requests) in total.latency.into_iter().enumerate() {
        count += requests;
        let bound = match BOUNDS_US.get(n) {
            Some(us) => (*us as f64 / 1e6).to_string(),
            None => "+Inf".to_owned(),
        };
        out.sample(&format!("{name}_bucket"), &format!("{{le=\"{bound}\"}}"), count);
    }
    out.sample(&format!("{name}_sum"), "", total.duration_us as f64 / 1e6);
    out.sample(&format!("{name}_count"), "", count);
}

/// For a label's value.
fn plain(text: &str) -> String {
    text.replace(['\\', '"', '\n'], "_")
}
