//! mpm_prefork: a process per connection.
//!
//! The parent starts `StartServers` children and keeps between `MinSpareServers` and `MaxSpareServers`
//! of them idle; each accepts a connection, serves it to its end, and
//! accepts the next. Nothing is shared, so a crash ends one connection.

use mpm_sdk::abi::mpm::{
    QUERY_HARD_LIMIT_DAEMONS, QUERY_HARD_LIMIT_THREADS, QUERY_IS_ASYNC, QUERY_IS_FORKED,
    QUERY_IS_THREADED, QUERY_MAX_DAEMONS, QUERY_MAX_REQUEST_WORKERS, QUERY_MAX_SPARE_DAEMONS,
    QUERY_MAX_THREADS, QUERY_MIN_SPARE_DAEMONS, QUERY_START_SERVERS,
};
use mpm_sdk::abi::version::{
    CAP_ACCEPT, CAP_CHILDREN, CAP_DRIVE_BLOCKING, FLAG_BLOCKING_ONLY, FLAG_FORKS, FLAG_GRACEFUL,
    FLAG_POSIX,
};
use mpm_sdk::abi::{CHILD_OK, CHILD_SICK};
use mpm_sdk::blocking::{self, Gauge, Place, Until};
use mpm_sdk::declare::{int, old_name};
use mpm_sdk::limits::{
    Bound, Setting, at_least_one, at_least_one_spare, at_most, bounded, count, room_above,
};
use mpm_sdk::pool::{self, Limits, Words};
use mpm_sdk::{Child, DirectiveCall, Error, Host, Mpm, Parent, Plan, Why};

/// Most processes ServerLimit may ask for (httpd's compile-time limit).
const SERVER_LIMIT_MAX: i64 = 200_000;

const START_SERVERS: u32 = 1;
const SERVER_LIMIT: u32 = 2;
const MAX_REQUEST_WORKERS: u32 = 3;
const MIN_SPARE_SERVERS: u32 = 4;
const MAX_SPARE_SERVERS: u32 = 5;

const WORDS: Words = Words {
    min_spare: "MinSpareServers",
    to_increase: "StartServers, or Min/MaxSpareServers",
    reached: "AH00161",
    near: "GB0503",
    busy: "AH00162",
    full: "GB0505",
};

/// The MPM, with its directives as configured and then adjusted.
struct Prefork {
    start_servers: Setting,
    server_limit: i64,
    max_request_workers: i64,
    min_spare_servers: i64,
    max_spare_servers: Setting,
}

impl Mpm for Prefork {
    fn create(_: Host) -> Result<Self, Error> {
        Ok(Self {
            start_servers: Setting::default_of(5),
            server_limit: 256,
            max_request_workers: 256,
            min_spare_servers: 5,
            max_spare_servers: Setting::default_of(10),
        })
    }

    fn directive(&mut self, call: &DirectiveCall<'_>) -> Result<(), Error> {
        let place = match call.id {
            START_SERVERS => self.start_servers.written(),
            SERVER_LIMIT => &mut self.server_limit,
            MAX_REQUEST_WORKERS => &mut self.max_request_workers,
            MIN_SPARE_SERVERS => &mut self.min_spare_servers,
            MAX_SPARE_SERVERS => self.max_spare_servers.written(),
            _ => return Err(Error::config("not a directive of prefork")),
        };
        *place = call.value;
        Ok(())
    }

