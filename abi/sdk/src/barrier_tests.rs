//! The functions the host calls, called with a host of our own.

use std::ffi::{c_char, c_void};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use mpm_abi::version::{ABI_MAJOR, ABI_MINOR};
use mpm_abi::{
    CHILD_SICK, DirectiveCall as RawCall, E_CONFIG, E_INVAL, E_PANIC, E_UNSUPPORTED, ERR_TEXT_LEN,
    Err as RawErr, HostApi, Inst, OK, Ops, Plan as RawPlan, Str,
};

use super::ops;
use crate::{Child, DirectiveCall, Error, Host, Mpm, Parent, Plan, Why};

static LOGGED: Mutex<Vec<String>> = Mutex::new(Vec::new());

unsafe extern "C" fn log(_: *mut mpm_abi::Host, level: u32, msg: *const c_char, len: usize) {
    // SAFETY: the SDK's message.
    let bytes = unsafe { std::slice::from_raw_parts(msg.cast::<u8>(), len) };
    LOGGED.lock().unwrap().push(format!("{level}: {}", String::from_utf8_lossy(bytes)));
}

/// A host that only logs. Zeroed entries are absent ones.
fn host() -> HostApi {
    // SAFETY: all-zero bytes are a table with every entry absent.
    let mut api: HostApi = unsafe { std::mem::zeroed() };
    api.struct_size = size_of::<HostApi>() as u32;
    api.abi_major = ABI_MAJOR;
    api.abi_minor = ABI_MINOR;
    api.log = Some(log);
    api
}

fn err() -> RawErr {
    RawErr {
        struct_size: size_of::<RawErr>() as u32,
        code: 0,
        os_code: 0,
        text_len: 0,
        text: [0; ERR_TEXT_LEN],
    }
}

fn text(err: &RawErr) -> String {
    let bytes: Vec<u8> = err.text.iter().take(err.text_len as usize).map(|c| *c as u8).collect();
    String::from_utf8(bytes).unwrap()
}

/// An MPM that panics wherever it can, except in `create`.
struct Panics;

impl Mpm for Panics {
    fn create(_: Host) -> Result<Self, Error> {
        Ok(Self)
    }
    fn directive(&mut self, call: &DirectiveCall<'_>) -> Result<(), Error> {
        assert_ne!(call.id, 1, "directive {} on line {} of {}", call.id, call.line, call.file);
        Err(Error::config("ü".repeat(ERR_TEXT_LEN)))
    }
    fn config_check(&mut self) -> Result<(), Error> {
        panic!("config_check")
    }
    fn prepare(&mut self) -> Result<Plan, Error> {
        panic!("prepare")
    }
    fn run(&self, _: &mut Parent) -> Result<Why, Error> {
        panic!("run")
    }
    fn after_fork_child(&self) {
        panic!("after_fork_child")
    }
    fn child_main(&self, _: Child, _: u32) -> i32 {
        panic!("child_main")
    }
    fn wake(&self, _: u64) {
        panic!("wake")
    }
    fn query(&self, code: u32) -> Option<i64> {
        assert_ne!(code, 7, "query");
        (code == 1).then_some(-5)
    }
}

fn created(ops: &Ops, api: &HostApi) -> *mut Inst {
    let mut inst = std::ptr::null_mut();
    let (host, prev) = (std::ptr::null_mut(), std::ptr::null_mut());
    let mut err = err();
    // SAFETY: arguments as the contract says.
    let status = unsafe { ops.create.unwrap()(host, api, prev, &raw mut inst, &raw mut err) };
    assert_eq!(status, OK, "{}", text(&err));
    inst
}

fn call(id: u32, size: usize) -> RawCall {
    let file = "a.conf";
    RawCall {
        struct_size: size as u32,
        id,
        value: 0,
        fraction: 0.0,
        argv: std::ptr::null(),
        argc: 0,
        line: 12,
        file: Str { ptr: file.as_ptr().cast(), len: file.len() },
    }
}

#[test]
fn every_panic_becomes_a_status() {
    let (ops, api) = (ops::<Panics>(), host());
    let inst = created(&ops, &api);
    let mut buffer = err();
    let err_ptr = &raw mut buffer;
    let whole = call(1, size_of::<RawCall>());
    let mut plan = RawPlan {
        struct_size: size_of::<RawPlan>() as u32,
        max_children: 9,
        threads_per_child: 9,
        idle_low: 9,
        idle_high: 9,
    };
    let (mut why, mut value) = (99, 99);
    // SAFETY: one call after the other on a live instance, arguments as the contract says.
    unsafe {
        assert_eq!(ops.directive.unwrap()(inst, &raw const whole, err_ptr), E_PANIC);
        assert_eq!(ops.config_check.unwrap()(inst, err_ptr), E_PANIC);
        assert_eq!(ops.prepare.unwrap()(inst, &raw mut plan, err_ptr), E_PANIC);
        assert_eq!(ops.run.unwrap()(inst, &raw mut why), E_PANIC);
        ops.after_fork_child.unwrap()(inst);
        assert_eq!(ops.child_main.unwrap()(inst, 0), CHILD_SICK);
        ops.wake.unwrap()(inst, 3);
        assert_eq!(ops.query.unwrap()(inst, 7, &raw mut value), E_PANIC);
        ops.destroy.unwrap()(inst);
    }
    assert_eq!((buffer.code, plan.max_children, why, value), (E_PANIC, 9, 99, 99));
    assert_eq!(text(&buffer), "the MPM panicked");
    let logged = LOGGED.lock().unwrap();
    for what in ["directive", "config_check", "prepare", "run", "child_main", "wake", "query"] {
        assert!(logged.iter().any(|l| l.starts_with("2: panic") && l.contains(what)), "{what}");
    }
}

