//! Passing the server on to the next image of this process, and taking it over from the last one.

use nix::sys::epoll::EpollEvent;

use super::super::handover::{FileEntry, HandOver, ListenerEntry, Purpose, Received};
use super::replies::client_event;
use super::*;
use crate::log;
use crate::sys::image::{self, Inherited};

/// What an image needs besides its supervisor to go on for an earlier one.
pub(in crate::server) struct Inheritance {
    pub(in crate::server) supervisor: Supervisor,
    /// The error log until the configuration is read.
    pub(in crate::server) error_log: Option<std::os::fd::OwnedFd>,
}

impl Supervisor {
    /// Takes over from the last image. Signals are blocked and stay so until they can be read.
    ///
    /// # Errors
    /// Something was not handed over, or the system refuses.
    pub(in crate::server) fn inherit(
        received: Received,
        signals: SignalFd,
        arguments: Vec<std::ffi::OsString>,
    ) -> io::Result<Inheritance> {
        let Received { given, mut adoption } = received;
        let origin = Origin {
            image: Image { program: given.program, arguments },
            server_root: given.server_root,
            config: given.config,
        };
        let mut this = Self::new(origin, signals)?;
        this.number = given.generation.saturating_add(1);
        this.kind = given.kind;
        this.restart = Restart::starting(given.queued);
        this.ready_by_ns = clock::now_ns().saturating_add(READY_WAIT_NS);
        for entry in &given.generations {
            this.generations.adopt(entry, &mut adoption)?;
        }
        for entry in &given.children {
            let id = this.new_id();
            if let Some(channel) = this.children.adopt(id, entry, &mut adoption)? {
                this.epoll.add(channel, EpollEvent::new(EpollFlags::EPOLLIN, id))?;
            }
        }
        for entry in &given.listeners {
            let listener = Listener::adopt(adoption.take(entry.fd)?, Some(entry.wanted))?;
            this.inherited.push(listener.number());
            this.spare.push(listener);
        }
        if let Some(FileEntry { fd, path }) = &given.pid_file {
            this.pid_file = Some(PidFile::adopt(path, adoption.take(*fd)?)?);
        }
        if let Some(FileEntry { fd, path }) = given.control {
            let mut control = Control::adopt(path, adoption.take(fd)?.into(), given.control_file);
            this.watch(control.listener().as_fd(), CONTROL)?;
            let outcome = |is_queued| match is_queued {
                true => Wait::QueuedOutcome,
                false => Wait::Outcome,
            };
            let waiting = given.clients.into_iter().map(|(fd, queued)| (fd, outcome(queued)));
            let quiet = given.quiet.into_iter().map(|fd| (fd, Wait::Request));
            for (fd, wait) in waiting.chain(quiet) {
                let id = this.new_id();
                let client = control.rejoin(id, adoption.take(fd)?, wait);
                this.epoll.add(client, client_event(id))?;
            }
            this.control = Some(control);
        }
        let error_log = given.error_log.map(|fd| adoption.take(fd)).transpose()?;
        // Children may have ended while nobody could notice.
        this.reap();
        Ok(Inheritance { supervisor: this, error_log })
    }

    /// What the next image is given, and the descriptors in it.
    fn hand_over<'a>(
        &'a self,
        purpose: Purpose,
        kind: Kind,
        error_log: Option<BorrowedFd<'a>>,
    ) -> (HandOver, Vec<BorrowedFd<'a>>) {
        let entry = |l: &Listener| ListenerEntry { fd: l.number(), wanted: l.wanted() };
        let given = HandOver {
            purpose,
            parent: Pid::this().as_raw(),
            program: self.origin.image.program.clone(),
            server_root: self.origin.server_root.clone(),
            config: self.origin.config.clone(),
            generation: self.number,
            kind,
            listeners: self.open_listeners().map(entry).collect(),
            pid_file: self.pid_file.as_ref().map(|file| FileEntry::new(file, file.path())),
            control: self.control.as_ref().map(|socket| FileEntry::new(socket, socket.path())),
            ..HandOver::default()
        };
        let mut descriptors: Vec<BorrowedFd<'_>> =
            self.open_listeners().map(Listener::fd).collect();
        if purpose == Purpose::Trial {
            return (given, descriptors);
        }
        let clients = self.control.iter().flat_map(Control::awaiting);
        let (quiet, clients): (Vec<_>, Vec<_>) =
            clients.partition(|(_, wait)| *wait == Wait::Request);
        let waits =
            |(fd, wait): &(BorrowedFd<'_>, Wait)| (image::number(fd), *wait == Wait::QueuedOutcome);
        let given = HandOver {
            queued: self.restart.queued(),
            children: self.children.entries(),
            generations: self.generations.entries(),
            error_log: error_log.as_ref().map(image::number),
            control_file: self.control.as_ref().and_then(Control::file),
            clients: clients.iter().map(waits).collect(),
            quiet: quiet.iter().map(|(fd, _)| image::number(fd)).collect(),
            ..given
        };
        descriptors.extend(self.children.channels());
        descriptors.extend(self.generations.descriptors());
        descriptors.extend(clients.into_iter().chain(quiet).map(|(fd, _)| fd));
        descriptors.extend(self.pid_file.as_ref().map(PidFile::fd));
        descriptors.extend(self.control.as_ref().map(|control| control.listener().as_fd()));
        descriptors.extend(error_log);
        (given, descriptors)
    }

    pub(super) fn start_trial(&self) -> io::Result<Trial> {
        let (given, listeners) = self.hand_over(Purpose::Trial, Kind::Graceful, None);
        Trial::start(&self.origin.image, given, &listeners)
    }

    /// Replaces this process's image; comes back only on failure.
    pub(in crate::server) fn exec(&self, kind: Kind) -> io::Error {
        let error_log = log::main_descriptor();
        let error_log = error_log.as_ref().map(AsFd::as_fd);
        let (given, mut descriptors) = self.hand_over(Purpose::Successor, kind, error_log);
        let memory = match given.write() {
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

    /// The addresses this generation is to listen on. They are kept if it does not come up: the older
    /// one's are among them.
    pub(in crate::server) fn hold(&mut self, listeners: &Arc<Vec<Listener>>) {
        self.listeners = Arc::clone(listeners);
    }

    /// Where the PID file of this server lies.
    pub(in crate::server) fn pid_path(&self) -> Option<&std::path::Path> {
        self.pid_file.as_ref().map(PidFile::path)
    }

    /// Where its control socket lies.
    pub(in crate::server) fn control_path(&self) -> Option<&std::path::Path> {
        self.control.as_ref().map(Control::path)
    }
}
