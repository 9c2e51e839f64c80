//! How things are at one moment, gathered from the scoreboards: what every form of the page shows.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use super::board::{Board, CONNECTIONS_MAX};
use super::worker::{PHASES_LEN, Reading};
use super::{Facts, Shown, Tally, auto, html, prometheus};
use crate::sys::{clock, usage};

/// What does not change while a generation lasts.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Name and version.
    pub version: String,
    /// When the server was built.
    pub built: String,
    /// Name of the MPM: `event`.
    pub mpm: String,
    /// It keeps connections without a thread each.
    pub is_async: bool,
    /// ExtendedStatus.
    pub extended: bool,
    /// Number of the generation.
    pub generation: u32,
    /// Process id of the parent.
    pub parent: i32,
}

/// Where a page comes from.
#[derive(Debug)]
pub struct Source {
    board: Arc<Board>,
    /// Boards of older generations whose children may still finish something, by number.
    older: Vec<(u32, Arc<Board>)>,
    about: About,
}

/// Which page is asked for, httpd's way: words anywhere in the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    kind: Kind,
    /// Without the table of requests as a table.
    pub(super) no_table: bool,
    /// Seconds after which a browser is to ask again.
    pub refresh: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Html,
    Auto,
    Json,
    Prometheus,
}

impl Form {
    /// From a query.
    pub fn parse(query: &str) -> Self {
        let has = |word| query.contains(word);
        let kind = match () {
            () if has("auto") => Kind::Auto,
            () if has("json") => Kind::Json,
            () if has("prometheus") => Kind::Prometheus,
            () => Kind::Html,
        };
        let refresh = query.split_once("refresh").map(|(_, rest)| {
            let digits = rest.strip_prefix('=').unwrap_or_default();
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            digits.get(..end).and_then(|n| n.parse().ok()).filter(|n| *n >= 1).unwrap_or(10)
        });
        Self { kind, no_table: has("notable"), refresh }
    }
}

/// How things are.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Snapshot {
    pub(super) server: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) address: Option<IpAddr>,
    pub(super) version: String,
    pub(super) built: String,
    pub(super) mpm: String,
    #[serde(skip)]
    pub(super) is_async: bool,
    pub(super) extended: bool,
    pub(super) now_s: u64,
    pub(super) uptime_s: u64,
    pub(super) facts: Facts,
    pub(super) load: [f64; 3],
    pub(super) cpu: usage::Cpu,
    /// Requests since the server was started, those of children that have left included.
    pub(super) total: Tally,
    pub(super) workers: Workers,
    pub(super) connections: Connections,
    pub(super) children: Vec<ChildView>,
}

/// Threads by what they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Workers {
    pub(super) busy: u64,
    pub(super) graceful: u64,
    pub(super) idle: u64,
    /// As many as the configuration allows.
    pub(super) limit: u64,
    /// By their letters, in the order of `LETTERS`.
    pub(super) by_state: [u64; 11],
}

/// Connections by phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Connections {
    pub(super) total: u64,
    pub(super) keep_alive: u64,
    pub(super) reading: u64,
    pub(super) processing: u64,
    pub(super) writing: u64,
    pub(super) closing: u64,
}

/// A child.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ChildView {
    /// Its slot.
    pub slot: u32,
    /// Its process id.
    pub pid: u32,
    /// Number of its generation.
    pub generation: u32,
    /// It finishes what it holds.
    pub stopping: bool,
    /// It accepts connections.
    pub accepting: bool,
    pub(super) connections: Connections,
    /// Its threads.
    pub workers: Vec<WorkerView>,
}

/// A thread.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WorkerView {
    /// httpd's letter.
    pub state: char,
    pub(super) tid: u32,
    pub(super) requests: u64,
    pub(super) slot_requests: u64,
    pub(super) bytes: u64,
    pub(super) duration_us: u64,
    pub(super) conn_requests: u64,
    pub(super) conn_bytes: u64,
    pub(super) last_us: u64,
    /// Since the beginning of its last request (s).
    pub age_s: u64,
    /// That request.
    pub request: Shown,
}

/// httpd's letters, by the numbers of the states.
pub(super) const LETTERS: [char; 11] = ['.', 'S', '_', 'R', 'W', 'K', 'L', 'D', 'C', 'G', 'I'];

impl WorkerView {
    fn new(reading: Reading, now_ns: u64) -> Self {
        let Reading { state, tid, tally, slot_requests, .. } = reading;
        Self {
            state: LETTERS.get(state as usize).copied().unwrap_or('.'),
            tid,
            requests: tally.requests,
            slot_requests,
            bytes: tally.bytes,
            duration_us: tally.duration_us,
            conn_requests: reading.conn_requests,
            conn_bytes: reading.conn_bytes,
            last_us: reading.last_us,
            age_s: now_ns.saturating_sub(reading.began_ns) / 1_000_000_000,
            request: reading.line,
        }
    }

    /// Whether it holds a connection.
    pub fn is_busy(&self) -> bool {
        matches!(self.state, 'R' | 'W' | 'K' | 'L' | 'D' | 'C')
    }
}

impl ChildView {
    /// Requests it has answered.
    pub fn requests(&self) -> u64 {
        self.workers.iter().fold(0, |sum, worker| sum.saturating_add(worker.requests))
    }
}

impl Connections {
    fn new(total: u32, phases: [i64; PHASES_LEN]) -> Self {
        // What is added here and taken away there is right in the sum.
        let [keep_alive, reading, processing, writing, closing] =
            phases.map(|n| u64::try_from(n).unwrap_or(0).min(u64::from(CONNECTIONS_MAX)));
        Self { total: u64::from(total), keep_alive, reading, processing, writing, closing }
    }

