//! A connection with hyper at work on it.

use std::convert::Infallible;
use std::error::Error as _;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;

use super::shared::{InFlight, Shared, Start};
use super::transport::Transport;
use super::{Conn, Events, NEVER, Phase, Status, after, send_refusal};
use crate::handlers::ContentError;
use crate::http::{Body, Reply};
use crate::log_line;
use crate::sys::socket::Mode;
use crate::task;

/// Most bytes hyper buffers of a request's head, so that a head within the limits of
/// [`http::Limits`](crate::http::Limits) always reaches the site, which refuses by name.
const HEAD_MAX: usize = 64 * 1024;

/// hyper's state and what we know of it.
pub(super) struct Awake {
    hyper: http1::Connection<Transport, Service>,
    shared: Arc<Shared>,
    waker: Waker,
    /// Futures that want to block.
    waiting: Vec<Waker>,
    /// When the head being read began.
    head_ns: u64,
    /// Since when there is nothing to do; 0 = there is.
    idle_ns: u64,
}

impl std::fmt::Debug for Awake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Awake").field("shared", &self.shared).finish_non_exhaustive()
    }
}

/// How far a poll got.
#[derive(Debug)]
pub(super) enum Progress {
    /// Poll again, as the status says.
    Again(Status),
    /// Between requests, with everything answered and sent.
    Idle,
    /// Waits for the peer.
    Waiting { read: bool, write: bool, phase: Phase, deadline_ns: u64 },
    /// The last response is out. `peer_done`: the peer has sent its FIN.
    Finished { peer_done: bool },
    /// Nothing more can or may be sent.
    Broken,
}

impl Awake {
    /// Wakes `conn`; `leftover` was read from it already.
    pub(super) fn new(conn: &Conn, leftover: &[u8], now_ns: u64) -> Self {
        let shared = Arc::new(Shared::new(&Start {
            env: &conn.env,
            fd: conn.fd(),
            mode: conn.mode,
            token: conn.token,
            client: conn.client(),
            driven: conn.driven,
            leftover,
            now_ns,
        }));
        let service = Service(Arc::clone(&shared));
        let hyper = builder().serve_connection(Transport::new(Arc::clone(&shared)), service);
        let waker = Waker::from(Arc::clone(&shared));
        Self { hyper, shared, waker, waiting: Vec::new(), head_ns: now_ns, idle_ns: 0 }
    }

    /// Requests on the connection so far.
    pub(super) fn requests(&self) -> u32 {
        self.shared.requests()
    }

    /// Whether a request was answered since hyper was made.
    pub(super) fn answered(&self) -> bool {
        self.shared.calls() > 0
    }

