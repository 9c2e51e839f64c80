//! A site: from the head of a request to its response.

use std::ffi::CString;
use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use http::header::{EXPECT, SERVER};
use http::uri::Scheme;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, Uri, request};

use super::cache::Cache;
use super::lookup::Ask;
use super::record::{self, Body, Client, Record};
use super::sections::Sections;
use super::{host, page, target};
use crate::config;
use crate::handlers::types::MimeTypes;
use crate::handlers::{Content, WouldBlock};
use crate::log::AccessLog;
use crate::log_line;
use crate::status::Source;
use crate::task;

/// Name and nothing else, as httpd's `ServerTokens Prod`.
const SERVER_FIELD: HeaderValue = HeaderValue::from_static("gearbox");

/// Limits on the head of a request, in bytes (httpd's LimitRequestLine, LimitRequestFieldSize).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The request line.
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
    /// The same without a port, for logs.
    pub log_name: String,
    /// DocumentRoot, absolute. Without one every file is missing.
    pub document_root: Option<std::path::PathBuf>,
    /// Settings outside sections, and the sections.
    pub outside: config::Settings,
    /// See `outside`.
    pub sections: Vec<config::Section>,
    /// Types by extension.
    pub types: MimeTypes,
    /// Access logs.
    pub access_logs: Vec<AccessLog>,
}

/// A site.
#[derive(Debug)]
pub struct Site {
    pub(super) server_name: String,
    pub(super) log_name: String,
    pub(super) access_logs: Vec<AccessLog>,
    pub(super) root: Option<CString>,
    pub(super) sections: Sections,
    pub(super) types: MimeTypes,
    limits: Limits,
    pub(super) cache: Cache,
    pub(super) status: Option<Source>,
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
            log_name: parts.log_name,
            access_logs: parts.access_logs,
            root,
            sections: Sections::new(parts.outside, parts.sections),
            types: parts.types,
            limits: Limits::default(),
            cache: Cache::default(),
            status: None,
        }
    }

    /// Gives it what its status page is made from.
    pub fn set_status(&mut self, status: Source) {
        self.status = Some(status);
    }

    /// The name by which it is shown.
    pub fn name(&self) -> &str {
        &self.server_name
    }

    /// Answers a request.
    pub fn respond(self: &Arc<Self>, mut head: request::Parts, client: Client) -> Reply {
        let record = Record::new(self, client, &head);
        match self.answer(&mut head, client.peer, task::may_block()) {
            Ok(response) => Reply::Ready(finish(response, record)),
            Err(WouldBlock) => {
                let site = Arc::clone(self);
                Reply::Later(Box::pin(async move {
                    let answer = move || site.answer(&mut head, client.peer, true);
                    // It was allowed to wait, so it did.
                    let failed = |_| page::error(StatusCode::INTERNAL_SERVER_ERROR);
                    finish(task::blocking(answer).await.unwrap_or_else(failed), record)
                }))
            }
        }
    }

    /// The logs of requests, in the order of the configuration.
    pub fn access_logs(&self) -> &[AccessLog] {
        &self.access_logs
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
        peer: Option<SocketAddr>,
        may_block: bool,
    ) -> Result<Response<Content>, WouldBlock> {
        if let Err(status) = self.check(head, peer) {
            return Ok(page::error(status));
        }
        // These two are about no path.
        match head.method {
            Method::OPTIONS if head.uri.path() == "*" => return Ok(page::options()),
            Method::CONNECT => return Ok(page::method_not_allowed()),
            _ => {}
        }
        let uri = std::mem::take(&mut head.uri);
        let url = match target::decode(uri.path()) {
            Ok(url) => url,
            Err(status) => {
                log_target(status, &uri, peer);
                return Ok(page::error(status));
            }
        };
        if matches!(head.method, Method::GET | Method::HEAD)
            && let Some(response) = self.answer_kept(&url, head)
        {
            return Ok(response);
        }
        let answer = self.answer_path(Ask { uri: &uri, url: &url, peer, may_block }, head);
        // Asked again, the request must still have its target.
        if answer.is_err() {
            head.uri = uri.clone();
        }
        answer
    }

    /// What is refused whatever it is for.
    fn check(&self, head: &request::Parts, peer: Option<SocketAddr>) -> Result<(), StatusCode> {
        let Limits { line, field } = self.limits;
        if line_len(head) > line {
            let text = "request failed: client's request-line exceeds LimitRequestLine";
            log_line!(INFO, "AH00565", client peer, "{text} (longer than {line})");
            return Err(StatusCode::URI_TOO_LONG);
        }
        let is_too_long = |(name, value): &(&HeaderName, &HeaderValue)| {
            name.as_str().len() + 2 + value.len() > field
        };
        if let Some((name, _)) = head.headers.iter().find(is_too_long) {
            let text = "Request header exceeds LimitRequestFieldSize";
            log_line!(INFO, "AH00561", client peer, "{text}: {name:.80}");
            return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        // What stands for another protocol is not ours to answer.
        if head.uri.scheme().is_some_and(|s| *s != Scheme::HTTP && *s != Scheme::HTTPS) {
            return Err(StatusCode::BAD_REQUEST);
        }
        host::named(head.version, &head.uri, &head.headers)?;
        let is_unknown = |value: &&HeaderValue| {
            !value.is_empty() && !value.as_bytes().eq_ignore_ascii_case(b"100-continue")
        };
        if let Some(value) = head.headers.get_all(EXPECT).iter().find(is_unknown) {
            let text = "client sent an unrecognized expectation value of Expect";
            log_line!(INFO, "AH00570", client peer, "{text}: {}", value.as_bytes().escape_ascii());
            return Err(StatusCode::EXPECTATION_FAILED);
        }
        Ok(())
    }
}

/// Length of the request line, without its line break.
fn line_len(head: &request::Parts) -> usize {
    let uri = &head.uri;
    let path = uri.path_and_query().map_or(0, |target| target.as_str().len());
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let scheme = uri.scheme_str().map_or(0, |scheme| scheme.len() + "://".len());
    head.method.as_str().len() + scheme + authority + path + "  HTTP/1.1".len()
}

fn log_target(status: StatusCode, uri: &Uri, peer: Option<SocketAddr>) {
    if status == StatusCode::NOT_FOUND {
        let text = "found %2f (encoded '/') or %00 in URI path";
        log_line!(INFO, "AH00026", client peer, "{text} ({uri}), returning 404");
    } else {
        log_line!(ERROR, "AH10244", client peer, "invalid URI path ({uri})");
    }
}

fn finish(mut response: Response<Content>, record: Option<Box<Record>>) -> Response<Body> {
    page::complete(&mut response);
    let (mut head, content) = response.into_parts();
    head.headers.insert(SERVER, SERVER_FIELD);
    let body = Body::logged(content, record, head.status.as_u16());
    Response::from_parts(head, body)
}

/// DocumentRoot in the form that `<Directory>` has too.
fn root_path(root: &Path) -> Option<CString> {
    CString::new(config::plain_path(root).into_os_string().into_vec()).ok()
}
