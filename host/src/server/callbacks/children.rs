//! Children: made and told by the parent, reporting from within.

use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mpm_abi::{
    CHILD_ACCEPTING, CHILD_DRAINING, CHILD_EXISTS, CHILD_READY, ChildInfo, E_AGAIN, E_INVAL,
    E_PANIC, E_STATE, E_SYS, Event, Fd, Host, NEVER, OK,
};

use super::guard;
use super::memory::answer;
use crate::log_line;
use crate::server::child::Told;
use crate::server::context::Context;
use crate::server::restart::Kind;
use crate::server::supervisor::{Exit, Happening, SpawnError, Supervisor};
use crate::status::Report;
use crate::sys::{clock, process};

/// Makes a child in `slot`; its process id. In the child itself it does not come back. The error is a
/// status.
pub(in crate::server) fn spawn(context: &'static Context, slot: u32) -> Result<i64, i32> {
    let birth = match context.with_supervisor(|supervisor| supervisor.spawn(slot)) {
        None | Some(Err(SpawnError::Taken)) => return Err(E_STATE),
        Some(Err(SpawnError::NoSuchSlot)) => return Err(E_INVAL),
        Some(Err(SpawnError::System(error))) => {
            log_line!(ERROR, "AH00159", "fork: Unable to fork new process: {error}");
            let threads = error.kind() == std::io::ErrorKind::InvalidInput;
            return Err(if threads { E_STATE } else { E_SYS });
        }
        Some(Ok(Ok(child))) => return Ok(i64::from(child.as_raw())),
        Some(Ok(Err(birth))) => birth,
    };
    // This is the child, which never goes back into the parent's `run` above it on the stack. What the
    // parent waits with is not the child's to keep open.
    drop(context.take_supervisor());
    let code = context.body.get().map_or(mpm_abi::CHILD_INIT, |body| {
        catch_unwind(AssertUnwindSafe(|| body(birth))).unwrap_or(mpm_abi::CHILD_SICK)
    });
    process::exit_now(code)
}

pub(super) unsafe extern "C" fn spawn_child(
    host: *mut Host,
    slot: u32,
    _flags: u32,
    pid: *mut i64,
) -> i32 {
    let body = |context: &'static Context| match spawn(context, slot) {
        Err(status) => status,
        Ok(child) => {
            if !pid.is_null() {
                // SAFETY: the MPM's place for the process id.
                unsafe { pid.write(child) };
            }
            OK
        }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, body) }
}

/// A change to the child in a slot.
///
/// # Safety
/// As [`guard`].
unsafe fn change_child(
    host: *mut Host,
    slot: u32,
    change: impl FnOnce(&mut Supervisor) -> bool,
) -> i32 {
    let body = |context: &'static Context| {
        let changed = context.with_supervisor(|supervisor| {
            if slot >= supervisor.slots() { Err(E_INVAL) } else { Ok(change(supervisor)) }
        });
        match changed {
            Some(Ok(true)) => OK,
            Some(Err(status)) => status,
            None | Some(Ok(false)) => E_STATE,
        }
    };
    // SAFETY: the caller's promise.
    unsafe { guard(host, E_PANIC, body) }
}

pub(super) unsafe extern "C" fn child_drain(host: *mut Host, slot: u32, deadline_ns: u64) -> i32 {
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { change_child(host, slot, |supervisor| supervisor.drain(slot, deadline_ns)) }
}

pub(super) unsafe extern "C" fn child_stop(host: *mut Host, slot: u32) -> i32 {
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { change_child(host, slot, |supervisor| supervisor.stop(slot)) }
}

pub(super) unsafe extern "C" fn child_get(host: *mut Host, slot: u32, out: *mut ChildInfo) -> i32 {
    let body = |context: &'static Context| {
        let known = context.with_supervisor(|supervisor| {
            (slot < supervisor.slots()).then(|| supervisor.state(slot))
        });
        let Some(known) = known else { return E_STATE };
        let Some(state) = known else { return E_INVAL };
        let mut value = ChildInfo {
            struct_size: 0,
            flags: 0,
            pid: 0,
            generation: context.generation(),
            idle: 0,
            busy: 0,
            connections: 0,
        };
        if let Some(state) = state {
            let flag = |on, bit| if on { bit } else { 0 };
            value.flags = CHILD_EXISTS
                | flag(state.ready, CHILD_READY)
                | flag(state.draining, CHILD_DRAINING)
                | flag(state.report.accepting, CHILD_ACCEPTING);
            value.pid = i64::from(state.pid.as_raw());
            value.idle = state.report.idle;
            value.busy = state.report.busy;
            value.connections = state.report.connections;
        }
        // SAFETY: the MPM's out-struct.
        unsafe { answer(out, value) }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, body) }
}

