//! Directives about the server as a process: addresses, account, PID file.

use std::path::PathBuf;

use super::listeners::Wanted;
use crate::config::{Args, Call, Contexts, Fault, Part, Row, Settings};

/// Settings of the server as a process, as written.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerSettings {
    pub(super) listen: Vec<Wanted>,
    pub(super) user: Option<String>,
    pub(super) group: Option<String>,
    pub(super) pid_file: Option<PathBuf>,
}

impl Part for ServerSettings {
    fn merge(&mut self, inner: &Self) {
        self.listen.extend(&inner.listen);
        for (outer, inner) in [(&mut self.user, &inner.user), (&mut self.group, &inner.group)] {
            if inner.is_some() {
                outer.clone_from(inner);
            }
        }
        if inner.pid_file.is_some() {
            self.pid_file.clone_from(&inner.pid_file);
        }
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
            settings.of_mut::<ServerSettings>().user = Some(call.text()?.to_owned());
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
            settings.of_mut::<ServerSettings>().group = Some(call.text()?.to_owned());
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
];

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
