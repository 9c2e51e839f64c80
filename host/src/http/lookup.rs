//! From a path to what answers it: a document kept, a file, a directory, or why there is none.

use std::ffi::{CStr, CString};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{Response, StatusCode, request};

use super::cache::Kept;
use super::sections::Rules;
use super::{Site, host, page};
use crate::handlers::files::{self, Found, Missing, Place};
use crate::handlers::{Content, WouldBlock};
use crate::log_line;
use crate::sys::clock;
use crate::sys::files::Lookup;

/// How long a path without symbolic links is taken to be still without them (ns): its file is looked
/// at with every request, the directories on the way once in that time.
const RESOLVE_EVERY_NS: u64 = 1_000_000_000;

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

    pub(super) fn answer_file(
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
