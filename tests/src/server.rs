//! A server of its own for a test: directory, configuration, processes.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

use crate::client::Client;
use crate::mpm::Mpm;
use crate::process;
use crate::program::{Output, gearbox_binary, hooked_binary, run};
use crate::status::{Status, status};
use crate::wait::until;

/// What a server is started with.
#[derive(Debug)]
pub struct Setup {
    mpm: Mpm,
    lines: Vec<String>,
    files: Vec<(String, Vec<u8>)>,
    arguments: Vec<String>,
    wrapper: Vec<String>,
    binary: Binary,
    environment: Vec<(String, String)>,
    stdin: Option<OwnedFd>,
}

/// Which binary a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Binary {
    /// The one that was built.
    Built,
    /// A copy in ServerRoot, `bin/gearbox`, which a test may replace.
    Copied,
    /// The one with hooks.
    Hooked,
}

impl Setup {
    /// A server under `mpm`: one listener on a port of the kernel's choice, `htdocs` as
    /// DocumentRoot, an error log at level info.
    pub fn new(mpm: Mpm) -> Self {
        let (lines, files, arguments, wrapper, environment) = Default::default();
        let (binary, stdin) = (Binary::Built, None);
        Self { mpm, lines, files, arguments, wrapper, binary, environment, stdin }
    }

    /// Adds a line (or several) to the configuration. `@ROOT@` stands for ServerRoot.
    #[must_use]
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Adds a file below `htdocs`.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.to_owned(), content.into()));
        self
    }

    /// Adds an argument to the command line.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Runs the server through another program, for example `strace -f`.
    #[must_use]
    pub fn through(mut self, command: &[&str]) -> Self {
        self.wrapper = command.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Runs a copy of the server, `bin/gearbox` in ServerRoot.
    #[must_use]
    pub fn copied(mut self) -> Self {
        self.binary = Binary::Copied;
        self
    }

    /// Runs the build with hooks, which stops itself at a point of a restart.
    #[must_use]
    pub fn stopping_at(mut self, point: &str) -> Self {
        self.binary = Binary::Hooked;
        self.environment.push(("GEARBOX_TEST_STOP_AT".to_owned(), point.to_owned()));
        self
    }

    /// Gives the server (or what it is run through) this standard input.
    #[must_use]
    pub fn stdin(mut self, stdin: impl Into<OwnedFd>) -> Self {
        self.stdin = Some(stdin.into());
        self
    }

    /// Writes directory and configuration without starting anything; the directory and the
    /// configuration file.
    pub fn write(&self) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a directory for the server");
        // Children run as another user.
        open_to_all(dir.path());
        for sub in ["htdocs", "logs"] {
            std::fs::create_dir(dir.path().join(sub)).expect("an empty directory");
            open_to_all(&dir.path().join(sub));
        }
        for (path, content) in &self.files {
            put(&dir.path().join("htdocs").join(path), content);
        }
        let root = dir.path().display().to_string();
        let mut conf = format!("ServerRoot {root}\nServerName localhost\n");
        conf += &self.mpm.load_module();
        if Uid::effective().is_root() {
            conf += "User nobody\nGroup nogroup\n";
        }
        conf += "DocumentRoot htdocs\nErrorLog logs/error_log\nLogLevel info\n";
        for line in &self.lines {
            conf += &line.replace("@ROOT@", &root);
            conf.push('\n');
        }
        if !self.lines.iter().any(|line| line.contains("Listen ")) {
            conf += "Listen 127.0.0.1:0\n";
        }
        if self.binary == Binary::Copied {
            std::fs::create_dir(dir.path().join("bin")).expect("an empty directory");
            let copy = dir.path().join("bin/gearbox");
            std::fs::copy(gearbox_binary(), copy).expect("a copy of the server");
        }
        let file = dir.path().join("gearbox.conf");
        std::fs::write(&file, conf).expect("the configuration is written");
        (dir, file)
    }

    /// Starts the server as httpd is started: it detaches itself.
    pub fn detach(self) -> Detached {
        let (dir, file) = self.write();
        let mut command = self.command(&file);
        let output = run(command.args(&self.arguments));
        let mut server = Detached { dir, output, first: None };
        server.first = server.pid();
        server
    }

    fn command(&self, file: &Path) -> Command {
        let mut words = self.wrapper.clone();
        let binary = match self.binary {
            Binary::Built => gearbox_binary(),
            Binary::Copied => file.with_file_name("bin/gearbox"),
            Binary::Hooked => hooked_binary(),
        };
        words.push(binary.display().to_string());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("-f").arg(file);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the server and waits until it serves.
    ///
    /// # Panics
    /// It does not.
    pub fn start(self) -> Server {
        let one_process = self.arguments.iter().any(|argument| argument == "-X");
        self.start_when(|log| one_process || log.contains("resuming normal operations"))
    }

    /// Starts the server and waits until its error log is as said, and it listens.
    ///
    /// # Panics
    /// It does not come to that.
    pub fn start_when(self, is_ready: impl Fn(&str) -> bool) -> Server {
        let (dir, file) = self.write();
        self.start_in(dir, &file, is_ready)
    }

    fn start_in(
        self,
        dir: tempfile::TempDir,
        file: &Path,
        is_ready: impl Fn(&str) -> bool,
    ) -> Server {
        let mut command = self.command(file);
        command.arg("-DFOREGROUND").args(&self.arguments);
        let stderr = std::fs::File::create(dir.path().join("stderr")).expect("a file");
        let child = command
            .stdin(self.stdin.map_or_else(Stdio::null, Stdio::from))
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("the server starts");
        let wrapped = !self.wrapper.is_empty();
        let mut server = Server { dir, child, addresses: Vec::new(), mpm: self.mpm, wrapped };
        server.wait_until_ready(is_ready);
        server
    }
}

