//! The page for people, as httpd's has it.

use std::fmt::Write as _;

use super::auto::{date, short, span};
use super::snapshot::{Form, Snapshot, WorkerView};

/// Letters in a line of the scoreboard.
const LINE: usize = 64;

const KEY: &str = "\
<p>Scoreboard Key:<br />
\"<b><code>_</code></b>\" Waiting for Connection,
\"<b><code>S</code></b>\" Starting up,
\"<b><code>R</code></b>\" Reading Request,<br />
\"<b><code>W</code></b>\" Sending Reply,
\"<b><code>K</code></b>\" Keepalive (read),
\"<b><code>D</code></b>\" DNS Lookup,<br />
\"<b><code>C</code></b>\" Closing connection,
\"<b><code>L</code></b>\" Logging,
\"<b><code>G</code></b>\" Gracefully finishing,<br />
\"<b><code>I</code></b>\" Idle cleanup of worker,
\"<b><code>.</code></b>\" Open slot with no current process<br />
</p>
";

pub(super) fn page(s: &Snapshot, form: &Form) -> String {
    let mut out = String::from(
        "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 3.2 Final//EN\">\n<html><head>\n\
         <title>Apache Status</title>\n</head><body>\n",
    );
    let via = s.address.map(|address| format!(" (via {address})")).unwrap_or_default();
    let _ = writeln!(out, "<h1>Apache Server Status for {}{via}</h1>\n", escaped(&s.server));
    head(&mut out, s);
    let (w, extended) = (&s.workers, s.extended);
    let _ = writeln!(
        out,
        "<dt>{} requests currently being processed, {} workers gracefully restarting, {} idle \
         workers</dt>\n</dl>",
        w.busy, w.graceful, w.idle
    );
    if s.is_async {
        processes(&mut out, s);
    }
    out.push_str("<pre>");
    for line in s.letters().as_bytes().chunks(LINE) {
        let _ = writeln!(out, "{}", String::from_utf8_lossy(line));
    }
    let _ = write!(out, "</pre>\n{KEY}");
    match extended {
        true if form.no_table => list(&mut out, s),
        true => table(&mut out, s),
        false => pids(&mut out, s),
    }
    out.push_str("</body></html>\n");
    out
}

fn head(out: &mut String, s: &Snapshot) {
    let mut line = |text: String| {
        let _ = writeln!(out, "{text}");
    };
    line(format!("<dl><dt>Server Version: {}</dt>", escaped(&s.version)));
    line(format!("<dt>Server MPM: {}</dt>", escaped(&s.mpm)));
    line(format!("<dt>Server Built: {}\n</dt></dl><hr /><dl>", escaped(&s.built)));
    line(format!("<dt>Current Time: {}</dt>", date(s.now_s)));
    line(format!("<dt>Restart Time: {}</dt>", date(s.facts.generation_started_s)));
    let generation = s.facts.generation;
    line(format!("<dt>Parent Server Config. Generation: {generation}</dt>"));
    line(format!("<dt>Parent Server MPM Generation: {}</dt>", generation.saturating_sub(1)));
    line(format!("<dt>Server uptime: {}</dt>", span(s.uptime_s)));
    let [one, five, fifteen] = s.load;
    line(format!("<dt>Server load: {one:.2} {five:.2} {fifteen:.2}</dt>"));
    if !s.extended {
        return;
    }
    let (total, cpu, uptime) = (&s.total, &s.cpu, s.uptime_s as f64);
    line(format!(
        "<dt>Total accesses: {} - Total Traffic: {} - Total Duration: {}</dt>",
        total.requests,
        size(total.bytes),
        total.duration_us / 1000
    ));
    let used = cpu.user + cpu.system + cpu.children_user + cpu.children_system;
    let load = match s.uptime_s {
        0 => String::new(),
        _ => format!(" - {}% CPU load", short(used / uptime * 100.0)),
    };
    line(format!(
        "<dt>CPU Usage: u{} s{} cu{} cs{}{load}</dt>",
        short(cpu.user),
        short(cpu.system),
        short(cpu.children_user),
        short(cpu.children_system)
    ));
    let mut rates = Vec::new();
    if s.uptime_s > 0 {
        rates.push(format!("{} requests/sec", short(total.requests as f64 / uptime)));
        rates.push(format!("{}/second", size((total.bytes as f64 / uptime) as u64)));
    }
    if let Some(bytes) = total.bytes.checked_div(total.requests) {
        rates.push(format!("{}/request", size(bytes)));
        let ms = total.duration_us as f64 / 1000.0 / total.requests as f64;
        rates.push(format!("{} ms/request", short(ms)));
    }
    line(format!("<dt>{}</dt>", rates.join(" - ")));
}

