//! `SetHandler server-status`: how the server is, for people and for programs (mod_status).

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Response};

use super::Content;
use crate::status::{Form, Source};

/// Has a browser ask again.
const REFRESH: HeaderName = HeaderName::from_static("refresh");

/// Answers a GET or HEAD; `query` says which form is wanted.
pub fn respond(source: &Source, server: &str, query: &str) -> Response<Content> {
    let form = Form::parse(query);
    let (kind, text) = source.page(&form, server, None);
    let mut response = Response::new(Content::Empty);
    let fields = response.headers_mut();
    fields.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(seconds) = form.refresh {
        fields.insert(REFRESH, HeaderValue::from(seconds));
    }
    *response.body_mut() = Content::Bytes(Bytes::from(text));
    response
}
