//! Conditional requests (RFC 9110, section 13).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderName, HeaderValue};

/// What identifies the state of a representation.
#[derive(Clone, Debug)]
pub struct Validators {
    /// An entity tag, with its quotes and, if it is a weak one, its mark.
    pub etag: HeaderValue,
    /// Last-Modified, whole seconds.
    pub modified: SystemTime,
}

/// What the preconditions say about a GET or HEAD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send the representation.
    Send,
    /// 304: the client has it.
    NotModified,
    /// 412.
    Failed,
}

/// Evaluates the preconditions of a GET or HEAD in the order of RFC 9110, section 13.2.2.
pub fn evaluate(fields: &HeaderMap, validators: &Validators) -> Verdict {
    // Nearly no request is conditional.
    if fields.contains_key(IF_MATCH) {
        if !any_tag(fields, &IF_MATCH, |tag| is_same(tag, &validators.etag)) {
            return Verdict::Failed;
        }
    } else if let Some(date) = date(fields, &IF_UNMODIFIED_SINCE)
        && validators.modified > date
    {
        return Verdict::Failed;
    }
    if fields.contains_key(IF_NONE_MATCH) {
        if any_tag(fields, &IF_NONE_MATCH, |tag| is_equivalent(tag, &validators.etag)) {
            return Verdict::NotModified;
        }
    } else if let Some(date) = date(fields, &IF_MODIFIED_SINCE)
        && validators.modified <= date
    {
        return Verdict::NotModified;
    }
    Verdict::Send
}

/// Whether a Range field counts (RFC 9110, section 13.1.5): the representation is still the one the
/// client has a part of.
pub fn range_applies(fields: &HeaderMap, validators: &Validators, now: SystemTime) -> bool {
    if !fields.contains_key(IF_RANGE) {
        return true;
    }
    let Some(value) = only(fields, &IF_RANGE) else { return false };
    if value.as_bytes().starts_with(b"\"") {
        return is_same(value.as_bytes(), &validators.etag);
    }
    // A weak tag does not parse as a date, and neither applies.
    let modified = validators.modified;
    date(fields, &IF_RANGE) == Some(modified)
        && now.duration_since(modified).is_ok_and(|age| age >= DATE_IS_STRONG)
}

/// Age from which on Last-Modified is a strong validator (section 8.8.2.2): the file has not changed
/// again within that second. httpd's number.
const DATE_IS_STRONG: Duration = Duration::from_secs(60);

/// The value of a field that may be there once. Nothing is made of several.
pub fn only<'a>(fields: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = fields.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// A date; several, or what is none, are ignored (sections 13.1.3 and 13.1.4).
fn date(fields: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(only(fields, name)?.to_str().ok()?).ok()
}

/// The strong comparison (section 8.8.3.2).
fn is_same(tag: &[u8], etag: &HeaderValue) -> bool {
    tag == etag.as_bytes() && !tag.starts_with(WEAK)
}

/// The weak comparison.
fn is_equivalent(tag: &[u8], etag: &HeaderValue) -> bool {
    opaque(tag) == opaque(etag.as_bytes())
}

/// A tag without the mark of a weak one.
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(WEAK).unwrap_or(tag)
}

/// The mark of a weak entity tag.
const WEAK: &[u8] = b"W/";

/// Whether a field holds `*` or a tag that matches.
fn any_tag(fields: &HeaderMap, name: &HeaderName, matches: impl Fn(&[u8]) -> bool) -> bool {
    fields
        .get_all(name)
        .iter()
        .any(|value| value.as_bytes().trim_ascii() == b"*" || Tags(value.as_bytes()).any(&matches))
}

/// The entity tags of a field value; a comma inside quotes does not separate.
struct Tags<'a>(&'a [u8]);

impl<'a> Iterator for Tags<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.0.iter().position(|b| !matches!(b, b',' | b' ' | b'\t'))?;
        let rest = self.0.get(start..)?;
        let mut quoted = false;
        let end = rest.iter().position(|&b| {
            quoted ^= b == b'"';
            b == b',' && !quoted
        });
        let (tag, after) = rest.split_at(end.unwrap_or(rest.len()));
        self.0 = after;
        Some(tag.trim_ascii_end())
    }
}

