//! The error log: where it goes, what it lets through, what a line looks like.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Once, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use ::env_logger::fmt::Formatter;
use ::log::kv::{Key, ToValue};
use ::log::{Log, Metadata, Record};

use super::files;
use super::level::Level;
use crate::sys::clock::{self, MONTHS, WEEKDAYS};

/// What `LogLevel` lets through: a level for all, others for single modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelFilter {
    /// For every module that is not named.
    pub all: Level,
    /// Module name (`mpm_event`, `http`) and its level.
    pub modules: Vec<(String, Level)>,
}

impl Default for LevelFilter {
    /// httpd's default, `LogLevel warn`.
    fn default() -> Self {
        Self { all: Level::WARN, modules: Vec::new() }
    }
}

impl LevelFilter {
    fn allows(&self, level: Level, module: &str) -> bool {
        let own = self.modules.iter().find(|(name, _)| name == module).map(|(_, level)| *level);
        // Life cycle lines are always written, as httpd does.
        level == Level::NOTICE || level <= own.unwrap_or(self.all)
    }

    fn finest(&self) -> Level {
        self.modules.iter().map(|(_, level)| *level).fold(self.all.max(Level::NOTICE), Level::max)
    }
}

/// An open error log.
#[derive(Debug)]
pub struct ErrorLog {
    file: OwnedFd,
}

