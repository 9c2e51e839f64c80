//! Content types by file name extension (httpd's mod_mime).

use std::collections::HashMap;

use http::HeaderValue;

/// Extensions and their types.
#[derive(Clone, Debug)]
pub struct MimeTypes {
    by_extension: HashMap<Vec<u8>, HeaderValue>,
}

impl Default for MimeTypes {
    /// The table shipped as `conf/mime.types`.
    fn default() -> Self {
        Self::parse(include_str!("../../../conf/mime.types"))
    }
}

impl MimeTypes {
    /// Reads a table: on each line a type and the extensions it goes with; `#` begins a comment.
    pub fn parse(table: &str) -> Self {
        let mut by_extension = HashMap::new();
        for line in table.lines().map(|line| line.split('#').next().unwrap_or("")) {
            let mut words = line.split_ascii_whitespace();
            let Some(value) = words.next().and_then(|word| HeaderValue::from_str(word).ok()) else {
                continue;
            };
            for extension in words {
                by_extension.insert(extension.to_ascii_lowercase().into_bytes(), value.clone());
            }
        }
        Self { by_extension }
    }

    /// The type of a path by the last of its extensions that has one, in any case: as with httpd,
    /// `a.html.bak` is what `a.html` is. The name itself, with the dots it begins with, is none.
    pub fn of(&self, path: &[u8]) -> Option<&HeaderValue> {
        let name = path.rsplit(|&b| b == b'/').next()?;
        let start = name.iter().position(|&b| b != b'.')?;
        let mut words = name.get(start..)?.split(|&b| b == b'.');
        words.next();
        words.rev().find_map(|word| self.by_extension.get(&word.to_ascii_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_the_last_known_extension_in_any_case() {
        let types =
            MimeTypes::parse("# comment\ntext/html html htm # more\napplication/gzip gz\n\n");
        for (path, wanted) in [
            ("/a/b.HTML", "text/html"),
            ("x.tar.gz", "application/gzip"),
            ("x.gz.html", "text/html"),
            ("x.html.bak", "text/html"),
            ("x.html.", "text/html"),
            (".x.html", "text/html"),
        ] {
            assert_eq!(types.of(path.as_bytes()).unwrap(), wanted, "{path}");
        }
        for path in ["html", ".html", "..html", "/a.html/b", "a.", "", ".", "a.txt"] {
            assert!(types.of(path.as_bytes()).is_none(), "{path}");
        }
    }

    #[test]
    fn the_shipped_table_knows_the_web() {
        let types = MimeTypes::default();
        for (path, wanted) in [
            ("a.html", "text/html"),
            ("a.css", "text/css"),
            ("a.js", "text/javascript"),
            ("a.svg", "image/svg+xml"),
            ("a.png", "image/png"),
            ("a.woff2", "font/woff2"),
            ("a.json", "application/json"),
            ("a.txt", "text/plain"),
            ("a.wasm", "application/wasm"),
        ] {
            assert_eq!(types.of(path.as_bytes()).unwrap(), wanted);
        }
    }
}
