//! File name patterns: `*`, `?`, `[...]` and backslash.

/// Whether a text holds wildcards. A `[` counts only if a `]` follows.
pub(super) fn is_pattern(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' | '?' => return true,
            '[' if chars.as_str().contains(']') => return true,
            '\\' => {
                chars.next();
            }
            _ => {}
        }
    }
    false
}

/// Whether a file name matches. A leading dot must be written out, as in a shell.
///
/// Takes time in proportion to both lengths: only the last `*` is ever gone back to, because an
/// earlier one could take nothing that the last cannot.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with(['.', '\\']) {
        return false;
    }
    let mut pattern = pattern;
    let mut name = name;
    // After the last `*`: the pattern behind it, and the name from where it may take one more.
    let mut star: Option<(&str, &str)> = None;
    loop {
        if let Some(rest) = pattern.strip_prefix('*') {
            pattern = rest;
            star = Some((rest, name));
            continue;
        }
        let mut chars = name.chars();
        let matched = match chars.next() {
            None if pattern.is_empty() => return true,
            None => return false,
            Some(c) => one(pattern, c),
        };
        if let Some(rest) = matched {
            pattern = rest;
            name = chars.as_str();
            continue;
        }
        let Some((behind, from)) = star else {
            return false;
        };
        let mut chars = from.chars();
        chars.next();
        pattern = behind;
        name = chars.as_str();
        star = Some((behind, name));
    }
}

/// Matches one character with the pattern's beginning; what is left of the pattern if it does.
fn one(pattern: &str, c: char) -> Option<&str> {
    let mut chars = pattern.chars();
    let is_match = match chars.next()? {
        '?' => true,
        '[' => match set(chars.as_str(), c) {
            Some((is_match, rest)) => return is_match.then_some(rest),
            None => c == '[',
        },
        '\\' => chars.next().unwrap_or('\\') == c,
        literal => literal == c,
    };
    is_match.then_some(chars.as_str())
}

/// Reads a set behind its `[`: whether `c` is in it, and what follows. `None` if it never ends.
fn set(text: &str, c: char) -> Option<(bool, &str)> {
    let inside = text.strip_prefix(['!', '^']);
    let mut chars = inside.unwrap_or(text).chars();
    let mut is_in = false;
    let mut is_first = true;
    loop {
        let low = match chars.next()? {
            // A `]` that stands first is a member.
            ']' if !is_first => return Some((is_in != inside.is_some(), chars.as_str())),
            '\\' => chars.next()?,
            low => low,
        };
        is_first = false;
        let high = match chars.as_str().strip_prefix('-') {
            Some(range) if !range.starts_with(']') => {
                chars = range.chars();
                match chars.next()? {
                    '\\' => chars.next()?,
                    high => high,
                }
            }
            _ => low,
        };
        is_in |= (low..=high).contains(&c);
    }
}

#[cfg(test)]
mod tests {
    use super::{is_pattern, matches};

    #[test]
    fn matching() {
        for (pattern, name) in [
            ("", ""),
            ("*", ""),
            ("*", "a.conf"),
            ("*.conf", "a.conf"),
            ("*.conf", ".conf.conf.conf".trim_start_matches('.')),
            ("a*b*c", "aXbYbZc"),
            ("?.conf", "ü.conf"),
            ("[abc]", "b"),
            ("[a-c]x", "bx"),
            ("[!a-c]", "d"),
            ("[^a]", "b"),
            ("[]]", "]"),
            ("[a-]", "-"),
            ("[\\]]", "]"),
            ("[", "["),
            ("[a", "[a"),
            ("\\*", "*"),
            ("\\", "\\"),
            (".*", ".hidden"),
            ("\\.x", ".x"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn not_matching() {
        for (pattern, name) in [
            ("", "a"),
            ("a", ""),
            ("?", ""),
            ("*.conf", "a.conf.bak"),
            ("*.conf", "conf"),
            ("a*b*c", "acb"),
            ("[abc]", "d"),
            ("[a-c]", "d"),
            ("[c-a]", "b"),
            ("[!a-c]", "b"),
            ("[abc]", ""),
            ("*", ".hidden"),
            ("?x", ".x"),
            ("[.]x", ".x"),
            ("\\*", "x"),
            ("A", "a"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "*a".repeat(1000);
        assert!(!matches(&pattern, &"a".repeat(999)));
        assert!(!matches(&format!("{pattern}b"), &"a".repeat(3000)));
        assert!(matches(&pattern, &"a".repeat(1000)));
    }

    #[test]
    fn patterns() {
        for text in ["*", "a?", "[x]", "a[]"] {
            assert!(is_pattern(text), "{text}");
        }
        for text in ["", "plain", "[", "x]", "\\*", "]["] {
            assert!(!is_pattern(text), "{text}");
        }
    }
}
