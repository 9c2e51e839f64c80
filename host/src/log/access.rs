//! Access logs: `LogFormat` strings and the lines made of them.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderName, HeaderValue};

use super::files;
use crate::log_line;
use crate::sys::clock::{self, MONTHS};

/// What a request leaves in the access log.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// The client.
    pub client: Option<SocketAddr>,
    /// The server's address.
    pub local: Option<SocketAddr>,
    /// When the request head was there.
    pub time: SystemTime,
    /// From then until the response was handed to the transport.
    pub duration: Duration,
    /// Method, empty if no request could be read.
    pub method: &'a str,
    /// Target as the client wrote it.
    pub target: &'a str,
    /// Path of the target.
    pub path: &'a str,
    /// Query of the target, without the question mark, or empty.
    pub query: &'a str,
    /// Protocol (`HTTP/1.1`), empty if no request could be read.
    pub protocol: &'a str,
    /// Status of the response.
    pub status: u16,
    /// Bytes of the body handed to the transport.
    pub bytes: u64,
    /// ServerName.
    pub server_name: &'a str,
    /// Requests on this connection before this one.
    pub keep_alives: u32,
    /// Values of [`Format::request_fields`], in that order.
    pub fields: &'a [Option<HeaderValue>],
}

/// A parsed `LogFormat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    items: Vec<Item>,
    fields: Vec<HeaderName>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Text(String),
    Client,
    LocalAddress,
    LocalPort,
    Nothing,
    Time,
    RequestLine,
    Status,
    Bytes { dash: bool },
    Field(usize),
    Method,
    Path,
    Query,
    Protocol,
    Pid,
    Micros,
    Seconds,
    ServerName,
    KeepAlives,
}

/// Format of the nickname `common`.
pub const COMMON: &str = r#"%h %l %u %t "%r" %>s %b"#;
/// Format of the nickname `combined`.
pub const COMBINED: &str = r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#;

impl Format {
    /// Parses a format string.
    ///
    /// # Errors
    /// Names the item that is not known.
    pub fn parse(format: &str) -> Result<Self, String> {
        let mut parsed = Self { items: Vec::new(), fields: Vec::new() };
        let mut rest = format;
        while let Some(at) = rest.find(['%', '\\']) {
            let (text, special) = rest.split_at(at);
            parsed.push_text(text);
            rest = if let Some(escaped) = special.strip_prefix('\\') {
                parsed.escape(escaped)
            } else {
                parsed.item(special)?
            };
        }
        parsed.push_text(rest);
        Ok(parsed)
    }