    /// Whether part of a request's head has come, and not all of it.
    pub(super) fn head_incomplete(&self) -> bool {
        self.shared.in_flight() == 0 && self.shared.unanswered()
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Gives hyper up; what it has read and not used.
    pub(super) fn into_leftover(self) -> Bytes {
        self.hyper.into_parts().read_buf
    }

    pub(super) fn poll(&mut self, events: Events, now_ns: u64, stopping: bool) -> Progress {
        self.shared.begin(events, now_ns, stopping);
        let may_block = events.has(mpm_abi::EV_MAY_BLOCK);
        let scope = task::Scope::enter(may_block);
        let on_stack = self.shared.enter();
        if may_block {
            self.waiting.drain(..).for_each(Waker::wake);
        }
        self.shared.take_woken();
        let polled = Pin::new(&mut self.hyper).poll(&mut Context::from_waker(&self.waker));
        let waiting = scope.take_waiting();
        drop((on_stack, scope));
        match polled {
            Poll::Ready(Ok(())) => Progress::Finished { peer_done: self.shared.eof.get() },
            Poll::Ready(Err(error)) => self.failed(&error),
            Poll::Pending if !waiting.is_empty() => {
                self.waiting = waiting;
                Progress::Again(Status::NeedsBlocking)
            }
            Poll::Pending if self.shared.take_woken() => Progress::Again(Status::Yield),
            Poll::Pending => self.waits(now_ns),
        }
    }

    fn waits(&mut self, now_ns: u64) -> Progress {
        let shared = &self.shared;
        let timeout = shared.env.settings.timeout;
        let read = shared.read_blocked.get();
        let waiting =
            |read, write, phase, deadline_ns| Progress::Waiting { read, write, phase, deadline_ns };
        let stalled = after(shared.progress_ns(), timeout);
        if shared.write_blocked.get() {
            return waiting(read, true, Phase::Writing, stalled);
        }
        if shared.in_flight() > 0 {
            return waiting(read, false, Phase::Processing, if read { stalled } else { NEVER });
        }
        if shared.unanswered() && shared.calls() == 0 {
            return waiting(true, false, Phase::Reading, after(self.head_ns, timeout));
        }
        // A connection a thread waits for stays awake, unless the next request has begun: a fresh
        // hyper times its head.
        if shared.mode == Mode::NonBlocking || shared.unanswered() {
            return Progress::Idle;
        }
        if self.idle_ns <= shared.progress_ns() {
            self.idle_ns = now_ns;
        }
        let deadline = after(self.idle_ns, shared.env.settings.keep_alive_timeout);
        waiting(true, false, Phase::Idle, deadline)
    }

    fn failed(&self, error: &hyper::Error) -> Progress {
        let shared = &self.shared;
        let peer_done = shared.eof.get();
        let peer = shared.client().peer;
        if error.is_parse() {
            // hyper has answered: with an empty body, and the site was never asked.
            log_line!(INFO, "GB0201", client peer, "request refused: {error}");
            let status = refusal_status(error);
            // To this alone it says nothing. Behind half a response nothing may be said.
            if error.is_parse_version_h2() && shared.is_flushed() {
                send_refusal(shared.fd(), shared.mode, status);
            }
            shared.env.site.log_unreadable(shared.client(), status);
            return Progress::Finished { peer_done };
        }
        if let Some(content) = content_error(error) {
            log_line!(WARN, "GB0202", client peer, "connection closed in the middle of a response: {content}");
        } else {
            log_line!(DEBUG, "GB0203", client peer, "connection ended: {error}");
        }
        Progress::Broken
    }
}

/// The status hyper refuses a request with.
fn refusal_status(error: &hyper::Error) -> StatusCode {
    if !error.is_parse_too_large() {
        return StatusCode::BAD_REQUEST;
    }
    // Which of the two was too large it only says in words.
    if error.to_string().starts_with("URI") {
        StatusCode::URI_TOO_LONG
    } else {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    }
}

fn content_error(error: &hyper::Error) -> Option<&ContentError> {
    let source = error.source()?;
    // By itself, or in what the transport said.
    source.downcast_ref().or_else(|| source.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref())
}

fn builder() -> &'static http1::Builder {
    static BUILDER: std::sync::OnceLock<http1::Builder> = std::sync::OnceLock::new();
    BUILDER.get_or_init(|| {
        let mut builder = http1::Builder::new();
        // A client may send its request and then FIN; it gets its answer. Times are ours.
        builder.half_close(true).max_buf_size(HEAD_MAX).title_case_headers(true);
        builder
    })
}

/// What is left of a body, in bytes, that is worth showing: more than a poll sends at once.
const LONG: u64 = 32 * 1024;

/// Passes requests to the site.
#[derive(Debug)]
struct Service(Arc<Shared>);

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Respond;

    fn call(&self, request: Request<Incoming>) -> Respond {
        // No handler reads a body yet. Dropping it here lets hyper decide at once whether the
        // connection can go on after it.
        let (head, _) = request.into_parts();
        let in_flight = self.0.begin_request(&head);
        let reply = self.0.env.site.respond(head, self.0.client());
        Respond(Some((reply, in_flight)))
    }
}

/// The response to a request, when it is there.
struct Respond(Option<(Reply, InFlight)>);

impl Future for Respond {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some((reply, mut in_flight)) = self.0.take() else { return Poll::Pending };
        let mut response = match reply {
            Reply::Ready(response) => response,
            Reply::Later(mut future) => {
                in_flight.show();
                let Poll::Ready(response) = future.as_mut().poll(cx) else {
                    in_flight.stays();
                    self.0 = Some((Reply::Later(future), in_flight));
                    return Poll::Pending;
                };
                response
            }
        };
        if in_flight.shared().closes() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(response.map(|body| ResponseBody { body, in_flight })))
    }
}

/// A response's body, which ends the request when hyper drops it.
struct ResponseBody {
    body: Body,
    in_flight: InFlight,
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = ContentError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ContentError>>> {
        let is_long = self.size_hint().lower() > LONG;
        if is_long {
            self.in_flight.show();
        }
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if is_long {
            self.in_flight.stays();
        }
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            self.in_flight.sends(frame.data_ref().map_or(0, Bytes::len));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
