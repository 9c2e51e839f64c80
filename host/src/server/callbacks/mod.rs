//! What the MPM calls: the host's function table.
//!
//! Every function is a guard around a safe method: pointers are checked and copied, panics end here,
//! an answer is written only as far as the caller's `struct_size` reaches.

mod basics;
mod children;
mod connections;
mod memory;
mod threads;

use std::panic::{AssertUnwindSafe, catch_unwind};

use mpm_abi::version::{
    ABI_MAJOR, ABI_MINOR, CAP_ACCEPT, CAP_CHILDREN, CAP_DRAINS_TO_EAGAIN, CAP_DRIVE_BLOCKING,
    CAP_REQUESTS_LEFT, CAP_SCOREBOARD, CAP_THREADS,
};
use mpm_abi::{Host, HostApi};

use super::context::Context;
use crate::log_line;

pub(super) use children::spawn;

/// What this host can do. Entries of other capabilities are NULL.
pub(super) const CAPS: u64 = CAP_DRAINS_TO_EAGAIN
    | CAP_ACCEPT
    | CAP_DRIVE_BLOCKING
    | CAP_CHILDREN
    | CAP_THREADS
    | CAP_REQUESTS_LEFT
    | CAP_SCOREBOARD;

/// The table every MPM is given.
pub(super) static API: HostApi = HostApi {
    struct_size: size_of::<HostApi>() as u32,
    abi_major: ABI_MAJOR,
    abi_minor: ABI_MINOR,
    caps: [CAPS, 0],
    log: Some(basics::log_message),
    log_enabled: Some(basics::log_enabled),
    log_raw: Some(basics::log_raw),
    now: Some(basics::now),
    alloc: Some(basics::alloc),
    realloc: Some(basics::realloc),
    free: Some(basics::free),
    get_extension: Some(basics::get_extension),
    config_get: Some(basics::config_get),
    listener_count: Some(connections::listener_count),
    listener_get: Some(connections::listener_get),
    accept: Some(connections::accept),
    accept_lock: None,
    accept_unlock: None,
    spawn_child: Some(children::spawn_child),
    child_drain: Some(children::child_drain),
    child_stop: Some(children::child_stop),
    child_get: Some(children::child_get),
    child_report: Some(children::child_report),
    child_ready: Some(children::child_ready),
    child_stopping: Some(children::child_stopping),
    reap: Some(children::reap),
    control_fd: Some(children::control_fd),
    control_next: Some(children::control_next),
    slot_set: Some(threads::slot_set),
    slot_counters: None,
    slot_thread_id: Some(threads::slot_thread_id),
    thread_spawn: Some(threads::thread_spawn),
    thread_join: Some(threads::thread_join),
    thread_attach: Some(threads::thread_attach),
    thread_detach: Some(threads::thread_detach),
    conn_create: Some(connections::conn_create),
    conn_poll: Some(connections::conn_poll),
    conn_notify_stop: Some(connections::conn_notify_stop),
    conn_destroy: Some(connections::conn_destroy),
    drive_blocking: Some(connections::drive_blocking),
    task_poll: None,
    task_destroy: None,
    requests_left: Some(connections::requests_left),
    retained_get: None,
    retained_put: None,
    assert_thread: None,
};

/// The pointer an MPM is given, for a context that is never freed.
pub(super) fn handle(context: &'static Context) -> *mut Host {
    std::ptr::from_ref(context).cast_mut().cast()
}

/// Runs `body` with the context behind a handle; a panic becomes `panicked`.
///
/// # Safety
/// `host` was made by [`handle`], or is NULL.
unsafe fn guard<T>(host: *mut Host, panicked: T, body: impl FnOnce(&'static Context) -> T) -> T {
    // SAFETY: the caller's promise; a context lives as long as the process.
    let Some(context) = (unsafe { host.cast::<Context>().cast_const().as_ref() }) else {
        return panicked;
    };
    match catch_unwind(AssertUnwindSafe(|| body(context))) {
        Ok(answer) => answer,
        Err(_) => {
            log_line!(CRIT, "GB0305", "panic in the host, called by the MPM; see standard error");
            panicked
        }
    }
}

/// The table is what `mpm_abi.h` promises: no entry of an absent capability, none missing.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_entries_have_their_capability_bit_off() {
        use mpm_abi::version::*;
        for (present, bit) in [
            (API.accept.is_some(), CAP_ACCEPT),
            (API.drive_blocking.is_some(), CAP_DRIVE_BLOCKING),
            (API.spawn_child.is_some() && API.reap.is_some(), CAP_CHILDREN),
            (API.thread_spawn.is_some() && API.thread_join.is_some(), CAP_THREADS),
            (API.accept_lock.is_some() || API.accept_unlock.is_some(), CAP_ACCEPT_LOCK),
            (API.slot_set.is_some() && API.slot_thread_id.is_some(), CAP_SCOREBOARD),
            (API.task_poll.is_some() || API.task_destroy.is_some(), CAP_TASKS),
            (API.retained_get.is_some() || API.retained_put.is_some(), CAP_RETAINED),
            (API.requests_left.is_some(), CAP_REQUESTS_LEFT),
            (API.assert_thread.is_some(), CAP_ASSERT_THREAD),
        ] {
            assert_eq!(present, CAPS & bit != 0, "capability bit {bit:#x}");
        }
        assert_ne!(CAPS & CAP_DRAINS_TO_EAGAIN, 0);
    }

    /// The header tells which entries are not there.
    #[test]
    fn absent_entries_are_documented_as_such() {
        let source = include_str!("../../../../abi/src/host.rs");
        let table = &source[source.find("pub struct HostApi").unwrap()..];
        let mut documented = Vec::new();
        for entry in table.split("\n    pub ").collect::<Vec<_>>().windows(2) {
            let text = entry[0].replace("\n    /// ", " ");
            if text.contains("NULL in this version.") {
                documented.push(entry[1].split(':').next().unwrap());
            }
        }
        let absent = [
            ("accept_lock", API.accept_lock.is_none()),
            ("accept_unlock", API.accept_unlock.is_none()),
            ("slot_set", API.slot_set.is_none()),
            ("slot_counters", API.slot_counters.is_none()),
            ("slot_thread_id", API.slot_thread_id.is_none()),
            ("task_poll", API.task_poll.is_none()),
            ("task_destroy", API.task_destroy.is_none()),
            ("requests_left", API.requests_left.is_none()),
            ("retained_get", API.retained_get.is_none()),
            ("retained_put", API.retained_put.is_none()),
            ("assert_thread", API.assert_thread.is_none()),
        ];
        let absent: Vec<&str> =
            absent.into_iter().filter(|(_, is_absent)| *is_absent).map(|(name, _)| name).collect();
        assert_eq!(documented, absent);
    }
}