fn open_to_all(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("ours");
}

fn put(path: &Path, content: &[u8]) {
    let parent = path.parent().expect("below htdocs");
    std::fs::create_dir_all(parent).expect("ours");
    std::fs::write(path, content).expect("ours");
}

/// A running server; stopped when dropped.
#[derive(Debug)]
pub struct Server {
    dir: tempfile::TempDir,
    child: Child,
    addresses: Vec<SocketAddr>,
    mpm: Mpm,
    wrapped: bool,
}

impl Server {
    /// A server under `mpm` with these files in `htdocs`.
    pub fn with_files(mpm: Mpm, files: &[(&str, &[u8])]) -> Self {
        files
            .iter()
            .fold(Setup::new(mpm), |setup, (path, content)| setup.file(path, *content))
            .start()
    }

    fn wait_until_ready(&mut self, is_ready: impl Fn(&str) -> bool) {
        let ready = until("the server is ready", || {
            if let Some(status) = self.child.try_wait().expect("our child") {
                panic!("the server ended with {status}:\n{}{}", self.stderr(), self.error_log());
            }
            let log = self.error_log();
            (is_ready(&log) && log.contains("listening on ")).then_some(log)
        });
        let addresses = ready.lines().filter_map(|line| line.split_once("listening on "));
        self.addresses = addresses.map(|(_, a)| a.trim().parse().expect("an address")).collect();
    }

    /// The MPM it was started under.
    pub fn mpm(&self) -> Mpm {
        self.mpm
    }

    /// The configuration as it is.
    pub fn configuration(&self) -> String {
        std::fs::read_to_string(self.configuration_file()).expect("ours")
    }

    fn configuration_file(&self) -> PathBuf {
        self.root().join("gearbox.conf")
    }

    /// Replaces the configuration, by renaming: nobody reads half of it.
    pub fn configure(&self, text: &str) {
        let new = self.root().join("gearbox.conf.new");
        std::fs::write(&new, text).expect("ours");
        std::fs::rename(new, self.configuration_file()).expect("ours");
    }

    /// Replaces the `LoadModule` line of the MPM.
    pub fn load(&self, line: &str) {
        let text = self.configuration();
        let is_mpm = |line: &&str| line.starts_with("LoadModule mpm_");
        let old = text.lines().find(is_mpm).expect("an MPM is loaded");
        self.configure(&text.replace(old, line.trim_end()));
    }

    /// Runs `gearbox -k ACTION` for this server, to its end.
    pub fn ask(&self, action: &str) -> Output {
        let mut command = Command::new(gearbox_binary());
        let output = run(command.arg("-f").arg(self.configuration_file()).args(["-k", action]));
        let root = self.root().display().to_string();
        Output {
            stderr: output.stderr.replace(&root, "@ROOT@"),
            stdout: output.stdout.replace(&root, "@ROOT@"),
            ..output
        }
    }

    /// Asks for something that must be done without a word.
    #[track_caller]
    pub fn asks(&self, action: &str) {
        let Output { status, stdout, stderr } = self.ask(action);
        assert_eq!((status, stdout.as_str(), stderr.as_str()), (0, "", ""), "-k {action}");
    }

