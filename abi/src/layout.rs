//! Names, offsets and sizes of everything that crosses, and their fingerprint.
//!
//! The C header asserts the same numbers; a test keeps both in step.

use crate::directive::{Directive, DirectiveCall};
use crate::host::HostApi;
use crate::module::Descriptor;
use crate::mpm::Ops;
use crate::scoreboard::Counters;
use crate::types::{
    Accepted, AuxFd, ChildInfo, ConfigValue, ConnInfo, Err, Event, Listener, Plan, PollOut, Str,
};

/// One field of a struct.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name, the same in Rust and C.
    pub name: &'static str,
    /// Bytes from the start of the struct.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
}

/// One struct.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Name in C.
    pub name: &'static str,
    /// Bytes.
    pub size: usize,
    /// Fields in order.
    pub fields: &'static [Field],
}

const fn size_of_field<S, F>(_: fn(&S) -> &F) -> usize {
    size_of::<F>()
}

macro_rules! layouts {
    ($($c_name:literal $ty:ident { $($field:ident)* })*) => {
        /// Every struct of the contract.
        pub const LAYOUTS: &[Layout] = &[$(Layout {
            name: $c_name,
            size: size_of::<$ty>(),
            fields: &[$(Field {
                name: stringify!($field),
                offset: core::mem::offset_of!($ty, $field),
                size: size_of_field(|s: &$ty| &s.$field),
            }),*],
        }),*];
    };
}

layouts! {
    "mpm_descriptor" Descriptor {
        magic header_size abi_major abi_minor min_host_minor ptr_bits endian reserved flags_compat
        flags_incompat required_caps optional_caps name vendor version license build_id layout_id
        ops directives directive_count directive_stride
    }
    "mpm_str" Str { ptr len }
    "mpm_err" Err { struct_size code os_code text_len text }
    "mpm_aux_fd" AuxFd { fd interest reserved }
    "mpm_poll_out" PollOut {
        struct_size status interest phase deadline_ns aux naux want_budget
    }
    "mpm_event" Event { struct_size kind slot generation pid status reason deadline_ns }
    "mpm_child_info" ChildInfo { struct_size flags pid generation idle busy connections }
    "mpm_plan" Plan { struct_size max_children threads_per_child idle_low idle_high }
    "mpm_config_value" ConfigValue { struct_size kind value text }
    "mpm_listener" Listener { struct_size bucket fd addr_len protocol_len protocol addr }
    "mpm_accepted" Accepted { struct_size addr_len fd accepted_ns retry_ns addr }
    "mpm_conn_info" ConnInfo {
        struct_size listener fd token accepted_ns peer local peer_len local_len slot thread
    }
    "mpm_counters" Counters { struct_size wait_io writing keep_alive closing suspended }
    "mpm_directive" Directive {
        name help default_text alias_of enum_names min max enum_count kind min_args max_args flags
        id
    }
    "mpm_directive_call" DirectiveCall { struct_size id value fraction argv argc line file }
    "mpm_ops" Ops {
        struct_size reserved create destroy directive config_check prepare run child_main wake
        task_spawn offload query status after_fork_child get_extension
    }
    "mpm_host_api" HostApi {
        struct_size abi_major abi_minor caps log log_enabled log_raw now alloc realloc free
        get_extension config_get listener_count listener_get accept accept_lock accept_unlock
        spawn_child child_drain child_stop child_get child_report child_ready child_stopping reap
        control_fd control_next slot_set slot_counters slot_thread_id thread_spawn thread_join
        thread_attach thread_detach conn_create conn_poll conn_notify_stop conn_destroy
        drive_blocking task_poll task_destroy requests_left retained_get retained_put assert_thread
    }
}

/// Fingerprint (FNV-1a, 64 bit) of [`LAYOUTS`]: struct, field, offset, size, in order.
pub const LAYOUT_ID: u64 = {
    let mut hash = FNV_OFFSET;
    let mut s = 0;
    while s < LAYOUTS.len() {
        hash = fnv_bytes(hash, LAYOUTS[s].name.as_bytes());
        hash = fnv_number(hash, LAYOUTS[s].size);
        let fields = LAYOUTS[s].fields;
        let mut f = 0;
        while f < fields.len() {
            hash = fnv_bytes(hash, fields[f].name.as_bytes());
            hash = fnv_number(hash, fields[f].offset);
            hash = fnv_number(hash, fields[f].size);
            f += 1;
        }
        s += 1;
    }
    hash
};

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

const fn fnv_bytes(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(FNV_PRIME);
        i += 1;
    }
    hash
}

const fn fnv_number(hash: u64, n: usize) -> u64 {
    fnv_bytes(hash, &(n as u64).to_le_bytes())
}