#[test]
fn errors_carry_their_text_cut_at_a_character() {
    let (ops, api) = (ops::<Panics>(), host());
    let inst = created(&ops, &api);
    let whole = call(2, size_of::<RawCall>());
    let mut buffer = err();
    // SAFETY: arguments as the contract says.
    let status = unsafe { ops.directive.unwrap()(inst, &raw const whole, &raw mut buffer) };
    assert_eq!((status, buffer.code), (E_CONFIG, E_CONFIG));
    assert_eq!(text(&buffer), "ü".repeat(ERR_TEXT_LEN / 2));
    // A caller that wants no text, and one whose buffer is too small.
    let mut small = RawErr { struct_size: 16, ..err() };
    for buffer in [std::ptr::null_mut(), &raw mut small] {
        // SAFETY: arguments as the contract says.
        let status = unsafe { ops.directive.unwrap()(inst, &raw const whole, buffer) };
        assert_eq!(status, E_CONFIG);
    }
    assert_eq!(small.text_len, 0);
}

#[test]
fn structs_of_an_older_host_are_refused() {
    let (ops, api) = (ops::<Panics>(), host());
    let inst = created(&ops, &api);
    let short = call(2, 16);
    let mut plan = RawPlan {
        struct_size: 8,
        max_children: 9,
        threads_per_child: 0,
        idle_low: 0,
        idle_high: 0,
    };
    let null = std::ptr::null_mut();
    // SAFETY: arguments as the contract says.
    unsafe {
        assert_eq!(ops.directive.unwrap()(inst, &raw const short, null), E_INVAL);
        assert_eq!(ops.prepare.unwrap()(inst, &raw mut plan, null), E_PANIC, "asked first");
    }
    assert_eq!(plan.max_children, 9);
}

#[test]
fn a_query_answers_or_does_not_know() {
    let (ops, api) = (ops::<Panics>(), host());
    let inst = created(&ops, &api);
    let mut value = 0;
    // SAFETY: arguments as the contract says.
    unsafe {
        assert_eq!(ops.query.unwrap()(inst, 1, &raw mut value), OK);
        assert_eq!(value, -5);
        assert_eq!(ops.query.unwrap()(inst, 2, &raw mut value), E_UNSUPPORTED);
    }
}

static SEEN: AtomicU32 = AtomicU32::new(0);

/// Uses a host that has nearly nothing.
struct Lonely;

impl Mpm for Lonely {
    fn create(host: Host) -> Result<Self, Error> {
        assert_eq!(host.now(), 0, "no clock");
        assert!(!host.log_enabled(0));
        Ok(Self)
    }
    fn directive(&mut self, _: &DirectiveCall<'_>) -> Result<(), Error> {
        Ok(())
    }
    fn config_check(&mut self) -> Result<(), Error> {
        Ok(())
    }
    fn prepare(&mut self) -> Result<Plan, Error> {
        Ok(Plan { max_children: 2, threads_per_child: 3, idle_low: 4, idle_high: 5 })
    }
    fn run(&self, parent: &mut Parent) -> Result<Why, Error> {
        assert_eq!(parent.spawn_child(0).unwrap_err().status(), E_UNSUPPORTED);
        assert!(parent.child(0).is_none());
        parent.reap(None)?;
        Ok(Why::Stop)
    }
    fn child_main(&self, child: Child, slot: u32) -> i32 {
        assert!(child.listeners().is_empty());
        assert!(child.control().is_err() && child.control_next().is_none());
        child.ready();
        child.report(1, 2, 3, true);
        assert!(child.accept(0, false).is_err());
        assert!(child.spawn("t", 0, || {}).is_err());
        SEEN.store(slot, Ordering::Relaxed);
        0
    }
    fn wake(&self, _: u64) {}
    fn query(&self, _: u32) -> Option<i64> {
        None
    }
}

/// A host of an earlier minor version: its table ends before the entries that were added later.
#[test]
fn entries_beyond_a_short_table_are_absent() {
    #[repr(C)]
    struct Short {
        head: [u64; 3],
        log: Option<unsafe extern "C" fn(*mut mpm_abi::Host, u32, *const c_char, usize)>,
        poison: [*const c_void; 64],
    }
    let size = std::mem::offset_of!(HostApi, log_enabled) as u64;
    let short = Short { head: [size, 0, 0], log: Some(log), poison: [std::ptr::dangling(); 64] };
    let ops = ops::<Lonely>();
    let inst = created(&ops, {
        // SAFETY: a host's table, of which `struct_size` bytes are read.
        unsafe { &*(&raw const short).cast::<HostApi>() }
    });
    let mut plan = RawPlan {
        struct_size: size_of::<RawPlan>() as u32,
        max_children: 0,
        threads_per_child: 0,
        idle_low: 0,
        idle_high: 0,
    };
    let mut why = 99;
    // SAFETY: arguments as the contract says.
    unsafe {
        assert_eq!(ops.prepare.unwrap()(inst, &raw mut plan, std::ptr::null_mut()), OK);
        assert_eq!((plan.max_children, plan.idle_high), (2, 5));
        assert_ne!(ops.run.unwrap()(inst, &raw mut why), OK, "reap is absent");
        assert_eq!(ops.child_main.unwrap()(inst, 6), 0);
        ops.destroy.unwrap()(inst);
    }
    assert_eq!(SEEN.load(Ordering::Relaxed), 6);
}