    fn config_check(&mut self) -> Result<(), Error> {
        let compiled = Bound::compiled(SERVER_LIMIT_MAX, "servers");
        bounded("AH00175", "ServerLimit", &mut self.server_limit, compiled);
        at_least_one("AH00177", "ServerLimit", &mut self.server_limit);
        let servers = self.server_limit;
        if self.max_request_workers > servers {
            log::warn!(
                "AH00180: MaxRequestWorkers of {} exceeds ServerLimit value of {servers} servers, \
                 decreasing MaxRequestWorkers to {servers}. To increase, please see the ServerLimit \
                 directive.",
                self.max_request_workers
            );
            self.max_request_workers = servers;
        }
        at_least_one("AH00182", "MaxRequestWorkers", &mut self.max_request_workers);
        at_least_one("AH00184", "StartServers", &mut self.start_servers.value);
        at_least_one_spare("AH00186", "MinSpareServers", &mut self.min_spare_servers);
        at_most("StartServers", &mut self.start_servers, self.max_request_workers);
        let min = self.min_spare_servers;
        room_above(
            "MaxSpareServers",
            &mut self.max_spare_servers,
            min.saturating_add(1),
            format_args!("MinSpareServers of {min} and one"),
        );
        Ok(())
    }

    fn prepare(&mut self) -> Result<Plan, Error> {
        Ok(self.limits().plan())
    }

    fn run(&self, parent: &mut Parent) -> Result<Why, Error> {
        pool::run(parent, self.limits(), &WORDS)
    }

    fn child_main(&self, child: Child, slot: u32) -> i32 {
        // The one thread serves and hears orders: whatever the order, what it holds is finished by
        // the time it sees it.
        let gauge = Gauge::new(child, 1);
        child.ready();
        let served = blocking::serve(child, Place { slot, thread: 0 }, Until::Told, &gauge);
        gauge.stop_accepting();
        match served {
            Ok(()) => CHILD_OK,
            Err(error) => {
                log::error!("child in slot {slot} leaves: {error}");
                CHILD_SICK
            }
        }
    }

    /// Nothing: while a connection is driven, the host itself wakes it.
    fn wake(&self, _: u64) {}

    fn query(&self, code: u32) -> Option<i64> {
        Some(match code {
            QUERY_IS_THREADED | QUERY_IS_ASYNC => 0,
            QUERY_IS_FORKED => 2,
            QUERY_HARD_LIMIT_DAEMONS => self.server_limit,
            QUERY_HARD_LIMIT_THREADS | QUERY_MAX_THREADS => 1,
            QUERY_MAX_DAEMONS | QUERY_MAX_REQUEST_WORKERS => self.max_request_workers,
            QUERY_MIN_SPARE_DAEMONS => self.min_spare_servers,
            QUERY_MAX_SPARE_DAEMONS => self.max_spare_servers.value,
            QUERY_START_SERVERS => self.start_servers.value,
            _ => return None,
        })
    }
}

impl Prefork {
    fn limits(&self) -> Limits {
        Limits {
            start: count(self.start_servers.value),
            max: count(self.max_request_workers),
            threads: 1,
            min_spare: count(self.min_spare_servers),
            max_spare: count(self.max_spare_servers.value),
        }
    }
}

mpm_sdk::declare_mpm! {
    symbol: mpm_prefork_module,
    layout_symbol: mpm_prefork_module__layout,
    name: c"mpm_prefork",
    vendor: c"gearbox",
    mpm: Prefork,
    flags: FLAG_FORKS | FLAG_BLOCKING_ONLY | FLAG_GRACEFUL | FLAG_POSIX,
    requires: CAP_ACCEPT | CAP_DRIVE_BLOCKING | CAP_CHILDREN,
    directives: &[
        int(c"StartServers", c"processes started at first", c"5", START_SERVERS),
        int(c"MinSpareServers", c"fewest idle processes", c"5", MIN_SPARE_SERVERS),
        int(c"MaxSpareServers", c"most idle processes", c"10", MAX_SPARE_SERVERS),
        int(c"ServerLimit", c"most processes that take connections", c"256", SERVER_LIMIT),
        int(c"MaxRequestWorkers", c"most requests served at a time", c"256", MAX_REQUEST_WORKERS),
        old_name(
            int(c"MaxRequestWorkers", c"old name of MaxRequestWorkers", c"256", MAX_REQUEST_WORKERS),
            c"MaxClients",
        ),
    ],
}
