//! From the target of a request to a path: decoded, without dot segments.

use std::borrow::Cow;

use http::StatusCode;
use percent_encoding::AsciiSet;

/// The decoded path of a request: begins with `/`, has no `.` or `..` segments, no `//` and no NUL.
/// Bytes, because file names are.
///
/// # Errors
/// - 400: does not begin with `/`, climbs above the root, holds a broken escape (RFC 3986, section
///   2.1).
/// - 404: holds an encoded slash (httpd's `AllowEncodedSlashes Off`) or NUL, which no file name has.
pub(super) fn decode(path: &str) -> Result<Cow<'_, [u8]>, StatusCode> {
    let bytes = path.as_bytes();
    if bytes.first() != Some(&b'/') {
        return Err(StatusCode::BAD_REQUEST);
    }
    if is_plain(bytes) {
        return Ok(Cow::Borrowed(bytes));
    }
    let decoded = unescape(bytes)?;
    remove_dots(&decoded).map(Cow::Owned)
}

/// Whether there is nothing to decode or remove: nearly always.
fn is_plain(bytes: &[u8]) -> bool {
    let special = |pair: &[u8]| matches!(pair, [b'/', b'/' | b'.']);
    !bytes.contains(&b'%') && !bytes.windows(2).any(special)
}

fn unescape(bytes: &[u8]) -> Result<Vec<u8>, StatusCode> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut names_nothing = false;
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (high, low, after) = match after {
            [high, low, after @ ..] => (hex(*high), hex(*low), after),
            _ => return Err(StatusCode::BAD_REQUEST),
        };
        let (Some(high), Some(low)) = (high, low) else { return Err(StatusCode::BAD_REQUEST) };
        match high << 4 | low {
            0 | b'/' => names_nothing = true,
            byte => decoded.push(byte),
        }
        rest = after;
    }
    // Not before: a broken escape further on makes it a bad request.
    if names_nothing { Err(StatusCode::NOT_FOUND) } else { Ok(decoded) }
}

/// The path as it stands in a URL.
pub(super) fn encode(path: &[u8]) -> impl std::fmt::Display {
    percent_encoding::percent_encode(path, ENCODED)
}

/// What httpd encodes: everything but letters, digits and ``$-_.+!*'(),:@&=/~``.
const ENCODED: &AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'$')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'+')
    .remove(b'!')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b',')
    .remove(b':')
    .remove(b'@')
    .remove(b'&')
    .remove(b'=')
    .remove(b'/')
    .remove(b'~');

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok())
}

/// Removes `.` and empty segments, and `..` with the segment before it.
fn remove_dots(path: &[u8]) -> Result<Vec<u8>, StatusCode> {
    let mut out: Vec<u8> = Vec::with_capacity(path.len());
    let mut segments = path.split(|&b| b == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            b".." => {
                let cut = out.iter().rposition(|&b| b == b'/').ok_or(StatusCode::BAD_REQUEST)?;
                out.truncate(cut);
            }
            b"." | b"" => {}
            name => {
                out.push(b'/');
                out.extend_from_slice(name);
            }
        }
        // A path that ended in a slash or a dot segment names a directory.
        if last && matches!(segment, b".." | b"." | b"") {
            out.push(b'/');
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(path: &str) -> String {
        String::from_utf8(decode(path).unwrap().into_owned()).unwrap()
    }

    #[test]
    fn plain_paths_are_borrowed() {
        for path in ["/", "/a", "/a/b.html", "/a/", "/a.b/c..d"] {
            assert!(matches!(decode(path), Ok(Cow::Borrowed(_))), "{path}");
        }
    }

    #[test]
    fn escapes_and_dots() {
        for (path, wanted) in [
            ("/%41", "/A"),
            ("/a%20b", "/a b"),
            ("//a///b", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/..", "/"),
            ("/a/.", "/a/"),
            ("/a/b/..", "/a/"),
            ("/a/b/%2e%2e/c", "/a/c"),
            ("/.hidden", "/.hidden"),
            ("/...", "/..."),
            ("/a//", "/a/"),
            ("/%25", "/%"),
            ("/%2525", "/%25"),
        ] {
            assert_eq!(ok(path), wanted, "{path}");
        }
    }

    #[test]
    fn refused() {
        for (path, status) in [
            ("", 400),
            ("*", 400),
            ("a", 400),
            ("/..", 400),
            ("/../etc/passwd", 400),
            ("/a/../../b", 400),
            ("/%2e%2e/b", 400),
            ("/%", 400),
            ("/%4", 400),
            ("/%zz", 400),
            ("/%00", 404),
            ("/a%00.html", 404),
            ("/%2e%2e%2fetc", 404),
            ("/a%2Fb", 404),
            ("/a%2Fb%zz", 400),
            ("/%00%", 400),
        ] {
            assert_eq!(decode(path).unwrap_err().as_u16(), status, "{path}");
        }
    }

    #[test]
    fn encoding() {
        let encoded = |path: &[u8]| encode(path).to_string();
        assert_eq!(encoded(b"/a b/%\"<>;?#"), "/a%20b/%25%22%3C%3E%3B%3F%23");
        assert_eq!(encoded("/é\r\n".as_bytes()), "/%C3%A9%0D%0A");
        assert_eq!(encoded(b"/a-b_c.d~e+f,g:h@i&j=k"), "/a-b_c.d~e+f,g:h@i&j=k");
    }

    #[test]
    fn nothing_gets_out() {
        // Every string over the interesting symbols up to length 7.
        let symbols = ["/", ".", "%2e", "%2f", "a"];
        let mut paths = vec![String::from("/")];
        for _ in 0..6 {
            paths = paths
                .iter()
                .flat_map(|p| symbols.iter().map(move |s| format!("{p}{s}")))
                .chain(paths.iter().cloned())
                .collect();
            paths.sort();
            paths.dedup();
        }
        for path in paths {
            if let Ok(decoded) = decode(&path) {
                assert_eq!(decoded.first(), Some(&b'/'), "{path}");
                let mut segments = decoded.split(|&b| b == b'/').skip(1).peekable();
                while let Some(segment) = segments.next() {
                    assert!(segment != b".." && segment != b".", "{path}");
                    assert!(!segment.is_empty() || segments.peek().is_none(), "{path}");
                }
            }
        }
    }
}