    /// After it has ended: another server in the same place, with the same configuration.
    ///
    /// # Panics
    /// It has not ended.
    pub fn again(mut self) -> Self {
        assert!(self.child.try_wait().expect("our child").is_some(), "it still runs");
        std::fs::remove_file(self.root().join("logs/error_log")).expect("ours");
        let file = self.configuration_file();
        let mpm = self.mpm;
        // Left in place by the one that ends here.
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().expect("a directory"));
        let is_ready = |log: &str| log.contains("resuming normal operations");
        Setup::new(mpm).start_in(dir, &file, is_ready)
    }

    /// How it says it is, if it does.
    pub fn try_status(&self) -> Option<Status> {
        status(&self.root().join("logs/gearbox.sock")).ok()
    }

    /// How it says it is, over the control socket.
    pub fn status(&self) -> Status {
        status(&self.root().join("logs/gearbox.sock")).expect("the server answers")
    }

    /// The first address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// All addresses it listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A new connection.
    pub fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// ServerRoot.
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// Writes (or replaces, by renaming) a file below `htdocs`.
    pub fn put(&self, path: &str, content: &[u8]) {
        let path = self.root().join("htdocs").join(path);
        let new = path.with_extension("new");
        put(&new, content);
        std::fs::rename(new, path).expect("ours");
    }

    /// Sets the modification time of a file below `htdocs`, in seconds since 1970.
    pub fn set_modified(&self, path: &str, seconds: u64) {
        let file = std::fs::File::open(self.root().join("htdocs").join(path)).expect("ours");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        file.set_modified(time).expect("ours");
    }

    /// Waits until nothing has happened to a file below `htdocs` for so long that the server may keep
    /// its content in memory.
    pub fn wait_until_settled(&self, path: &str) {
        let path = self.root().join("htdocs").join(path);
        until("the file has settled", || {
            let file = std::fs::metadata(&path).expect("ours");
            let (seconds, nanos) = (file.ctime() as u64, file.ctime_nsec() as u64);
            let changed = Duration::from_secs(seconds) + Duration::from_nanos(nanos);
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock");
            now.checked_sub(changed).filter(|age| *age > Duration::from_secs(1))
        });
    }

    /// The error log so far.
    pub fn error_log(&self) -> String {
        std::fs::read_to_string(self.root().join("logs/error_log")).unwrap_or_default()
    }

    /// A log below `logs` so far.
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.root().join("logs").join(name)).unwrap_or_default()
    }

    /// What it wrote to standard error.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.root().join("stderr")).unwrap_or_default()
    }

    /// Process id of the parent.
    pub fn pid(&self) -> i32 {
        if self.wrapped {
            let pid = std::fs::read_to_string(self.root().join("logs/gearbox.pid"));
            return pid.expect("a PID file").trim().parse().expect("a number");
        }
        self.child.id() as i32
    }

    /// Process ids of the children.
    pub fn children(&self) -> Vec<i32> {
        process::children(self.pid())
    }

    /// Sends the parent a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).expect("the server is there");
    }

    /// Waits for the parent to end by itself; its exit status.
    pub fn wait(&mut self) -> i32 {
        until("the server ends", || self.child.try_wait().expect("our child")).code().unwrap_or(-1)
    }

    /// The same; `what` is told if it does not.
    pub fn wait_for(&mut self, what: &str) -> i32 {
        let what = format!("{what}: the server ends");
        until(&what, || self.child.try_wait().expect("our child")).code().unwrap_or(-1)
    }

    /// Stops it with SIGTERM; its exit status.
    pub fn stop(mut self) -> i32 {
        self.signal(Signal::SIGTERM);
        self.wait()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_some()) {
            return;
        }
        // The children go with the parent.
        if self.wrapped {
            let _ = kill(Pid::from_raw(self.pid()), Signal::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("error log:\n{}\nstandard error:\n{}", self.error_log(), self.stderr());
        }
    }
}

/// A server that detached itself, or did not come up; killed when dropped.
#[derive(Debug)]
pub struct Detached {
    dir: tempfile::TempDir,
    output: Output,
    /// Process id after the start: a server that stops gracefully gives up the PID file first.
    first: Option<i32>,
}

impl Detached {
    /// What the launching process printed, and its exit status.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// ServerRoot.
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// The error log so far.
    pub fn error_log(&self) -> String {
        std::fs::read_to_string(self.root().join("logs/error_log")).unwrap_or_default()
    }

    /// Process id of the parent, by the PID file.
    pub fn pid(&self) -> Option<i32> {
        let text = std::fs::read_to_string(self.root().join("logs/gearbox.pid")).ok()?;
        text.trim().parse().ok()
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        // Its children go with it. The number may be somebody else's by now.
        let root = self.root().display().to_string();
        let pids = self.pid().into_iter().chain(self.first);
        for pid in pids.filter(|pid| process::names(*pid).1.contains(&root)) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        if std::thread::panicking() {
            eprintln!("error log:\n{}", self.error_log());
        }
    }
}
