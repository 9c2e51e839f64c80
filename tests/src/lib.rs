//! What the tests are made of: a server in its own directory, clients that speak raw bytes, bounded
//! waiting. The tests themselves are in `all/`.

mod client;
mod conf;
mod httpd;
mod load;
mod mpm;
mod port;
pub mod process;
mod program;
mod server;
mod source;
pub mod status;
mod under_load;
mod wait;

pub use client::{Client, Response, exchange};
pub use conf::Conf;
pub use httpd::Httpd;
pub use load::{Load, Running, Tally};
pub use mpm::{Module, Mpm, c_mpm, compile_module, repository};
pub use port::free_port;
pub use program::{Output, gearbox, gearbox_binary, modules_dir, run};
pub use server::{Detached, Server, Setup};
pub use source::{Source, without_comments};
pub use under_load::UnderLoad;
pub use wait::{WAIT_MAX, until};
