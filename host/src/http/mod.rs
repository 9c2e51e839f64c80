//! One request: what it is for, who may have it, what answers it, what is logged.
//!
//! Knows no socket. A connection passes a request's head in and gets a response or a future of one.

pub mod access;
mod cache;
pub mod handler;
mod host;
mod lookup;
pub mod options;
mod page;
mod record;
pub mod rows;
mod sections;
mod site;
mod target;

pub use record::{Body, Client};
pub use site::{Limits, Reply, Site, SiteParts};
