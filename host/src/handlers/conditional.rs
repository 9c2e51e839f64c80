//! Conditional requests (RFC 9110, section 13).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderValue};

/// What identifies the state of a representation.
#[derive(Clone, Debug)]
pub struct Validators {
    /// A strong entity tag, with its quotes.
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
        if !any_tag(fields, &IF_MATCH, |tag| tag == validators.etag.as_bytes()) {
            return Verdict::Failed;
        }
    } else if let Some(date) = date(fields.get(IF_UNMODIFIED_SINCE))
        && validators.modified > date
    {
        return Verdict::Failed;
    }
    if fields.contains_key(IF_NONE_MATCH) {
        if any_tag(fields, &IF_NONE_MATCH, |tag| weak(tag) == validators.etag.as_bytes()) {
            return Verdict::NotModified;
        }
    } else if let Some(date) = date(fields.get(IF_MODIFIED_SINCE))
        && validators.modified <= date
    {
        return Verdict::NotModified;
    }
    Verdict::Send
}

/// Whether a Range field counts (RFC 9110, section 13.1.5): the representation is still the one the
/// client has a part of.
pub fn range_applies(fields: &HeaderMap, validators: &Validators) -> bool {
    let Some(value) = fields.get(IF_RANGE) else { return true };
    if value.as_bytes().starts_with(b"\"") {
        return value == validators.etag;
    }
    // A weak tag does not parse as a date, and neither applies.
    date(Some(value)) == Some(validators.modified)
}

fn date(value: Option<&HeaderValue>) -> Option<SystemTime> {
    httpdate::parse_http_date(value?.to_str().ok()?).ok()
}

/// The opaque tag without the mark of a weak one.
fn weak(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// Whether a field holds `*` or a tag that matches.
fn any_tag(fields: &HeaderMap, name: &http::HeaderName, matches: impl Fn(&[u8]) -> bool) -> bool {
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
    fn dates() {
        assert_eq!(verdict(&[("if-modified-since", SAME)]), Verdict::NotModified);
        assert_eq!(verdict(&[("if-modified-since", EARLIER)]), Verdict::Send);
        assert_eq!(verdict(&[("if-modified-since", "yesterday")]), Verdict::Send);
        assert_eq!(verdict(&[("if-unmodified-since", SAME)]), Verdict::Send);
        assert_eq!(verdict(&[("if-unmodified-since", EARLIER)]), Verdict::Failed);
    }

    #[test]
    fn tags_win_over_dates() {
        let both = [("if-none-match", "\"x\""), ("if-modified-since", SAME)];
        assert_eq!(verdict(&both), Verdict::Send);
        let both = [("if-match", "\"a,b\""), ("if-unmodified-since", EARLIER)];
        assert_eq!(verdict(&both), Verdict::Send);
    }

    #[test]
    fn if_range() {
        let applies = |value| range_applies(&map(&[("if-range", value)]), &validators());
        assert!(range_applies(&HeaderMap::new(), &validators()));
        assert!(applies("\"a,b\""));
        assert!(applies(SAME));
        for value in ["\"x\"", "W/\"a,b\"", EARLIER, "nonsense"] {
            assert!(!applies(value), "{value}");
        }
    }
}
