//! The gearbox host: everything but processes' and threads' strategy, which is the MPM's.
//!
//! Layers, each using only those below it (see ARCHITECTURE.md):
//! `server` → `modules`, `conn` → `http` → `handlers` → `config`, `log`, `task` → `sys`.

pub mod config;
pub mod modules;
