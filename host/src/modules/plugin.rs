//! A plug-in that passed every check.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use mpm_abi::Ops;

/// A loaded plug-in. Everything but the functions themselves is the host's own copy.
///
/// Invariant: `ops` holds every mandatory entry, and each entry that is present points into the code
/// of the plug-in, which stays mapped as long as the process lives.
#[derive(Debug)]
pub struct Plugin {
    /// Symbol of the `LoadModule` line (`mpm_event_module`).
    pub symbol: String,
    /// File it was loaded from, absolute.
    pub path: PathBuf,
    /// Symbol without `_module`.
    pub name: String,
    /// Who made it.
    pub vendor: String,
    /// Version of the plug-in.
    pub version: String,
    /// SPDX expression.
    pub license: String,
    /// Id of the build, may be empty.
    pub build_id: String,
    /// Major and minor version of the contract it was compiled for.
    pub abi: (u16, u16),
    /// `FLAG_…` bits, unknown ones included.
    pub flags: u64,
    /// `CAP_…` bits; the host has them all.
    pub required_caps: u64,
    /// Its functions; those beyond the table it was compiled with are absent.
    pub ops: Ops,
    /// Its directives in the order of its table.
    pub directives: Vec<PluginDirective>,
    /// Device of the file.
    pub device: u64,
    /// Inode of the file.
    pub inode: u64,
    /// What is odd about it but no reason to refuse it, a line each.
    pub warnings: Vec<String>,
}

impl fmt::Display for Plugin {
    /// The line for the log: what was loaded, by whom, from where.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = self.abi;
        write!(f, "{} {}", self.name, self.version)?;
        if !self.vendor.is_empty() {
            write!(f, " by {}", self.vendor)?;
        }
        write!(f, ", ABI {major}.{minor}")?;
        if !self.build_id.is_empty() {
            write!(f, ", build {}", self.build_id)?;
        }
        write!(f, ", {} (inode {})", self.path.display(), self.inode)
    }
}

/// One directive a plug-in declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginDirective {
    /// Name: a letter, then letters, digits and `_`. Unique in the plug-in, in any case.
    pub name: String,
    /// One line of help.
    pub help: String,
    /// Text of the default for the reference.
    pub default_text: Option<String>,
    /// Name of the directive of the same plug-in that this is another name of.
    pub alias_of: Option<String>,
    /// What it takes.
    pub arg: ArgKind,
    /// May stand more than once; otherwise the last one wins.
    pub repeatable: bool,
    /// Old; its use is reported.
    pub deprecated: bool,
    /// Not listed by `-L`.
    pub hidden: bool,
    /// The plug-in's own number, delivered with the value.
    pub id: u32,
}

impl PluginDirective {
    /// Says so if only one value is allowed, which is what a row has whose author forgot `min` and
    /// `max`.
    pub(super) fn odd_range(&self) -> Option<String> {
        let (ArgKind::Int(range)
        | ArgKind::Size(range)
        | ArgKind::Duration(range)
        | ArgKind::Float(range)) = &self.arg
        else {
            return None;
        };
        let (min, max) = (range.start(), range.end());
        (min == max)
            .then(|| format!("directive {} takes no value but {min}, its min and max", self.name))
    }
}

/// What a directive takes. Ranges are never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgKind {
    /// `On` or `Off`.
    Flag,
    /// A decimal integer.
    Int(RangeInclusive<i64>),
    /// Bytes, with an optional suffix.
    Size(RangeInclusive<i64>),
    /// A time, in nanoseconds.
    Duration(RangeInclusive<i64>),
    /// A decimal fraction; the range is in thousandths.
    Float(RangeInclusive<i64>),
    /// One word.
    String,
    /// One of these words, in any case; the value is its index.
    Enum(Vec<String>),
    /// So many words.
    Argv(RangeInclusive<u32>),
    /// The rest of the line.
    Raw,
}
