//! `<Directory>` and `<Location>`: which settings hold for a path.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::access::AccessSettings;
use super::handler::{Handler, HandlerSettings};
use super::options::OptionsSettings;
use super::rows::{DirectorySettings, FileSettings};
use crate::config::{Section, SectionKind, Settings};

/// What holds for one path, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// Everybody is let in, or nobody.
    pub(super) granted: bool,
    /// Symbolic links may be followed.
    pub(super) follow_symlinks: bool,
    /// Large files are sent with `sendfile`.
    pub(super) sendfile: bool,
    /// Names tried in a directory (DirectoryIndex).
    pub(super) index: Vec<String>,
    /// What answers.
    pub(super) handler: Handler,
}

impl Rules {
    fn resolve(settings: &Settings) -> Self {
        Self {
            granted: settings.of::<AccessSettings>().granted.unwrap_or(true),
            follow_symlinks: settings.of::<OptionsSettings>().follow_symlinks.unwrap_or(true),
            sendfile: settings.of::<FileSettings>().sendfile.unwrap_or(false),
            index: settings.of::<DirectorySettings>().index(),
            handler: settings.of::<HandlerSettings>().handler.unwrap_or_default(),
        }
    }
}

/// All sections of a site.
#[derive(Debug)]
pub(super) struct Sections {
    /// Settings outside every section.
    outside: Settings,
    /// In the order in which they are merged: directories from the shortest path to the longest,
    /// then locations as they stand in the file (httpd: "How the sections are merged").
    sections: Vec<Section>,
    /// Rules by which sections match.
    resolved: RwLock<HashMap<Vec<usize>, Arc<Rules>>>,
}

impl Sections {
    /// Sections as they stand in the file, and the settings outside them.
    pub(super) fn new(outside: Settings, mut sections: Vec<Section>) -> Self {
        // Stable: directories of equal length stay in file order.
        sections.sort_by_key(|section| match section.kind {
            SectionKind::Directory => (0, section.pattern.len()),
            SectionKind::Location => (1, 0),
        });
        Self { outside, sections, resolved: RwLock::default() }
    }

    /// What holds for a file (absolute path) reached by a URL path.
    pub(super) fn rules(&self, file: &[u8], url: &[u8]) -> Arc<Rules> {
        let applies = |section: &Section| match section.kind {
            SectionKind::Directory => contains(&section.pattern, file),
            SectionKind::Location => contains(&section.pattern, url),
        };
        let sections = self.sections.iter().enumerate();
        let matching: Vec<usize> = sections.filter(|(_, s)| applies(s)).map(|(n, _)| n).collect();
        let known = self.resolved.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = known.get(&matching) {
            return Arc::clone(rules);
        }
        drop(known);
        let mut settings = self.outside.clone();
        for section in matching.iter().filter_map(|n| self.sections.get(*n)) {
            settings.merge(&section.settings);
        }
        let rules = Arc::new(Rules::resolve(&settings));
        let mut known = self.resolved.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(matching, Arc::clone(&rules));
        rules
    }
}

/// Whether `path` is the section's path or lies below it: `/a` covers `/a` and `/a/b`, not `/ab`;
/// `/a/` covers `/a/` and `/a/b`, not `/a` (httpd's `<Location>`).
fn contains(pattern: &str, path: &[u8]) -> bool {
    match path.strip_prefix(pattern.as_bytes()) {
        Some(rest) => pattern.ends_with('/') || rest.is_empty() || rest.first() == Some(&b'/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_segments_only() {
        for (pattern, path, wanted) in [
            ("/", "/", true),
            ("/", "/x", true),
            ("/a", "/a", true),
            ("/a", "/a/b", true),
            ("/a/", "/a/", true),
            ("/a/", "/a", false),
            ("/a/", "/a/b", true),
            ("/a", "/ab", false),
            ("/a/b", "/a", false),
        ] {
            assert_eq!(contains(pattern, path.as_bytes()), wanted, "{pattern} {path}");
        }
    }
}
