//! From a path to what answers it: a document kept, a file, a directory, or why there is none.

use std::ffi::{CStr, CString};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{Method, Response, StatusCode, Uri, request};

use super::cache::Kept;
use super::handler::Handler;
use super::sections::Rules;
use super::{Site, host, page, target};
use crate::handlers::files::{self, Found, Missing, Obstacle, Place, Representation};
use crate::handlers::{Content, WouldBlock, server_status};
use crate::log_line;
use crate::sys::clock;
use crate::sys::files::Lookup;

/// How long a path without symbolic links is taken to be still without them (ns): its file is looked
/// at with every request, the directories on the way once in that time.
const RESOLVE_EVERY_NS: u64 = 1_000_000_000;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'a> {
    /// The target of the request.
    pub(super) uri: &'a Uri,
    /// Its path, decoded.
    pub(super) url: &'a [u8],
    /// Who asks.
    pub(super) peer: Option<SocketAddr>,
    /// The thread may wait for a disk.
    pub(super) may_block: bool,
}

/// Why a path is not answered with a file.
#[derive(Debug)]
enum Refusal {
    /// `Require all denied`, or a name that is never served.
    Denied,
    /// There is none that could be had.
    Missing(Missing),
}

/// A file, and what holds for it.
type Allowed<T> = (T, Arc<Rules>);

