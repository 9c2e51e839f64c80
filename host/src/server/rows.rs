//! Directives about the server as a process: addresses, account, PID file, control socket, patience.

use std::path::PathBuf;
use std::time::Duration;

use super::account;
use super::listeners::Wanted;
use crate::config::{Args, Call, Contexts, Fault, Part, Row, Settings};

/// Settings of the server as a process, as written.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerSettings {
    pub(super) listen: Vec<Wanted>,
    pub(super) user: Option<String>,
    pub(super) group: Option<String>,
    pub(super) pid_file: Option<PathBuf>,
    pub(super) control_socket: Option<PathBuf>,
    pub(super) graceful_restart_timeout: Option<Duration>,
    pub(super) graceful_shutdown_timeout: Option<Duration>,
    pub(super) stop_timeout: Option<Duration>,
}

/// How long children may take to leave; `None` = as long as they need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    /// After a graceful restart.
    pub(super) restart: Option<Duration>,
    /// At a graceful stop.
    pub(super) shutdown: Option<Duration>,
    /// At a stop, and after a restart that is not graceful.
    pub(super) stop: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        ServerSettings::default().patience()
    }
}

impl ServerSettings {
    /// With the defaults.
    pub(super) fn patience(&self) -> Patience {
        let limit = |time: Duration| (!time.is_zero()).then_some(time);
        Patience {
            restart: limit(self.graceful_restart_timeout.unwrap_or(Duration::from_secs(300))),
            shutdown: limit(self.graceful_shutdown_timeout.unwrap_or(Duration::ZERO)),
            stop: self.stop_timeout.unwrap_or(Duration::from_secs(5)),
        }
    }
}

impl Part for ServerSettings {
    fn merge(&mut self, inner: &Self) {
        self.listen.extend(&inner.listen);
        fn last<T: Clone>(outer: &mut Option<T>, inner: &Option<T>) {
            if inner.is_some() {
                outer.clone_from(inner);
            }
        }
        last(&mut self.user, &inner.user);
        last(&mut self.group, &inner.group);
        last(&mut self.pid_file, &inner.pid_file);
        last(&mut self.control_socket, &inner.control_socket);
        last(&mut self.graceful_restart_timeout, &inner.graceful_restart_timeout);
        last(&mut self.graceful_shutdown_timeout, &inner.graceful_shutdown_timeout);
        last(&mut self.stop_timeout, &inner.stop_timeout);
    }
}

/// Directives of the core, the MPMs' common part and mod_unixd.
pub(super) const ROWS: &[Row] = &[
    Row {
        name: "Listen",
        module: "mpm_common.c",
        contexts: Contexts::SERVER,
        args: Args::Words { min: 1, max: 2 },
        default: "",
        help: "a port, or an address and a port, to take connections on",
        set: listen,
    },
    Row {
        name: "User",
        module: "mod_unixd.c",
        contexts: Contexts::SERVER,
        args: Args::Word,
        default: "",
        help: "the account children run under when the server is started by root: name or #number",
        set: |settings, call| {
            let name = call.text()?.to_owned();
            account::find_user(&name).map_err(|text| Fault::new(text).at(0))?;
            settings.of_mut::<ServerSettings>().user = Some(name);
            Ok(())
        },
    },
    Row {
        name: "Group",
        module: "mod_unixd.c",
        contexts: Contexts::SERVER,
        args: Args::Word,
        default: "the user's group",
        help: "the group children run under: name or #number",
        set: |settings, call| {
            let name = call.text()?.to_owned();
            account::find_group(&name).map_err(|text| Fault::new(text).at(0))?;
            settings.of_mut::<ServerSettings>().group = Some(name);
            Ok(())
        },
    },
    Row {
        name: "PidFile",
        module: "mpm_common.c",
        contexts: Contexts::SERVER,
        args: Args::Path,
        default: "logs/gearbox.pid",
        help: "the file the parent's process id is written to",
        set: |settings, call| {
            settings.of_mut::<ServerSettings>().pid_file = Some(call.path()?.to_owned());
            Ok(())
        },
    },
    Row {
        name: "ControlSocket",
        module: "mpm_common.c",
        contexts: Contexts::SERVER,
        args: Args::Path,
        default: "the PID file's name with .sock instead of .pid",
        help: "the socket that -k talks to the server through",
        set: |settings, call| {
            settings.of_mut::<ServerSettings>().control_socket = Some(call.path()?.to_owned());
            Ok(())
        },
    },
    Row {
        name: "GracefulRestartTimeout",
        module: "mpm_common.c",
        contexts: Contexts::SERVER,
        args: TIMEOUT,
        default: "300",
        help: "how long old children may take to finish after a graceful restart; 0 for ever",
        set: |settings, call| {
            settings.of_mut::<ServerSettings>().graceful_restart_timeout = Some(call.duration()?);
            Ok(())
        },
    },
    Row {
        name: "GracefulShutdownTimeout",
        module: "mpm_common.c",
        contexts: Contexts::SERVER,
        args: TIMEOUT,
        default: "0",
        help: "how long children may take to finish at a graceful stop; 0 for ever",
        set: |settings, call| {
            settings.of_mut::<ServerSettings>().graceful_shutdown_timeout = Some(call.duration()?);
            Ok(())
        },
    },
    Row {
        name: "StopTimeout",
        module: "mpm_common.c",
        contexts: Contexts::SERVER,
        args: TIMEOUT,
        default: "5",
        help: "how long requests in progress may take to finish at a stop; 0 not at all",
        set: |settings, call| {
            settings.of_mut::<ServerSettings>().stop_timeout = Some(call.duration()?);
            Ok(())
        },
    },
];

/// Seconds, unless a unit is given.
const TIMEOUT: Args =
    Args::Duration { min: Duration::ZERO, max: Duration::from_secs(365 * 86_400) };

fn listen(settings: &mut Settings, call: &Call<'_>) -> Result<(), Fault> {
    let Some(address) = call.words.first() else { return Ok(()) };
    let wanted = Wanted::parse(&address.text).map_err(|text| Fault::new(text).at(0))?;
    if let Some(protocol) = call.words.get(1) {
        match protocol.text.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => return Err(Fault::new("https is not supported yet").at(1)),
            other => return Err(Fault::new(format!("Invalid protocol name '{other}'")).at(1)),
        }
    }
    let listen = &mut settings.of_mut::<ServerSettings>().listen;
    // Port 0 is another port each time.
    if wanted.port != 0 && listen.contains(&wanted) {
        let sentence = "Cannot define multiple Listeners on the same IP:port";
        return Err(Fault::new(sentence).at(0));
    }
    listen.push(wanted);
    Ok(())
}
