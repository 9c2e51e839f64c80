//! What the server does at this moment: the scoreboard in shared memory, and what is shown of it.
//!
//! For reporting only: the parent decides nothing by it that could hurt, and whoever reads it expects
//! anything to stand there (httpd trusted shared memory: CVE-2019-0211). No pointers, one writer a
//! record; what must be read as a whole has a sequence counter ([`words`]).

mod auto;
mod board;
mod facts;
mod html;
mod line;
mod prometheus;
pub mod rows;
mod snapshot;
mod tally;
mod words;
pub mod worker;

pub use board::{Board, LAYOUT, Report};
pub use facts::Facts;
pub use line::{Line, Shown};
pub use snapshot::{About, ChildView, Form, Source, WorkerView};
pub use tally::Tally;