    fn push_text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(Item::Text(last)) = self.items.last_mut() {
            last.push_str(text);
        } else {
            self.items.push(Item::Text(text.to_owned()));
        }
    }

    /// `\n`, `\t`; any other character stands for itself with the backslash.
    fn escape<'a>(&mut self, escaped: &'a str) -> &'a str {
        let mut chars = escaped.chars();
        match chars.next() {
            Some('n') => self.push_text("\n"),
            Some('t') => self.push_text("\t"),
            Some(other) => self.push_text(&format!("\\{other}")),
            None => self.push_text("\\"),
        }
        chars.as_str()
    }

    /// One item, from its `%`; returns what follows it.
    fn item<'a>(&mut self, item: &'a str) -> Result<&'a str, String> {
        let unknown = |len: usize| {
            let shown: String = item.chars().take(len).collect();
            format!("unknown or not yet supported item '{shown}' in the log format")
        };
        let body = item.get(1..).unwrap_or("");
        if let Some(rest) = body.strip_prefix('{') {
            let (name, after) = rest.split_once('}').ok_or_else(|| unknown(24))?;
            let after = after.strip_prefix('i').ok_or_else(|| unknown(name.len() + 4))?;
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| format!("'{name}' in the log format is not a field name"))?;
            let index = self.field(name);
            self.items.push(Item::Field(index));
            return Ok(after);
        }
        // There are no internal redirects, so first (<) and last (>) request are the same.
        let body = body.strip_prefix(['<', '>']).unwrap_or(body);
        let mut chars = body.chars();
        let item = match chars.next() {
            Some('%') => {
                self.push_text("%");
                return Ok(chars.as_str());
            }
            Some('a' | 'h') => Item::Client,
            Some('A') => Item::LocalAddress,
            Some('p') => Item::LocalPort,
            Some('l' | 'u') => Item::Nothing,
            Some('t') => Item::Time,
            Some('r') => Item::RequestLine,
            Some('s') => Item::Status,
            Some('b') => Item::Bytes { dash: true },
            Some('B') => Item::Bytes { dash: false },
            Some('m') => Item::Method,
            Some('U') => Item::Path,
            Some('q') => Item::Query,
            Some('H') => Item::Protocol,
            Some('P') => Item::Pid,
            Some('D') => Item::Micros,
            Some('T') => Item::Seconds,
            Some('v' | 'V') => Item::ServerName,
            Some('k') => Item::KeepAlives,
            _ => return Err(unknown(3)),
        };
        self.items.push(item);
        Ok(chars.as_str())
    }

    fn field(&mut self, name: HeaderName) -> usize {
        self.fields.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.fields.push(name);
            self.fields.len() - 1
        })
    }

    /// Request fields that [`Entry::fields`] must hold.
    pub fn request_fields(&self) -> &[HeaderName] {
        &self.fields
    }

    /// Whether the server's own address is shown.
    pub fn needs_local_address(&self) -> bool {
        self.items.iter().any(|item| matches!(item, Item::LocalAddress | Item::LocalPort))
    }

    /// Appends the line for a request, with its line break.
    fn line(&self, entry: &Entry<'_>, out: &mut String) {
        for item in &self.items {
            self.write_item(item, entry, out);
        }
        out.push('\n');
    }

    fn write_item(&self, item: &Item, entry: &Entry<'_>, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = match item {
            Item::Text(text) => out.write_str(text),
            Item::Client => write_or_dash(out, entry.client.map(|a| a.ip())),
            Item::LocalAddress => write_or_dash(out, entry.local.map(|a| a.ip())),
            Item::LocalPort => write_or_dash(out, entry.local.map(|a| a.port())),
            Item::Nothing => out.write_str("-"),
            Item::Time => write_time(out, entry.time),
            Item::RequestLine => write_request_line(out, entry),
            Item::Status => write!(out, "{}", entry.status),
            Item::Bytes { dash: true } if entry.bytes == 0 => out.write_str("-"),
            Item::Bytes { .. } => write!(out, "{}", entry.bytes),
            Item::Field(index) => {
                let value = entry.fields.get(*index).and_then(Option::as_ref);
                match value {
                    Some(value) => escape(out, value.as_bytes()),
                    None => out.push('-'),
                }
                Ok(())
            }
            Item::Method => out.write_str(entry.method),
            Item::Path => {
                escape(out, entry.path.as_bytes());
                Ok(())
            }
            Item::Query => {
                if !entry.query.is_empty() {
                    out.push('?');
                    escape(out, entry.query.as_bytes());
                }
                Ok(())
            }
            Item::Protocol => out.write_str(entry.protocol),
            Item::Pid => write!(out, "{}", nix::unistd::getpid()),
            Item::Micros => write!(out, "{}", entry.duration.as_micros()),
            Item::Seconds => write!(out, "{}", entry.duration.as_secs()),
            Item::ServerName => out.write_str(entry.server_name),
            Item::KeepAlives => write!(out, "{}", entry.keep_alives),
        };
    }
}

fn write_or_dash(out: &mut String, value: Option<impl std::fmt::Display>) -> std::fmt::Result {
    match value {
        Some(value) => write!(out, "{value}"),
        None => out.write_str("-"),
    }
}

/// `[21/Nov/2026:07:06:54 +0100]`.
fn write_time(out: &mut String, time: SystemTime) -> std::fmt::Result {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let t = clock::local_time(i64::try_from(seconds).unwrap_or(0));
    let month = MONTHS.get(t.month).copied().unwrap_or("???");
    let sign = if t.offset_s < 0 { '-' } else { '+' };
    let minutes = t.offset_s.unsigned_abs() / 60;
    write!(
        out,
        "[{:02}/{month}/{}:{:02}:{:02}:{:02} {sign}{:02}{:02}]",
        t.day,
        t.year,
        t.hour,
        t.minute,
        t.second,
        minutes / 60,
        minutes % 60
    )
}

fn write_request_line(out: &mut String, entry: &Entry<'_>) -> std::fmt::Result {
    if entry.method.is_empty() {
        return out.write_str("-");
    }
    out.write_str(entry.method)?;
    out.push(' ');
    escape(out, entry.target.as_bytes());
    write!(out, " {}", entry.protocol)
}

/// Bytes of the peer as httpd logs them: quotes, backslashes, control and non-ASCII bytes escaped,
/// so that no client can forge an entry.
fn escape(out: &mut String, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x20..=0x7e => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
}