fn processes(out: &mut String, s: &Snapshot) {
    out.push_str(
        "<table rules=\"all\" cellpadding=\"1%\">\n<tr><th rowspan=\"2\">Slot</th>\
         <th rowspan=\"2\">PID</th><th rowspan=\"2\">Stopping</th>\
         <th colspan=\"2\">Connections</th>\n<th colspan=\"3\">Threads</th>\
         <th colspan=\"4\">Async connections</th></tr>\n<tr><th>total</th><th>accepting</th>\
         <th>busy</th><th>graceful</th><th>idle</th><th>wait-io</th><th>writing</th>\
         <th>keep-alive</th><th>closing</th></tr>\n",
    );
    let yes = |yes| if yes { "yes" } else { "no" };
    for child in &s.children {
        let count =
            |is: &dyn Fn(&WorkerView) -> bool| child.workers.iter().filter(|w| is(w)).count();
        let (busy, graceful) = (count(&WorkerView::is_busy), count(&|w| w.state == 'G'));
        let idle = count(&|w| matches!(w.state, '_' | 'S'));
        let old = if child.generation == s.facts.generation { "" } else { " (old gen)" };
        let c = &child.connections;
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}{old}</td><td>{}</td><td>{}</td><td>{busy}</td>\
             <td>{graceful}</td><td>{idle}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            child.slot,
            child.pid,
            yes(child.stopping),
            c.total,
            yes(child.accepting),
            c.processing,
            c.writing,
            c.keep_alive,
            c.closing
        );
    }
    let (c, w) = (&s.connections, &s.workers);
    let stopping = s.children.iter().filter(|child| child.stopping).count();
    let _ = writeln!(
        out,
        "<tr><td>Sum</td><td>{}</td><td>{stopping}</td><td>{}</td><td>&nbsp;</td><td>{}</td><td>{}</td>\
         <td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n</table>",
        s.children.len(),
        c.total,
        w.busy,
        w.graceful,
        w.idle,
        c.processing,
        c.writing,
        c.keep_alive,
        c.closing
    );
}

/// Every thread that has served something, with its child and its number.
fn served(s: &Snapshot) -> impl Iterator<Item = (u32, u32, usize, &WorkerView)> {
    s.children.iter().flat_map(|child| {
        let workers = child.workers.iter().enumerate();
        let shown = workers.filter(|(_, w)| w.requests > 0 || w.slot_requests > 0 || w.is_busy());
        shown.map(|(n, worker)| (child.slot, child.pid, n, worker))
    })
}

