//! Where gearbox answers otherwise than httpd, on purpose. README's "Differences" is made of it.

/// A difference on purpose.
pub(super) struct Difference {
    /// What differs: `status` (then nothing else is compared), a field's name, or `count`, the number
    /// of answers.
    pub(super) what: &'static str,
    /// For which requests.
    pub(super) to: fn(&Asked<'_>) -> bool,
    pub(super) why: &'static str,
}

/// A request, and the status that gearbox and httpd answered with.
pub(super) struct Asked<'a> {
    pub(super) request: &'a str,
    pub(super) ours: u16,
    pub(super) httpd: u16,
}

impl Asked<'_> {
    fn has(&self, part: &str) -> bool {
        self.request.contains(part)
    }

    fn is(&self, method: &str) -> bool {
        self.request.starts_with(&format!("{method} "))
    }

    fn statuses(&self) -> (u16, u16) {
        (self.ours, self.httpd)
    }
}

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        what: "status",
        to: |asked| asked.is("POST") && asked.ours == 405,
        why: "files take no POST; httpd answers it like GET",
    },
    Difference {
        what: "status",
        to: |asked| asked.is("TRACE") && matches!(asked.statuses(), (403 | 405, 200)),
        why: "TRACE is not supported: it sends back what a browser wants kept (TraceEnable Off)",
    },
    Difference {
        what: "status",
        to: |asked| !asked.is("GET") && !asked.is("HEAD") && asked.httpd == 301,
        why: "only GET and HEAD are redirected to a directory's slash",
    },
    Difference {
        what: "status",
        to: |asked| asked.is("PROPFIND") && asked.statuses() == (501, 405),
        why: "methods of WebDAV are unknown",
    },
    Difference {
        what: "status",
        to: |asked| asked.is("CONNECT") && asked.statuses() == (405, 400),
        why: "CONNECT is refused whatever its target looks like",
    },
    Difference {
        what: "allow",
        to: |asked| matches!(asked.ours, 200 | 405 | 501),
        why: "what is not supported is not offered; OPTIONS * says it too",
    },
    Difference {
        what: "content-type",
        to: |asked| asked.is("OPTIONS"),
        why: "an answer without content has no type",
    },
    Difference {
        what: "last-modified",
        to: |asked| matches!(asked.ours, 304 | 412),
        why: "the client has it, or was refused (RFC 9110, section 15.4.5)",
    },
    Difference {
        what: "accept-ranges",
        to: |asked| matches!(asked.ours, 304 | 412),
        why: "as Last-Modified",
    },
    Difference {
        what: "content-length",
        to: |asked| asked.is("HEAD") && asked.has("/empty"),
        why: "an empty file has a length as any other",
    },
    Difference { what: "etag", to: |asked| asked.ours == 412, why: "as Last-Modified" },
    Difference {
        what: "status",
        to: |asked| asked.has("If-Modified-Since: Fri, 03 Jan 2098") && asked.ours == 304,
        why: "a date in the future is as good as any (RFC 9110, section 13.1.3)",
    },
    Difference {
        what: "status",
        to: |asked| {
            asked.has("If-None-Match") && asked.has("If-Modified-Since") && asked.ours == 304
        },
        why: "with If-None-Match the date is ignored (RFC 9110, section 13.1.3)",
    },
    Difference {
        what: "content-range",
        to: |asked| asked.ours == 416,
        why: "416 says how long the document is (RFC 9110, section 15.5.17)",
    },
    Difference {
        what: "status",
        to: |asked| asked.has("Range: bytes=-0") && asked.statuses() == (416, 200),
        why: "the last none of the bytes cannot be had (RFC 9110, section 14.1.2)",
    },
    Difference {
        what: "status",
        to: |asked| asked.has("99999999999999999999") && asked.statuses() == (206, 200),
        why: "a last position of any size is the end (RFC 9110, section 14.1.2)",
    },
    Difference {
        what: "status",
        to: |asked| asked.has("Range: bytes=0-1,") && asked.statuses() == (200, 206),
        why: "several ranges get the whole",
    },
    Difference {
        what: "status",
        to: |asked| asked.is("HEAD") && asked.has("Range: ") && asked.ours == 200,
        why: "Range is for GET (RFC 9110, section 14.2)",
    },
    Difference {
        what: "connection",
        to: |asked| asked.has("HTTP/1.0") || asked.has("Connection: keep-alive"),
        why: "what goes without saying is not said; Keep-Alive says nothing binding",
    },
    Difference {
        what: "status",
        to: |asked| asked.has("GET /a.txt\r\n") && asked.ours == 400,
        why: "HTTP/0.9 is refused",
    },
    Difference {
        what: "status",
        to: |asked| (asked.has("HTTP/1.2") || asked.has("HTTP/2.0")) && asked.ours == 400,
        why: "hyper: a version that is not 1.0 or 1.1 is refused",
    },
    Difference {
        what: "status",
        to: |asked| asked.has("<|>") && asked.statuses() == (400, 404),
        why: "hyper: characters no URI has are refused",
    },
    Difference {
        what: "status",
        to: |asked| asked.has("#fragment") && asked.statuses() == (200, 400),
        why: "hyper: a fragment is cut off",
    },
    Difference {
        what: "status",
        to: |asked| asked.has("http:///") && asked.statuses() == (400, 200),
        why: "a target without a host is refused (RFC 9110, section 4.2.1)",
    },
    Difference {
        what: "status",
        to: |asked| asked.has("\r\n folded") && asked.statuses() == (400, 200),
        why: "hyper: folded lines are refused (RFC 9112, section 5.2)",
    },
    Difference {
        what: "status",
        to: |asked| asked.ours == 431 && asked.httpd == 400,
        why: "a head that is too large has a status of its own (RFC 6585, section 5)",
    },
    Difference {
        what: "status",
        to: |asked| asked.has("\nHost: localhost\n") && asked.statuses() == (200, 400),
        why: "hyper: a bare LF ends a line (RFC 9112, section 2.2)",
    },
    Difference {
        what: "status",
        to: |asked| asked.has("Content-Length: 1\r\nContent-Length: 1\r\n") && asked.ours == 200,
        why: "hyper: the same length twice is one (RFC 9110, section 8.6)",
    },
    Difference {
        what: "status",
        to: |asked| asked.has("HTTP/1.0\r\nTransfer-Encoding") && asked.statuses() == (400, 200),
        why: "hyper: HTTP/1.0 has no transfer codings (RFC 9112, section 6.1)",
    },
    Difference {
        what: "status",
        to: |asked| asked.has("\r\n\r\nzz\r\n") && asked.statuses() == (200, 400),
        why: "a body is not read before its answer; the connection is closed",
    },
    Difference {
        what: "connection",
        to: |asked| asked.has("Transfer-Encoding: chunked\r\n\r\n3"),
        why: "what is left of a body after its answer is not waited for: the connection is closed",
    },
    Difference {
        what: "count",
        to: |asked| asked.has("Transfer-Encoding: chunked\r\n\r\n3"),
        why: "as Connection",
    },
    Difference {
        what: "status",
        to: |asked| asked.has("Expect: 100-continue") && asked.statuses() == (200, 100),
        why: "the answer does not wait for the body, so nobody is asked to send it",
    },
];
