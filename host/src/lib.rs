//! The gearbox host: everything but processes' and threads' strategy, which is the MPM's.
//!
//! Layers, each using only those below it (see ARCHITECTURE.md):
//! `cli` → `server` → `modules`, `conn` → `http` → `handlers` → `log`, `task`, `status` → `config` → `sys`.

pub mod cli;
pub mod config;
pub mod conn;
pub mod handlers;
pub mod http;
pub mod log;
pub mod modules;
pub mod server;
pub mod status;
pub mod sys;
pub mod task;
