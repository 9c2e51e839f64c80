//! The configuration: from files to settings.
//!
//! Two stages. [`read()`] gives the configuration *as written*: a [`Tree`] of directives and
//! sections in which every word knows its file, line and column. What decides how the rest is read
//! is acted upon here: `Define`, `Include`, `LoadModule`, `<IfModule>` and their like.
//! [`resolve()`] gives it *resolved*: each directive is looked up in the tables of [`Row`]s, checked
//! and handed to its row's setter, which stores a typed value in [`Settings`].
//!
//! Nothing stops at the first mistake: both stages collect [`Problem`]s, and a run reports all.
//! Nothing is kept outside the values returned, and the only I/O is reading the files.

#![deny(clippy::indexing_slicing)]

mod act;
mod call;
mod defines;
mod error;
mod glob;
mod host;
mod httpd;
mod include;
mod language;
mod lexer;
mod line;
mod list;
mod model;
#[cfg(test)]
mod properties;
mod read;
mod render;
mod resolve;
mod row;
mod sections;
mod settings;
mod source;
mod suggest;
#[cfg(test)]
pub(crate) mod testing;
mod tree;
mod units;
mod unknown;
mod value;

pub use call::{Call, Fault};
pub use error::{Problem, Problems, Severity};
pub use host::{Loaded, ModuleHost};
pub use httpd::is_httpd_module;
pub use lexer::Word;
pub use list::list;
pub use model::{Config, ModuleCall, Section, SectionKind};
pub use read::{Input, read};
pub use resolve::resolve;
pub use row::{Args, Contexts, ModuleRow, Row};
pub use sections::plain_path;
pub use settings::{Part, Settings};
pub use source::Place;
pub use tree::{Node, Tree};
pub use value::Value;