/// A time cut to whole seconds, as HTTP dates have it.
pub fn whole_seconds(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validators() -> Validators {
        Validators {
            etag: HeaderValue::from_static("\"a,b\""),
            modified: whole_seconds(784_111_777),
        }
    }

    const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    fn verdict(fields: &[(&'static str, &'static str)]) -> Verdict {
        evaluate(&map(fields), &validators())
    }

    /// Of a file that changed a moment ago.
    fn weak() -> Validators {
        Validators { etag: HeaderValue::from_static("W/\"a,b\""), ..validators() }
    }

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(n, v)| (n.parse().unwrap(), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn no_condition_sends() {
        assert_eq!(verdict(&[]), Verdict::Send);
    }

    #[test]
    fn if_none_match_compares_weakly() {
        for value in ["\"a,b\"", "W/\"a,b\"", "\"x\", \"a,b\"", "*", "\"x\",W/\"a,b\" , \"y\""] {
            assert_eq!(verdict(&[("if-none-match", value)]), Verdict::NotModified, "{value}");
        }
        for value in ["\"a\"", "a,b", "", "\"b\""] {
            assert_eq!(verdict(&[("if-none-match", value)]), Verdict::Send, "{value}");
        }
    }

    #[test]
    fn if_match_compares_strongly() {
        assert_eq!(verdict(&[("if-match", "\"a,b\"")]), Verdict::Send);
        assert_eq!(verdict(&[("if-match", "*")]), Verdict::Send);
        assert_eq!(verdict(&[("if-match", "W/\"a,b\"")]), Verdict::Failed);
        assert_eq!(verdict(&[("if-match", "\"c\"")]), Verdict::Failed);
    }

    #[test]
    fn a_weak_tag_matches_weakly_only() {
        for value in ["\"a,b\"", "W/\"a,b\""] {
            let verdict = |name| evaluate(&map(&[(name, value)]), &weak());
            assert_eq!(verdict("if-none-match"), Verdict::NotModified, "{value}");
            assert_eq!(verdict("if-match"), Verdict::Failed, "{value}");
            assert!(!range_applies(&map(&[("if-range", value)]), &weak(), later()), "{value}");
        }
        assert_eq!(evaluate(&map(&[("if-match", "*")]), &weak()), Verdict::Send);
    }

    #[test]
    fn dates() {
        assert_eq!(verdict(&[("if-modified-since", SAME)]), Verdict::NotModified);
        assert_eq!(verdict(&[("if-modified-since", EARLIER)]), Verdict::Send);
        assert_eq!(verdict(&[("if-modified-since", "yesterday")]), Verdict::Send);
        assert_eq!(verdict(&[("if-unmodified-since", SAME)]), Verdict::Send);
        assert_eq!(verdict(&[("if-unmodified-since", EARLIER)]), Verdict::Failed);
        for name in ["if-modified-since", "if-unmodified-since"] {
            assert_eq!(verdict(&[(name, SAME), (name, EARLIER)]), Verdict::Send, "{name}");
        }
    }

    #[test]
    fn tags_win_over_dates() {
        let both = [("if-none-match", "\"x\""), ("if-modified-since", SAME)];
        assert_eq!(verdict(&both), Verdict::Send);
        let both = [("if-match", "\"a,b\""), ("if-unmodified-since", EARLIER)];
        assert_eq!(verdict(&both), Verdict::Send);
    }

    fn later() -> SystemTime {
        validators().modified + DATE_IS_STRONG
    }

    #[test]
    fn if_range() {
        let applies = |value| range_applies(&map(&[("if-range", value)]), &validators(), later());
        assert!(range_applies(&HeaderMap::new(), &validators(), later()));
        assert!(applies("\"a,b\""));
        assert!(applies(SAME));
        for value in ["\"x\"", "W/\"a,b\"", EARLIER, "nonsense"] {
            assert!(!applies(value), "{value}");
        }
        let twice = map(&[("if-range", SAME), ("if-range", SAME)]);
        assert!(!range_applies(&twice, &validators(), later()));
    }

    #[test]
    fn a_date_counts_for_if_range_when_it_is_a_minute_old() {
        let fields = map(&[("if-range", SAME)]);
        let applies = |now| range_applies(&fields, &validators(), now);
        assert!(applies(later()));
        assert!(!applies(later() - Duration::from_secs(1)));
        assert!(!applies(validators().modified - Duration::from_secs(1)), "clocks can be wrong");
    }
}
