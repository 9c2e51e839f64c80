//! The loaded MPM, as safe calls: the only place that calls a plug-in's functions.
//!
//! A plug-in may be wrong in many ways; what it answers is checked here, what it does in its own
//! memory cannot be.

use std::fmt;
use std::ptr::NonNull;

use mpm_abi::mpm as raw;
use mpm_abi::{
    CHILD_FATAL, DirectiveCall, E_UNSUPPORTED, ERR_TEXT_LEN, Err as RawErr, HostApi, Inst, OK, Ops,
    Plan, Str,
};

use super::Plugin;

/// An MPM with its one instance.
#[derive(Debug)]
pub struct Mpm {
    plugin: Plugin,
    inst: NonNull<Inst>,
}

// SAFETY: the contract lets `wake` and `query` come from any thread; everything else is called by
// the main thread of the parent or of a child.
unsafe impl Send for Mpm {}
// SAFETY: as above.
unsafe impl Sync for Mpm {}

/// The host's side, as `create` wants it.
#[derive(Clone, Copy, Debug)]
pub struct HostSide {
    /// What the plug-in passes back.
    pub host: *mut mpm_abi::Host,
    /// The host's functions.
    pub api: *const HostApi,
}

/// What the MPM answered instead of OK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MpmError {
    /// Which function.
    pub function: &'static str,
    /// `E_…`.
    pub status: i32,
    /// Its explanation, may be empty.
    pub text: String,
}

impl fmt::Display for MpmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.is_empty() {
            write!(f, "the MPM's {} failed (status {})", self.function, self.status)
        } else {
            f.write_str(&self.text)
        }
    }
}

impl std::error::Error for MpmError {}

/// Why `run` came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Told to stop.
    Stop,
    /// Told to stop when what is held is finished.
    GracefulStop,
    /// Told to restart, the old children to be stopped.
    Restart,
    /// Told to restart, the old children to finish what they hold.
    GracefulRestart,
    /// It could not go on, or answered what the host did not ask for.
    Failed,
}

/// A directive for the MPM, parsed.
#[derive(Clone, Copy, Debug)]
pub struct Directive<'a> {
    /// The MPM's number for it.
    pub id: u32,
    /// Number, see [`DirectiveCall::value`].
    pub value: i64,
    /// Fraction, see [`DirectiveCall::fraction`].
    pub fraction: f64,
    /// Words as written.
    pub words: &'a [String],
    /// File it stands in.
    pub file: &'a str,
    /// Line in the file.
    pub line: u32,
}

impl Mpm {
    /// Makes the instance.
    ///
    /// # Errors
    /// What the MPM answers.
    pub fn create(plugin: Plugin, host: HostSide) -> Result<Self, MpmError> {
        let mut inst = std::ptr::null_mut();
        let mut err = empty_err();
        let status = plugin.ops.create.map(|create| {
            // SAFETY: the loader has checked the entry; the arguments are as the contract says.
            unsafe {
                create(host.host, host.api, std::ptr::null_mut(), &raw mut inst, &raw mut err)
            }
        });
        checked("create", status, &err)?;
        match NonNull::new(inst) {
            Some(inst) => Ok(Self { plugin, inst }),
            None => Err(MpmError {
                function: "create",
                status: OK,
                text: "the MPM's create answered OK without an instance".to_owned(),
            }),
        }
    }

