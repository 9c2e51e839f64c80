//! A configuration file that is looked at, not served.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::mpm::Mpm;
use crate::program::{Output, gearbox_binary, run};

/// A configuration in a directory of its own, which is also ServerRoot.
#[derive(Debug)]
pub struct Conf {
    dir: tempfile::TempDir,
}

impl Conf {
    /// This text, as it is. `@ROOT@` stands for the directory.
    pub fn text(text: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the configuration");
        let conf = Self { dir };
        conf.put("gearbox.conf", text);
        conf
    }

    /// A ServerName, `LoadModule` of the MPM (lines 1 and 2), and these lines.
    pub fn of(mpm: Mpm, lines: &str) -> Self {
        Self::text(&format!("ServerName localhost\n{}{lines}\n", mpm.load_module()))
    }

    /// Writes another file, or the configuration anew. `@ROOT@` stands for the directory.
    pub fn put(&self, name: &str, text: &str) -> PathBuf {
        self.put_bytes(name, text.replace("@ROOT@", &self.root().display().to_string()).as_bytes())
    }

    /// Writes another file.
    pub fn put_bytes(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.root().join(name);
        let parent = path.parent().expect("below the directory");
        std::fs::create_dir_all(parent).expect("ours");
        std::fs::write(&path, bytes).expect("ours");
        path
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// The configuration file.
    pub fn file(&self) -> PathBuf {
        self.root().join("gearbox.conf")
    }

    /// The server called with this configuration and these arguments, for more to be said.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(gearbox_binary());
        command.arg("-d").arg(self.root()).arg("-f").arg(self.file()).args(arguments);
        command
    }

    /// Runs the server with these arguments to its end. In what it printed `@ROOT@` stands for the
    /// directory.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let output = run(&mut self.command(arguments));
        let root = self.root().display().to_string();
        Output {
            stdout: output.stdout.replace(&root, "@ROOT@"),
            stderr: output.stderr.replace(&root, "@ROOT@"),
            ..output
        }
    }

    /// What `-t` prints to standard error, and its exit status. Account and address, which every server
    /// needs, are given beside the file.
    pub fn check(&self) -> (i32, String) {
        let output = self.run(&["-t", "-C", "Listen 127.0.0.1:0", "-C", "User nobody"]);
        assert_eq!(output.stdout, "", "-t prints to standard error only");
        (output.status, output.stderr)
    }
}