/// An open access log.
#[derive(Debug)]
pub struct AccessLog {
    file: OwnedFd,
    format: Format,
    /// When a failed write was last reported (monotonic ns), so that a full disk does not fill the
    /// error log too.
    reported_ns: AtomicU64,
}

/// Time between two reports that the log cannot be written.
const REPORT_EVERY: Duration = Duration::from_secs(60);

impl AccessLog {
    /// Opens (and makes) a file for appending.
    ///
    /// # Errors
    /// What `open` answers.
    pub fn open(path: &Path, format: Format) -> io::Result<Self> {
        Ok(Self { file: files::open(path)?, format, reported_ns: AtomicU64::new(0) })
    }

    /// Its descriptor.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Its format.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Writes the line for a request, with one `write`. Serving goes on if that fails.
    pub fn log(&self, entry: &Entry<'_>) {
        thread_local! {
            static LINE: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
        }
        LINE.with_borrow_mut(|line| {
            line.clear();
            self.format.line(entry, line);
            match nix::unistd::write(&self.file, line.as_bytes()) {
                Ok(n) if n == line.len() => {}
                Ok(_) => self.report(&"short write, the disk is full"),
                Err(error) => self.report(&error),
            }
        });
    }

    fn report(&self, reason: &dyn std::fmt::Display) {
        let now = clock::now_ns();
        let last = self.reported_ns.load(Ordering::Relaxed);
        if last == 0 || now.saturating_sub(last) > REPORT_EVERY.as_nanos() as u64 {
            self.reported_ns.store(now, Ordering::Relaxed);
            log_line!(ERROR, "GB0401", "access log cannot be written, serving goes on: {reason}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: &str, change: impl FnOnce(&mut Entry<'_>)) -> String {
        let fields = [None, Some(HeaderValue::from_static("curl/8"))];
        let mut entry = Entry {
            client: Some(([127, 0, 0, 1], 5000).into()),
            local: Some(([127, 0, 0, 1], 80).into()),
            time: UNIX_EPOCH,
            duration: Duration::from_micros(1500),
            method: "GET",
            target: "/a?b=c",
            path: "/a",
            query: "b=c",
            protocol: "HTTP/1.1",
            status: 200,
            bytes: 12,
            server_name: "example.org",
            keep_alives: 3,
            fields: &fields,
        };
        change(&mut entry);
        let mut out = String::new();
        Format::parse(format).unwrap().line(&entry, &mut out);
        out
    }

    #[test]
    fn the_two_nicknames() {
        let common = line(COMMON, |_| {});
        assert!(common.starts_with("127.0.0.1 - - ["), "{common}");
        assert!(common.ends_with("] \"GET /a?b=c HTTP/1.1\" 200 12\n"), "{common}");
        assert!(line(COMBINED, |_| {}).ends_with(" 200 12 \"-\" \"curl/8\"\n"));
    }

    #[test]
    fn items() {
        let all = "%a %A %p %s %B %m %U %q %H %D %T %v %k 100%% a\\tb";
        let wanted =
            "127.0.0.1 127.0.0.1 80 200 12 GET /a ?b=c HTTP/1.1 1500 0 example.org 3 100% a\tb\n";
        assert_eq!(line(all, |_| {}), wanted);
        assert_eq!(line("%b %B", |entry| entry.bytes = 0), "- 0\n");
        assert_eq!(line("%r", |entry| entry.method = ""), "-\n");
    }

    #[test]
    fn a_client_cannot_forge_an_entry() {
        let evil = line("\"%r\"", |entry| entry.target = "/\" 200\n\u{7f}ü\\");
        assert_eq!(evil, "\"GET /\\\" 200\\n\\x7f\\xc3\\xbc\\\\ HTTP/1.1\"\n");
    }

    #[test]
    fn unknown_items_are_named() {
        let error = |format| Format::parse(format).unwrap_err();
        assert!(error("%h %y").contains("'%y'"));
        assert!(error("%{Foo}o").contains("'%{Foo}o'"));
        assert!(error("%{Foo").contains("%{Foo"));
        assert!(error("%{a b}i").contains("not a field name"));
        assert!(error("tail %").contains("'%'"));
    }

    #[test]
    fn a_field_is_asked_for_once() {
        let format = Format::parse("%{Referer}i %{referer}i").unwrap();
        assert_eq!(format.request_fields(), [http::header::REFERER]);
    }
}
