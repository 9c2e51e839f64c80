//! A server that is asked all the time by clients that never retry.

use std::ops::Deref;

use crate::load::{Load, Running, Tally};
use crate::mpm::Mpm;
use crate::server::{Server, Setup};
use crate::wait::until;

const BODY: &[u8] = b"some text that must come whole";

/// Requests each kind of clients is answered until they count as served.
const SERVED: u64 = 30;

/// A server and its clients: some keep their connections, some make one for each request.
#[derive(Debug)]
pub struct UnderLoad {
    server: Server,
    clients: Vec<Running>,
}

impl UnderLoad {
    /// Starts a server under `mpm`, and the clients.
    pub fn start(mpm: Mpm, edit: impl FnOnce(Setup) -> Setup) -> Self {
        let setup = Setup::new(mpm).file("a", BODY).line("MaxKeepAliveRequests 0");
        let setup = setup.line(
            "<IfModule mpm_prefork_module>\nStartServers 20\n</IfModule>\n\
             <IfModule mpm_worker_module>\nStartServers 2\nThreadsPerChild 10\n\
             MaxRequestWorkers 20\n</IfModule>\n\
             <IfModule mpm_event_module>\nStartServers 2\n</IfModule>",
        );
        let server = edit(setup).start();
        let load = Load::new(server.address(), "/a", BODY);
        let single = load.clone().clients(2).one_request_per_connection().start();
        // One child that has time for one connection: nobody may keep it.
        let kept = (mpm != Mpm::C99).then(|| load.clients(6).start());
        let this = Self { server, clients: [Some(single), kept].into_iter().flatten().collect() };
        this.is_served();
        this
    }

    /// Every kind of clients is answered now.
    #[track_caller]
    pub fn is_served(&self) {
        let before: Vec<u64> = self.clients.iter().map(Running::answered).collect();
        until("every kind of clients is answered", || {
            let mut both = self.clients.iter().zip(&before);
            both.all(|(load, before)| load.answered() >= before + SERVED).then_some(())
        });
    }

    /// Ends the clients: no request may have failed. The server goes on.
    #[track_caller]
    pub fn ends_clean(self) -> Server {
        for load in self.clients {
            load.stop().assert_clean();
        }
        self.server
    }

    /// Ends the clients, whatever became of their requests.
    pub fn end(self) -> (Server, Vec<Tally>) {
        (self.server, self.clients.into_iter().map(Running::stop).collect())
    }
}

impl Deref for UnderLoad {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}
