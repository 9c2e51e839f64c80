//! Numbers of processes and threads that do not fit: adjusted as httpd does, and told.

use gearbox_tests::{Conf, Mpm};

/// The warnings an MPM logs while `-t` checks these lines, without time and process.
fn warnings(mpm: Mpm, lines: &str) -> Vec<String> {
    let (status, stderr) = Conf::of(mpm, lines).check();
    assert_eq!(status, 0, "{stderr}");
    assert!(stderr.ends_with("Syntax OK\n"), "{stderr}");
    let tag = format!("] [mpm_{}:warn] ", mpm.name());
    let logged = stderr.lines().filter_map(|line| line.split_once(&tag));
    logged.map(|(_, rest)| rest.split_once("] ").expect("[pid …]").1.to_owned()).collect()
}

#[track_caller]
fn adjusts(mpm: Mpm, lines: &str, wanted: &[&str]) {
    assert_eq!(warnings(mpm, lines), wanted, "{}: {lines}", mpm.name());
}

#[test]
fn defaults_fit() {
    for mpm in crate::reports::MPMS {
        adjusts(mpm, "", &[]);
    }
    adjusts(Mpm::Prefork, "ServerLimit 200000\nMaxRequestWorkers 200000", &[]);
    adjusts(Mpm::Event, "ThreadLimit 100000\nThreadsPerChild 400", &[]);
}

