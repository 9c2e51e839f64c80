//! Directive rows: everything there is to know about a directive.

use std::time::Duration;

use super::call::{Call, Fault};
use super::settings::Settings;

/// A directive of the server. Parser, `-L`, the reference page and "did you mean" all come from it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Name as documented; matched in any case.
    pub name: &'static str,
    /// Source name of the part it belongs to, as `-L` prints it: `core.c`.
    pub module: &'static str,
    /// Where it may stand.
    pub contexts: Contexts,
    /// Its arguments.
    pub args: Args,
    /// Text of the default; empty if there is none.
    pub default: &'static str,
    /// What it takes or does, in one line; also ends the sentence about a wrong number of arguments.
    pub help: &'static str,
    /// Stores the value. Called once for each use, in file order, with arguments that `args` allows.
    pub set: fn(&mut Settings, &Call<'_>) -> Result<(), Fault>,
}

/// A directive of a loaded module. It may stand outside every section only, and its value goes to
/// the module as a [`ModuleCall`](super::ModuleCall).
#[derive(Clone, Debug)]
pub struct ModuleRow {
    /// Name; matched in any case.
    pub name: String,
    /// Source name of the module, as `-L` prints it: `event.c`.
    pub module: String,
    /// What it takes or does, in one line.
    pub help: String,
    /// Text of the default; empty if there is none.
    pub default: String,
    /// Its arguments, with their ranges.
    pub args: Args<Vec<String>>,
    /// The module's own number for it. Several names of one directive share it.
    pub id: u32,
    /// The directive that this is another name of.
    pub alias_of: Option<String>,
    /// Every use is to be delivered. Otherwise the last one among those with this `id` is.
    pub repeatable: bool,
    /// Using it is worth a warning.
    pub deprecated: bool,
    /// Not listed and not suggested.
    pub hidden: bool,
}

/// Where a directive may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contexts(u8);

impl Contexts {
    /// Outside every section.
    pub const SERVER: Self = Self(1);
    /// Inside `<Directory>` and `<Location>`.
    pub const SECTION: Self = Self(2);
    /// Both.
    pub const ANYWHERE: Self = Self::SERVER.or(Self::SECTION);

    /// Allowed where either allows it.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is allowed.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Kind and range of a directive's arguments. `N` holds the names of an `Enum`.
///
/// A bound that is as wide as its type, or as the `i64` in which a module declares it, is no bound
/// to messages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Args<N = &'static [&'static str]> {
    /// `On` or `Off`, in any case.
    Flag,
    /// A decimal integer.
    Int {
        /// Smallest allowed.
        min: i64,
        /// Largest allowed.
        max: i64,
    },
    /// Bytes, with an optional suffix K, M or G (powers of 1024).
    Size {
        /// Smallest allowed.
        min: u64,
        /// Largest allowed.
        max: u64,
    },
    /// A time: a whole number, of seconds or with a suffix ms, s, min or h.
    Duration {
        /// Shortest allowed.
        min: Duration,
        /// Longest allowed.
        max: Duration,
    },
    /// A decimal fraction without exponent.
    Float {
        /// Smallest allowed.
        min: f64,
        /// Largest allowed.
        max: f64,
    },
    /// One word, not empty.
    Word,
    /// Several words, or none.
    Words {
        /// Fewest.
        min: usize,
        /// Most; `usize::MAX` for any number.
        max: usize,
    },
    /// A path, taken from ServerRoot if it is relative.
    Path,
    /// One of these names, in any case.
    Enum(N),
    /// The rest of the line as it stands, quotes and all; may be empty.
    Raw,
}
