//! Responses the server makes itself: errors and redirects.

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Response, StatusCode};

use crate::handlers::Content;

/// Methods a file can be asked with.
const ALLOWED: &str = "GET,HEAD,OPTIONS";

/// An error page.
pub(super) fn error(status: StatusCode) -> Response<Content> {
    page(status, sentence(status))
}

/// 405, with the methods there are.
pub(super) fn method_not_allowed() -> Response<Content> {
    with_methods(error(StatusCode::METHOD_NOT_ALLOWED))
}

/// 501, with the methods there are.
pub(super) fn not_implemented() -> Response<Content> {
    with_methods(error(StatusCode::NOT_IMPLEMENTED))
}

/// 200 to OPTIONS, with the methods there are.
pub(super) fn options() -> Response<Content> {
    let mut response = Response::new(Content::Empty);
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    with_methods(response)
}

fn with_methods(mut response: Response<Content>) -> Response<Content> {
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(ALLOWED));
    response
}

/// 301 to `location`; 500 if it cannot stand in a field.
pub(super) fn moved(location: &str) -> Response<Content> {
    let Ok(value) = HeaderValue::from_str(location) else {
        return error(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let text = format!("The document has moved <a href=\"{}\">here</a>.", Escaped(location));
    let mut response = page(StatusCode::MOVED_PERMANENTLY, &text);
    response.headers_mut().insert(LOCATION, value);
    response
}

/// Gives the refusal of a handler its page; handlers know none.
pub(super) fn complete(response: &mut Response<Content>) {
    let status = response.status();
    if status.is_client_error() && response.body().is_empty() {
        fill(response, sentence(status));
    }
}

fn page(status: StatusCode, text: &str) -> Response<Content> {
    let mut response = Response::new(Content::Empty);
    *response.status_mut() = status;
    fill(&mut response, text);
    response
}

fn fill(response: &mut Response<Content>, text: &str) {
    let status = response.status();
    let (code, reason) = (status.as_u16(), status.canonical_reason().unwrap_or("Error"));
    let body = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
         <title>{code} {reason}</title></head>\n<body>\n<h1>{reason}</h1>\n<p>{text}</p>\n\
         </body>\n</html>\n"
    );
    let fields = response.headers_mut();
    fields.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if drops_connection(status) {
        fields.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    *response.body_mut() = Content::Bytes(Bytes::from(body));
}

/// After these the connection is closed, as by httpd: where a request ends is not sure, or the server
/// is in trouble.
fn drops_connection(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 408 | 411 | 413 | 414 | 431 | 500 | 501 | 503)
}

fn sentence(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => {
            "Your browser sent a request that this server could not understand."
        }
        StatusCode::FORBIDDEN => "You don't have permission to access this resource.",
        StatusCode::NOT_FOUND => "The requested URL was not found on this server.",
        StatusCode::METHOD_NOT_ALLOWED => "The requested method is not allowed for this URL.",
        StatusCode::PRECONDITION_FAILED => {
            "The precondition on the request for this URL evaluated to false."
        }
        StatusCode::URI_TOO_LONG => {
            "The requested URL's length exceeds the capacity limit for this server."
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            "None of the range-specifier values in the Range request-header field overlap the current extent of the selected resource."
        }
        StatusCode::EXPECTATION_FAILED => {
            "The expectation given in the Expect request-header field could not be met by this server."
        }
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            "The server refused this request because the request header fields are too large."
        }
        StatusCode::NOT_IMPLEMENTED => "The requested method is not supported by this server.",
        _ => "The server could not complete your request.",
    }
}

/// Text inside an attribute or element.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            c => std::fmt::Write::write_char(f, c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(response: Response<Content>) -> String {
        match response.into_body() {
            Content::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_page_says_its_length_and_type() {
        let response = error(StatusCode::NOT_FOUND);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        let len = response.headers()[CONTENT_LENGTH].to_str().unwrap().parse::<usize>().unwrap();
        assert_eq!(text(response).len(), len);
    }

    #[test]
    fn only_a_refusal_without_a_page_gets_one() {
        let mut response = Response::new(Content::Empty);
        *response.status_mut() = StatusCode::PRECONDITION_FAILED;
        complete(&mut response);
        assert!(text(response).contains("<h1>Precondition Failed</h1>"));
        for status in [StatusCode::OK, StatusCode::NOT_MODIFIED] {
            let mut response = Response::new(Content::Empty);
            *response.status_mut() = status;
            complete(&mut response);
            assert!(response.body().is_empty(), "{status}");
        }
    }

    #[test]
    fn a_redirect_escapes_its_target() {
        let response = moved("http://h/\"><b>&/");
        assert_eq!(response.headers()[LOCATION], "http://h/\"><b>&/");
        assert!(text(response).contains("href=\"http://h/&quot;&gt;&lt;b&gt;&amp;/\""));
    }

    #[test]
    fn a_redirect_cannot_split_the_head() {
        assert_eq!(moved("http://h/\r\nX: y").status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
