//! Looking at processes from outside, through /proc.

use std::path::PathBuf;

fn proc(pid: i32, what: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{what}"))
}

fn read(pid: i32, what: &str) -> Option<String> {
    // Bytes, because arguments end in NUL.
    let bytes = std::fs::read(proc(pid, what)).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The children of a process.
pub fn children(pid: i32) -> Vec<i32> {
    let text = read(pid, &format!("task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().map(|word| word.parse().expect("a number")).collect()
}

/// Whether there is such a process that has not ended.
pub fn is_alive(pid: i32) -> bool {
    field(pid, "State").is_some_and(|state| !state.starts_with(['Z', 'X']))
}

/// Whether every thread of a process waits for something.
pub fn is_asleep(pid: i32) -> bool {
    let threads = std::fs::read_dir(proc(pid, "task")).into_iter().flatten().flatten();
    let ids = threads.filter_map(|thread| thread.file_name().to_str()?.parse::<i32>().ok());
    let statuses = ids.map(|id| read(pid, &format!("task/{id}/status")).unwrap_or_default());
    statuses.into_iter().all(|status| status.contains("\nState:\tS"))
}

/// A field of `/proc/PID/status`: `Uid`, `Threads`.
pub fn field(pid: i32, name: &str) -> Option<String> {
    let status = read(pid, "status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Some(line?.trim().to_owned())
}

/// The name `ps` shows for a process, and its command line.
pub fn names(pid: i32) -> (String, String) {
    let name = read(pid, "comm").unwrap_or_default().trim().to_owned();
    (name, read(pid, "cmdline").unwrap_or_default())
}

/// Session of a process, and its controlling terminal (0 = none).
pub fn session(pid: i32) -> (i32, i32) {
    let stat = read(pid, "stat").expect("the process is there");
    // The name before it may hold anything.
    let (_, rest) = stat.rsplit_once(')').expect("stat has a name");
    let mut words = rest.split_whitespace().skip(3).map(|word| word.parse().expect("a number"));
    (words.next().expect("a session"), words.next().expect("a terminal"))
}

/// The descriptors of a process, and what they lead to: a path, `socket:[1234]`.
pub fn descriptors(pid: i32) -> Vec<(i32, String)> {
    let entries = std::fs::read_dir(proc(pid, "fd")).into_iter().flatten().flatten();
    let mut all: Vec<(i32, String)> = entries
        .filter_map(|entry| {
            let target = std::fs::read_link(entry.path()).ok()?;
            let number = entry.file_name().to_str()?.parse().ok()?;
            Some((number, target.to_string_lossy().into_owned()))
        })
        .collect();
    all.sort();
    all
}

/// How many sockets a process has open.
pub fn sockets(pid: i32) -> usize {
    descriptors(pid).iter().filter(|(_, target)| target.starts_with("socket:")).count()
}

/// Memory of a process in bytes: its own, and its share of what it shares (PSS).
///
/// # Panics
/// The kernel does not say.
pub fn memory(pid: i32) -> u64 {
    let text = read(pid, "smaps_rollup").expect("smaps_rollup");
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).expect("Pss");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024
}

/// How often the main thread of a process has gone to sleep.
///
/// # Panics
/// There is no such process.
pub fn sleeps(pid: i32) -> u64 {
    let status = read(pid, &format!("task/{pid}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.expect("counted").trim().parse().expect("a number")
}
