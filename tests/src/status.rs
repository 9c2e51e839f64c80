//! What a server says of itself over its control socket.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use crate::wait::WAIT_MAX;

/// The server's state.
#[derive(Clone, Debug)]
pub struct Status {
    /// `serving`, `degraded`, …
    pub state: String,
    /// Why it is degraded.
    pub reason: String,
    /// Number of the generation.
    pub generation: u64,
    /// Its MPM.
    pub mpm: String,
    /// Process id of the parent.
    pub pid: i64,
    /// Every child.
    pub children: Vec<Child>,
}

/// A child.
#[derive(Clone, Debug)]
pub struct Child {
    /// Process id.
    pub pid: i32,
    /// Number of its generation.
    pub generation: u64,
    /// `starting`, `ready`, `draining`.
    pub state: String,
}

/// Sends a line to a control socket; the line that comes back.
///
/// # Errors
/// Nobody listens, or nothing comes.
pub fn tell(socket: &Path, line: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(WAIT_MAX))?;
    stream.write_all(line.as_bytes())?;
    stream.write_all(b"\n")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(answer)
}

/// Asks for the state.
///
/// # Errors
/// Nobody listens, or nothing comes.
pub fn status(socket: &Path) -> io::Result<Status> {
    let answer = tell(socket, r#"{"command":"status"}"#)?;
    let value: Value = serde_json::from_str(&answer)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_u64().expect("a number");
    let child = |child: &Value| Child {
        pid: number(&child["pid"]) as i32,
        generation: number(&child["generation"]),
        state: text(&child["state"]),
    };
    let status = &value["status"];
    Ok(Status {
        state: text(&status["state"]),
        reason: text(&status["reason"]),
        generation: number(&value["generation"]),
        mpm: text(&value["mpm"]),
        pid: value["pid"].as_i64().expect("a number"),
        children: status["children"].as_array().expect("a list").iter().map(child).collect(),
    })
}