    fn add(&mut self, other: &Self) {
        for (sum, n) in [
            (&mut self.total, other.total),
            (&mut self.keep_alive, other.keep_alive),
            (&mut self.reading, other.reading),
            (&mut self.processing, other.processing),
            (&mut self.writing, other.writing),
            (&mut self.closing, other.closing),
        ] {
            *sum = sum.saturating_add(n);
        }
    }
}

/// The child in a slot, and what it has served; `None` if there is none.
fn child(board: &Board, generation: u32, slot: u32) -> Option<(ChildView, Tally)> {
    let pid = Some(board.pid(slot)).filter(|pid| *pid != 0)?;
    let (report, now_ns) = (board.read(slot), clock::now_ns());
    let (mut phases, mut tally) = ([0_i64; PHASES_LEN], Tally::default());
    let mut workers = Vec::new();
    for (thread, worker) in board.workers(slot).enumerate() {
        let reading = worker.read();
        for (sum, n) in phases.iter_mut().zip(reading.phases) {
            *sum = sum.wrapping_add(n);
        }
        tally.add(&reading.tally);
        let is_main = thread == board.threads() as usize;
        // The main thread's place is empty where it does not serve.
        if !is_main || reading.state != 0 {
            workers.push(WorkerView::new(reading, now_ns));
        }
    }
    let view = ChildView {
        slot,
        pid,
        generation,
        stopping: board.is_draining(slot),
        accepting: report.accepting,
        connections: Connections::new(report.connections, phases),
        workers,
    };
    Some((view, tally))
}

impl Board {
    /// What the child in a slot does, as it says.
    pub fn view(&self, generation: u32, slot: u32) -> Option<ChildView> {
        child(self, generation, slot).map(|(view, _)| view)
    }
}

impl Source {
    /// Pages about a board, and about older ones whose children may still be there.
    pub fn new(board: Arc<Board>, older: Vec<(u32, Arc<Board>)>, about: About) -> Self {
        Self { board, older, about }
    }

    /// The board of the generation.
    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }

    fn snapshot(&self, server: &str, address: Option<IpAddr>) -> Snapshot {
        let (about, facts) = (&self.about, self.board.facts());
        let now = clock::unix_s();
        let mut this = Snapshot {
            server: server.to_owned(),
            address,
            version: about.version.clone(),
            built: about.built.clone(),
            mpm: about.mpm.clone(),
            is_async: about.is_async,
            extended: about.extended,
            now_s: now,
            uptime_s: now.saturating_sub(facts.started_s),
            facts,
            load: usage::load(),
            total: facts.finished,
            ..Snapshot::default()
        };
        let ours = [(about.generation, Arc::clone(&self.board))];
        for (generation, board) in ours.iter().chain(&self.older) {
            for (view, tally) in
                (0..board.slots()).filter_map(|slot| child(board, *generation, slot))
            {
                this.count(&view);
                this.total.add(&tally);
                this.children.push(view);
            }
        }
        this.workers.limit =
            u64::from(self.board.slots()).saturating_mul(u64::from(self.board.threads()));
        this.cpu = usage::cpu(about.parent, this.children.iter().map(|c| c.pid));
        this
    }

    /// A page: its type and its text. Never more than ASCII.
    pub fn page(
        &self,
        form: &Form,
        server: &str,
        address: Option<IpAddr>,
    ) -> (&'static str, String) {
        let snapshot = self.snapshot(server, address);
        match form.kind {
            Kind::Html => ("text/html; charset=ISO-8859-1", html::page(&snapshot, form)),
            Kind::Auto => ("text/plain; charset=ISO-8859-1", auto::page(&snapshot)),
            Kind::Json => {
                ("application/json", serde_json::to_string(&snapshot).unwrap_or_default() + "\n")
            }
            Kind::Prometheus => ("text/plain; version=0.0.4", prometheus::page(&snapshot)),
        }
    }
}

impl Snapshot {
    fn count(&mut self, child: &ChildView) {
        self.connections.add(&child.connections);
        let is_current = child.generation == self.facts.generation || self.facts.generation == 0;
        for worker in &child.workers {
            if let Some(at) = LETTERS.iter().position(|letter| *letter == worker.state)
                && let Some(count) = self.workers.by_state.get_mut(at)
            {
                *count += 1;
            }
            match worker.state {
                'G' => self.workers.graceful += 1,
                '_' | 'S' if is_current && !child.stopping => self.workers.idle += 1,
                _ if worker.is_busy() => self.workers.busy += 1,
                _ => {}
            }
        }
    }

    /// The letters of all threads: of every slot up to the last with a child in it.
    pub(super) fn letters(&self) -> String {
        self.children.iter().flat_map(|child| child.workers.iter().map(|w| w.state)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (query, kind, no_table, refresh) in [
            ("", Kind::Html, false, None),
            ("auto", Kind::Auto, false, None),
            ("refresh=5&notable", Kind::Html, true, Some(5)),
            ("refresh", Kind::Html, false, Some(10)),
            ("refresh=0", Kind::Html, false, Some(10)),
            ("refresh=99999999999", Kind::Html, false, Some(10)),
            ("json", Kind::Json, false, None),
            ("prometheus", Kind::Prometheus, false, None),
        ] {
            assert_eq!(Form::parse(query), Form { kind, no_table, refresh }, "{query}");
        }
    }
}
