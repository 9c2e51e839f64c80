//! `gearbox status`: how a running server is, asked for over its control socket. The parent answers,
//! whatever its children do.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::time::Duration;

use super::command::{self, Places, Silence};
use super::control::{Command, Reply, Status};
use super::startup::{Failed, Invocation, print};

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Show {
    /// `--json`.
    pub json: bool,
    /// `--watch`: again and again.
    pub watch: Option<Duration>,
}

/// Longest wait for the answer: a parent that takes this long is in the middle of a restart, or ill.
const REPLY_WAIT: Duration = Duration::from_secs(10);

/// Shows it; the exit status.
///
/// # Errors
/// A sentence for the administrator.
pub(super) fn run(invocation: &Invocation, show: Show) -> Result<i32, Failed> {
    let places = command::find(invocation)?;
    let is_terminal = io::stdout().is_terminal();
    let Some(pause) = show.watch else {
        let (text, code) = ask(&places, show, is_terminal)?;
        print(&text)?;
        return Ok(code);
    };
    let (before, after) = match (show.json, is_terminal) {
        (true, _) => ("", ""),
        (false, true) => (CLEAR, ""),
        (false, false) => ("", "\n"),
    };
    loop {
        match ask(&places, show, is_terminal) {
            Ok((text, code)) => {
                let mut out = io::stdout().lock();
                let written = write!(out, "{before}{text}{after}").and_then(|()| out.flush());
                if written.is_err() {
                    // Nobody reads any more.
                    return Ok(code);
                }
            }
            // It may come back.
            Err(failed) => failed.say(),
        }
        std::thread::sleep(pause);
    }
}

/// Empties a terminal.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// What to show, and the exit status.
fn ask(places: &Places, show: Show, is_terminal: bool) -> Result<(String, i32), Failed> {
    let pid = command::server(&places.pid_file)?;
    let pid = pid.map_err(|text| command::absent(text.as_deref()))?;
    let path = places.control.display();
    let reply = command::talk(&places.control, pid, Command::Status, REPLY_WAIT);
    let reply = reply.map_err(|silence| match silence {
        Silence::Absent(error) => {
            format!("GB0337: gearbox: no answer from the server (pid {pid}): {path}: {error}")
        }
        Silence::Wrong(text) => text,
    })?;
    let status = reply.status.clone().unwrap_or_default();
    let text = if show.json {
        serde_json::to_string(&reply).unwrap_or_default() + "\n"
    } else {
        table(&reply, &status, is_terminal && std::env::var_os("NO_COLOR").is_none())
    };
    let serves = matches!(status.state.as_str(), "serving" | "restarting");
    Ok((text, if serves { 0 } else { 2 }))
}

/// For people. `color`: with what a terminal makes of it.
fn table(reply: &Reply, status: &Status, color: bool) -> String {
    let paint = |code: &str, text: &str| match color {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let state = match status.state.as_str() {
        "serving" => paint("32", &status.state),
        "degraded" => paint("31", &status.state),
        state => paint("33", state),
    };
    let mut out = format!(
        "gearbox (pid {}): {state}, generation {}, {}\n",
        reply.pid, reply.generation, reply.mpm
    );
    if !status.reason.is_empty() {
        let _ = writeln!(out, "reason: {}", status.reason);
    }
    let _ = writeln!(out, "listening on {}", status.listeners.join(", "));
    let head = format!(
        "\n{:>8} {:>5} {:>5} {:<9} {:>5} {:>5} {:>11} {:>10}  MPM\n",
        "PID", "GEN", "SLOT", "STATE", "IDLE", "BUSY", "CONNECTIONS", "REQUESTS"
    );
    out += &paint("1", &head);
    for child in &status.children {
        let _ = writeln!(
            out,
            "{:>8} {:>5} {:>5} {:<9} {:>5} {:>5} {:>11} {:>10}  {}",
            child.pid,
            child.generation,
            child.slot,
            child.state,
            child.idle,
            child.busy,
            child.connections,
            child.requests,
            child.mpm
        );
        for held in &child.waits_for {
            let _ = writeln!(out, "{:>20}waits for {held}", "");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::control::{ChildStatus, Held};

    #[test]
    fn a_table() {
        let held =
            Held { client: "::1".to_owned(), request: "GET / HTTP/1.1".to_owned(), age_s: 9 };
        let child = ChildStatus {
            pid: 12,
            generation: 3,
            mpm: "mpm_event".to_owned(),
            slot: 1,
            state: "ready".to_owned(),
            idle: 24,
            busy: 1,
            connections: 100,
            requests: 1000,
            waits_for: vec![held],
        };
        let status = Status {
            state: "degraded".to_owned(),
            reason: "no MPM".to_owned(),
            listeners: vec!["127.0.0.1:80".to_owned(), "[::1]:80".to_owned()],
            children: vec![child],
        };
        let reply =
            Reply { pid: 7, generation: 3, mpm: "mpm_event".to_owned(), ..Reply::default() };
        let wanted = "\
gearbox (pid 7): degraded, generation 3, mpm_event
reason: no MPM
listening on 127.0.0.1:80, [::1]:80

     PID   GEN  SLOT STATE      IDLE  BUSY CONNECTIONS   REQUESTS  MPM
      12     3     1 ready        24     1         100       1000  mpm_event
                    waits for ::1: GET / HTTP/1.1 (9 s)
";
        assert_eq!(table(&reply, &status, false), wanted);
        assert!(table(&reply, &status, true).contains("\x1b[31mdegraded\x1b[0m"));
    }
}
