//! The whole way, from a file to a plug-in or a refusal.
//!
//! Plug-ins are compiled from `tests/fixtures/modules` with `cc`, as their authors would.

mod accepted;
mod contract;
mod elf;
mod file;
mod loading;
mod random;
mod symbol;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::contract::HostOffer;
use super::{Plugin, Refusal};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/modules");
const INCLUDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../abi/include");

const SYMBOL: &str = "mpm_good_module";

/// A directory with modules in it, removed at the end of the test. What was loaded stays mapped,
/// and keeps its inode, so no later file can be mistaken for it.
struct Modules {
    directory: TempDir,
}

impl Modules {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Compiles `good.c` or `foreign.c` to `name` with these options.
    fn compile(&self, source: &str, name: &str, options: &[&str]) -> PathBuf {
        let path = self.path(name);
        let output = Command::new("cc")
            .args(["-std=gnu99", "-O1", "-fPIC", "-shared", "-fvisibility=default", "-w"])
            .arg(format!("-I{INCLUDE}"))
            .args(options)
            .arg(Path::new(FIXTURES).join(source))
            .arg("-o")
            .arg(&path)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cc {options:?}: {errors}");
        path
    }

    fn good(&self, options: &[&str]) -> PathBuf {
        self.compile("good.c", "mod_mpm_good.so", options)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

/// A host of this version that has everything.
fn offer() -> HostOffer {
    HostOffer::new(u64::MAX)
}

fn load(path: &Path) -> Result<Plugin, Refusal> {
    super::load(SYMBOL, path, offer())
}

/// What the refusal says after naming symbol and file.
fn refusal(path: &Path) -> String {
    reason(SYMBOL, path, load(path))
}

fn reason(symbol: &str, path: &Path, result: Result<Plugin, Refusal>) -> String {
    let line = result.map(|plugin| plugin.to_string()).unwrap_err().to_string();
    let prefix = format!("cannot load {symbol} from {}: ", path.display());
    assert!(!line.contains('\n'), "more than one line: {line}");
    line.strip_prefix(&prefix).expect(&line).to_owned()
}

/// Compiles each variant of `good.c` and compares the refusal.
fn check_variants(variants: &[(&[&str], &str)]) {
    for (options, expected) in variants {
        let modules = Modules::new();
        assert_eq!(refusal(&modules.good(options)), *expected, "{options:?}");
    }
}