/// A line, how its message is numbered from the MPM's first one, what it says, and what comes of it.
type Case<'a> = (&'a str, u32, &'a str, &'a [(&'a str, i64)]);

/// httpd-mpm's rules 1 to 13, as far as they are about processes and threads.
const CASES: &[Case<'_>] = &[
    (
        "ServerLimit 20001",
        0,
        "ServerLimit of 20001 exceeds compile-time limit of 20000 servers, decreasing to 20000.",
        &[("ServerLimit", 20000), ("MaxRequestWorkers", 400)],
    ),
    (
        "ServerLimit 0\nMaxRequestWorkers 25",
        2,
        "ServerLimit of 0 not allowed, increasing to 1.",
        &[("ServerLimit", 1), ("StartServers", 1)],
    ),
    (
        "ThreadLimit @OVER@",
        5,
        "ThreadLimit of @OVER@ exceeds compile-time limit of @MAX@ threads, decreasing to @MAX@.",
        &[("ThreadsPerChild", 25)],
    ),
    (
        "ThreadLimit -1\nThreadsPerChild 1\nMaxRequestWorkers 16",
        7,
        "ThreadLimit of -1 not allowed, increasing to 1.",
        &[("ThreadLimit", 1)],
    ),
    (
        "ThreadsPerChild 65\nMaxRequestWorkers 64",
        10,
        "ThreadsPerChild of 65 exceeds ThreadLimit of 64 threads, decreasing to 64. To increase, \
         please see the ThreadLimit directive.",
        &[("ThreadsPerChild", 64), ("StartServers", 1)],
    ),
    (
        "ThreadsPerChild 0\nMaxRequestWorkers 16",
        12,
        "ThreadsPerChild of 0 not allowed, increasing to 1.",
        &[("ThreadsPerChild", 1), ("MaxRequestWorkers", 16)],
    ),
    (
        "MaxRequestWorkers 24",
        14,
        "MaxRequestWorkers of 24 is less than ThreadsPerChild of 25, increasing to 25. \
         MaxRequestWorkers must be at least as large as the number of threads in a single server.",
        &[("MaxRequestWorkers", 25)],
    ),
    (
        "MaxRequestWorkers 399",
        16,
        "MaxRequestWorkers of 399 is not an integer multiple of ThreadsPerChild of 25, decreasing to \
         nearest multiple 375, for a maximum of 15 servers.",
        &[("MaxRequestWorkers", 375)],
    ),
    (
        "MaxRequestWorkers 425",
        18,
        "MaxRequestWorkers of 425 would require 17 servers and would exceed ServerLimit of 16, \
         decreasing to 400. To increase, please see the ServerLimit directive.",
        &[("MaxRequestWorkers", 400), ("ServerLimit", 16)],
    ),
    (
        "StartServers -5",
        20,
        "StartServers of -5 not allowed, increasing to 1.",
        &[("StartServers", 1)],
    ),
    (
        "MinSpareThreads 0",
        22,
        "MinSpareThreads of 0 not allowed, increasing to 1 to avoid almost certain server failure. \
         Please read the documentation.",
        &[("MinSpareThreads", 1), ("MaxSpareThreads", 250)],
    ),
];

/// What `-S` says of the MPM's numbers.
#[track_caller]
fn results(mpm: Mpm, lines: &str, wanted: &[(&str, i64)]) {
    let output = Conf::of(mpm, lines).run(&["-S"]);
    for (name, value) in wanted {
        let line = format!("\n  {name}: {value}\n");
        assert!(output.stdout.contains(&line), "{lines}: {name} {value}: {}", output.stdout);
    }
}

/// event and worker have the same sentences, numbered from a first one on.
#[test]
fn threads_and_processes() {
    for (mpm, first, threads_max) in [(Mpm::Event, 497, 100_000), (Mpm::Worker, 300, 20_000)] {
        let put = |text: &str| {
            let over = (threads_max + 1).to_string();
            text.replace("@OVER@", &over).replace("@MAX@", &threads_max.to_string())
        };
        for (lines, n, sentence, wanted) in CASES {
            adjusts(mpm, &put(lines), &[&put(&format!("AH{:05}: {sentence}", first + n))]);
            results(mpm, &put(lines), wanted);
        }
        results(mpm, "", &[("StartServers", 3), ("MinSpareThreads", 75), ("MaxSpareThreads", 250)]);
        results(mpm, "", &[("ServerLimit", 16), ("ThreadLimit", 64), ("MaxRequestWorkers", 400)]);
    }
}

/// What httpd changes without a word.
#[test]
fn what_leaves_no_room() {
    for mpm in [Mpm::Event, Mpm::Worker] {
        let servers = "GB0506: StartServers of 17 exceeds the 16 servers that MaxRequestWorkers allows, \
                       decreasing to 16.";
        adjusts(mpm, "StartServers 17", &[servers]);
        results(mpm, "StartServers 17", &[("StartServers", 16)]);
        let spare = "GB0507: MaxSpareThreads of 100 is less than the sum of MinSpareThreads of 75, \
                     ThreadsPerChild of 25, and one, increasing to 101.";
        adjusts(mpm, "MaxSpareThreads 100", &[spare]);
        results(mpm, "MaxSpareThreads 100", &[("MaxSpareThreads", 101)]);
        // A default that does not fit what was written is nobody's mistake.
        adjusts(mpm, "MinSpareThreads 300", &[]);
        results(mpm, "MinSpareThreads 300", &[("MaxSpareThreads", 326)]);
    }
}

#[test]
fn fractions_of_the_factor() {
    let of = |factor: &str| format!("AsyncRequestWorkerFactor {factor}");
    for (factor, wanted) in [("1.5", "1.5"), ("2.9", "2.9"), ("4", "4"), ("1", "1")] {
        adjusts(Mpm::Event, &of(factor), &[]);
        let output = Conf::of(Mpm::Event, &of(factor)).run(&["-S"]);
        let line = format!("\n  AsyncRequestWorkerFactor: {wanted}\n");
        assert!(output.stdout.contains(&line), "{}", output.stdout);
    }
    let low = "GB0509: AsyncRequestWorkerFactor of 0.5 not allowed, increasing to 1.";
    adjusts(Mpm::Event, &of("0.5"), &[low]);
    for (factor, sentence) in [
        ("0", "AsyncRequestWorkerFactor argument must be a positive number"),
        ("-1", "AsyncRequestWorkerFactor argument must be a positive number"),
        ("x", "AsyncRequestWorkerFactor must be a"),
    ] {
        let (status, stderr) = Conf::of(Mpm::Event, &of(factor)).check();
        assert!(status == 1 && stderr.contains(sentence), "{stderr}");
    }
}

/// Directives that every MPM has.
#[test]
fn of_every_mpm() {
    let refused = [
        ("ListenBacklog 0", "ListenBacklog must be > 0"),
        ("ListenBacklog x", "ListenBacklog must be an integer"),
        ("SendBufferSize 511", "SendBufferSize must be >= 512 bytes, or 0 for system default."),
        (
            "ReceiveBufferSize -1",
            "ReceiveBufferSize must be >= 512 bytes, or 0 for system default.",
        ),
        ("ListenCoresBucketsRatio -1", "ListenCoresBucketsRatio must be > 0"),
        ("ListenCoresBucketsRatio 8", "ListenCoresBucketsRatio other than 0 is not supported"),
        ("MaxConnectionsPerChild -1", "MaxConnectionsPerChild must be"),
        ("MaxMemFree x", "MaxMemFree must be"),
        ("ThreadStackSize x", "ThreadStackSize must be"),
        ("CoreDumpDirectory nowhere", "CoreDumpDirectory @ROOT@/nowhere does not exist"),
        (
            "CoreDumpDirectory gearbox.conf",
            "CoreDumpDirectory @ROOT@/gearbox.conf is not a directory",
        ),
    ];
    for (line, sentence) in refused {
        let (status, stderr) = Conf::of(Mpm::Worker, line).check();
        assert!(status == 1 && stderr.contains(sentence), "{line}: {stderr}");
    }
    let lines = "ListenBacklog 100\nSendBufferSize 65536\nReceiveBufferSize 0\nMaxMemFree 0\n\
                 ListenCoresBucketsRatio 0\nMaxConnectionsPerChild 0\nThreadStackSize 262144\n\
                 AcceptFilter http data\nAcceptFilter https none\nCoreDumpDirectory .";
    for mpm in crate::reports::MPMS {
        assert_eq!(Conf::of(mpm, lines).check(), (0, "Syntax OK\n".to_owned()), "{}", mpm.name());
        let old = "AH00545: MaxRequestsPerChild is deprecated, use MaxConnectionsPerChild instead.\n\
                   Syntax OK\n";
        assert_eq!(Conf::of(mpm, "MaxRequestsPerChild 5").check(), (0, old.to_owned()));
    }
}

#[test]
fn processes_of_prefork() {
    for (lines, sentence) in [
        (
            "ServerLimit 200001",
            "AH00175: ServerLimit of 200001 exceeds compile-time limit of 200000 servers, decreasing \
             to 200000.",
        ),
        (
            "ServerLimit 0\nMaxRequestWorkers 1",
            "AH00177: ServerLimit of 0 not allowed, increasing to 1.",
        ),
        (
            "MaxRequestWorkers 257",
            "AH00180: MaxRequestWorkers of 257 exceeds ServerLimit value of 256 servers, decreasing \
             MaxRequestWorkers to 256. To increase, please see the ServerLimit directive.",
        ),
        ("MaxRequestWorkers 0", "AH00182: MaxRequestWorkers of 0 not allowed, increasing to 1."),
        ("StartServers 0", "AH00184: StartServers of 0 not allowed, increasing to 1."),
        (
            "MinSpareServers 0",
            "AH00186: MinSpareServers of 0 not allowed, increasing to 1 to avoid almost certain server \
             failure. Please read the documentation.",
        ),
        (
            "StartServers 257",
            "GB0506: StartServers of 257 exceeds the 256 servers that MaxRequestWorkers allows, \
             decreasing to 256.",
        ),
        (
            "MaxSpareServers 5",
            "GB0507: MaxSpareServers of 5 is less than the sum of MinSpareServers of 5 and one, \
             increasing to 6.",
        ),
    ] {
        adjusts(Mpm::Prefork, lines, &[sentence]);
    }
}

/// Each number is adjusted to those before it, in httpd's order, and the last of several counts.
#[test]
fn one_after_the_other() {
    let wanted = [
        "AH00499: ServerLimit of -1 not allowed, increasing to 1.",
        "AH00507: ThreadsPerChild of 50 exceeds ThreadLimit of 30 threads, decreasing to 30. \
         To increase, please see the ThreadLimit directive.",
        "AH00513: MaxRequestWorkers of 100 is not an integer multiple of ThreadsPerChild of 30, \
         decreasing to nearest multiple 90, for a maximum of 3 servers.",
        "AH00515: MaxRequestWorkers of 90 would require 3 servers and would exceed ServerLimit of 1, \
         decreasing to 30. To increase, please see the ServerLimit directive.",
    ];
    let lines = "MaxRequestWorkers 100\nThreadsPerChild 50\nThreadLimit 30\nServerLimit -1\n\
                 StartServers 0\nStartServers 1";
    adjusts(Mpm::Event, lines, &wanted);
}

#[test]
fn the_old_name() {
    let wanted = "GB0106: Warning on line 3 of @ROOT@/gearbox.conf:\nMaxClients is deprecated, use \
                  MaxRequestWorkers instead.\n    3 | MaxClients 100\n      | ^^^^^^^^^^\nSyntax OK\n";
    for mpm in [Mpm::Event, Mpm::Worker, Mpm::Prefork] {
        let conf = Conf::of(mpm, "MaxClients 100");
        assert_eq!(conf.check(), (0, wanted.to_owned()));
    }
}
