//! Why a plug-in was not loaded, and the words for it.

mod contract;
mod directive;
mod elf;
mod file;
mod symbol;
mod table;

use std::fmt;
use std::path::{Path, PathBuf};

pub use contract::ContractFault;
pub use directive::{DirectiveFault, RowFault};
pub use elf::ElfFault;
pub use file::FileFault;
pub use symbol::{LoadFault, SymbolFault};
pub use table::{PointerFault, TableFault};

/// A plug-in that was not loaded.
///
/// Displayed as one line that names symbol and file, says what was found and what was needed, and
/// what to do where that helps; the caller puts the place in the configuration before it. Only
/// [`Reason::Layout`] goes on in further lines, with abi_stable's explanation.
#[derive(Debug)]
pub struct Refusal {
    /// Symbol asked for.
    pub symbol: String,
    /// File it was looked for in.
    pub path: PathBuf,
    /// What was wrong.
    pub reason: Reason,
}

impl Refusal {
    pub(super) fn new(symbol: &str, path: &Path, reason: Reason) -> Self {
        Self { symbol: symbol.to_owned(), path: path.to_owned(), reason }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(f, "cannot load {} from {path}: {}", self.symbol, self.reason)
    }
}

impl std::error::Error for Refusal {}

/// What was wrong, by the gate that turned the file away.
#[derive(Debug)]
pub enum Reason {
    /// The file cannot be read, or should not be trusted.
    File(FileFault),
    /// The file is no shared object for this machine.
    Elf(ElfFault),
    /// The file does not hold the descriptor asked for.
    Symbol(SymbolFault),
    /// The descriptor was made for another host.
    Contract(ContractFault),
    /// The system's loader refused the file, or loaded something else.
    Load(LoadFault),
    /// The descriptor's texts or its function table are broken.
    Table(TableFault),
    /// The descriptor's directives are broken.
    Directive(DirectiveFault),
    /// The plug-in's types differ from the host's; the text is abi_stable's explanation.
    Layout(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(fault) => fault.fmt(f),
            Self::Elf(fault) => fault.fmt(f),
            Self::Symbol(fault) => fault.fmt(f),
            Self::Contract(fault) => fault.fmt(f),
            Self::Load(fault) => fault.fmt(f),
            Self::Table(fault) => fault.fmt(f),
            Self::Directive(fault) => fault.fmt(f),
            Self::Layout(explanation) => write!(
                f,
                "its types are laid out differently from this host's; rebuild it with this host's \
                 mpm-abi\n{explanation}"
            ),
        }
    }
}

macro_rules! reason_from {
    ($($variant:ident($fault:ident))*) => {$(
        impl From<$fault> for Reason {
            fn from(fault: $fault) -> Self {
                Self::$variant(fault)
            }
        }
    )*};
}

reason_from! {
    File(FileFault)
    Elf(ElfFault)
    Symbol(SymbolFault)
    Contract(ContractFault)
    Load(LoadFault)
    Table(TableFault)
    Directive(DirectiveFault)
}

/// Characters of foreign text shown in a line at most.
const SHOWN_MAX: usize = 200;

/// Text from a file or from the system's loader, fit for one line: cut, without control characters.
pub(super) fn one_line(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let mut line: String = text.trim().chars().take(SHOWN_MAX).map(printable).collect();
    if text.trim().chars().nth(SHOWN_MAX).is_some() {
        line.push('…');
    }
    line
}