impl Site {
    /// The answer from memory, if the file is the same as when it was kept.
    pub(super) fn answer_kept(
        &self,
        url: &[u8],
        head: &mut request::Parts,
    ) -> Option<Response<Content>> {
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

    /// Answers for a path: whether it may be had comes before what is done with it.
    pub(super) fn answer_path(
        &self,
        ask: Ask<'_>,
        head: &mut request::Parts,
    ) -> Result<Response<Content>, WouldBlock> {
        let Some(root) = &self.root else { return Ok(page::error(StatusCode::NOT_FOUND)) };
        let rules = match self.allowed(root, ask.url) {
            Ok(rules) => rules,
            Err(refusal) => return refused(root, ask, ask.url, &refusal),
        };
        match head.method {
            Method::GET | Method::HEAD if rules.handler == Handler::ServerStatus => {
                let query = ask.uri.query().unwrap_or_default();
                let no_page = || page::error(StatusCode::NOT_FOUND);
                let status = self.status.as_ref();
                Ok(status.map_or_else(no_page, |status| {
                    server_status::respond(status, &self.server_name, query)
                }))
            }
            Method::GET | Method::HEAD => self.answer_file(root, ask, rules, head),
            Method::OPTIONS => Ok(page::options()),
            Method::POST
            | Method::PUT
            | Method::DELETE
            | Method::PATCH
            | Method::TRACE
            | Method::CONNECT => Ok(page::method_not_allowed()),
            _ => {
                let (method, uri, version) = (&head.method, ask.uri, head.version);
                log_line!(
                    ERROR,
                    "AH00135",
                    client ask.peer,
                    "Invalid method in request {method} {uri} {version:?}"
                );
                Ok(page::not_implemented())
            }
        }
    }

    fn answer_file(
        &self,
        root: &CStr,
        ask: Ask<'_>,
        rules: Arc<Rules>,
        head: &mut request::Parts,
    ) -> Result<Response<Content>, WouldBlock> {
        match self.find(root, ask, ask.url, &rules) {
            Ok(Found::File(file)) => {
                let path = file_path(root, ask.url);
                Ok(self.send(ask.url, path, (file, rules), head))
            }
            Ok(Found::Directory) if ask.url.last() == Some(&b'/') => {
                self.answer_directory(root, ask, &rules, head)
            }
            Ok(Found::Directory) => Ok(self.add_slash(ask, head)),
            Err(missing) => refused(root, ask, ask.url, &Refusal::Missing(missing)),
        }
    }

    /// The first DirectoryIndex that is a file and may be had, under the rules for that file. If there
    /// is none, the last name that may not be had decides.
    fn answer_directory(
        &self,
        root: &CStr,
        ask: Ask<'_>,
        rules: &Rules,
        head: &mut request::Parts,
    ) -> Result<Response<Content>, WouldBlock> {
        let mut last_refusal = None;
        for (place, name) in rules.index.iter().enumerate() {
            let url = [ask.url, name.as_bytes()].concat();
            match self.find_allowed(root, ask, &url) {
                Ok((Found::File(file), rules)) => {
                    // With a later one an earlier one may appear any time: not kept.
                    let path = if place == 0 { file_path(root, &url) } else { None };
                    return Ok(self.send(ask.url, path, (file, rules), head));
                }
                Ok((Found::Directory, _)) | Err(Refusal::Missing(Missing::NotFound)) => {}
                Err(Refusal::Missing(Missing::WouldBlock)) => return Err(WouldBlock),
                Err(refusal) => last_refusal = Some((url, refusal)),
            }
        }
        if let Some((url, refusal)) = last_refusal {
            return refused(root, ask, &url, &refusal);
        }
        // A listing would be autoindex's, which is not there yet.
        log_line!(
            ERROR,
            "AH01276",
            client ask.peer,
            "Cannot serve directory {}: No matching DirectoryIndex ({}) found, and server-generated \
             directory index forbidden by Options directive",
            joined(root, ask.url).escape_ascii(),
            rules.index.join(",")
        );
        Ok(page::error(StatusCode::FORBIDDEN))
    }

    fn allowed(&self, root: &CStr, url: &[u8]) -> Result<Arc<Rules>, Refusal> {
        let rules = self.sections.rules(&joined(root, url), url);
        if rules.granted && !is_ht(url) { Ok(rules) } else { Err(Refusal::Denied) }
    }

    fn find_allowed(
        &self,
        root: &CStr,
        ask: Ask<'_>,
        url: &[u8],
    ) -> Result<Allowed<Found>, Refusal> {
        let rules = self.allowed(root, url)?;
        let found = self.find(root, ask, url, &rules).map_err(Refusal::Missing)?;
        Ok((found, rules))
    }

    fn find(&self, root: &CStr, ask: Ask<'_>, url: &[u8], rules: &Rules) -> Result<Found, Missing> {
        let relative = match url.strip_prefix(b"/") {
            Some(b"") | None => b".".to_vec(),
            Some(relative) => relative.to_vec(),
        };
        // `decode` lets no NUL through.
        let Some(relative) = files::c_path(relative) else { return Err(Missing::NotFound) };
        let follow_symlinks = rules.follow_symlinks;
        let lookup = Lookup { follow_symlinks, may_block: ask.may_block };
        files::find(Place { root, relative: &relative, lookup }, &self.types)
    }

    /// Sends a file, and keeps it for `url` if it is small and lies at `path` for good.
    fn send(
        &self,
        url: &[u8],
        path: Option<CString>,
        (file, rules): Allowed<Box<Representation>>,
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
    fn add_slash(&self, ask: Ask<'_>, head: &request::Parts) -> Response<Content> {
        let host = host::named(head.version, ask.uri, &head.headers).ok().flatten();
        let host = host.filter(|host| !host.is_empty()).unwrap_or(&self.server_name);
        let query = ask.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        page::moved(&format!("http://{host}{}/{query}", target::encode(ask.url)))
    }
}

/// The answer to a refusal that came up at `url`: what was asked for, or an index of it.
fn refused(
    root: &CStr,
    ask: Ask<'_>,
    url: &[u8],
    refusal: &Refusal,
) -> Result<Response<Content>, WouldBlock> {
    let path = joined(root, url);
    let path = path.escape_ascii();
    let missing = match refusal {
        Refusal::Missing(missing) => missing,
        Refusal::Denied => {
            let text = "client denied by server configuration";
            log_line!(ERROR, "AH01630", client ask.peer, "{text}: {path}");
            return Ok(page::error(StatusCode::FORBIDDEN));
        }
    };
    let obstacle = match missing {
        Missing::WouldBlock => return Err(WouldBlock),
        Missing::NotFound => {
            log_line!(INFO, "AH00128", client ask.peer, "File does not exist: {path}");
            return Ok(page::error(StatusCode::NOT_FOUND));
        }
        Missing::Failed(error) => {
            log_line!(ERROR, "AH00036", client ask.peer, "access to {path} failed: {error}");
            return Ok(page::error(StatusCode::INTERNAL_SERVER_ERROR));
        }
        Missing::Forbidden(obstacle) => obstacle,
    };
    let peer = ask.peer;
    match obstacle {
        Obstacle::Permissions => {
            log_line!(ERROR, "AH00132", client peer, "file permissions deny server access: {path}");
        }
        Obstacle::SymbolicLink => {
            let text = "Symbolic link not allowed or link target not accessible";
            log_line!(ERROR, "AH00037", client peer, "{text}: {path}");
        }
        Obstacle::NotAFile => {
            let text = "doesn't point to a file or directory";
            log_line!(ERROR, "AH00038", client peer, "Forbidden: {path} {text}");
        }
        Obstacle::NameTooLong => {
            log_line!(ERROR, "AH00036", client peer, "access to {path} failed: name too long");
        }
    }
    Ok(page::error(StatusCode::FORBIDDEN))
}

/// Whether a path has a name in it that begins with `.ht`: settings and passwords of httpd, which its
/// stock configuration denies by `<Files ".ht*">`. Nothing opens them here.
fn is_ht(url: &[u8]) -> bool {
    let begins =
        |name: &[u8]| name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b".ht"));
    url.split(|&byte| byte == b'/').any(begins)
}

fn joined(root: &CStr, url: &[u8]) -> Vec<u8> {
    [root.to_bytes().strip_suffix(b"/").unwrap_or(root.to_bytes()), url].concat()
}

/// The path of the file a URL path names.
fn file_path(root: &CStr, url: &[u8]) -> Option<CString> {
    files::c_path(joined(root, url))
}
