//! Passing the server on to the next image of this process, and taking it over from the last one.

use std::os::fd::AsRawFd;
use std::path::Path;

use super::super::control::Identity;
use super::super::handover::{FileEntry, GenerationEntry, HandOver, ListenerEntry, Purpose};
use super::replies::client_event;
use super::*;
use crate::log;
use crate::status::Board;
use crate::sys::image::{Adoption, Inherited};

/// The descriptors of a hand-over: what is told the next image is what it is given.
#[derive(Default)]
struct Given<'a>(Vec<BorrowedFd<'a>>);

impl<'a> Given<'a> {
    fn give(&mut self, fd: BorrowedFd<'a>) -> RawFd {
        self.0.push(fd);
        fd.as_raw_fd()
    }
}

/// Something was lost on the way; the server goes on without it, or makes it anew.
fn lost(what: &str, error: &dyn std::fmt::Display) {
    log_line!(ERROR, "GB0338", "{what} was not taken over from the last image: {error}");
}

impl Supervisor {
    /// Takes over from the last image. Signals are blocked and stay so until they can be read. What can
    /// be made anew need not have come over.
    ///
    /// # Errors
    /// The children's channels were not handed over, or cannot be watched.
    pub(in crate::server) fn inherit(
        given: HandOver,
        mut adoption: Adoption,
        signals: SignalFd,
        image: Image,
    ) -> io::Result<Self> {
        let origin = Origin { image, server_root: given.server_root, config: given.config };
        let mut this = Self::new(origin, signals)?;
        this.number = given.generation.saturating_add(1);
        this.kind = given.kind;
        if given.facts.started_s != 0 {
            this.facts = given.facts;
        }
        this.restart = Restart::starting(given.queued);
        for entry in &given.children {
            let id = this.new_id();
            if let Some(channel) = this.children.adopt(id, entry, &mut adoption)? {
                this.epoll.add(channel, EpollEvent::new(EpollFlags::EPOLLIN, id))?;
            }
        }
        for entry in &given.generations {
            if let Err(error) = this.generations.adopt(entry, &mut adoption) {
                lost(&format!("the scoreboard of generation {}", entry.number), &error);
            }
        }
        for entry in &given.listeners {
            let fd = adoption.take(entry.fd);
            match fd.and_then(|fd| Listener::adopt(fd, Some(entry.wanted))) {
                Ok(listener) => {
                    this.inherited.push(listener.number());
                    this.spare.push(listener);
                }
                Err(error) => lost(&format!("the socket for {}", entry.wanted), &error),
            }
        }
        if let Some(FileEntry { fd, path }) = &given.pid_file {
            match adoption.take(*fd).and_then(|fd| PidFile::adopt(path, fd)) {
                Ok(pid_file) => this.pid_file = Some(pid_file),
                Err(error) => lost(&format!("the PID file {}", path.display()), &error),
            }
        }
        if let Some(FileEntry { fd, path }) = given.control {
            let clients = (given.clients, given.quiet);
            if let Err(error) =
                this.inherit_control(&path, fd, given.control_file, clients, &mut adoption)
            {
                lost(&format!("the control socket {}", path.display()), &error);
            }
        }
        this.logs = Arc::new(inherited_log(&given.generations));
        // Children may have ended while nobody could notice.
        this.reap();
        this.forget_generations();
        Ok(this)
    }

    fn inherit_control(
        &mut self,
        path: &Path,
        fd: RawFd,
        file: Option<Identity>,
        (waiting, quiet): (Vec<(RawFd, bool)>, Vec<RawFd>),
        adoption: &mut Adoption,
    ) -> io::Result<()> {
        let mut control = Control::adopt(path.to_owned(), adoption.take(fd)?.into(), file);
        self.watch(control.listener().as_fd(), CONTROL)?;
        let outcome = |is_queued| match is_queued {
            true => Wait::QueuedOutcome,
            false => Wait::Outcome,
        };
        let waiting = waiting.into_iter().map(|(fd, queued)| (fd, outcome(queued)));
        let quiet = quiet.into_iter().map(|fd| (fd, Wait::Request));
        for (fd, wait) in waiting.chain(quiet) {
            let id = self.new_id();
            let client = control.rejoin(id, adoption.take(fd)?, wait);
            self.epoll.add(client, client_event(id))?;
        }
        self.control = Some(control);
        Ok(())
    }

