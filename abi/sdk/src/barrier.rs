//! The functions the host calls: each one is a guard around a safe method of [`Mpm`].
//!
//! A panic stops here and becomes a status; the hook of `logger` has logged it by then.

use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mpm_abi::{
    CHILD_SICK, DirectiveCall as RawCall, E_FATAL, E_INVAL, E_PANIC, E_UNSUPPORTED, ERR_TEXT_LEN,
    Err as RawErr, HostApi, Inst, OK, Ops, Plan as RawPlan,
};

use crate::error::Error;
use crate::host::{Child, Host, Parent, text};
use crate::logger;
use crate::mpm::{DirectiveCall, Mpm, Why};

/// What an instance pointer leads to.
struct Instance<M> {
    host: Host,
    mpm: M,
}

/// The function table of an MPM.
pub const fn ops<M: Mpm>() -> Ops {
    let mut ops = Ops::empty();
    ops.create = Some(create::<M>);
    ops.destroy = Some(destroy::<M>);
    ops.directive = Some(directive::<M>);
    ops.config_check = Some(config_check::<M>);
    ops.prepare = Some(prepare::<M>);
    ops.run = Some(run::<M>);
    ops.child_main = Some(child_main::<M>);
    ops.wake = Some(wake::<M>);
    ops.query = Some(query::<M>);
    ops.after_fork_child = Some(after_fork_child::<M>);
    ops
}

/// Runs `body`; a panic or an error becomes a status, with the text in `err`.
fn guard(err: *mut RawErr, body: impl FnOnce() -> Result<(), Error>) -> i32 {
    let outcome = catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|_| Err(Error::new(E_PANIC, "the MPM panicked")));
    match outcome {
        Ok(()) => OK,
        Err(error) => {
            report(err, &error);
            error.status()
        }
    }
}

fn report(err: *mut RawErr, error: &Error) {
    if err.is_null() {
        return;
    }
    // SAFETY: a non-null error buffer begins with its size.
    let size = unsafe { err.cast::<u32>().read() } as usize;
    if size < size_of::<RawErr>() {
        return;
    }
    let message = error.to_string();
    let mut end = message.len().min(ERR_TEXT_LEN);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let mut filled = RawErr {
        struct_size: size as u32,
        code: error.status(),
        os_code: 0,
        text_len: end as u32,
        text: [0; ERR_TEXT_LEN],
    };
    for (to, from) in filled.text.iter_mut().zip(message.bytes().take(end)) {
        *to = from as c_char;
    }
    // SAFETY: the buffer is at least that large and the caller's to lend.
    unsafe { err.write(filled) };
}

unsafe extern "C" fn create<M: Mpm>(
    host: *mut mpm_abi::Host,
    api: *const HostApi,
    _prev: *mut Inst,
    inst: *mut *mut Inst,
    err: *mut RawErr,
) -> i32 {
    guard(err, || {
        if api.is_null() || inst.is_null() {
            return Err(Error::new(E_INVAL, "create: null argument"));
        }
        // SAFETY: the host's own arguments, checked for null.
        let host = unsafe { Host::new(host, api) };
        logger::install(host);
        let instance = Box::new(Instance { host, mpm: M::create(host)? });
        // SAFETY: the host gives a place for the pointer.
        unsafe { inst.write(Box::into_raw(instance).cast()) };
        Ok(())
    })
}

/// The instance behind a pointer, shared.
///
/// # Safety
/// `inst` was made by `create::<M>` and not destroyed.
unsafe fn shared<'a, M: Mpm>(inst: *mut Inst) -> &'a Instance<M> {
    // SAFETY: the caller's promise; from `run` on nobody has it exclusively.
    unsafe { &*inst.cast::<Instance<M>>() }
}

/// The instance behind a pointer, exclusively.
///
/// # Safety
/// As [`shared`], and the phase is before `run`, where one thread makes one call at a time.
unsafe fn exclusive<'a, M: Mpm>(inst: *mut Inst) -> &'a mut Instance<M> {
    // SAFETY: the caller's promise.
    unsafe { &mut *inst.cast::<Instance<M>>() }
}

unsafe extern "C" fn destroy<M: Mpm>(inst: *mut Inst) {
    let _ = guard(std::ptr::null_mut(), || {
        // SAFETY: the host gives back what `create` made, once.
        drop(unsafe { Box::from_raw(inst.cast::<Instance<M>>()) });
        Ok(())
    });
}

