//! Small files kept by URL path, so that a request for one costs a look at its freshness.

use std::collections::HashMap;
use std::ffi::CString;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::sections::Rules;
use crate::handlers::files::Representation;

/// Most bytes of content kept in a process.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most files kept in a process.
const FILES_MAX: usize = 4096;

/// A file that was found before.
#[derive(Debug)]
pub(super) struct Kept {
    /// What holds for it.
    pub(super) rules: Arc<Rules>,
    /// Where it lies.
    pub(super) path: CString,
    /// The file.
    pub(super) file: Box<Representation>,
    /// When the whole path was last resolved under the rules (monotonic ns).
    pub(super) resolved_ns: AtomicU64,
    len: usize,
    used: AtomicBool,
}

impl Kept {
    /// A file just found; `None` if it is too large to keep.
    pub(super) fn new(
        rules: Arc<Rules>,
        path: CString,
        file: Box<Representation>,
        now_ns: u64,
    ) -> Option<Self> {
        let len = file.small_len()?;
        let resolved_ns = AtomicU64::new(now_ns);
        Some(Self { rules, path, file, resolved_ns, len, used: AtomicBool::new(true) })
    }
}

/// The files kept in this process.
#[derive(Debug, Default)]
pub(super) struct Cache {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_url: HashMap<Box<[u8]>, Arc<Kept>>,
    bytes: usize,
}

impl Cache {
    /// What was found for a URL path before. Whether it is still so is the caller's to ask.
    pub(super) fn get(&self, url: &[u8]) -> Option<Arc<Kept>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let kept = inner.by_url.get(url)?;
        if !kept.used.load(Ordering::Relaxed) {
            kept.used.store(true, Ordering::Relaxed);
        }
        Some(Arc::clone(kept))
    }

    /// Keeps what was found; makes room by dropping what was not used since the last time.
    pub(super) fn put(&self, url: &[u8], kept: Arc<Kept>) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if inner.bytes + kept.len > BYTES_MAX || inner.by_url.len() >= FILES_MAX {
            inner.by_url.retain(|_, kept| kept.used.swap(false, Ordering::Relaxed));
            inner.bytes = inner.by_url.values().map(|kept| kept.len).sum();
        }
        // Everything was used: begin again.
        if inner.bytes + kept.len > BYTES_MAX || inner.by_url.len() >= FILES_MAX {
            inner.by_url.clear();
            inner.bytes = 0;
        }
        inner.bytes += kept.len;
        if let Some(old) = inner.by_url.insert(url.into(), kept) {
            inner.bytes -= old.len;
        }
    }

    /// Forgets a URL path.
    pub(super) fn remove(&self, url: &[u8]) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = inner.by_url.remove(url) {
            inner.bytes -= old.len;
        }
    }
}
