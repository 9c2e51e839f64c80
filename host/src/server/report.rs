//! What the command line options print, in httpd's shapes.

use std::fmt::Write as _;
use std::path::Path;

use mpm_abi::mpm::{
    QUERY_ASYNC_FACTOR, QUERY_HARD_LIMIT_DAEMONS, QUERY_HARD_LIMIT_THREADS, QUERY_IS_FORKED,
    QUERY_IS_THREADED, QUERY_MAX_REQUEST_WORKERS, QUERY_MAX_SPARE_DAEMONS, QUERY_MAX_SPARE_THREADS,
    QUERY_MAX_THREADS, QUERY_MIN_SPARE_DAEMONS, QUERY_MIN_SPARE_THREADS, QUERY_START_SERVERS,
};
use mpm_abi::version::{ABI_MAJOR, ABI_MINOR};

use super::account::Accounts;
use super::listeners::Wanted;
use crate::modules::builtin::BUILTINS;
use crate::modules::mpm::Mpm;
use crate::sys::clock::{self, MONTHS};

/// Name and version, as the log and `-v` show it.
pub(super) const VERSION: &str = concat!("gearbox/", env!("CARGO_PKG_VERSION"), " (Unix)");

/// `-v`.
pub(super) fn version() -> String {
    format!("Server version: {VERSION}\nServer built:   {}\n", built())
}

/// When the binary was made.
pub(super) fn built() -> String {
    let modified = std::env::current_exe().and_then(std::fs::metadata).and_then(|m| m.modified());
    let since = modified.ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
    let Some(since) = since else { return "unknown".to_owned() };
    let t = clock::local_time(i64::try_from(since.as_secs()).unwrap_or(0));
    let month = MONTHS.get(t.month).copied().unwrap_or("???");
    format!("{month} {} {} {:02}:{:02}:{:02}", t.day, t.year, t.hour, t.minute, t.second)
}

/// `-V`, as far as it does not depend on the configuration.
pub(super) fn version_long_head() -> String {
    let bits = usize::BITS;
    format!(
        "{}Server's Module Magic Number: {ABI_MAJOR}:{ABI_MINOR} (MPM ABI, draft)\n\
         Architecture:   {bits}-bit\n",
        version()
    )
}

/// `-V`: the lines about the MPM. Without one the name is empty.
pub(super) fn version_long_mpm(mpm: Option<&Mpm>) -> String {
    let Some(mpm) = mpm else { return "Server MPM:     \n".to_owned() };
    let name = &mpm.plugin().name;
    let mut out = format!("Server MPM:     {}\n", name.strip_prefix("mpm_").unwrap_or(name));
    let scale = |what, answer| match answer {
        0 => "no".to_owned(),
        1 => format!("yes (fixed {what} count)"),
        _ => format!("yes (variable {what} count)"),
    };
    for (label, what, code) in [
        ("  threaded:     ", "thread", QUERY_IS_THREADED),
        ("    forked:     ", "process", QUERY_IS_FORKED),
    ] {
        if let Some(answer) = mpm.query(code) {
            let _ = writeln!(out, "{label}{}", scale(what, answer));
        }
    }
    out
}

/// `-V`: the defaults compiled in.
pub(super) fn version_long_tail(server_root: &Path, config: &Path) -> String {
    let layout = if cfg!(feature = "layout-check") { " -D LAYOUT_CHECK\n" } else { "" };
    format!(
        "Server compiled with....\n{layout} -D HTTPD_ROOT=\"{}\"\n -D SERVER_CONFIG_FILE=\"{}\"\n \
         -D DEFAULT_PIDLOG=\"{}\"\n",
        server_root.display(),
        config.display(),
        super::loaded::PID_FILE,
    )
}

/// `-l`: what is compiled in, never what a configuration loads.
pub(super) fn compiled_in() -> String {
    let sources = BUILTINS.iter().map(|builtin| format!("  {}\n", builtin.source));
    format!("Compiled in modules:\n{}", sources.collect::<String>())
}

