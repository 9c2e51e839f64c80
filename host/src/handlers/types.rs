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

    /// The type of a path by its last extension, in any case.
    pub fn of(&self, path: &[u8]) -> Option<&HeaderValue> {
        let name = path.rsplit(|&b| b == b'/').next()?;
        let dot = name.iter().rposition(|&b| b == b'.')?;
        self.by_extension.get(&name.get(dot + 1..)?.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_last_extension_in_any_case() {
        let types =
            MimeTypes::parse("# comment\ntext/html html htm # more\napplication/gzip gz\n\n");
        assert_eq!(types.of(b"/a/b.HTML").unwrap(), "text/html");
        assert_eq!(types.of(b"x.tar.gz").unwrap(), "application/gzip");
        for path in [&b"html"[..], b"/a.html/b", b"a.", b"", b"a.txt"] {
            assert!(types.of(path).is_none());
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