pub(super) unsafe extern "C" fn child_report(
    host: *mut Host,
    idle: u32,
    busy: u32,
    connections: u32,
    flags: u32,
) {
    let body = |context: &Context| {
        if let Some(child) = context.child.get() {
            let accepting = flags & CHILD_ACCEPTING != 0;
            child.report(Report { idle, busy, connections, accepting });
        }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, (), body) };
}

pub(super) unsafe extern "C" fn child_ready(host: *mut Host) {
    let body = |context: &Context| {
        if let Some(child) = context.child.get() {
            child.ready();
        }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, (), body) };
}

pub(super) unsafe extern "C" fn child_stopping(host: *mut Host) {
    let body = |context: &'static Context| {
        if let Some(child) = context.child.get() {
            child.stop_accepting(context.listeners.get().map_or(&[], |all| all.as_slice()));
        }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, (), body) };
}

fn empty_event(context: &Context, kind: u32) -> Event {
    Event {
        struct_size: 0,
        kind,
        slot: 0,
        generation: context.generation(),
        pid: 0,
        status: 0,
        reason: mpm_abi::EXIT_CODE,
        deadline_ns: NEVER,
    }
}

pub(super) unsafe extern "C" fn reap(host: *mut Host, timeout_ns: u64, event: *mut Event) -> i32 {
    let body = |context: &'static Context| {
        let deadline = clock::now_ns().saturating_add(timeout_ns);
        let Some(next) = context.with_supervisor(|supervisor| supervisor.next(deadline)) else {
            return E_STATE;
        };
        let Ok(happening) = next else { return E_SYS };
        let (kind, child) = match happening {
            Happening::Nothing => (mpm_abi::EVENT_NONE, None),
            Happening::Started { slot, pid } => (mpm_abi::EVENT_CHILD_STARTED, Some((slot, pid))),
            Happening::Ready { slot, pid } => (mpm_abi::EVENT_CHILD_READY, Some((slot, pid))),
            Happening::Exited { slot, pid, .. } => (mpm_abi::EVENT_CHILD_EXITED, Some((slot, pid))),
            Happening::Load { slot, pid } => (mpm_abi::EVENT_LOAD, Some((slot, pid))),
            Happening::Stop => (mpm_abi::EVENT_STOP, None),
            Happening::GracefulStop => (mpm_abi::EVENT_GRACEFUL_STOP, None),
            Happening::Restart(Kind::Restart) => (mpm_abi::EVENT_RESTART, None),
            Happening::Restart(Kind::Graceful) => (mpm_abi::EVENT_GRACEFUL_RESTART, None),
        };
        let mut value = empty_event(context, kind);
        if let Some((slot, pid)) = child {
            value.slot = slot;
            value.pid = i64::from(pid.as_raw());
        }
        if let Happening::Exited { exit, .. } = happening {
            (value.reason, value.status) = match exit {
                Exit::Code(code) => (mpm_abi::EXIT_CODE, code),
                Exit::Signal(number) => (mpm_abi::EXIT_SIGNAL, number),
            };
        }
        // SAFETY: the MPM's out-struct.
        unsafe { answer(event, value) }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, body) }
}

pub(super) unsafe extern "C" fn control_fd(host: *mut Host) -> Fd {
    let body = |context: &Context| {
        context.child.get().map_or(-1, |child| child.control().as_raw_fd() as Fd)
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, -1, body) }
}

pub(super) unsafe extern "C" fn control_next(host: *mut Host, event: *mut Event) -> i32 {
    let body = |context: &Context| {
        let Some(child) = context.child.get() else { return E_STATE };
        let value = match child.told() {
            Told::Nothing => return E_AGAIN,
            Told::Stop => empty_event(context, mpm_abi::EVENT_STOP),
            Told::Drain(deadline_ns) => {
                Event { deadline_ns, ..empty_event(context, mpm_abi::EVENT_CHILD_DRAIN) }
            }
        };
        // SAFETY: the MPM's out-struct.
        unsafe { answer(event, value) }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, body) }
}