    /// The plug-in.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    fn ops(&self) -> &Ops {
        &self.plugin.ops
    }

    /// Passes one configured directive on.
    ///
    /// # Errors
    /// What the MPM answers.
    pub fn directive(&mut self, directive: &Directive<'_>) -> Result<(), MpmError> {
        let argv: Vec<Str> = directive.words.iter().map(|word| str_of(word)).collect();
        let call = DirectiveCall {
            struct_size: size_of::<DirectiveCall>() as u32,
            id: directive.id,
            value: directive.value,
            fraction: directive.fraction,
            argv: argv.as_ptr(),
            argc: u32::try_from(argv.len()).unwrap_or(u32::MAX),
            line: directive.line,
            file: str_of(directive.file),
        };
        let mut err = empty_err();
        let status = self.ops().directive.map(|function| {
            // SAFETY: our instance; the call and its strings live until this returns.
            unsafe { function(self.inst.as_ptr(), &raw const call, &raw mut err) }
        });
        checked("directive", status, &err)
    }

    /// Lets the MPM check its configuration as a whole.
    ///
    /// # Errors
    /// What the MPM answers.
    pub fn config_check(&mut self) -> Result<(), MpmError> {
        let mut err = empty_err();
        let status = self.ops().config_check.map(|function| {
            // SAFETY: our instance, before `run`.
            unsafe { function(self.inst.as_ptr(), &raw mut err) }
        });
        checked("config_check", status, &err)
    }

    /// Asks for the plan.
    ///
    /// # Errors
    /// What the MPM answers, or a plan that cannot be.
    pub fn prepare(&mut self) -> Result<Plan, MpmError> {
        let mut plan = Plan {
            struct_size: size_of::<Plan>() as u32,
            max_children: 1,
            threads_per_child: 1,
            idle_low: 0,
            idle_high: u32::MAX,
        };
        let mut err = empty_err();
        let status = self.ops().prepare.map(|function| {
            // SAFETY: our instance, before `run`; the plan is ours to lend.
            unsafe { function(self.inst.as_ptr(), &raw mut plan, &raw mut err) }
        });
        checked("prepare", status, &err)?;
        let possible = 1..=MAX_CHILDREN;
        if !possible.contains(&plan.max_children) || plan.threads_per_child == 0 {
            let text = format!(
                "the MPM plans {} processes of {} threads; possible are 1 to {MAX_CHILDREN} of at \
                 least 1",
                plan.max_children, plan.threads_per_child
            );
            return Err(MpmError { function: "prepare", status: OK, text });
        }
        Ok(plan)
    }

    /// Whether the MPM has a `run`; without one the host keeps one child.
    pub fn has_run(&self) -> bool {
        self.ops().run.is_some()
    }

    /// Runs the parent's loop.
    pub fn run(&self) -> Why {
        let mut why = raw::WHY_FAILED;
        let status = self.ops().run.map(|function| {
            // SAFETY: our instance; the place for the reason is ours to lend.
            unsafe { function(self.inst.as_ptr(), &raw mut why) }
        });
        match (status, why) {
            (Some(OK), raw::WHY_STOP) => Why::Stop,
            (Some(OK), raw::WHY_GRACEFUL_STOP) => Why::GracefulStop,
            (Some(OK), raw::WHY_RESTART) => Why::Restart,
            (Some(OK), raw::WHY_GRACEFUL_RESTART) => Why::GracefulRestart,
            _ => Why::Failed,
        }
    }

    /// First thing in a child.
    pub fn after_fork_child(&self) {
        if let Some(function) = self.ops().after_fork_child {
            // SAFETY: our instance, copied by the fork.
            unsafe { function(self.inst.as_ptr()) };
        }
    }

    /// Body of a child; its exit code.
    pub fn child_main(&self, slot: u32) -> i32 {
        self.ops().child_main.map_or(CHILD_FATAL, |function| {
            // SAFETY: our instance, on the main thread of a child.
            unsafe { function(self.inst.as_ptr(), slot) }
        })
    }

    /// Says that a connection must be polled. Any thread.
    pub fn wake(&self, token: u64) {
        if let Some(function) = self.ops().wake {
            // SAFETY: our instance; the contract allows any thread at any time.
            unsafe { function(self.inst.as_ptr(), token) };
        }
    }

    /// A property (`QUERY_…`); `None` if the MPM does not know it.
    pub fn query(&self, code: u32) -> Option<i64> {
        let mut value = 0;
        let status = self.ops().query.map_or(E_UNSUPPORTED, |function| {
            // SAFETY: our instance; the place for the value is ours to lend.
            unsafe { function(self.inst.as_ptr(), code, &raw mut value) }
        });
        (status == OK).then_some(value)
    }
}

impl Drop for Mpm {
    fn drop(&mut self) {
        if let Some(function) = self.ops().destroy {
            // SAFETY: our instance, for the last time.
            unsafe { function(self.inst.as_ptr()) };
        }
    }
}

/// Most processes of an MPM (httpd's limit for prefork).
const MAX_CHILDREN: u32 = 200_000;

fn str_of(text: &str) -> Str {
    Str { ptr: text.as_ptr().cast(), len: text.len() }
}

fn empty_err() -> RawErr {
    RawErr {
        struct_size: size_of::<RawErr>() as u32,
        code: OK,
        os_code: 0,
        text_len: 0,
        text: [0; ERR_TEXT_LEN],
    }
}

fn checked(function: &'static str, status: Option<i32>, err: &RawErr) -> Result<(), MpmError> {
    match status.unwrap_or(E_UNSUPPORTED) {
        OK => Ok(()),
        status => {
            let len = (err.text_len as usize).min(ERR_TEXT_LEN);
            let bytes: Vec<u8> = err.text.iter().take(len).map(|c| *c as u8).collect();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Err(MpmError { function, status, text })
        }
    }
}