/// `-M`.
pub(super) fn modules(mpm: &Mpm) -> String {
    let builtins = BUILTINS.iter().map(|builtin| format!(" {} (static)\n", builtin.symbol));
    let builtins: String = builtins.collect();
    format!("Loaded Modules:\n{builtins} {} (shared)\n", mpm.plugin().symbol)
}

/// What `-S` shows.
pub(super) struct Settings<'a> {
    pub(super) listen: &'a [Wanted],
    pub(super) server_name: &'a str,
    pub(super) server_root: &'a Path,
    pub(super) document_root: Option<&'a Path>,
    pub(super) error_log: Option<&'a Path>,
    pub(super) pid_file: &'a Path,
    pub(super) defines: &'a [(String, String)],
    pub(super) accounts: &'a Accounts,
    pub(super) is_root: bool,
    pub(super) mpm: &'a Mpm,
}

/// An MPM's numbers as they are in force, after what did not fit was adjusted.
const MPM_NUMBERS: [(&str, u32); 9] = [
    ("StartServers", QUERY_START_SERVERS),
    ("MinSpareServers", QUERY_MIN_SPARE_DAEMONS),
    ("MaxSpareServers", QUERY_MAX_SPARE_DAEMONS),
    ("MinSpareThreads", QUERY_MIN_SPARE_THREADS),
    ("MaxSpareThreads", QUERY_MAX_SPARE_THREADS),
    ("ServerLimit", QUERY_HARD_LIMIT_DAEMONS),
    ("ThreadLimit", QUERY_HARD_LIMIT_THREADS),
    ("ThreadsPerChild", QUERY_MAX_THREADS),
    ("MaxRequestWorkers", QUERY_MAX_REQUEST_WORKERS),
];

/// `-S`.
pub(super) fn settings(s: &Settings<'_>) -> String {
    let mut out = String::from("VirtualHost configuration:\n");
    for wanted in s.listen {
        let address = match wanted.address {
            None => "*".to_owned(),
            Some(std::net::IpAddr::V6(v6)) => format!("[{v6}]"),
            Some(v4) => v4.to_string(),
        };
        let place = format!("{address}:{}", wanted.port);
        let _ = writeln!(out, "{place:<22} {} (main server)", s.server_name);
    }
    let shown = |path: Option<&Path>| path.map(|p| p.display().to_string()).unwrap_or_default();
    let _ = writeln!(out, "ServerRoot: \"{}\"", s.server_root.display());
    let _ = writeln!(out, "Main DocumentRoot: \"{}\"", shown(s.document_root));
    let _ = writeln!(out, "Main ErrorLog: \"{}\"", shown(s.error_log));
    let _ = writeln!(out, "PidFile: \"{}\"", s.pid_file.display());
    for (name, value) in s.defines {
        let _ = match value.as_str() {
            "" => writeln!(out, "Define: {name}"),
            value => writeln!(out, "Define: {name}={value}"),
        };
    }
    let name = &s.mpm.plugin().name;
    let _ = writeln!(out, "MPM: {}", name.strip_prefix("mpm_").unwrap_or(name));
    for (label, code) in MPM_NUMBERS {
        if let Some(number) = s.mpm.query(code) {
            let _ = writeln!(out, "  {label}: {number}");
        }
    }
    if let Some(thousandths) = s.mpm.query(QUERY_ASYNC_FACTOR) {
        let _ = writeln!(out, "  AsyncRequestWorkerFactor: {}", thousandths as f64 / 1000.0);
    }
    let used = if s.is_root { "" } else { " not_used" };
    for (label, named) in [("User", &s.accounts.user), ("Group", &s.accounts.group)] {
        let _ = writeln!(out, "{label}: name=\"{}\" id={}{used}", named.name, named.id);
    }
    out
}
