//! What a request leaves in the access logs, written when its response has been handed over.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Method, Uri, Version, request};
use http_body::{Frame, SizeHint};
use mpm_abi::scoreboard::STATE_BUSY_LOG;

use super::Site;
use crate::handlers::{Content, ContentError};
use crate::log::{AccessLog, Entry};
use crate::status::worker;

/// Who asked, as the connection knows it.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// The client's address.
    pub peer: Option<SocketAddr>,
    /// The server's address.
    pub local: Option<SocketAddr>,
    /// Requests on this connection before this one.
    pub keep_alives: u32,
}

/// A request on its way, for the access logs. Not made when there are none.
#[derive(Debug)]
pub struct Record {
    site: Arc<Site>,
    client: Client,
    time: SystemTime,
    started: Instant,
    method: Method,
    uri: Uri,
    version: Version,
    /// Per log, the fields its format wants.
    fields: Vec<Vec<Option<HeaderValue>>>,
    status: u16,
    bytes: u64,
}

impl Record {
    /// Notes a request whose head has been read.
    pub fn new(site: &Arc<Site>, client: Client, head: &request::Parts) -> Option<Box<Self>> {
        if site.access_logs.is_empty() {
            return None;
        }
        let wanted = |log: &AccessLog| {
            let names = log.format().request_fields().iter();
            names.map(|name| head.headers.get(name).cloned()).collect()
        };
        Some(Box::new(Self {
            site: Arc::clone(site),
            client,
            time: SystemTime::now(),
            started: Instant::now(),
            method: head.method.clone(),
            uri: head.uri.clone(),
            version: head.version,
            fields: site.access_logs.iter().map(wanted).collect(),
            status: 0,
            bytes: 0,
        }))
    }

    fn write(&self) {
        let target = without_password(&self.uri);
        for (log, fields) in self.site.access_logs.iter().zip(&self.fields) {
            log.log(&Entry {
                client: self.client.peer,
                local: self.client.local,
                time: self.time,
                duration: self.started.elapsed(),
                method: self.method.as_str(),
                target: &target,
                path: self.uri.path(),
                query: self.uri.query().unwrap_or(""),
                protocol: protocol(self.version),
                status: self.status,
                bytes: self.bytes,
                server_name: &self.site.log_name,
                keep_alives: self.client.keep_alives,
                fields,
            });
        }
    }
}

/// The target as the client wrote it, but for a password, which a log must not spread.
fn without_password(uri: &Uri) -> String {
    let target = uri.to_string();
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    match user.split_once(':') {
        Some((_, password)) => target.replacen(&format!(":{password}@"), ":XXXXXXXX@", 1),
        None => target,
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

/// Logs a request that could not be read at all.
pub(super) fn log_unreadable(site: &Site, client: Client, status: u16) {
    for log in &site.access_logs {
        log.log(&Entry {
            client: client.peer,
            local: client.local,
            time: SystemTime::now(),
            duration: std::time::Duration::ZERO,
            method: "",
            target: "",
            path: "",
            query: "",
            protocol: "",
            status,
            bytes: 0,
            server_name: &site.log_name,
            keep_alives: client.keep_alives,
            fields: &[],
        });
    }
}

/// The body of a response: content, and the record that is written when it is done with.
#[derive(Debug, Default)]
pub struct Body {
    content: Content,
    record: Option<Box<Record>>,
}

impl Body {
    /// Content with nothing to log.
    pub fn new(content: Content) -> Self {
        Self { content, record: None }
    }

    /// Content of a response with this status.
    pub fn logged(content: Content, mut record: Option<Box<Record>>, status: u16) -> Self {
        if let Some(record) = &mut record {
            record.status = status;
        }
        Self { content, record }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = ContentError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ContentError>>> {
        let frame = Pin::new(&mut self.content).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let (Some(data), Some(record)) = (frame.data_ref(), &mut self.record)
        {
            record.bytes += data.len() as u64;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            if let Some(worker) = worker::current() {
                worker.set_state(STATE_BUSY_LOG);
            }
            record.write();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_logged() {
        for (target, logged) in [
            ("/a?b=c:d@e", "/a?b=c:d@e"),
            ("http://h/a", "http://h/a"),
            ("http://user@h/", "http://user@h/"),
            ("http://user:secret@h:80/a?b", "http://user:XXXXXXXX@h:80/a?b"),
            ("http://user:a:b@h/", "http://user:XXXXXXXX@h/"),
            ("http://user:@h/", "http://user:XXXXXXXX@h/"),
        ] {
            assert_eq!(without_password(&target.parse().unwrap()), logged);
        }
    }
}