unsafe extern "C" fn directive<M: Mpm>(
    inst: *mut Inst,
    call: *const RawCall,
    err: *mut RawErr,
) -> i32 {
    guard(err, || {
        // SAFETY: called before `run`.
        let instance = unsafe { exclusive::<M>(inst) };
        // SAFETY: the host's call begins with its size.
        let size = unsafe { call.cast::<u32>().read() };
        if (size as usize) < size_of::<RawCall>() {
            return Err(Error::new(E_INVAL, "directive: the host's call is too small"));
        }
        // SAFETY: large enough, and valid during this call.
        let call = unsafe { &*call };
        // SAFETY: text of the host, valid during this call.
        let file = unsafe { text(call.file) };
        instance.mpm.directive(&DirectiveCall {
            id: call.id,
            value: call.value,
            fraction: call.fraction,
            file: &file,
            line: call.line,
        })
    })
}

unsafe extern "C" fn config_check<M: Mpm>(inst: *mut Inst, err: *mut RawErr) -> i32 {
    guard(err, || {
        // SAFETY: called before `run`.
        unsafe { exclusive::<M>(inst) }.mpm.config_check()
    })
}

unsafe extern "C" fn prepare<M: Mpm>(inst: *mut Inst, plan: *mut RawPlan, err: *mut RawErr) -> i32 {
    guard(err, || {
        // SAFETY: called before `run`.
        let wanted = unsafe { exclusive::<M>(inst) }.mpm.prepare()?;
        // SAFETY: the host's plan begins with its size.
        let size = unsafe { plan.cast::<u32>().read() };
        if (size as usize) < size_of::<RawPlan>() {
            return Err(Error::new(E_INVAL, "prepare: the host's plan is too small"));
        }
        let filled = RawPlan {
            struct_size: size,
            max_children: wanted.max_children,
            threads_per_child: wanted.threads_per_child,
            idle_low: wanted.idle_low,
            idle_high: wanted.idle_high,
        };
        // SAFETY: large enough, and the host's to lend.
        unsafe { plan.write(filled) };
        Ok(())
    })
}

unsafe extern "C" fn run<M: Mpm>(inst: *mut Inst, why: *mut u32) -> i32 {
    guard(std::ptr::null_mut(), || {
        // SAFETY: `create` made it.
        let instance = unsafe { shared::<M>(inst) };
        let result = instance.mpm.run(&mut Parent::new(instance.host));
        let reason = match result {
            Ok(reason) => reason,
            Err(error) => {
                log::error!("{error}");
                Why::Failed
            }
        };
        // SAFETY: the host gives a place for the reason.
        unsafe { why.write(reason.code()) };
        if reason == Why::Failed { Err(Error::new(E_FATAL, "failed")) } else { Ok(()) }
    })
}

unsafe extern "C" fn child_main<M: Mpm>(inst: *mut Inst, slot: u32) -> i32 {
    let body = || {
        // SAFETY: `create` made it.
        let instance = unsafe { shared::<M>(inst) };
        instance.mpm.child_main(Child::new(instance.host), slot)
    };
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(CHILD_SICK)
}

unsafe extern "C" fn wake<M: Mpm>(inst: *mut Inst, token: u64) {
    let _ = guard(std::ptr::null_mut(), || {
        // SAFETY: `create` made it.
        unsafe { shared::<M>(inst) }.mpm.wake(token);
        Ok(())
    });
}

unsafe extern "C" fn query<M: Mpm>(inst: *mut Inst, code: u32, value: *mut i64) -> i32 {
    guard(std::ptr::null_mut(), || {
        // SAFETY: `create` made it; from `config_check` on it is not changed.
        let answer = unsafe { shared::<M>(inst) }.mpm.query(code);
        let answer = answer.ok_or_else(|| Error::new(E_UNSUPPORTED, "unknown query"))?;
        // SAFETY: the host gives a place for the value.
        unsafe { value.write(answer) };
        Ok(())
    })
}

unsafe extern "C" fn after_fork_child<M: Mpm>(inst: *mut Inst) {
    let _ = guard(std::ptr::null_mut(), || {
        // SAFETY: `create` made it.
        unsafe { shared::<M>(inst) }.mpm.after_fork_child();
        Ok(())
    });
}

#[cfg(test)]
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "calls one after the other, as a host's")]
#[path = "barrier_tests.rs"]
mod tests;
