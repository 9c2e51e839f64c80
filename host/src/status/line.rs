//! What is shown of a request: who asks whom for what, cut to what fits.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

/// Bytes of method and target (httpd's).
const REQUEST_LEN: usize = 64;
/// Bytes of the virtual host's name (httpd's).
const HOST_LEN: usize = 32;
/// Where the client's address stands, after the lengths of all; then come the texts.
const ADDRESS_AT: usize = 8;
const HOST_AT: usize = ADDRESS_AT + 16;
const REQUEST_AT: usize = HOST_AT + HOST_LEN;
/// Words of a line.
pub(super) const WORDS: usize = (REQUEST_AT + REQUEST_LEN) / 8;

/// A request as it is written into the scoreboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    words: [u64; WORDS],
}

/// A request as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The client's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// `http/1.1`.
    pub protocol: &'static str,
    /// The virtual host, cut.
    pub host: String,
    /// Method and target, cut; the protocol's version.
    pub request: String,
}

impl Line {
    /// `target` is path and query: where there could be a password, it is not in there.
    pub fn new(
        peer: Option<SocketAddr>,
        host: &str,
        method: &str,
        target: &str,
        minor: u8,
    ) -> Self {
        let mut bytes = [0; WORDS * 8];
        let (head, request) = bytes.split_at_mut(REQUEST_AT);
        let len = copy(request, method.as_bytes());
        let len = len + copy(request.get_mut(len..).unwrap_or_default(), b" ");
        let len = len + copy(request.get_mut(len..).unwrap_or_default(), target.as_bytes());
        let host_len = copy(head.get_mut(HOST_AT..).unwrap_or_default(), host.as_bytes());
        let family = match peer.map(|peer| peer.ip()) {
            None => 0,
            Some(IpAddr::V4(v4)) => {
                copy(head.get_mut(ADDRESS_AT..).unwrap_or_default(), &v4.octets());
                4
            }
            Some(IpAddr::V6(v6)) => {
                copy(head.get_mut(ADDRESS_AT..).unwrap_or_default(), &v6.octets());
                6
            }
        };
        let lengths = [family, len as u8, host_len as u8, minor];
        copy(head, &lengths);
        let mut words = [0; WORDS];
        for (word, chunk) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*chunk);
        }
        Self { words }
    }

    pub(super) fn words(&self) -> &[u64; WORDS] {
        &self.words
    }

    pub(super) fn from_words(words: [u64; WORDS]) -> Self {
        Self { words }
    }

    /// What is shown of it. Whatever stands there, that can be done.
    pub(super) fn shown(&self) -> Shown {
        let bytes: Vec<u8> = self.words.iter().copied().flat_map(u64::to_le_bytes).collect();
        let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
        let part = |start: usize, len: u8, max: usize| {
            printable(bytes.get(start..start + usize::from(len).min(max)).unwrap_or_default())
        };
        let client = match byte(0) {
            0 => None,
            4 => Some(IpAddr::from(std::array::from_fn::<u8, 4, _>(|n| byte(ADDRESS_AT + n)))),
            _ => Some(IpAddr::from(std::array::from_fn::<u8, 16, _>(|n| byte(ADDRESS_AT + n)))),
        };
        let request = part(REQUEST_AT, byte(1), REQUEST_LEN);
        if request.is_empty() {
            return Shown::default();
        }
        let (protocol, version) = match byte(3) {
            0 => ("http/1.0", " HTTP/1.0"),
            _ => ("http/1.1", " HTTP/1.1"),
        };
        // Cut, it does not show a version, as in httpd.
        let request = if request.len() < REQUEST_LEN { request + version } else { request };
        Shown { client, protocol, host: part(HOST_AT, byte(2), HOST_LEN), request }
    }
}

fn copy(to: &mut [u8], from: &[u8]) -> usize {
    let len = from.len().min(to.len());
    if let (Some(to), Some(from)) = (to.get_mut(..len), from.get(..len)) {
        to.copy_from_slice(from);
    }
    len
}

/// Nothing that could end a line or a page.
fn printable(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '?' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(peer: &str, target: &str) -> Shown {
        let peer = peer.parse().ok();
        Line::new(peer, "www.example.org", "GET", target, 1).shown()
    }

    #[test]
    fn comes_back_as_written() {
        let line = shown("192.0.2.7:99", "/a?b");
        assert_eq!(line.client, "192.0.2.7".parse().ok());
        assert_eq!(
            (line.host.as_str(), line.request.as_str()),
            ("www.example.org", "GET /a?b HTTP/1.1")
        );
        assert_eq!(shown("[2001:db8::1]:9", "/").client, "2001:db8::1".parse().ok());
        assert_eq!(shown("", "/").client, None);
    }

    #[test]
    fn is_cut() {
        let long = "/".repeat(100);
        assert_eq!(shown("", &long).request, format!("GET {}", "/".repeat(60)));
        let host = Line::new(None, &"h".repeat(40), "GET", "/", 0);
        let line = host.shown();
        assert_eq!((line.host.len(), line.request.as_str()), (32, "GET / HTTP/1.0"));
    }
}
