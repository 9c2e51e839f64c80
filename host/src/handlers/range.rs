//! Range requests (RFC 9110, section 14): one range of bytes.

use std::ops::Range;

use http::HeaderValue;

/// What a Range field asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The whole: another unit, a malformed field (section 14.2: ignored), or several ranges, which
    /// a server may answer with the whole.
    Whole,
    /// One stretch of bytes.
    Part(Range<u64>),
    /// 416: nothing of it exists.
    Unsatisfiable,
}

/// Reads a Range field against a representation of `len` bytes. Of nothing there is no part: some
/// clients send Range with every request, and as with httpd they get the empty file.
pub fn parse(field: &HeaderValue, len: u64) -> Wanted {
    match one_range(field.as_bytes(), len).filter(|_| len > 0) {
        None => Wanted::Whole,
        Some(range) if range.is_empty() => Wanted::Unsatisfiable,
        Some(range) => Wanted::Part(range),
    }
}

/// `None`: not one well-formed byte range. An empty range: not satisfiable.
fn one_range(field: &[u8], len: u64) -> Option<Range<u64>> {
    let (unit, spec) = field.split_at_checked(6)?;
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return None;
    }
    let dash = spec.iter().position(|&b| b == b'-')?;
    let (first, last) = (spec.get(..dash)?, spec.get(dash + 1..)?);
    match (first.is_empty(), last.is_empty()) {
        (true, true) => None,
        (true, false) => Some(len - number(last)?.min(len)..len),
        (false, true) => Some(number(first)?.min(len)..len),
        (false, false) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then(|| first.min(len)..last.saturating_add(1).min(len))
        }
    }
}

/// Decimal digits; more than fit are a very large number, which is as good as any.
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |n, &b| {
        b.is_ascii_digit().then(|| n.saturating_mul(10).saturating_add(u64::from(b - b'0')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(field: &'static str) -> Wanted {
        parse(&HeaderValue::from_static(field), 100)
    }

    #[test]
    fn parts() {
        assert_eq!(wanted("bytes=0-0"), Wanted::Part(0..1));
        assert_eq!(wanted("bytes=10-19"), Wanted::Part(10..20));
        assert_eq!(wanted("Bytes=90-"), Wanted::Part(90..100));
        assert_eq!(wanted("bytes=-10"), Wanted::Part(90..100));
        assert_eq!(wanted("bytes=-1000"), Wanted::Part(0..100));
        assert_eq!(wanted("bytes=50-99999999999999999999999"), Wanted::Part(50..100));
    }

    #[test]
    fn nothing_of_it_exists() {
        for field in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(wanted(field), Wanted::Unsatisfiable, "{field}");
        }
    }

    #[test]
    fn nothing_has_no_parts() {
        for field in ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0"] {
            assert_eq!(parse(&HeaderValue::from_static(field), 0), Wanted::Whole, "{field}");
        }
    }

    #[test]
    fn malformed_or_several_is_the_whole() {
        for field in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-4",
            "lines=1-2",
            "bytes=1-2,4-5",
            "bytes=1 -2",
            "bytes= 1-2",
            "bytes=--1",
            "bytes=+1-2",
        ] {
            assert_eq!(wanted(field), Wanted::Whole, "{field}");
        }
    }
}