    /// What the next image is given, and the descriptors in it: for a trial only those of the
    /// listeners, but all that is told, so that it is tried whether the next image understands it.
    fn hand_over<'a>(
        &'a self,
        purpose: Purpose,
        kind: Kind,
        error_log: Option<BorrowedFd<'a>>,
    ) -> (HandOver, Vec<BorrowedFd<'a>>) {
        let mut given = Given::default();
        let listener = |l: &'a Listener, given: &mut Given<'a>| ListenerEntry {
            fd: given.give(l.fd()),
            wanted: l.wanted(),
        };
        let listeners = self.open_listeners().map(|l| listener(l, &mut given)).collect();
        let of_a_trial = given.0.len();
        let clients = self.control.iter().flat_map(Control::awaiting);
        let (quiet, clients): (Vec<_>, Vec<_>) =
            clients.partition(|(_, wait)| *wait == Wait::Request);
        let file = |fd, path: &Path| FileEntry { fd, path: path.to_owned() };
        let told = HandOver {
            purpose,
            parent: Pid::this().as_raw(),
            program: self.origin.image.program.clone(),
            server_root: self.origin.server_root.clone(),
            config: self.origin.config.clone(),
            generation: self.number,
            kind,
            queued: self.restart.queued(),
            facts: self.facts,
            listeners,
            children: self.children.entries(&mut |fd| given.give(fd)),
            generations: self.generations.entries(&mut |fd| given.give(fd)),
            error_log: error_log.map(|fd| given.give(fd)),
            pid_file: self.pid_file.as_ref().map(|it| file(given.give(it.fd()), it.path())),
            control: self
                .control
                .as_ref()
                .map(|it| file(given.give(it.listener().as_fd()), it.path())),
            control_file: self.control.as_ref().and_then(Control::file),
            clients: clients
                .into_iter()
                .map(|(fd, wait)| (given.give(fd), wait == Wait::QueuedOutcome))
                .collect(),
            quiet: quiet.into_iter().map(|(fd, _)| given.give(fd)).collect(),
            ..HandOver::default()
        };
        if purpose == Purpose::Trial {
            given.0.truncate(of_a_trial);
        }
        (told, given.0)
    }

    pub(super) fn start_trial(&self) -> io::Result<Trial> {
        let (told, listeners) = self.hand_over(Purpose::Trial, Kind::Graceful, None);
        Trial::start(&self.origin.image, told, &listeners)
    }

    /// Replaces this process's image; comes back only on failure.
    pub(in crate::server) fn exec(&mut self, kind: Kind) -> io::Error {
        // Who waits for it is not waited for by the next image.
        self.end_reopening();
        let error_log = log::main_descriptor();
        let error_log = error_log.as_ref().map(AsFd::as_fd);
        let (told, mut descriptors) = self.hand_over(Purpose::Successor, kind, error_log);
        let memory = match told.write() {
            Ok(memory) => memory,
            Err(error) => return error,
        };
        descriptors.push(memory.as_fd());
        let (name, number) = memory.variable();
        reach(Point::Exec);
        match Inherited::new(descriptors) {
            Ok(_marked) => self.origin.image.exec((name, &number)),
            Err(error) => error,
        }
    }

    /// The addresses an earlier generation listened on and this one does not use yet.
    pub(in crate::server) fn spare(&mut self) -> &mut Vec<Listener> {
        &mut self.spare
    }

    /// The scoreboards of earlier generations whose children are still there.
    pub(in crate::server) fn older_boards(&self) -> Vec<(u32, Arc<Board>)> {
        self.generations.boards().collect()
    }

    /// The addresses this generation is to listen on. They are kept if it does not come up: the older
    /// one's are among them.
    pub(in crate::server) fn hold(&mut self, listeners: &Arc<Vec<Listener>>) {
        self.listeners = Arc::clone(listeners);
    }

    /// Where the PID file of this server lies.
    pub(in crate::server) fn pid_path(&self) -> Option<&Path> {
        self.pid_file.as_ref().map(PidFile::path)
    }

    /// Where its control socket lies.
    pub(in crate::server) fn control_path(&self) -> Option<&Path> {
        self.control.as_ref().map(Control::path)
    }
}

/// The error log that the last image had open, which this one writes to until its generation begins.
fn inherited_log(generations: &[GenerationEntry]) -> LogFiles {
    let mut logs = LogFiles::default();
    let last = generations.iter().max_by_key(|entry| entry.number);
    if let Some(path) = last.filter(|last| last.has_error_log).and_then(|last| last.logs.first()) {
        log::with_main_descriptor(|main| logs.add(path.clone(), &[main]));
    }
    logs
}
