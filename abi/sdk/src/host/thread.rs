//! Threads that the host has set up.

use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use mpm_abi::{OK, ThreadFn};

use super::{Child, Host, call};
use crate::error::Error;

impl Child {
    /// Starts a thread that the host has set up (guard page, signal stack and mask, name).
    /// `stack` in bytes, 0 = default.
    ///
    /// # Errors
    /// `E_SYS`: no thread can be made.
    pub fn spawn(
        &self,
        name: &str,
        stack: u64,
        body: impl FnOnce() + Send + 'static,
    ) -> Result<Thread, Error> {
        let body: Box<Body> = Box::new(Box::new(body));
        let arg = Box::into_raw(body);
        let mut handle = 0;
        let status = call!(
            &self.host,
            thread_spawn,
            name.as_ptr().cast::<c_char>(),
            name.len(),
            stack,
            ThreadFn(Some(run_body)),
            arg.cast::<c_void>(),
            &raw mut handle
        );
        if status != Some(OK) {
            // SAFETY: the host refused, so nobody else has the pointer just made by `into_raw`.
            drop(unsafe { Box::from_raw(arg) });
        }
        self.host.status("thread_spawn", status)?;
        Ok(Thread { host: self.host, handle })
    }
}

type Body = Box<dyn FnOnce() + Send>;

unsafe extern "C" fn run_body(arg: *mut c_void) {
    // SAFETY: `arg` was made by `Child::spawn` for this one call.
    let body = unsafe { Box::from_raw(arg.cast::<Body>()) };
    // The panic hook has logged it; the thread ends and its connection is closed by unwinding.
    let _ = catch_unwind(AssertUnwindSafe(*body));
}

/// A thread made by [`Child::spawn`].
#[derive(Debug)]
pub struct Thread {
    host: Host,
    handle: u64,
}

impl Thread {
    /// Waits for the thread to end.
    pub fn join(self) {
        let _ = call!(&self.host, thread_join, self.handle);
    }
}
