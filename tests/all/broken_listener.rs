//! A listening socket that breaks and is mended by who made it: a child that cannot accept any more
//! is replaced, and what it holds is finished.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use gearbox_tests::{Mpm, Setup, free_port, until};
use nix::sys::socket::{Backlog, Shutdown, listen, shutdown};

use crate::drain::big;
use crate::service::PASS;

every_mpm!(its_child_is_replaced);

/// The MPM in C looks at nothing.
fn its_child_is_replaced(mpm: Mpm) {
    if mpm == Mpm::C99 {
        return;
    }
    // Not a port of the socket's own: that would be gone with the first way to break it.
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let listener = TcpListener::bind(address).expect("a free port");
    let passed = listener.try_clone().expect("a descriptor");
    let setup = Setup::new(mpm).file("a", "a").file("big", big()).line("StartServers 1");
    let setup = setup.line(&format!("Listen {address}\nTimeout 60"));
    let server = setup.stdin(passed).through(PASS).start();
    let old = server.children();
    // event gives up its loop, and prefork does not accept meanwhile.
    let download = (mpm == Mpm::Worker).then(|| crate::stop::download(address));
    shutdown(listener.as_raw_fd(), Shutdown::Both).expect("it listens");
    if let Some(mut download) = download {
        until("the child is sick", || server.error_log().contains("AH02179").then_some(()));
        assert!(download.read_to_end() == big(), "the download is whole");
    }
    until("the child is gone", || (!server.children().contains(&old[0])).then_some(()));
    listen(&listener, Backlog::MAXCONN).expect("it is bound");
    until("it serves again", || {
        TcpStream::connect(address).ok()?;
        (server.connect().get("/a").body == b"a").then_some(())
    });
}
