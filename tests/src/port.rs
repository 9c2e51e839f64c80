//! Ports for servers that must say theirs beforehand.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that systems give to clients (Linux: from 32768 on), so that no connection of
/// another test is in the way.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port that nobody listens on, and no other test of this run is given.
///
/// # Panics
/// All are taken.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Runs at the same time begin in different places.
    let own = (std::process::id() % u32::from(COUNT)) as u16;
    for _ in 0..COUNT {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (own + next % COUNT) % COUNT;
        // All addresses of IPv4, and of IPv6 unless there is none.
        let is_free = |address: &str| match TcpListener::bind((address, port)) {
            Ok(_) => true,
            Err(error) => error.raw_os_error() == Some(libc::EAFNOSUPPORT),
        };
        if is_free("0.0.0.0") && is_free("::") {
            return port;
        }
    }
    panic!("every port from {FIRST} on is taken");
}
