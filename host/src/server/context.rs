//! What an `mpm_host*` leads to: the host's side of the one MPM instance.
//!
//! Filled in phase by phase; what is asked for before its time is answered with `E_STATE` or nothing.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::child::{ChildSide, Parts};
use super::listeners::Listener;
use super::rows::Patience;
use super::supervisor::{Birth, Supervisor};
use crate::conn::Env;

/// Server-wide values an MPM can ask for.
#[derive(Debug)]
pub(super) struct Values {
    pub(super) server_root: PathBuf,
    pub(super) pid_file: Option<PathBuf>,
    pub(super) timeout: Duration,
    pub(super) keep_alive_timeout: Duration,
    pub(super) one_process: bool,
    pub(super) patience: Patience,
    /// Connections a child may take.
    pub(super) connections_per_child: u64,
    pub(super) thread_stack_size: u64,
    pub(super) listen_backlog: i32,
}

/// The host's side of the MPM instance. Lives as long as the process.
#[derive(Default)]
pub(super) struct Context {
    /// The MPM's name, under which its lines are logged.
    pub(super) mpm_name: OnceLock<String>,
    /// Number of the generation this instance serves in, from 1.
    generation: AtomicU32,
    /// From `config_check` on.
    pub(super) values: OnceLock<Values>,
    /// From `prepare` on.
    pub(super) listeners: OnceLock<Arc<Vec<Listener>>>,
    /// In `run`.
    supervisor: Mutex<Option<Supervisor>>,
    /// What children are made from, in `run`.
    pub(super) parts: OnceLock<Parts>,
    /// In a child.
    pub(super) child: OnceLock<ChildSide>,
    /// In a child.
    pub(super) env: OnceLock<Arc<Env>>,
    /// The body of a child, given by whoever knows the MPM; its exit code.
    pub(super) body: OnceLock<Body>,
}

/// What runs in a child: set up as its birth says, then the MPM.
pub(super) type Body = Box<dyn Fn(Birth) -> i32 + Send + Sync>;

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("mpm_name", &self.mpm_name).finish_non_exhaustive()
    }
}

impl Context {
    /// Number of the generation.
    pub(super) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Before `run`.
    pub(super) fn set_generation(&self, generation: u32) {
        self.generation.store(generation, Ordering::Relaxed);
    }

    /// Begins `run`.
    pub(super) fn set_supervisor(&self, supervisor: Supervisor) {
        *self.supervisor.lock().unwrap_or_else(PoisonError::into_inner) = Some(supervisor);
    }

    /// Ends `run`.
    pub(super) fn take_supervisor(&self) -> Option<Supervisor> {
        self.supervisor.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// In `run`: works with the table of children. `None` in every other phase.
    pub(super) fn with_supervisor<T>(&self, f: impl FnOnce(&mut Supervisor) -> T) -> Option<T> {
        self.supervisor.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(f)
    }
}
