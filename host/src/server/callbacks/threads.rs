//! Threads the host sets up.

use std::ffi::{c_char, c_void};
use std::thread::JoinHandle;

use mpm_abi::{E_INVAL, E_PANIC, E_SYS, Host, OK, ThreadFn};

use super::guard;
use super::memory::text;
use crate::server::context::Context;
use crate::sys::{process, signals};

/// An argument on its way to the thread it is for.
struct Argument(*mut c_void);

// SAFETY: the contract says that the argument of a thread's body goes to that thread.
unsafe impl Send for Argument {}

impl Argument {
    /// The argument. A method, so that a closure captures all of `self`, which is `Send`.
    fn get(self) -> *mut c_void {
        self.0
    }
}

pub(super) unsafe extern "C" fn thread_spawn(
    host: *mut Host,
    name: *const c_char,
    name_len: usize,
    stack: u64,
    body: ThreadFn,
    arg: *mut c_void,
    handle: *mut u64,
) -> i32 {
    let spawn = |context: &Context| {
        let Some(function) = body.0 else { return E_INVAL };
        if handle.is_null() {
            return E_INVAL;
        }
        // SAFETY: the MPM's name.
        let name = unsafe { text(name, name_len) }.into_owned();
        // std sets up the guard page and the signal stack; a NUL would make it panic.
        let mut builder = std::thread::Builder::new().name(name.replace('\0', ""));
        let stack = match stack {
            0 => context.values.get().map_or(0, |values| values.thread_stack_size),
            stack => stack,
        };
        if let Some(stack) = usize::try_from(stack).ok().filter(|stack| *stack > 0) {
            builder = builder.stack_size(stack);
        }
        let arg = Argument(arg);
        let spawned = builder.spawn(move || {
            // Signals are the main thread's; if this fails one is handled here, which is no harm.
            let _ = signals::block_all();
            let arg = arg.get();
            // SAFETY: the MPM's function and its argument, as it asked.
            unsafe { function(arg) };
        });
        let Ok(thread) = spawned else { return E_SYS };
        let thread = Box::into_raw(Box::new(thread)) as u64;
        // SAFETY: the MPM's place for the handle, checked for null.
        unsafe { handle.write(thread) };
        OK
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, spawn) }
}

pub(super) unsafe extern "C" fn thread_join(host: *mut Host, handle: u64) -> i32 {
    let body = |_: &Context| {
        let thread = handle as *mut JoinHandle<()>;
        if thread.is_null() || !thread.is_aligned() {
            return E_INVAL;
        }
        // SAFETY: the MPM passes back what `thread_spawn` gave it, once.
        let thread = unsafe { Box::from_raw(thread) };
        if thread.join().is_ok() { OK } else { E_PANIC }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, body) }
}

pub(super) unsafe extern "C" fn thread_attach(
    host: *mut Host,
    name: *const c_char,
    name_len: usize,
) -> i32 {
    let body = |_: &Context| {
        // SAFETY: the MPM's name.
        let name = unsafe { text(name, name_len) };
        process::name_thread(&name);
        if signals::block_all().is_ok() { OK } else { E_SYS }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, E_PANIC, body) }
}

pub(super) unsafe extern "C" fn slot_set(host: *mut Host, slot: u32, thread: u32, state: u32) {
    let body = |context: &Context| {
        if let Some(child) = context.child.get() {
            child.set_state(slot, thread, state);
        }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, (), body) };
}

pub(super) unsafe extern "C" fn slot_thread_id(host: *mut Host, slot: u32, thread: u32) {
    let body = |context: &Context| {
        if let Some(child) = context.child.get() {
            child.bind(slot, thread);
        }
    };
    // SAFETY: the MPM passes back what `create` gave it.
    unsafe { guard(host, (), body) };
}

/// Nothing is kept per thread, so there is nothing to undo.
pub(super) unsafe extern "C" fn thread_detach(_: *mut Host) {}
