//! A file that does not hold the descriptor asked for, or is not loaded.

use std::fmt;

use crate::modules::contract::DESCRIPTOR_LEN;

/// The file does not hold the descriptor asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SymbolFault {
    /// It holds other MPMs.
    OtherMpm(Vec<String>),
    /// It is a module of Apache httpd.
    Httpd {
        /// The symbol of that module, where it is not the one asked for.
        holds: Option<String>,
        /// httpd's cookie (`AP24`).
        cookie: String,
        /// Version of httpd's programming interface.
        api: u32,
    },
    /// It is a module of nginx.
    Nginx,
    /// It is some library; its name for itself.
    Library(Option<String>),
    /// It has the symbol, but keeps it to itself.
    NotExported,
    /// It uses the symbol without defining it.
    Undefined,
    /// The symbol is no data; says what.
    NotData(&'static str),
    /// The symbol's size in bytes.
    TooSmall(u64),
    /// The symbol is not initialised from the file.
    NotInFile,
    /// The symbol's address is no multiple of eight.
    Misaligned,
}

impl fmt::Display for SymbolFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherMpm(holds) => write!(
                f,
                "the file holds {} instead; correct the symbol or the file in the LoadModule line",
                holds.join(" and ")
            ),
            Self::Httpd { holds, cookie, api } => {
                let holds = holds.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
                write!(
                    f,
                    "it is a module of Apache httpd{holds}, made for httpd's interface {cookie} \
                     {api}; gearbox loads its own MPMs only"
                )
            }
            Self::Nginx => f.write_str("it is a module of nginx; gearbox loads its own MPMs only"),
            Self::Library(Some(name)) => {
                write!(f, "it is the library {name} and holds no MPM")
            }
            Self::Library(None) => f.write_str("it is a shared object that holds no MPM"),
            Self::NotExported => f.write_str(
                "the file has this symbol but does not export it; declare it with MPM_EXPORT, in \
                 Rust with #[unsafe(no_mangle)]",
            ),
            Self::Undefined => f.write_str("the file refers to this symbol without defining it"),
            Self::NotData(kind) => {
                write!(f, "the symbol is {kind}, not a constant of type mpm_descriptor")
            }
            Self::TooSmall(size) => {
                write!(f, "the symbol has {size} bytes, an mpm_descriptor has {DESCRIPTOR_LEN}")
            }
            Self::NotInFile => f.write_str(
                "the symbol has no value in the file; an mpm_descriptor is an initialised constant",
            ),
            Self::Misaligned => f.write_str("the symbol's address is not a multiple of 8"),
        }
    }
}

/// The system's loader refused the file, or loaded something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadFault {
    /// The loader's own words.
    Refused(String),
    /// The symbol was found in another file, a library that the plug-in uses.
    Elsewhere(String),
    /// The descriptor in memory is not the one in the file.
    Different,
}

impl fmt::Display for LoadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(text) => write!(f, "the system's loader says: {text}"),
            Self::Elsewhere(file) => write!(f, "the symbol was found in {file} instead"),
            Self::Different => f.write_str(
                "the descriptor in memory is not the one in the file; it must be a constant, and \
                 the file must not change while it is loaded",
            ),
        }
    }
}
