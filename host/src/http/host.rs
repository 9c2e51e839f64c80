//! The host a request is for (RFC 9112, section 3.2).

use http::header::HOST;
use http::{HeaderMap, StatusCode, Uri, Version};

/// The host named by a request, with its port as written; `None` if it names none (HTTP/1.0).
///
/// # Errors
/// 400: in HTTP/1.1 no Host field or one without a host where the target names none, more than one
/// field, or one that is not a host.
pub(super) fn named<'a>(
    version: Version,
    uri: &'a Uri,
    fields: &'a HeaderMap,
) -> Result<Option<&'a str>, StatusCode> {
    let mut values = fields.get_all(HOST).iter();
    let field = values.next();
    if values.next().is_some() || (field.is_none() && version >= Version::HTTP_11) {
        return Err(StatusCode::BAD_REQUEST);
    }
    let field = match field {
        Some(value) => Some(checked(value.as_bytes())?),
        None => None,
    };
    // The absolute form wins over the field (section 3.2.2).
    let named = match uri.authority() {
        Some(authority) => Some(checked(authority.as_str().as_bytes())?),
        None => field,
    };
    // RFC 9110, section 4.2.1: without a host an http URI is invalid.
    let is_empty = |host: &str| host.is_empty() || host.starts_with(':');
    if version >= Version::HTTP_11 && named.is_some_and(is_empty) {
        return Err(StatusCode::BAD_REQUEST);
    }
    Ok(named)
}

/// `name`, `name:port` or `[v6]:port`, in characters a name or address can have.
fn checked(host: &[u8]) -> Result<&str, StatusCode> {
    let bad = StatusCode::BAD_REQUEST;
    let text = std::str::from_utf8(host).map_err(|_| bad)?;
    let (name, port) = match text.rfind(':') {
        Some(colon) if !text.ends_with(']') => text.split_at(colon),
        _ => (text, ""),
    };
    let port = port.strip_prefix(':').unwrap_or(port);
    let valid_port = port.bytes().all(|b| b.is_ascii_digit())
        && (port.is_empty() || port.parse::<u16>().is_ok_and(|port| port != 0));
    let valid_name = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
                && !name.as_bytes().windows(2).any(|two| two == b"..")
                && name != "."
        }
    };
    if valid_name && valid_port { Ok(text) } else { Err(bad) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn named_by(
        version: Version,
        uri: &str,
        hosts: &[&'static str],
    ) -> Result<Option<String>, u16> {
        let uri: Uri = uri.parse().unwrap();
        let mut fields = HeaderMap::new();
        for host in hosts {
            fields.append(HOST, HeaderValue::from_static(host));
        }
        named(version, &uri, &fields)
            .map(|host| host.map(str::to_owned))
            .map_err(|status| status.as_u16())
    }

    #[test]
    fn exactly_one_in_http_11() {
        let v11 = Version::HTTP_11;
        assert_eq!(named_by(v11, "/", &["a.example:80"]), Ok(Some("a.example:80".into())));
        assert_eq!(named_by(v11, "/", &[]), Err(400));
        assert_eq!(named_by(v11, "/", &["a", "a"]), Err(400));
        assert_eq!(named_by(v11, "/", &[""]), Err(400));
        assert_eq!(named_by(v11, "/", &[":80"]), Err(400));
        assert_eq!(named_by(v11, "http://b.example/", &[""]), Ok(Some("b.example".into())));
        assert_eq!(named_by(v11, "http://b.example/", &[]), Err(400));
        assert_eq!(named_by(v11, "http://b.example/", &["a"]), Ok(Some("b.example".into())));
        assert_eq!(named_by(Version::HTTP_10, "/", &[]), Ok(None));
        assert_eq!(named_by(Version::HTTP_10, "/", &[""]), Ok(Some(String::new())));
    }

    #[test]
    fn syntax() {
        for good in
            ["", "localhost", "127.0.0.1:8080", "[::1]", "[::1]:8080", "a_b.example.", "a:", ".a"]
        {
            assert!(checked(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in
            ["a b", "a/b", "a:b", "a:99999", "a:0", "[::1", "::1", "a..b", ".", "a\\b", "a@b"]
        {
            assert!(checked(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(checked(b"\xff").is_err());
    }
}
