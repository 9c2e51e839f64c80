//! A site: from the head of a request to its response.

use std::ffi::{CStr, CString};
use std::future::Future;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::header::{EXPECT, SERVER};
use http::{HeaderValue, Method, Response, StatusCode, Version, request};

use super::cache::{Cache, Kept};
use super::record::{self, Body, Client, Record};
use super::sections::{Rules, Sections};
use super::{host, page, target};
use crate::handlers::files::{self, Found, Missing, Place};
use crate::handlers::types::MimeTypes;
use crate::handlers::{Content, WouldBlock};
use crate::log::AccessLog;
use crate::log_line;
use crate::sys::clock;
use crate::sys::files::Lookup;
use crate::task;

/// Name and nothing else, as httpd's `ServerTokens Prod`.
const SERVER_FIELD: HeaderValue = HeaderValue::from_static("gearbox");

/// How long a path without symbolic links is taken to be still without them (ns): its file is looked
/// at with every request, the directories on the way once in that time.
const RESOLVE_EVERY_NS: u64 = 1_000_000_000;

/// Limits on the head of a request, in bytes (httpd's LimitRequestLine, LimitRequestFieldSize).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Target of the request line.
    pub line: usize,
    /// A field: name, colon and value.
    pub field: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line: 8190, field: 8190 }
    }
}

/// What a site is made of.
#[derive(Debug)]
pub struct SiteParts {
    /// Name for redirects when a request names no host, with its port if that is not 80.
    pub server_name: String,
    /// DocumentRoot, absolute. Without one every file is missing.
    pub document_root: Option<std::path::PathBuf>,
    /// Settings outside sections, and the sections.
    pub outside: crate::config::Settings,
    /// See `outside`.
    pub sections: Vec<crate::config::Section>,
    /// Types by extension.
    pub types: MimeTypes,
    /// Access logs.
    pub access_logs: Vec<AccessLog>,
}

/// A site.
#[derive(Debug)]
pub struct Site {
    pub(super) server_name: String,
    pub(super) access_logs: Vec<AccessLog>,
    root: Option<CString>,
    sections: Sections,
    types: MimeTypes,
    limits: Limits,
    cache: Cache,
}

