//! Directives that every MPM has and the host carries out: httpd's `mpm_common.c`.

use std::path::PathBuf;

use super::listeners::Tuning;
use crate::config::{Args, Call, Contexts, Fault, Part, Row};

/// As written; `None` = not.
#[derive(Clone, Debug, Default)]
pub(super) struct MpmSettings {
    pub(super) max_connections_per_child: Option<u64>,
    /// MaxRequestsPerChild was used.
    pub(super) has_old_name: bool,
    /// Bytes.
    pub(super) thread_stack_size: Option<u64>,
    /// Bytes of free memory that a child keeps; 0 = all.
    pub(super) max_mem_free: Option<u64>,
    pub(super) core_dump_directory: Option<PathBuf>,
    pub(super) sockets: Tuning,
}

impl Part for MpmSettings {
    /// Outside every section only: there is one.
    fn merge(&mut self, inner: &Self) {
        self.clone_from(inner);
    }
}

impl MpmSettings {
    /// Connections a child may take; `u64::MAX` = any number.
    pub(super) fn connections_per_child(&self) -> u64 {
        self.max_connections_per_child.filter(|n| *n > 0).unwrap_or(u64::MAX)
    }
}

/// Bytes of a buffer of the kernel's; 0 = as it sees fit.
fn buffer(call: &Call<'_>) -> Result<Option<usize>, Fault> {
    match call.int::<i64>()? {
        0 => Ok(None),
        bytes if bytes >= 512 => Ok(usize::try_from(bytes).ok()),
        _ => {
            let name = call.name;
            let text = format!("{name} must be >= 512 bytes, or 0 for system default.");
            Err(Fault::new(text).at(0))
        }
    }
}

/// Bytes that a buffer may be asked to have.
const BUFFER: Args = Args::Int { min: i64::MIN, max: i32::MAX as i64 };

const CONNECTIONS: Row = Row {
    name: "MaxConnectionsPerChild",
    module: "mpm_common.c",
    contexts: Contexts::SERVER,
    args: Args::Int { min: 0, max: i64::MAX },
    default: "0",
    help: "connections a child takes before it is replaced; 0 for any number",
    set: |settings, call| {
        let connections = Some(call.int()?);
        settings.of_mut::<MpmSettings>().max_connections_per_child = connections;
        Ok(())
    },
};

/// The directives.
pub(super) const ROWS: &[Row] = &[
    CONNECTIONS,
    Row {
        name: "MaxRequestsPerChild",
        help: "old name of MaxConnectionsPerChild",
        set: |settings, call| {
            settings.of_mut::<MpmSettings>().has_old_name = true;
            (CONNECTIONS.set)(settings, call)
        },
        ..CONNECTIONS
    },
    Row {
        name: "ThreadStackSize",
        module: "mpm_common.c",
        contexts: Contexts::SERVER,
        args: Args::Size { min: 0, max: 1 << 40 },
        default: "0",
        help: "bytes of stack a thread has; 0 for the system's default",
        set: |settings, call| {
            settings.of_mut::<MpmSettings>().thread_stack_size = Some(call.size()?);
            Ok(())
        },
    },
    Row {
        name: "MaxMemFree",
        module: "mpm_common.c",
        contexts: Contexts::SERVER,
        args: Args::Int { min: 0, max: 1 << 40 },
        default: "the system's",
        help: "KiB of free memory a child keeps for itself; 0 for all of it",
        set: |settings, call| {
            let kib: u64 = call.int()?;
            settings.of_mut::<MpmSettings>().max_mem_free = Some(kib * 1024);
            Ok(())
        },
    },
    Row {
        name: "CoreDumpDirectory",
        module: "mpm_common.c",
        contexts: Contexts::SERVER,
        args: Args::Path,
        default: "",
        help: "the directory children stand in, where a crash leaves its core",
        set: |settings, call| {
            let path = call.path()?;
            let fault = |text: &str| {
                Fault::new(format!("CoreDumpDirectory {} {text}", path.display())).at(0)
            };
            match std::fs::metadata(path) {
                Err(_) => return Err(fault("does not exist")),
                Ok(found) if !found.is_dir() => return Err(fault("is not a directory")),
                Ok(_) => {}
            }
            settings.of_mut::<MpmSettings>().core_dump_directory = Some(path.to_owned());
            Ok(())
        },
    },
    Row {
        name: "ListenBacklog",
        module: "mpm_common.c",
        contexts: Contexts::SERVER,
        args: BUFFER,
        default: "511",
        help: "connections that may wait in the kernel's queue of a listening socket",
        set: |settings, call| match call.int::<i32>()? {
            backlog if backlog > 0 => {
                settings.of_mut::<MpmSettings>().sockets.backlog = backlog;
                Ok(())
            }
            _ => Err(Fault::new("ListenBacklog must be > 0").at(0)),
        },
    },
    Row {
        name: "SendBufferSize",
        module: "mpm_common.c",
        contexts: Contexts::SERVER,
        args: BUFFER,
        default: "0",
        help: "bytes of a connection's send buffer; 0 for the system's default",
        set: |settings, call| {
            settings.of_mut::<MpmSettings>().sockets.send_buffer = buffer(call)?;
            Ok(())
        },
    },
    Row {
        name: "ReceiveBufferSize",
        module: "mpm_common.c",
        contexts: Contexts::SERVER,
        args: BUFFER,
        default: "0",
        help: "bytes of a connection's receive buffer; 0 for the system's default",
        set: |settings, call| {
            settings.of_mut::<MpmSettings>().sockets.receive_buffer = buffer(call)?;
            Ok(())
        },
    },
    Row {
        name: "AcceptFilter",
        module: "core.c",
        contexts: Contexts::SERVER,
        args: Args::Words { min: 2, max: 2 },
        default: "http none",
        help: "a protocol, and the filter its connections pass in the kernel: data waits for the first \
               bytes, none does not",
        set: |settings, call| {
            let [protocol, filter] = call.words else { return Ok(()) };
            // Other protocols have no listeners.
            if protocol.text.eq_ignore_ascii_case("http") {
                let waits = !filter.text.eq_ignore_ascii_case("none");
                settings.of_mut::<MpmSettings>().sockets.waits_for_data = waits;
            }
            Ok(())
        },
    },
    Row {
        name: "ListenCoresBucketsRatio",
        module: "mpm_common.c",
        contexts: Contexts::SERVER,
        args: Args::Int { min: i64::MIN, max: i64::MAX },
        default: "0",
        help: "processors to a bucket of listening sockets; 0 for no buckets",
        set: |_, call| match call.int::<i64>()? {
            0 => Ok(()),
            ..0 => Err(Fault::new("ListenCoresBucketsRatio must be > 0").at(0)),
            _ => Err(Fault::new(
                "ListenCoresBucketsRatio other than 0 is not supported: every connection wakes one \
                 child without buckets, too",
            )
            .at(0)),
        },
    },
];
