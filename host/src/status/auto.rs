//! `?auto`: a line per value, in httpd's order and spelling, for programs that know httpd.

use std::fmt::Write as _;

use super::snapshot::Snapshot;
use crate::sys::clock::{self, MONTHS};

pub(super) fn page(s: &Snapshot) -> String {
    let mut out = format!(
        "{}\nServerVersion: {}\nServerMPM: {}\nServer Built: {}\n",
        s.server, s.version, s.mpm, s.built
    );
    let mut line = |key: &str, value: String| {
        let _ = writeln!(out, "{key}: {value}");
    };
    line("CurrentTime", date(s.now_s));
    line("RestartTime", date(s.facts.generation_started_s));
    line("ParentServerConfigGeneration", s.facts.generation.to_string());
    line("ParentServerMPMGeneration", s.facts.generation.saturating_sub(1).to_string());
    line("ServerUptimeSeconds", s.uptime_s.to_string());
    line("ServerUptime", span(s.uptime_s));
    for (key, load) in ["Load1", "Load5", "Load15"].into_iter().zip(s.load) {
        line(key, format!("{load:.2}"));
    }
    if s.extended {
        let (total, cpu, uptime) = (&s.total, &s.cpu, s.uptime_s as f64);
        line("Total Accesses", total.requests.to_string());
        line("Total kBytes", (total.bytes / 1024).to_string());
        line("Total Duration", (total.duration_us / 1000).to_string());
        line("CPUUser", short(cpu.user));
        line("CPUSystem", short(cpu.system));
        line("CPUChildrenUser", short(cpu.children_user));
        line("CPUChildrenSystem", short(cpu.children_system));
        let used = cpu.user + cpu.system + cpu.children_user + cpu.children_system;
        if s.uptime_s > 0 && used > 0.0 {
            line("CPULoad", short(used / uptime * 100.0));
        }
        line("Uptime", s.uptime_s.to_string());
        if s.uptime_s > 0 {
            line("ReqPerSec", short(total.requests as f64 / uptime));
            line("BytesPerSec", short(total.bytes as f64 / uptime));
        }
        if total.requests > 0 {
            let requests = total.requests as f64;
            line("BytesPerReq", short(total.bytes as f64 / requests));
            line("DurationPerReq", short(total.duration_us as f64 / 1000.0 / requests));
        }
    }
    line("BusyWorkers", s.workers.busy.to_string());
    line("GracefulWorkers", s.workers.graceful.to_string());
    line("IdleWorkers", s.workers.idle.to_string());
    if s.is_async {
        let stopping = s.children.iter().filter(|child| child.stopping).count();
        line("Processes", s.children.len().to_string());
        line("Stopping", stopping.to_string());
        line("ConnsTotal", s.connections.total.to_string());
        line("ConnsAsyncWaitIO", s.connections.processing.to_string());
        line("ConnsAsyncWriting", s.connections.writing.to_string());
        line("ConnsAsyncKeepAlive", s.connections.keep_alive.to_string());
        line("ConnsAsyncClosing", s.connections.closing.to_string());
    }
    line("Scoreboard", s.letters());
    out
}

/// httpd's `%g`: at most six digits after the point, none for nothing.
pub(super) fn short(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `Thursday, 20-Jul-2023 11:08:19 UTC`.
pub(super) fn date(unix_s: u64) -> String {
    const DAYS: [&str; 7] =
        ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    // A scribbled number is some date, too.
    let t = clock::local_time(i64::try_from(unix_s.min(1 << 40)).unwrap_or(0));
    let day = DAYS.get(t.weekday).copied().unwrap_or("?");
    let month = MONTHS.get(t.month).copied().unwrap_or("???");
    let zone = match t.offset_s {
        0 => "UTC".to_owned(),
        s => format!(
            "{}{:02}{:02}",
            if s < 0 { '-' } else { '+' },
            s.abs() / 3600,
            s.abs() / 60 % 60
        ),
    };
    format!(
        "{day}, {:02}-{month}-{} {:02}:{:02}:{:02} {zone}",
        t.day, t.year, t.hour, t.minute, t.second
    )
}

/// `1 day 2 hours 1 second`.
pub(super) fn span(seconds: u64) -> String {
    let parts = [
        (seconds / 86_400, "day"),
        (seconds / 3600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let shown = parts.into_iter().filter(|(n, _)| *n > 0);
    let words: Vec<String> =
        shown.map(|(n, unit)| format!("{n} {unit}{}", if n == 1 { "" } else { "s" })).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times() {
        assert_eq!(short(0.0), "0");
        assert_eq!(short(2.5), "2.5");
        assert_eq!(short(100.0), "100");
        assert_eq!(short(1.0 / 3.0), "0.333333");
        assert_eq!(span(93_601), "1 day 2 hours 1 second");
        assert_eq!(span(120), "2 minutes");
        assert!(date(0).ends_with(" UTC") || date(0).contains("00"), "{}", date(0));
        assert!(date(u64::MAX).len() > 20);
    }
}