/// What a request gets: a response now, or later.
#[expect(clippy::large_enum_variant, reason = "the large one is the common one, and moved once")]
pub enum Reply {
    /// The response.
    Ready(Response<Body>),
    /// A future of it.
    Later(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ready(response) => f.debug_tuple("Ready").field(response).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

impl Site {
    /// A site of its parts.
    pub fn new(parts: SiteParts) -> Self {
        let root = parts.document_root.as_deref().and_then(root_path);
        Self {
            server_name: parts.server_name,
            access_logs: parts.access_logs,
            root,
            sections: Sections::new(parts.outside, parts.sections),
            types: parts.types,
            limits: Limits::default(),
            cache: Cache::default(),
        }
    }

    /// Answers a request.
    pub fn respond(self: &Arc<Self>, mut head: request::Parts, client: Client) -> Reply {
        let record = Record::new(self, client, &head);
        match self.answer(&mut head, task::may_block()) {
            Ok(response) => Reply::Ready(finish(response, record)),
            Err(WouldBlock) => {
                let site = Arc::clone(self);
                Reply::Later(Box::pin(async move {
                    let answer = task::blocking(move || site.answer(&mut head, true)).await;
                    // It was allowed to wait, so it did.
                    let failed = |_| page::error(StatusCode::INTERNAL_SERVER_ERROR);
                    finish(answer.unwrap_or_else(failed), record)
                }))
            }
        }
    }

    /// Whether a log shows the server's own address.
    pub fn needs_local_address(&self) -> bool {
        self.access_logs.iter().any(|log| log.format().needs_local_address())
    }

    /// Logs a request that could not be read and was refused with `status` by the HTTP engine.
    pub fn log_unreadable(&self, client: Client, status: StatusCode) {
        record::log_unreadable(self, client, status.as_u16());
    }

    fn answer(
        &self,
        head: &mut request::Parts,
        may_block: bool,
    ) -> Result<Response<Content>, WouldBlock> {
        if let Err(status) = self.check(head) {
            return Ok(page::error(status));
        }
        match head.method {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => return Ok(page::options()),
            Method::POST
            | Method::PUT
            | Method::DELETE
            | Method::PATCH
            | Method::TRACE
            | Method::CONNECT => return Ok(page::method_not_allowed()),
            _ => return Ok(page::error(StatusCode::NOT_IMPLEMENTED)),
        }
        let uri = std::mem::take(&mut head.uri);
        let url = match target::decode(uri.path()) {
            Ok(url) => url,
            Err(status) => return Ok(page::error(status)),
        };
        if let Some(response) = self.answer_kept(&url, head) {
            return Ok(response);
        }
        let answer = self.answer_file(&url, &uri, head, may_block);
        // Asked again, the request must still have its target.
        if answer.is_err() {
            head.uri = uri.clone();
        }
        answer
    }

    /// What is refused whatever it is for.
    fn check(&self, head: &request::Parts) -> Result<(), StatusCode> {
        let target_len = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
        if target_len > self.limits.line {
            return Err(StatusCode::URI_TOO_LONG);
        }
        let field_len = |(name, value): (&http::HeaderName, &HeaderValue)| {
            name.as_str().len() + 2 + value.len()
        };
        if head.headers.iter().map(field_len).any(|len| len > self.limits.field) {
            return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        host::named(head.version, &head.uri, &head.headers)?;
        let expectation = head.headers.get(EXPECT);
        if expectation.is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
            && head.version >= Version::HTTP_11
        {
            return Err(StatusCode::EXPECTATION_FAILED);
        }
        Ok(())
    }

    /// The answer from memory, if the file is the same as when it was kept.
    fn answer_kept(&self, url: &[u8], head: &mut request::Parts) -> Option<Response<Content>> {
        let kept = self.cache.get(url)?;
        if !kept.rules.follow_symlinks {
            let resolved = kept.resolved_ns.load(Ordering::Relaxed);
            if clock::now_ns().saturating_sub(resolved) > RESOLVE_EVERY_NS {
                return None;
            }
        }
        if !kept.file.is_fresh(&kept.path) {
            self.cache.remove(url);
            return None;
        }
        Some(kept.file.respond_small(&head.method, &mut head.headers))
    }

    fn answer_file(
        &self,
        url: &[u8],
        uri: &http::Uri,
        head: &mut request::Parts,
        may_block: bool,
    ) -> Result<Response<Content>, WouldBlock> {
        let Some(root) = &self.root else { return Ok(page::error(StatusCode::NOT_FOUND)) };
        let rules = self.sections.rules(&joined(root, url), url);
        if !rules.granted {
            log_line!(INFO, "AH01630", "client denied by server configuration: {}", show(url));
            return Ok(page::error(StatusCode::FORBIDDEN));
        }
        let found = match self.find(root, url, &rules, may_block) {
            Ok(Found::Directory) if url.last() == Some(&b'/') => {
                self.find_index(root, url, &rules, may_block)
            }
            Ok(Found::Directory) => return Ok(self.add_slash(uri, head)),
            other => other.map(|found| (found, None)),
        };
        match found {
            Ok((Found::File(file), name)) => {
                // With a later DirectoryIndex an earlier one may appear any time: not kept.
                let lasting = name.as_ref().is_none_or(|name| rules.index.first() == Some(name));
                let path = lasting.then(|| file_path(root, url, name.as_deref())).flatten();
                Ok(self.send(url, path, rules, file, head))
            }
            Ok((Found::Directory, _)) => {
                // A listing would be autoindex's, which is not there yet.
                log_line!(
                    WARN,
                    "AH01276",
                    "cannot serve directory {}: no matching DirectoryIndex ({}) found, and \
                     server-generated directory index forbidden by Options directive",
                    show(&joined(root, url)),
                    rules.index.join(",")
                );
                Ok(page::error(StatusCode::FORBIDDEN))
            }
            Err(missing) => self.missing(missing, &joined(root, url)),
        }
    }

    fn find(
        &self,
        root: &CStr,
        url: &[u8],
        rules: &Rules,
        may_block: bool,
    ) -> Result<Found, Missing> {
        let relative = match url.strip_prefix(b"/") {
            Some(b"") | None => b".".to_vec(),
            Some(relative) => relative.to_vec(),
        };
        // `decode` lets no NUL through.
        let Some(relative) = files::c_path(relative) else { return Err(Missing::NotFound) };
        let lookup = Lookup { follow_symlinks: rules.follow_symlinks, may_block };
        files::find(Place { root, relative: &relative, lookup }, &self.types)
    }

    /// The first DirectoryIndex there is; the directory itself if there is none.
    fn find_index(
        &self,
        root: &CStr,
        url: &[u8],
        rules: &Rules,
        may_block: bool,
    ) -> Result<(Found, Option<String>), Missing> {
        for name in &rules.index {
            match self.find(root, &[url, name.as_bytes()].concat(), rules, may_block) {
                Ok(Found::Directory) | Err(Missing::NotFound) => {}
                other => return other.map(|found| (found, Some(name.clone()))),
            }
        }
        Ok((Found::Directory, None))
    }

    /// Sends a file, and keeps it if it is small.
    fn send(
        &self,
        url: &[u8],
        path: Option<CString>,
        rules: Arc<Rules>,
        file: Box<files::Representation>,
        head: &mut request::Parts,
    ) -> Response<Content> {
        let sendfile = rules.sendfile;
        match path {
            Some(path) if file.small_len().is_some() => {
                let response = file.respond_small(&head.method, &mut head.headers);
                if let Some(kept) = Kept::new(rules, path, file, clock::now_ns()) {
                    self.cache.put(url, Arc::new(kept));
                }
                response
            }
            _ => file.respond_once(&head.method, &mut head.headers, sendfile),
        }
    }

    /// 301 to the same path with a slash, so that relative links work (mod_dir's DirectorySlash).
    fn add_slash(&self, uri: &http::Uri, head: &request::Parts) -> Response<Content> {
        let host = host::named(head.version, uri, &head.headers).ok().flatten();
        let host = host.filter(|host| !host.is_empty()).unwrap_or(&self.server_name);
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        page::moved(&format!("http://{host}{}/{query}", uri.path()))
    }

    fn missing(&self, missing: Missing, path: &[u8]) -> Result<Response<Content>, WouldBlock> {
        let path = show(path);
        Ok(page::error(match missing {
            Missing::WouldBlock => return Err(WouldBlock),
            Missing::NotFound => {
                log_line!(INFO, "AH00128", "File does not exist: {path}");
                StatusCode::NOT_FOUND
            }
            Missing::Forbidden(reason) => {
                log_line!(ERROR, "AH00035", "access to {path} denied: {reason}");
                StatusCode::FORBIDDEN
            }
            Missing::Failed(error) => {
                log_line!(ERROR, "AH00132", "{path} cannot be opened: {error}");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }))
    }
}

fn finish(response: Response<Content>, record: Option<Box<Record>>) -> Response<Body> {
    let (mut head, content) = response.into_parts();
    head.headers.insert(SERVER, SERVER_FIELD);
    let body = Body::logged(content, record, head.status.as_u16());
    Response::from_parts(head, body)
}

/// DocumentRoot without a slash at its end.
fn root_path(root: &Path) -> Option<CString> {
    let bytes = root.as_os_str().as_bytes();
    let end = bytes.iter().rposition(|&b| b != b'/').map_or(1, |last| last + 1);
    CString::new(bytes.get(..end)?).ok()
}

fn joined(root: &CStr, url: &[u8]) -> Vec<u8> {
    [root.to_bytes().strip_suffix(b"/").unwrap_or(root.to_bytes()), url].concat()
}

/// The path of the file a URL path, or the DirectoryIndex below it, names.
fn file_path(root: &CStr, url: &[u8], index: Option<&str>) -> Option<CString> {
    files::c_path([&joined(root, url), index.unwrap_or("").as_bytes()].concat())
}

/// A path for the error log; control characters are escaped there.
fn show(path: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(path)
}
