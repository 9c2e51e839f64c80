//! Which files an `Include` names.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::glob;

/// Directories below an included one. httpd's number; deeper means links in a circle.
const DIRECTORY_DEPTH_MAX: usize = 20;

/// Why an `Include` names nothing that can be read.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) sentence: String,
    pub(super) hint: Option<&'static str>,
}

impl Refusal {
    fn new(sentence: String) -> Self {
        Self { sentence, hint: None }
    }
}

/// The files that `path` (absolute, perhaps with wildcards) names, in the order to read them.
/// A directory stands for all files below it. With `optional`, what is not there is left out;
/// otherwise a plain path is returned whether it exists or not.
///
/// # Errors
///
/// A directory cannot be read, a wildcard matches nothing, directories are nested too deep.
pub(super) fn files(path: &Path, optional: bool) -> Result<Vec<PathBuf>, Refusal> {
    let mut found = vec![PathBuf::new()];
    let mut components = path.components().peekable();
    while let Some(component) = components.next() {
        let name = component.as_os_str();
        let pattern = name.to_str().filter(|name| glob::is_pattern(name));
        let Some(pattern) = pattern else {
            for path in &mut found {
                path.push(name);
            }
            continue;
        };
        let needs_directory = components.peek().is_some();
        let mut next = Vec::new();
        for directory in &found {
            next.extend(expand(directory, pattern, needs_directory, optional)?);
        }
        found = next;
    }
    let mut files = Vec::new();
    for path in found {
        if path.is_dir() {
            below(&path, DIRECTORY_DEPTH_MAX, &mut files)?;
        } else if !(optional && is_missing(&path)) {
            files.push(path);
        }
    }
    Ok(files)
}

/// An I/O error without Rust's `(os error N)`.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(at) => text.get(..at).unwrap_or(&text).to_owned(),
        None => text,
    }
}

fn expand(
    directory: &Path,
    pattern: &str,
    needs_directory: bool,
    optional: bool,
) -> Result<Vec<PathBuf>, Refusal> {
    if optional && is_missing(directory) {
        return Ok(Vec::new());
    }
    let paths: Vec<PathBuf> = names(directory)?
        .into_iter()
        .filter(|name| glob::matches(pattern, &name.to_string_lossy()))
        .map(|name| directory.join(name))
        .filter(|path| !needs_directory || path.is_dir())
        .collect();
    if paths.is_empty() && !optional {
        return Err(Refusal {
            sentence: format!(
                "No matches for the wildcard '{pattern}' in '{}', failing",
                directory.display()
            ),
            hint: Some("use IncludeOptional if required"),
        });
    }
    Ok(paths)
}

fn below(directory: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Refusal> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Refusal::new(format!(
            "Directory '{}' exceeds the maximum include directory nesting level of \
             {DIRECTORY_DEPTH_MAX}. You have probably a recursion somewhere.",
            directory.display()
        )));
    };
    for name in names(directory)? {
        let path = directory.join(name);
        if path.is_dir() {
            below(&path, depth, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// The names in a directory, sorted by their bytes.
fn names(directory: &Path) -> Result<Vec<OsString>, Refusal> {
    let read = || -> io::Result<Vec<OsString>> {
        fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name())).collect()
    };
    let mut names = read().map_err(|error| {
        Refusal::new(format!(
            "Could not open directory {}: {}",
            directory.display(),
            reason(&error)
        ))
    })?;
    names.sort();
    Ok(names)
}

/// Whether nothing is there. What cannot be looked at for another reason is not missing.
fn is_missing(path: &Path) -> bool {
    path.metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for path in paths {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        root
    }

    fn found(
        root: &tempfile::TempDir,
        pattern: &str,
        optional: bool,
    ) -> Result<Vec<String>, String> {
        let files = files(&root.path().join(pattern), optional).map_err(|e| e.sentence)?;
        let relative = files.iter().map(|path| path.strip_prefix(root.path()));
        Ok(relative.map(|path| path.unwrap().to_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn sorted_matches() {
        let root = tree(&["b.conf", "a.conf", "B.conf", "10.conf", "9.conf", "c.txt", ".h.conf"]);
        let expected = ["10.conf", "9.conf", "B.conf", "a.conf", "b.conf"];
        assert_eq!(found(&root, "*.conf", false).unwrap(), expected);
        assert_eq!(found(&root, "[ab].conf", false).unwrap(), ["a.conf", "b.conf"]);
        assert_eq!(found(&root, "?.txt", false).unwrap(), ["c.txt"]);
    }

    #[test]
    fn wildcard_in_directories() {
        let root = tree(&["s/b/x.conf", "s/a/x.conf", "s/a/y.txt", "s/file", "s/c/sub/z.conf"]);
        let expected = ["s/a/x.conf", "s/b/x.conf"];
        assert_eq!(found(&root, "s/[ab]/*.conf", false).unwrap(), expected);
        // A plain file is no directory to look into.
        assert_eq!(found(&root, "s/*/x.conf", true).unwrap(), expected);
        // What a plain last part misses is for the reader to report.
        let all = ["s/a/x.conf", "s/b/x.conf", "s/c/x.conf"];
        assert_eq!(found(&root, "s/*/x.conf", false).unwrap(), all);
    }

    #[test]
    fn directory_is_everything_below() {
        let root = tree(&["d/b", "d/a/2", "d/a/1", "d/c.conf~", "d/.dot"]);
        let expected = ["d/.dot", "d/a/1", "d/a/2", "d/b", "d/c.conf~"];
        assert_eq!(found(&root, "d", false).unwrap(), expected);
        assert_eq!(found(&root, "?", false).unwrap(), expected);
    }

    #[test]
    fn nothing_there() {
        let root = tree(&["a/x"]);
        let path = root.path().display().to_string();
        assert_eq!(found(&root, "none.conf", false).unwrap(), ["none.conf"]);
        assert!(found(&root, "none.conf", true).unwrap().is_empty());
        assert!(found(&root, "no/*/x", true).unwrap().is_empty());
        assert!(found(&root, "a/*.conf", true).unwrap().is_empty());
        assert_eq!(
            found(&root, "a/*.conf", false).unwrap_err(),
            format!("No matches for the wildcard '*.conf' in '{path}/a', failing")
        );
        assert_eq!(
            found(&root, "no/*.conf", false).unwrap_err(),
            format!("Could not open directory {path}/no: No such file or directory")
        );
        // There, but no directory: optional does not hide that.
        let sentence = found(&root, "a/x/*.conf", true).unwrap_err();
        assert_eq!(sentence, format!("Could not open directory {path}/a/x: Not a directory"));
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_circle() {
        let root = tree(&["d/a"]);
        std::os::unix::fs::symlink(".", root.path().join("d/self")).unwrap();
        let sentence = found(&root, "d", false).unwrap_err();
        assert!(
            sentence.ends_with("nesting level of 20. You have probably a recursion somewhere.")
        );
    }
}
