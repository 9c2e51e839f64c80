//! The MPMs every behaviour is tested under.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::program::{modules_dir, profile_dir};

/// An MPM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mpm {
    /// `mod_mpm_event.so`.
    Event,
    /// `mod_mpm_worker.so`.
    Worker,
    /// `mod_mpm_prefork.so`.
    Prefork,
    /// `fixtures/mpm_c99.c`: one child, in C, against the header alone.
    C99,
}

impl Mpm {
    /// Its name in httpd's way: `event`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Worker => "worker",
            Self::Prefork => "prefork",
            Self::C99 => "c99",
        }
    }

    /// What the contract calls it: `mpm_event`.
    pub fn identifier(self) -> String {
        format!("mpm_{}", self.name())
    }

    /// Its file.
    pub fn file(self) -> PathBuf {
        match self {
            Self::C99 => c_mpm().to_owned(),
            mpm => modules_dir().join(format!("mod_mpm_{}.so", mpm.name())),
        }
    }

    /// Its `LoadModule` line.
    pub fn load_module(self) -> String {
        format!("LoadModule mpm_{}_module {}\n", self.name(), self.file().display())
    }
}

/// The repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository")
}

/// Compiles a C source against `mpm_abi.h` alone, strictly, into a module.
///
/// # Panics
/// The compiler refuses it.
pub fn compile_module(source: &Path, to: &Path, flags: &[&str]) {
    let run = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O2", "-g"])
        .args(["-shared", "-fPIC", "-fvisibility=hidden", "-I"])
        .arg(repository().join("abi/include"))
        .args(flags)
        .arg("-o")
        .arg(to)
        .arg(source)
        .output()
        .expect("cc is needed");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

/// The MPM written in C, compiled once per run.
pub fn c_mpm() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let dir = profile_dir().join("fixtures");
        std::fs::create_dir_all(&dir).expect("a directory for the module");
        // Runs at the same time must not see each other's half a file.
        let new = dir.join(format!(".mod_mpm_c99.so.{}", std::process::id()));
        compile_module(&repository().join("tests/fixtures/mpm_c99.c"), &new, &[]);
        let path = dir.join("mod_mpm_c99.so");
        std::fs::rename(&new, &path).expect("ours");
        path
    })
}

/// A module made for one test; its file goes with it.
#[derive(Debug)]
pub struct Module {
    dir: tempfile::TempDir,
    symbol: String,
}

impl Module {
    /// `fixtures/SOURCE`, compiled with these options; it exports `symbol`.
    pub fn compile(source: &str, symbol: &str, options: &[&str]) -> Self {
        let module = Self {
            dir: tempfile::tempdir().expect("a directory for the module"),
            symbol: symbol.to_owned(),
        };
        compile_module(&repository().join("tests/fixtures").join(source), &module.file(), options);
        module
    }

    /// `fixtures/mpm_sick.c`, ill in one of its ways.
    pub fn sick(way: &str) -> Self {
        Self::compile("mpm_sick.c", "mpm_sick_module", &[&format!("-DSICK={way}")])
    }

    /// Its file.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("module.so")
    }

    /// Its `LoadModule` line.
    pub fn load_module(&self) -> String {
        format!("LoadModule {} {}\n", self.symbol, self.file().display())
    }
}