fn table(out: &mut String, s: &Snapshot) {
    out.push_str(
        "\n\n<table border=\"0\"><tr><th>Srv</th><th>PID</th><th>Acc</th><th>M</th><th>CPU\n</th>\
         <th>SS</th><th>Req</th><th>Dur</th><th>Conn</th><th>Child</th><th>Slot</th>\
         <th>Client</th><th>Protocol</th><th>VHost</th><th>Request</th></tr>\n\n",
    );
    let mib = |bytes: u64| format!("{:.2}", bytes as f64 / 1_048_576.0);
    for (slot, pid, number, w) in served(s) {
        let request = &w.request;
        let client = request.client.map(|client| client.to_string()).unwrap_or_default();
        // Processor time is not measured by thread: a clock of its own for each request would cost
        // more than most requests.
        let _ = writeln!(
            out,
            "<tr><td><b>{slot}-{number}</b></td><td>{pid}</td><td>{}/{}/{}</td><td>{}</td>\n\
             <td>0.00</td><td>{}</td><td>{}</td><td>{}</td><td>{:.1}</td><td>{}</td><td>{}</td>\n\
             <td>{client}</td><td>{}</td><td nowrap>{}</td><td nowrap>{}</td></tr>\n",
            w.conn_requests,
            w.requests,
            w.slot_requests,
            w.state,
            w.age_s,
            w.last_us / 1000,
            w.duration_us / 1000,
            w.conn_bytes as f64 / 1024.0,
            mib(w.bytes),
            mib(w.bytes),
            request.protocol,
            escaped(&request.host),
            escaped(&request.request)
        );
    }
    out.push_str(
        "</table>\n <hr /> <table>\n\
         <tr><th>Srv</th><td>Child Server number - thread</td></tr>\n\
         <tr><th>PID</th><td>OS process ID</td></tr>\n\
         <tr><th>Acc</th><td>Number of accesses this connection / this child / this slot</td></tr>\n\
         <tr><th>M</th><td>Mode of operation</td></tr>\n\
         <tr><th>CPU</th><td>CPU usage, number of seconds (not measured)</td></tr>\n\
         <tr><th>SS</th><td>Seconds since beginning of most recent request</td></tr>\n\
         <tr><th>Req</th><td>Milliseconds required to process most recent request</td></tr>\n\
         <tr><th>Dur</th><td>Sum of milliseconds required to process all requests</td></tr>\n\
         <tr><th>Conn</th><td>Kilobytes transferred this connection</td></tr>\n\
         <tr><th>Child</th><td>Megabytes transferred this child</td></tr>\n\
         <tr><th>Slot</th><td>Total megabytes transferred this slot</td></tr>\n</table>\n",
    );
}

/// `?notable`.
fn list(out: &mut String, s: &Snapshot) {
    for (slot, pid, number, w) in served(s) {
        let request = &w.request;
        let client = request.client.map(|client| client.to_string()).unwrap_or_default();
        let _ = writeln!(
            out,
            "<b>Server {slot}-{number}</b> ({pid}): {}|{}|{} [{}] {} {} {client} <i>{{{}}}</i> <i>[{}]</i><br />",
            w.conn_requests,
            w.requests,
            w.slot_requests,
            w.state,
            w.age_s,
            w.last_us / 1000,
            escaped(&request.request),
            escaped(&request.host)
        );
    }
}

/// Without ExtendedStatus.
fn pids(out: &mut String, s: &Snapshot) {
    out.push_str("\nPID Key: <br />\n<pre>\n");
    for child in &s.children {
        for worker in &child.workers {
            let _ = writeln!(out, "   {} in state: {}", child.pid, worker.state);
        }
    }
    out.push_str(
        "</pre>\n<p>To obtain a full report with current status information you need to use the \
         <code>ExtendedStatus On</code> directive.\n</p>\n",
    );
}

/// Bytes, httpd's way.
fn size(bytes: u64) -> String {
    let b = bytes as f64;
    match bytes {
        0..2048 => format!("{bytes} B"),
        2048..1_048_576 => format!("{:.1} kB", b / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MB", b / 1_048_576.0),
        _ => format!("{:.1} GB", b / 1_073_741_824.0),
    }
}

fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '&' => "&amp;".to_owned(),
        '"' => "&quot;".to_owned(),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_text() {
        assert_eq!(size(2047), "2047 B");
        assert_eq!(size(3_000_000), "2.9 MB");
        assert_eq!(escaped("<a&\">"), "&lt;a&amp;&quot;&gt;");
    }
}