impl ErrorLog {
    /// Opens (and makes) a file for appending.
    ///
    /// # Errors
    /// What `open` answers.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: files::open(path)? })
    }

    /// A log an earlier image had open.
    pub fn adopt(file: OwnedFd) -> Self {
        Self { file }
    }

    /// The process's standard error.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn stderr() -> io::Result<Self> {
        Ok(Self { file: io::stderr().as_fd().try_clone_to_owned()? })
    }

    /// Its descriptor.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Write for &ErrorLog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // One write a line: lines of several processes do not mix. A log that cannot be written
        // (disk full) must not stop the server, and there is nobody left to tell.
        let _ = nix::unistd::write(&self.file, line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct State {
    log: ErrorLog,
    filter: LevelFilter,
}

/// The main error log of this process. Set at start, replaced when the configuration has been read.
static MAIN: RwLock<Option<State>> = RwLock::new(None);

/// Makes `log` the main error log, from now on.
pub fn install(log: ErrorLog, filter: LevelFilter) {
    static FACADE: Once = Once::new();
    ::log::set_max_level(filter.finest().facade().to_level_filter());
    *MAIN.write().unwrap_or_else(PoisonError::into_inner) = Some(State { log, filter });
    FACADE.call_once(|| {
        let formatter = env_logger::Builder::new()
            .filter_level(::log::LevelFilter::Trace)
            .target(env_logger::Target::Pipe(Box::new(MainWriter)))
            .format(write_line)
            .build();
        // Only fails when a logger is set already, and this is the only place that sets one.
        let _ = ::log::set_boxed_logger(Box::new(Facade(formatter)));
    });
}

/// A further descriptor of the main error log.
pub fn main_descriptor() -> Option<OwnedFd> {
    with_main(|main| main.log.file.try_clone().ok()).flatten()
}

/// The number of the main error log's descriptor, which a log that is opened anew gets too.
pub fn with_main_descriptor<T>(f: impl FnOnce(BorrowedFd<'_>) -> T) -> Option<T> {
    with_main(|main| f(main.log.fd()))
}

/// Runs `f` with the main log, if one is installed.
fn with_main<T>(f: impl FnOnce(&State) -> T) -> Option<T> {
    MAIN.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(f)
}

/// Writes formatted lines to the main error log.
struct MainWriter;

impl Write for MainWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        with_main(|main| (&main.log).write(line)).unwrap_or(Ok(line.len()))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Facade(env_logger::Logger);

impl Log for Facade {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        enabled(Level::from_facade(metadata.level()), metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        if enabled(level_of(record), record.target()) {
            self.0.log(record);
        }
    }

    fn flush(&self) {}
}

fn level_of(record: &Record<'_>) -> Level {
    let number = record.key_values().get(Key::from("level")).and_then(|value| value.to_u64());
    match number {
        Some(n) => Level::from_number(u32::try_from(n).unwrap_or(u32::MAX)),
        None => Level::from_facade(record.level()),
    }
}

/// Whether a line of this level and module (a Rust path of the host, or a name) would be written.
pub fn enabled(level: Level, path: &str) -> bool {
    with_main(|main| main.filter.allows(level, module_name(path))).unwrap_or(false)
}

/// Writes a line. `code` may be empty.
pub fn emit(level: Level, path: &str, code: &str, text: fmt::Arguments<'_>) {
    emit_about(None, level, path, code, text);
}

/// Writes a line about what a client did.
pub fn emit_about(
    client: Option<SocketAddr>,
    level: Level,
    path: &str,
    code: &str,
    text: fmt::Arguments<'_>,
) {
    let number = level.number();
    let client = client.map(|client| client.to_string()).unwrap_or_default();
    let values = [
        ("level", number.to_value()),
        ("client", client.as_str().to_value()),
        ("code", code.to_value()),
    ];
    let record =
        Record::builder().level(level.facade()).target(path).args(text).key_values(&values).build();
    ::log::logger().log(&record);
}

/// Writes bytes as they are, with one `write`: for handlers and crash paths.
pub fn raw(text: &[u8]) {
    let _ = nix::unistd::write(io::stderr(), text);
}

/// `gearbox::http::respond` → `http`; a name without `::` is itself.
fn module_name(path: &str) -> &str {
    let mut parts = path.split("::");
    match (parts.next(), parts.next()) {
        (Some("gearbox"), Some(module)) => module,
        (Some(first), _) => first,
        (None, _) => path,
    }
}

/// `[Sat Nov 21 06:54:00.123456 2026] [http:warn] [pid 7:tid 8] [client 127.0.0.1:5] AH00128: text`.
fn write_line(out: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let t = clock::local_time(i64::try_from(now.as_secs()).unwrap_or(0));
    let weekday = WEEKDAYS.get(t.weekday).copied().unwrap_or("???");
    let month = MONTHS.get(t.month).copied().unwrap_or("???");
    let (micros, pid, tid) = (now.subsec_micros(), nix::unistd::getpid(), nix::unistd::gettid());
    write!(
        out,
        "[{weekday} {month} {:02} {:02}:{:02}:{:02}.{micros:06} {}] [{}:{}] [pid {pid}:tid {tid}] ",
        t.day,
        t.hour,
        t.minute,
        t.second,
        t.year,
        module_name(record.target()),
        level_of(record),
    )?;
    if let Some(client) = word_of(record, "client") {
        write!(out, "[client {client}] ")?;
    }
    if let Some(code) = word_of(record, "code") {
        write!(out, "{code}: ")?;
    }
    writeln!(out, "{}", OneLine(record.args()))
}

fn word_of<'a>(record: &'a Record<'_>, key: &str) -> Option<&'a str> {
    let value = record.key_values().get(Key::from(key))?;
    value.to_borrowed_str().filter(|word| !word.is_empty())
}

/// A message on one line: line breaks and control characters cannot forge another entry.
struct OneLine<'a>(&'a fmt::Arguments<'a>);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Escape<'a, 'b>(&'a mut fmt::Formatter<'b>);
        impl fmt::Write for Escape<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                text.chars().try_for_each(|c| match c {
                    '\n' => self.0.write_str("\\n"),
                    c if c.is_control() && c != '\t' => write!(self.0, "\\x{:02x}", u32::from(c)),
                    c => fmt::Write::write_char(self.0, c),
                })
            }
        }
        fmt::Write::write_fmt(&mut Escape(f), *self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_names() {
        assert_eq!(module_name("gearbox::http::respond"), "http");
        assert_eq!(module_name("mpm_event"), "mpm_event");
        assert_eq!(module_name("hyper::proto"), "hyper");
    }

    #[test]
    fn life_cycle_lines_cannot_be_turned_off() {
        let filter = LevelFilter { all: Level::ERROR, modules: vec![] };
        assert!(filter.allows(Level::NOTICE, "server"));
        assert!(!filter.allows(Level::INFO, "server"));
        assert!(!filter.allows(Level::WARN, "server"), "what is worse is not life cycle");
        assert!(filter.allows(Level::ERROR, "server"));
    }

    #[test]
    fn a_module_has_its_own_level() {
        let modules = vec![("mpm_event".to_owned(), Level::TRACE8)];
        let filter = LevelFilter { all: Level::WARN, modules };
        assert!(filter.allows(Level::TRACE1, "mpm_event"));
        assert!(!filter.allows(Level::DEBUG, "http"));
        assert_eq!(filter.finest(), Level::TRACE8);
    }

    #[test]
    fn messages_stay_on_one_line() {
        let text = "a\nb\u{1b}[0mc\rd";
        assert_eq!(OneLine(&format_args!("{text}")).to_string(), "a\\nb\\x1b[0mc\\x0dd");
    }
}
