/*
 * mpm_abi.h - the contract between the gearbox host and a multi-processing module (MPM).
 *
 * Generated from the crate mpm-abi by scripts/header; do not edit. C99 and C++.
 *
 * An MPM is a shared object that exports one constant of type mpm_descriptor, named as in the
 * LoadModule line:
 *
 *     LoadModule mpm_example_module modules/mod_mpm_example.so
 *
 *     MPM_EXPORT const mpm_descriptor mpm_example_module = {MPM_DESCRIPTOR_INIT(flags, caps), ...};
 *
 * The host calls the MPM through mpm_ops, the MPM calls the host through mpm_host_api; nothing else
 * of either side is visible to the other.
 *
 * Conventions
 *   status   int32_t; 0 = MPM_OK, negative = MPM_E_..., positive only where said. errno is never
 *            part of the contract.
 *   sizes    every struct begins with struct_size. A reader uses the smaller of struct_size and its
 *            own size; an unknown tail must be zero in data and is ignored in function tables.
 *            Out-structs: the caller sets struct_size, the callee writes no more than that.
 *   tables   grow at the end only. An absent entry is NULL: test with MPM_HAS.
 *   strings  static metadata is NUL-terminated; all else is pointer and length, UTF-8.
 *   time     monotonic nanoseconds, MPM_NEVER = no deadline.
 *   owner    whoever allocates frees.
 *
 * Tags in the comments: who may call where
 *   P         the parent process, which has one thread
 *   C         the main thread of a child
 *   W         a thread made by thread_spawn or registered by thread_attach, or a child's main thread
 *   R         a W thread that must not block: the callee makes no blocking system call
 *   B         a W thread that may block
 *   any       any thread of a process in which the instance lives, concurrently
 *   pre-fork  only before the first child of this generation exists
 *   AS        async-signal-safe; nothing else may be called from a signal handler
 *   !reent    not from inside a call on the same object
 *
 * Names of constants stand without their prefix MPM_ in the comments.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MPM_ABI_H
#define MPM_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* First eight bytes of a descriptor; they differ when read in the wrong byte order. */
#define MPM_MAGIC UINT64_C(0x0A1A0A0D4D504D89)

/* No deadline: later than any point in time. */
#define MPM_NEVER UINT64_MAX

/* Fingerprint of the layouts below, as asserted at the end of this file. */
#define MPM_LAYOUT_ID UINT64_C(0xa6650996b4d16d84)

/* A file descriptor or socket handle. */
typedef intptr_t mpm_fd;

/* One instance of an MPM. Owned by the plug-in; the host only passes the pointer back. */
typedef struct mpm_inst mpm_inst;

/* The host as one MPM instance sees it. Owned by the host, lives as long as the process. */
typedef struct mpm_host mpm_host;

/* A connection. Owned by the host, used by one thread at a time. */
typedef struct mpm_conn mpm_conn;

/* A background state machine. Owned by the host. */
typedef struct mpm_task mpm_task;

/* Argument kind: On or Off. */
#define MPM_ARG_FLAG 0

/* Argument kind: a decimal integer within min..=max. */
#define MPM_ARG_INT 1

/* Argument kind: bytes, with an optional suffix K, M or G (powers of 1024). */
#define MPM_ARG_SIZE 2

/*
 Argument kind: a time; a bare number is seconds, suffixes ms, s, min, h. Delivered in
 nanoseconds, min and max likewise.
 */
#define MPM_ARG_DURATION 3

/* Argument kind: a decimal fraction; min and max are in thousandths. */
#define MPM_ARG_FLOAT 4

/* Argument kind: one word. */
#define MPM_ARG_STRING 5

/* Argument kind: one of enum_names, in any case; its index is the value. */
#define MPM_ARG_ENUM 6

/* Argument kind: min_args..=max_args words. */
#define MPM_ARG_ARGV 7

/* Argument kind: the rest of the line, unparsed, as one word. */
#define MPM_ARG_RAW 8

/* Directive flag: may stand more than once; otherwise the last one wins. */
#define MPM_DIRECTIVE_REPEATABLE (1 << 0)

/* Directive flag: old; the host says so when it is used. */
#define MPM_DIRECTIVE_DEPRECATED (1 << 1)

/* Directive flag: not listed by -L. */
#define MPM_DIRECTIVE_HIDDEN (1 << 2)

/* Directive flag: another name of alias_of; delivered under the id given here. */
#define MPM_DIRECTIVE_ALIAS (1 << 3)

/* Log level: the server cannot be used. */
#define MPM_LOG_EMERG 0

/* Log level: action must be taken at once. */
#define MPM_LOG_ALERT 1

/* Log level: critical. */
#define MPM_LOG_CRIT 2

/* Log level: the administrator must act. */
#define MPM_LOG_ERROR 3

/* Log level: something was adapted. */
#define MPM_LOG_WARN 4

/* Log level: life cycle. */
#define MPM_LOG_NOTICE 5

/* Log level: per connection. */
#define MPM_LOG_INFO 6

/* Log level: for developers. */
#define MPM_LOG_DEBUG 7

/* Log level: the coarsest trace; LOG_TRACE1 + 7 is the finest. */
#define MPM_LOG_TRACE1 8

/* Log level: the host broke the contract (shown as error). */
#define MPM_LOG_HOST_MISBEHAVES 32

/* Log level: the MPM broke the contract (shown as error). */
#define MPM_LOG_MPM_MISBEHAVES 33

/* run returns: stopped at once. */
#define MPM_WHY_STOP 0

/* run returns: stopped after finishing what was held. */
#define MPM_WHY_GRACEFUL_STOP 1

/* run returns: restart, old children stopped. */
#define MPM_WHY_RESTART 2

/* run returns: restart, old children draining. */
#define MPM_WHY_GRACEFUL_RESTART 3

/* run returns: cannot go on; the server ends with a non-zero status. */
#define MPM_WHY_FAILED 4

/* Query code: highest slot used, plus 1 (1 to 19 are httpd's AP_MPMQ_…). */
#define MPM_QUERY_MAX_DAEMON_USED 1

/* Query code: threaded? 0 no, 1 a fixed number of threads, 2 a variable number. */
#define MPM_QUERY_IS_THREADED 2

/* Query code: forked? Same scale, of processes. */
#define MPM_QUERY_IS_FORKED 3

/* Query code: most processes possible (ServerLimit). */
#define MPM_QUERY_HARD_LIMIT_DAEMONS 4

/* Query code: most threads per process possible (ThreadLimit). */
#define MPM_QUERY_HARD_LIMIT_THREADS 5

/* Query code: threads per process configured. */
#define MPM_QUERY_MAX_THREADS 6

/* Query code: fewest idle processes (MinSpareServers). */
#define MPM_QUERY_MIN_SPARE_DAEMONS 7

/* Query code: fewest idle threads (MinSpareThreads). */
#define MPM_QUERY_MIN_SPARE_THREADS 8

/* Query code: most idle processes (MaxSpareServers). */
#define MPM_QUERY_MAX_SPARE_DAEMONS 9

/* Query code: most idle threads (MaxSpareThreads). */
#define MPM_QUERY_MAX_SPARE_THREADS 10

/* Query code: processes configured. */
#define MPM_QUERY_MAX_DAEMONS 12

/* Query code: 1 if connections do not hold a thread while they wait. */
#define MPM_QUERY_IS_ASYNC 14

/* Query code: most requests served at a time (MaxRequestWorkers). */
#define MPM_QUERY_MAX_REQUEST_WORKERS 1000

/* Query code: processes started at first (StartServers). */
#define MPM_QUERY_START_SERVERS 1001

/* Query code: AsyncRequestWorkerFactor, in thousandths. */
#define MPM_QUERY_ASYNC_FACTOR 1002

/* .: open slot with no current process. */
#define MPM_STATE_DEAD 0

/* S: starting up. */
#define MPM_STATE_STARTING 1

/* _: waiting for a connection. */
#define MPM_STATE_READY 2

/* R: reading a request. */
#define MPM_STATE_BUSY_READ 3

/* W: sending a reply. */
#define MPM_STATE_BUSY_WRITE 4

/* K: keep-alive, waiting for the next request. */
#define MPM_STATE_BUSY_KEEPALIVE 5

/* L: logging. */
#define MPM_STATE_BUSY_LOG 6

/* D: looking up a name. */
#define MPM_STATE_BUSY_DNS 7

/* C: closing the connection. */
#define MPM_STATE_CLOSING 8

/* G: gracefully finishing. */
#define MPM_STATE_GRACEFUL 9

/* I: idle clean-up of a worker. */
#define MPM_STATE_IDLE_KILL 10

/* Status: success. */
#define MPM_OK 0

/* Status: an argument is wrong. */
#define MPM_E_INVAL -1

/* Status: out of memory. */
#define MPM_E_NOMEM -2

/* Status: unknown key or code. */
#define MPM_E_UNSUPPORTED -3

/* Status: nothing there now, try again when told. */
#define MPM_E_AGAIN -4

/* Status: the operating system refused; its number is in the error buffer. */
#define MPM_E_SYS -5

/* Status: versions do not match. */
#define MPM_E_VERSION -6

/* Status: the configuration is wrong; the text says how. */
#define MPM_E_CONFIG -7

/* Status: called in the wrong phase or on the wrong thread. */
#define MPM_E_STATE -8

/* Status: the callee panicked; its object must not be used again. */
#define MPM_E_PANIC -9

/* Status: cancelled by a stop. */
#define MPM_E_CANCELLED -10

/* Status: the server cannot go on. */
#define MPM_E_FATAL -11

/* Length in bytes of Err::text. */
#define MPM_ERR_TEXT_LEN 480

/* Poll status: wait for interest, auxiliary descriptors, deadline or wake. */
#define MPM_PENDING 0

/* Poll status: still runnable, budget used up. Poll again soon; no event will come. */
#define MPM_YIELD 1

/* Poll status: the next step may block. Poll again with EV_MAY_BLOCK on a thread that may. */
#define MPM_NEEDS_BLOCKING 2

/* Poll status: finished. Destroy the connection. */
#define MPM_DONE 3

/* Poll status: the descriptor was given away. Stop watching it, then destroy the connection. */
#define MPM_DETACHED 4

/* Interest in reading. */
#define MPM_READ (1 << 0)

/* Interest in writing. */
#define MPM_WRITE (1 << 1)

/* Event: the descriptor can be read. */
#define MPM_EV_READABLE (1 << 0)

/* Event: the descriptor can be written. */
#define MPM_EV_WRITABLE (1 << 1)

/* Event: the peer closed its side or the connection failed (EPOLLRDHUP, EPOLLHUP, EPOLLERR). */
#define MPM_EV_HANGUP (1 << 2)

/* Event: the deadline has passed. */
#define MPM_EV_TIMED_OUT (1 << 3)

/* Event: wake was called for this connection. */
#define MPM_EV_WOKEN (1 << 4)

/* Event: an auxiliary descriptor is ready. */
#define MPM_EV_AUX_READY (1 << 5)

/* Event: finish after the request in progress; no keep-alive. Stays in force once delivered. */
#define MPM_EV_STOPPING (1 << 6)

/* Event: this thread may block. */
#define MPM_EV_MAY_BLOCK (1 << 7)

/* Phase: handshake of the transport (TLS). */
#define MPM_PHASE_HANDSHAKE 0

/*
 Phase: between requests, or before the first; it holds nothing but its descriptor, and may be closed
 when those run out.
 */
#define MPM_PHASE_IDLE_KEEPALIVE 1

/* Phase: reading a request. */
#define MPM_PHASE_READING 2

/* Phase: computing the response. */
#define MPM_PHASE_PROCESSING 3

/* Phase: sending the response. */
#define MPM_PHASE_WRITING 4

/* Phase: lingering close; the response is out and the peer's rest is being read away. */
#define MPM_PHASE_LINGER 5

/* Phase: waits for wake only. */
#define MPM_PHASE_SUSPENDED 6

/* Event kind: none; the time given to reap has passed. */
#define MPM_EVENT_NONE 0

/* Event kind (parent): a child exists; follows every spawn_child. */
#define MPM_EVENT_CHILD_STARTED 1

/* Event kind (parent): a child called child_ready. */
#define MPM_EVENT_CHILD_READY 2

/* Event kind (parent): a child is gone and was reaped; status and reason say how. */
#define MPM_EVENT_CHILD_EXITED 3

/*
 Event kind (parent): the idle threads of all children that accept connections, taken together,
 crossed a mark of the plan, or their number changed while it was beyond one; or a child will accept
 no more. slot is one of those whose numbers changed. Changes of a tenth of a second come together.
 */
#define MPM_EVENT_LOAD 4

/* Event kind (parent and child): stop now. A child returns from child_main. */
#define MPM_EVENT_STOP 5

/* Event kind (parent): stop when the requests in progress are finished. */
#define MPM_EVENT_GRACEFUL_STOP 6

/* Event kind (parent): restart, stopping the old children. */
#define MPM_EVENT_RESTART 7

/* Event kind (parent): restart, draining the old children. */
#define MPM_EVENT_GRACEFUL_RESTART 8

/* Event kind (child): stop accepting, finish what is held, return from child_main. */
#define MPM_EVENT_CHILD_DRAIN 9

/* Exit reason: the child exited; status is its exit code. */
#define MPM_EXIT_CODE 0

/* Exit reason: a signal ended the child; status is the signal's number. */
#define MPM_EXIT_SIGNAL 1

/* Exit reason: the child was lost; nothing is known. */
#define MPM_EXIT_LOST 2

/*
 Exit code of a child: normal. The host tells run of every end and replaces no child by itself;
 to an MPM without run it gives another one.
 */
#define MPM_CHILD_OK 0

/*
 Exit code of a child: set-up failed. The host uses it too. It is logged, as all codes but 0 are; an
 MPM without run gets another child after a second, unless none was ever ready: then the server
 gives up.
 */
#define MPM_CHILD_INIT 2

/*
 Exit code of a child: short of resources; slow down starting others, which is the MPM's to do.
 The host uses it for a panic, and otherwise like CHILD_INIT.
 */
#define MPM_CHILD_SICK 7

/*
 Exit code of a child: fatal; the server must stop. The host says so in the log and leaves it to
 run to return WHY_FAILED; without run it ends the server.
 */
#define MPM_CHILD_FATAL 15

/* Child flag: the slot holds a process. */
#define MPM_CHILD_EXISTS (1 << 0)

/* Child flag: child_ready was called. */
#define MPM_CHILD_READY (1 << 1)

/* Child flag: was told to drain or stop. */
#define MPM_CHILD_DRAINING (1 << 2)

/* Child flag: accepts connections (also a flag of child_report). */
#define MPM_CHILD_ACCEPTING (1 << 3)

/* Configuration value: text. */
#define MPM_VALUE_TEXT 0

/* Configuration value: integer, or nanoseconds for a time. */
#define MPM_VALUE_INT 1

/* Configuration key: ServerRoot, an absolute path (text). */
#define MPM_CONFIG_SERVER_ROOT 1

/* Configuration key: PidFile, an absolute path, empty = none (text). */
#define MPM_CONFIG_PID_FILE 2

/* Configuration key: Timeout in nanoseconds. */
#define MPM_CONFIG_TIMEOUT 3

/* Configuration key: KeepAliveTimeout in nanoseconds. */
#define MPM_CONFIG_KEEP_ALIVE_TIMEOUT 4

/* Configuration key: 1 if the server runs as one process (-X). */
#define MPM_CONFIG_ONE_PROCESS 5

/*
 Configuration key: GracefulRestartTimeout in nanoseconds, 0 = for ever: how long a child may take to
 finish what it holds.
 */
#define MPM_CONFIG_GRACEFUL_RESTART_TIMEOUT 6

/* Configuration key: GracefulShutdownTimeout in nanoseconds, 0 = for ever. */
#define MPM_CONFIG_GRACEFUL_SHUTDOWN_TIMEOUT 7

/* Configuration key: MaxConnectionsPerChild, 0 = no limit. The host counts: see requests_left. */
#define MPM_CONFIG_MAX_CONNECTIONS_PER_CHILD 8

/*
 Configuration key: ThreadStackSize in bytes, 0 = the system's. The host uses it for threads that are
 started with a stack of 0.
 */
#define MPM_CONFIG_THREAD_STACK_SIZE 9

/* Configuration key: ListenBacklog. */
#define MPM_CONFIG_LISTEN_BACKLOG 10

/* Room for any socket address. */
#define MPM_ADDR_LEN 128

/* Accept flag: the new descriptor blocks, for drive_blocking. Without it, it is non-blocking. */
#define MPM_ACCEPT_BLOCKING (1 << 0)

/* Size in bytes of Descriptor; the same in every version of the contract. */
#define MPM_HEADER_SIZE 128

/* Major version: equal on both sides, or the plug-in is refused. */
#define MPM_ABI_MAJOR 1

/* Minor version: the host's must be at least the plug-in's min_host_minor. */
#define MPM_ABI_MINOR 0

/* Byte order of the machine a plug-in was compiled for: little-endian. */
#define MPM_ENDIAN_LITTLE 1

/* Byte order of the machine a plug-in was compiled for: big-endian. */
#define MPM_ENDIAN_BIG 2

/*
 Incompatible flag: compiled against a draft of the contract, which may change in place.

 While the contract is a draft, host and plug-in must agree on this bit, on ABI_MAJOR,
 ABI_MINOR and on the layout fingerprint exactly.
 */
#define MPM_INCOMPAT_DRAFT (1 << 0)

/* Incompatible flags this version of the contract knows. Any other bit refuses the plug-in. */
#define MPM_INCOMPAT_KNOWN MPM_INCOMPAT_DRAFT

/* Compatible flag: runs more than one process; child_main and run are given. */
#define MPM_FLAG_FORKS (1 << 0)

/* Compatible flag: starts threads in its children. */
#define MPM_FLAG_THREADS (1 << 1)

/* Compatible flag: event driven; polls many connections on one thread. */
#define MPM_FLAG_REACTOR (1 << 2)

/* Compatible flag: every thread that polls a connection may block. */
#define MPM_FLAG_BLOCKING_ONLY (1 << 3)

/* Compatible flag: relies on the parent having one thread. */
#define MPM_FLAG_SINGLE_THREADED_PARENT (1 << 4)

/* Compatible flag: two instances may live in one process. */
#define MPM_FLAG_MULTI_INSTANCE (1 << 5)

/* Compatible flag: children finish what they hold when drained. */
#define MPM_FLAG_GRACEFUL (1 << 6)

/* Compatible flag: compiled with panic=abort; a panic ends the process. */
#define MPM_FLAG_PANIC_ABORTS (1 << 7)

/* Compatible flag: waits for completions instead of readiness. */
#define MPM_FLAG_COMPLETION_IO (1 << 8)

/* Compatible flag: runs on POSIX systems. */
#define MPM_FLAG_POSIX (1 << 9)

/* Compatible flag: runs on Windows. */
#define MPM_FLAG_WINDOWS (1 << 10)

/*
 Capability: a PENDING read or write was driven until it would block, so an edge-triggered
 registration for both directions may be made once and kept.
 */
#define MPM_CAP_DRAINS_TO_EAGAIN (1 << 0)

/* Capability: accept. */
#define MPM_CAP_ACCEPT (1 << 1)

/* Capability: drive_blocking. */
#define MPM_CAP_DRIVE_BLOCKING (1 << 2)

/* Capability: spawn_child, child_drain, child_stop, child_get, child_report, reap. */
#define MPM_CAP_CHILDREN (1 << 3)

/* Capability: thread_spawn, thread_join, thread_attach, thread_detach. */
#define MPM_CAP_THREADS (1 << 4)

/* Capability: accept_lock, accept_unlock. */
#define MPM_CAP_ACCEPT_LOCK (1 << 5)

/* Capability: slot_set, slot_counters, slot_thread_id. */
#define MPM_CAP_SCOREBOARD (1 << 6)

/* Capability: task_poll, task_destroy. */
#define MPM_CAP_TASKS (1 << 7)

/* Capability: retained_get, retained_put. */
#define MPM_CAP_RETAINED (1 << 8)

/* Capability: requests_left. */
#define MPM_CAP_REQUESTS_LEFT (1 << 9)

/* Capability: assert_thread. */
#define MPM_CAP_ASSERT_THREAD (1 << 10)

/*
 One directive. An array of these, stride bytes apart, hangs off the descriptor.

 Names are case-insensitive and must not clash with a directive of the server. The context is
 always the server's own, outside every section.
 */
typedef struct mpm_directive {
    /* NUL-terminated name. */
    const char *name;
    /* NUL-terminated one-line help. */
    const char *help;
    /* NUL-terminated text of the default for the reference, NULL = none. */
    const char *default_text;
    /* NUL-terminated name of the directive this is another name of; see DIRECTIVE_ALIAS. */
    const char *alias_of;
    /* NUL-terminated names, for ARG_ENUM. */
    const char *const *enum_names;
    /* Smallest value allowed, in the unit of the kind. */
    int64_t min;
    /* Largest value allowed, in the unit of the kind. */
    int64_t max;
    /* Elements in enum_names. */
    uint32_t enum_count;
    /* ARG_…. */
    uint32_t kind;
    /* Fewest words, for ARG_ARGV. */
    uint32_t min_args;
    /* Most words, for ARG_ARGV. */
    uint32_t max_args;
    /* DIRECTIVE_… bits. */
    uint32_t flags;
    /* The MPM's own number, delivered with the value. */
    uint32_t id;
} mpm_directive;

/*
 Bytes of somebody else's memory, not NUL-terminated. Text is UTF-8.

 Valid during the call it is passed to unless the function says otherwise.
 */
typedef struct mpm_str {
    /* First byte; may be NULL when len is 0. */
    const char *ptr;
    /* Length in bytes. */
    size_t len;
} mpm_str;

/* A value of the server's configuration. Allocated by the caller. */
typedef struct mpm_config_value {
    /* Size of this struct as the caller knows it. */
    uint32_t struct_size;
    /* VALUE_…. */
    uint32_t kind;
    /* The number, for VALUE_INT. */
    int64_t value;
    /* The text, for VALUE_TEXT; host-owned, lives as long as the process. */
    struct mpm_str text;
} mpm_config_value;

/* A listening socket. Allocated by the caller. */
typedef struct mpm_listener {
    /* Size of this struct as the caller knows it. */
    uint32_t struct_size;
    /* Listener bucket the socket belongs to; 0 = shared by all children. */
    uint32_t bucket;
    /* Bound, listening, non-blocking. Owned by the host: watch it, never close it. */
    mpm_fd fd;
    /* Bytes used in addr. */
    uint32_t addr_len;
    /* Bytes used in protocol. */
    uint32_t protocol_len;
    /* Protocol hint (http, https). */
    char protocol[16];
    /* Address as the platform's struct sockaddr holds it. */
    uint8_t addr[MPM_ADDR_LEN];
} mpm_listener;

/* A connection just accepted. Allocated by the caller. */
typedef struct mpm_accepted {
    /* Size of this struct as the caller knows it. */
    uint32_t struct_size;
    /* Bytes used in addr. */
    uint32_t addr_len;
    /* The new descriptor, owned by the caller until conn_create takes it. */
    mpm_fd fd;
    /* When it was accepted. */
    uint64_t accepted_ns;
    /*
     With E_AGAIN: leave this listener alone until then (descriptors or memory ran out);
     0 = simply wait for the listener.
     */
    uint64_t retry_ns;
    /* Peer address as the platform's struct sockaddr holds it. */
    uint8_t addr[MPM_ADDR_LEN];
} mpm_accepted;

/* What the parent knows of a child. A copy: the child's numbers are clamped to what can be true. */
typedef struct mpm_child_info {
    /* Size of this struct as the caller knows it. */
    uint32_t struct_size;
    /* CHILD_EXISTS, CHILD_READY, CHILD_DRAINING, CHILD_ACCEPTING. */
    uint32_t flags;
    /* Process id, 0 = none. */
    int64_t pid;
    /* Generation the child belongs to. */
    uint32_t generation;
    /* Threads waiting for work. */
    uint32_t idle;
    /* Threads at work. */
    uint32_t busy;
    /* Open connections. */
    uint32_t connections;
} mpm_child_info;

/* Something the parent (reap) or a child (control_next) is told. Allocated by the caller. */
typedef struct mpm_event {
    /* Size of this struct as the caller knows it. */
    uint32_t struct_size;
    /* EVENT_…; ignore unknown kinds. */
    uint32_t kind;
    /* Slot of the child, for child events. */
    uint32_t slot;
    /* Generation of the child, for child events. */
    uint32_t generation;
    /* Process id of the child, for child events. */
    int64_t pid;
    /* Exit code or signal, for EVENT_CHILD_EXITED. */
    int32_t status;
    /* EXIT_…, for EVENT_CHILD_EXITED. */
    uint32_t reason;
    /* When the host will use force, for stops and drains; NEVER = not. */
    uint64_t deadline_ns;
} mpm_event;

/* Counters of one process, for slot_counters. */
typedef struct mpm_counters {
    /* Size of this struct as the caller knows it. */
    uint32_t struct_size;
    /* Connections that wait for readiness in the middle of a request. */
    uint32_t wait_io;
    /* Connections whose response is being written. */
    uint32_t writing;
    /* Connections between requests. */
    uint32_t keep_alive;
    /* Connections in lingering close. */
    uint32_t closing;
    /* Connections that wait for wake only. */
    uint32_t suspended;
} mpm_counters;

/* Body of a thread made by thread_spawn. */
typedef void (*mpm_thread_fn)(void *arg);

/* What conn_create is told about a new connection. */
typedef struct mpm_conn_info {
    /* Size of this struct as the caller knows it. */
    uint32_t struct_size;
    /* Index of the listener it came from. */
    uint32_t listener;
    /* The connection's descriptor. Taken on success, left with the caller on error. */
    mpm_fd fd;
    /* What the host passes to wake. Slot and generation, so that a late wake finds nothing. */
    uint64_t token;
    /* When it was accepted. */
    uint64_t accepted_ns;
    /* Peer address as the platform's struct sockaddr holds it. */
    const uint8_t *peer;
    /* Local address likewise; NULL = the host asks the descriptor when it needs to know. */
    const uint8_t *local;
    /* Bytes in peer. */
    uint32_t peer_len;
    /* Bytes in local. */
    uint32_t local_len;
    /* Slot of the child. */
    uint32_t slot;
    /* Number of the thread within the child, from 0. */
    uint32_t thread;
} mpm_conn_info;

/* A descriptor beside the connection's own that a connection waits for. */
typedef struct mpm_aux_fd {
    /* Owned by the host. */
    mpm_fd fd;
    /* READ and WRITE bits. */
    uint32_t interest;
    /* Zero. */
    uint32_t reserved;
} mpm_aux_fd;

/* What a poll of a connection or task answers. Allocated by the caller. */
typedef struct mpm_poll_out {
    /* Size of this struct as the caller knows it. */
    uint32_t struct_size;
    /* PENDING, YIELD, NEEDS_BLOCKING, DONE or DETACHED. */
    uint32_t status;
    /* READ and WRITE bits for the connection's own descriptor. Replaces the last answer. */
    uint32_t interest;
    /* PHASE_…, for accounting and for choosing what to close under pressure. */
    uint32_t phase;
    /* Poll at or after this time with EV_TIMED_OUT; NEVER = no deadline. */
    uint64_t deadline_ns;
    /* Host-owned array, valid until the next call on this connection. */
    const struct mpm_aux_fd *aux;
    /* Elements in aux. */
    uint32_t naux;
    /* Hint how much work the next poll wants, 0 = default. */
    uint32_t want_budget;
} mpm_poll_out;

/*
 Function table of the host. Grows at the end only; every function takes the host given to
 create first. An entry is absent when it is NULL, its capability bit off or struct_size too
 small: test with MPM_HAS.
 */
typedef struct mpm_host_api {
    /* Size of this table as the host knows it. */
    uint32_t struct_size;
    /* Major version of the contract. */
    uint16_t abi_major;
    /* Minor version of the contract. */
    uint16_t abi_minor;
    /* CAP_… bits. */
    uint64_t caps[2];
    /*
     Writes a line to the error log; the host adds time, process and the MPM's name.

     Tags: any.
     */
    void (*log)(mpm_host *host, uint32_t level, const char *msg, size_t len);
    /* 1 if a line of this level would be written, else 0. Tags: any. */
    int32_t (*log_enabled)(mpm_host *host, uint32_t level);
    /* Emergency line: one write, nothing else. Tags: AS. */
    void (*log_raw)(mpm_host *host, const char *msg, size_t len);
    /* Monotonic time in nanoseconds. Tags: any AS. */
    uint64_t (*now)(mpm_host *host);
    /* Host memory, for buffers documented as such; NULL = out of memory. Tags: any. */
    void *(*alloc)(mpm_host *host, size_t size);
    /* Resizes host memory. Tags: any. */
    void *(*realloc)(mpm_host *host, void *ptr, size_t size);
    /* Frees host memory. Tags: any. */
    void (*free)(mpm_host *host, void *ptr);
    /* Optional interface by id (org.example.name/1), NULL if there is none. Tags: any. */
    const void *(*get_extension)(mpm_host *host, const char *id);
    /*
     Reads a value of the server's configuration (CONFIG_…). Tags: any, from config_check
     on. Errors: E_UNSUPPORTED for a key it does not know.
     */
    int32_t (*config_get)(mpm_host *host, uint32_t key, struct mpm_config_value *out);
    /* Number of listening sockets. Tags: any, from prepare on. */
    uint32_t (*listener_count)(mpm_host *host);
    /*
     Describes a listening socket. Tags: any, from prepare on. Errors: E_INVAL for an index
     out of range.
     */
    int32_t (*listener_get)(mpm_host *host, uint32_t index, struct mpm_listener *out);
    /*
     Accepts one connection without waiting. Aborted connections are skipped. Tags: R, B.
     Errors: E_AGAIN = none there, or retry_ns says until when to leave the listener alone
     because descriptors or memory ran out (already logged, rate-limited); E_INVAL; E_SYS.
     */
    int32_t (*accept)(mpm_host *host, uint32_t listener, uint32_t flags, struct mpm_accepted *out);
    /* Takes the cross-process accept lock. Tags: B. NULL in this version. */
    int32_t (*accept_lock)(mpm_host *host);
    /* Gives the accept lock back. Tags: B. NULL in this version. */
    int32_t (*accept_unlock)(mpm_host *host);
    /*
     Makes a child process for slot: the only way to do so. In the child the host resets
     signals, opens the control channel, calls after_fork_child, drops privileges, calls
     child_main and ends the process. flags is 0.

     Slots are this generation's: the children of older ones, which drain, take none and are not
     seen. Nothing slows this down: it is for the MPM to wait before it replaces children that fail
     again and again.

     Tags: P in run. Errors: E_INVAL (slot out of range), E_STATE (slot taken, or threads
     exist), E_SYS (fork failed).
     */
    int32_t (*spawn_child)(mpm_host *host, uint32_t slot, uint32_t flags, int64_t *pid);
    /*
     Asks a child to finish what it holds and leave; after deadline_ns the host ends it.
     Tags: P in run. Errors: E_INVAL, E_STATE (no child there).
     */
    int32_t (*child_drain)(mpm_host *host, uint32_t slot, uint64_t deadline_ns);
    /* Tells a child to leave at once. Tags: P in run. Errors: as child_drain. */
    int32_t (*child_stop)(mpm_host *host, uint32_t slot);
    /* Describes the child in a slot. Tags: P in run. Errors: E_INVAL. */
    int32_t (*child_get)(mpm_host *host, uint32_t slot, struct mpm_child_info *out);
    /*
     Publishes this child's numbers; cheap, call it at every change. flags is
     CHILD_ACCEPTING or 0. Tags: any thread of a child.
     */
    void (*child_report)(mpm_host *host,
                         uint32_t idle,
                         uint32_t busy,
                         uint32_t connections,
                         uint32_t flags);
    /* This child can serve. Tags: C. */
    void (*child_ready)(mpm_host *host);
    /*
     This child will take no more connections: stop watching the listeners first. The host closes
     them in this process (their numbers stay taken, by something else), and accept answers
     E_AGAIN. Tags: C.
     */
    void (*child_stopping)(mpm_host *host);
    /*
     Waits for the next event in the parent, at most timeout_ns (NEVER =
     until there is one). Tags: P in run. Errors: E_SYS.
     */
    int32_t (*reap)(mpm_host *host, uint64_t timeout_ns, struct mpm_event *event);
    /*
     Descriptor that is readable while control_next has something. Owned by the host.
     Tags: C.
     */
    mpm_fd (*control_fd)(mpm_host *host);
    /*
     Takes the next event for this child (EVENT_STOP, EVENT_CHILD_DRAIN). Tags: C.
     Errors: E_AGAIN = nothing pending.
     */
    int32_t (*control_next)(mpm_host *host, struct mpm_event *event);
    /*
     Sets the state of a thread in the scoreboard (STATE_…): thread from 0, one past
     threads_per_child is the main thread where that serves too. The host itself sets R, W, K, C
     and L while a connection is polled or driven, and afterwards _, or G in a child that drains.
     Tags: any in that process.
     */
    void (*slot_set)(mpm_host *host, uint32_t slot, uint32_t thread, uint32_t state);
    /*
     Publishes counters of a process in the scoreboard: the host counts connections itself. Tags:
     any in that process. NULL in this version.
     */
    void (*slot_counters)(mpm_host *host, uint32_t slot, const struct mpm_counters *counters);
    /*
     From here on what the calling thread does is kept in this place of the scoreboard, with the
     system's id of the thread. Without it a thread that makes a connection gets the place named in
     ConnInfo. Tags: the thread itself.
     */
    void (*slot_thread_id)(mpm_host *host, uint32_t slot, uint32_t thread);
    /*
     Starts a thread with guard page, alternate signal stack, name and signal mask. stack in
     bytes, 0 = ThreadStackSize. handle must be joined. Tags: C, W. Errors: E_SYS.
     */
    int32_t (*thread_spawn)(mpm_host *host,
                            const char *name,
                            size_t name_len,
                            uint64_t stack,
                            mpm_thread_fn body,
                            void *arg,
                            uint64_t *handle);
    /*
     Waits for a thread to end and frees its handle. Tags: C, W. Errors: E_INVAL,
     E_PANIC (the thread panicked in the host).
     */
    int32_t (*thread_join)(mpm_host *host, uint64_t handle);
    /*
     Registers the calling thread, made by other means, with a name and the signal mask of
     workers. Tags: the thread itself, before any W, R or B call.
     */
    int32_t (*thread_attach)(mpm_host *host, const char *name, size_t name_len);
    /* Takes the registration back. Tags: the thread itself. */
    void (*thread_detach)(mpm_host *host);
    /*
     Makes a connection of an accepted descriptor. Tags: R, B. Errors: E_INVAL, E_NOMEM,
     E_SYS; then the descriptor stays with the caller.
     */
    int32_t (*conn_create)(mpm_host *host, const struct mpm_conn_info *info, mpm_conn **conn);
    /*
     Runs a connection as far as it goes without waiting and says what it waits for. One call at
     a time per connection, from any thread. events is EV_… bits; a poll for nothing is
     legal. An internal failure is logged and answers DONE.

     Tags: R, or B with EV_MAY_BLOCK. !reent.
     */
    int32_t (*conn_poll)(mpm_host *host,
                         mpm_conn *conn,
                         uint32_t events,
                         uint64_t now_ns,
                         struct mpm_poll_out *out);
    /* The next poll shall see EV_STOPPING. Tags: any, while the connection exists. */
    void (*conn_notify_stop)(mpm_host *host, mpm_conn *conn);
    /*
     Closes and frees, in any state. Take the descriptor out of the poller before. Tags: R,
     B, !reent.
     */
    void (*conn_destroy)(mpm_host *host, mpm_conn *conn);
    /*
     Polls a connection until it is DONE, waiting on this thread. Destroy it afterwards.
     stop_fd is a descriptor that becomes readable when the thread shall finish after the
     request in progress, -1 = none; it is looked at between waits that do not block in recv.

     Tags: B. Errors: E_SYS.
     */
    int32_t (*drive_blocking)(mpm_host *host, mpm_conn *conn, mpm_fd stop_fd);
    /* Polls a background state machine. Tags: R, B. NULL in this version. */
    int32_t (*task_poll)(mpm_host *host,
                         mpm_task *task,
                         uint32_t events,
                         uint64_t now_ns,
                         struct mpm_poll_out *out);
    /* Frees a background state machine. Tags: R, B. NULL in this version. */
    void (*task_destroy)(mpm_host *host, mpm_task *task);
    /*
     Connections this child may still take (MaxConnectionsPerChild), NEVER = any
     number. The host counts what accept gives. At 0 the child shall do by itself what it does when
     told to drain; more than that are accepted all the same, so that none is lost. Tags: C, W.
     */
    uint64_t (*requests_left)(mpm_host *host);
    /* Reads bytes kept across generations. Tags: P. NULL in this version. */
    int32_t (*retained_get)(mpm_host *host, const char *key, uint8_t *buf, size_t cap, size_t *len);
    /* Keeps bytes across generations. Tags: P. NULL in this version. */
    int32_t (*retained_put)(mpm_host *host, const char *key, const uint8_t *buf, size_t len);
    /* Checks that the calling thread may make calls of a kind. Tags: any. NULL in this version. */
    int32_t (*assert_thread)(mpm_host *host, uint32_t kind);
} mpm_host_api;

/* Error buffer, given by the caller and filled by the callee. */
typedef struct mpm_err {
    /* Size of this struct as the caller knows it. */
    uint32_t struct_size;
    /* Status (E_…). */
    int32_t code;
    /* Number of the operating system's error, 0 if none. */
    int32_t os_code;
    /* Bytes used in text. */
    uint32_t text_len;
    /* What went wrong, for the administrator; UTF-8, not NUL-terminated. */
    char text[MPM_ERR_TEXT_LEN];
} mpm_err;

/* One configured directive, parsed and range-checked by the host. */
typedef struct mpm_directive_call {
    /* Size of this struct as the host knows it. */
    uint32_t struct_size;
    /* Directive::id. */
    uint32_t id;
    /* Value of FLAG (0 or 1), INT, SIZE, DURATION (nanoseconds) and ENUM (index). */
    int64_t value;
    /* Value of FLOAT. */
    double fraction;
    /* The words as written. */
    const struct mpm_str *argv;
    /* Elements in argv. */
    uint32_t argc;
    /* Line in file, from 1. */
    uint32_t line;
    /* File the directive stands in. */
    struct mpm_str file;
} mpm_directive_call;

/* What an MPM needs, filled in by prepare. The host sizes its tables from it. */
typedef struct mpm_plan {
    /* Size of this struct as the caller knows it. */
    uint32_t struct_size;
    /*
     Most processes of this generation at a time, those that were told to drain included; slots are
     numbered from 0, anew in each generation. Children of older generations do not count.
     */
    uint32_t max_children;
    /* Threads of a process that serve connections. */
    uint32_t threads_per_child;
    /*
     The parent hears EVENT_LOAD when fewer threads than this wait for work in all children
     that accept connections, taken together.
     */
    uint32_t idle_low;
    /* The parent hears EVENT_LOAD when more threads than this do. */
    uint32_t idle_high;
} mpm_plan;

/* A job for offload; called exactly once unless it was refused. */
typedef void (*mpm_job_fn)(void *arg);

/* Receives one line of status text; the marked exception to "no call back on the same stack". */
typedef void (*mpm_sink_fn)(const char *line, size_t len, void *ctx);

/*
 Function table of an MPM. Grows at the end only.

 *Mandatory* entries are never NULL; *mandatory with FORKS* ones must be given when
 FLAG_FORKS is set; the others may be NULL.

 Life cycle: create, directive…, config_check, prepare, run (in each child:
 after_fork_child, child_main), destroy. An MPM without run is served by one child.
 */
typedef struct mpm_ops {
    /* Size of this table as the plug-in knows it. */
    uint32_t struct_size;
    /* Zero. */
    uint32_t reserved;
    /*
     Makes an instance and stores it in inst. prev is NULL in 1.0. Keeps host and api,
     which live as long as the process; has no side effects and keeps no threads or descriptors
     (it also runs for -t).

     Mandatory. Tags: P pre-fork. Errors: E_VERSION, E_UNSUPPORTED, E_NOMEM end the start.
     */
    int32_t (*create)(mpm_host *host,
                      const struct mpm_host_api *api,
                      mpm_inst *prev,
                      mpm_inst **inst,
                      struct mpm_err *err);
    /*
     Frees the instance. No connection of it is left.

     Mandatory. Tags: P or C.
     */
    void (*destroy)(mpm_inst *inst);
    /*
     Takes one configured directive, in file order.

     Optional without directives. Tags: P pre-fork. Errors: E_CONFIG with a text; the host
     adds file and line.
     */
    int32_t (*directive)(mpm_inst *inst, const struct mpm_directive_call *call, struct mpm_err *err);
    /*
     Checks values against each other; adjusts with a warning through log. After it the
     configuration does not change.

     Mandatory. Tags: P pre-fork. Errors: E_CONFIG.
     */
    int32_t (*config_check)(mpm_inst *inst, struct mpm_err *err);
    /*
     Fills in the plan. The listeners are bound.

     Mandatory. Tags: P pre-fork. Errors: any, ends the start.
     */
    int32_t (*prepare)(mpm_inst *inst, struct mpm_plan *plan, struct mpm_err *err);
    /*
     Body of the parent: starts children, reaps them, returns on a stop or restart with why set
     to WHY_…. The host stops what is left afterwards. Starts no threads. After a restart that
     could not be made it is called again, with the children that are there (child_get). Nobody
     else replaces a child, or waits before a child is replaced.

     Optional; without it the host forks one child and calls child_main(0). Tags: P.
     Errors: any = WHY_FAILED.
     */
    int32_t (*run)(mpm_inst *inst, uint32_t *why);
    /*
     Body of a child; returns its exit code (CHILD_…). The host ends the process.

     Mandatory. Tags: C, fresh process; threads may be started from here on.
     */
    int32_t (*child_main)(mpm_inst *inst, uint32_t slot);
    /*
     Says that the connection with this token must be polled. Never polls on the caller's stack,
     never blocks for long, coalesces. A stale token does nothing. Not called for the connection
     that is being polled on the same stack.

     Mandatory. Tags: any.
     */
    void (*wake)(mpm_inst *inst, uint64_t token);
    /* Adopts a background state machine. Optional. Tags: C, any after start. */
    int32_t (*task_spawn)(mpm_inst *inst, mpm_task *task, uint32_t flags, uint64_t *token);
    /*
     Runs a blocking job on a pool thread. Optional. Tags: any. Errors: E_AGAIN = pool full,
     the job is not called.
     */
    int32_t (*offload)(mpm_inst *inst, mpm_job_fn job, void *arg);
    /*
     Answers a property (QUERY_…) in value. The same answer in parent and children after
     prepare. In this version the host asks for QUERY_IS_THREADED and QUERY_IS_FORKED, for
     -V; these are asked after config_check, without prepare.

     Mandatory. Tags: any. Errors: E_UNSUPPORTED for a code it does not know.
     */
    int32_t (*query)(mpm_inst *inst, uint32_t code, int64_t *value);
    /* Gives its status, a line per call of sink. Optional. Tags: any. */
    int32_t (*status)(mpm_inst *inst, mpm_sink_fn sink, void *ctx);
    /*
     Resets what a fork must not share: pollers, locks, random numbers. Optional. Tags: C, first
     thing in the child.
     */
    void (*after_fork_child)(mpm_inst *inst);
    /*
     Optional interface by id (org.example.name/1), NULL if there is none; valid until
     destroy. Optional. Tags: any.
     */
    const void *(*get_extension)(mpm_inst *inst, const char *id);
} mpm_ops;

/* A pointer member that takes eight bytes on every platform. */
#if UINTPTR_MAX == UINT32_MAX
#define MPM_PTR(type, name) \
    type name;              \
    uint32_t name##_pad
#else
#define MPM_PTR(type, name) type name
#endif

/*
 * What a plug-in is: 128 bytes, the same in every version of the contract. Exported as const data
 * under the name in the LoadModule line; the host only reads it.
 */
typedef struct mpm_descriptor {
    uint64_t magic;                     /* MPM_MAGIC */
    uint32_t header_size;               /* MPM_HEADER_SIZE */
    uint16_t abi_major;                 /* version of the contract compiled for */
    uint16_t abi_minor;
    uint16_t min_host_minor;            /* lowest minor version of a host it works with */
    uint8_t ptr_bits;                   /* width of a pointer in bits */
    uint8_t endian;                     /* MPM_ENDIAN_LITTLE or MPM_ENDIAN_BIG */
    uint32_t reserved;                  /* 0 */
    uint64_t flags_compat;              /* MPM_FLAG_...: may be ignored by a host */
    uint64_t flags_incompat;            /* MPM_INCOMPAT_...: an unknown bit refuses the plug-in */
    uint64_t required_caps;             /* MPM_CAP_... the host must have */
    uint64_t optional_caps;             /* MPM_CAP_... used when they are there */
    MPM_PTR(const char *, name);        /* without "_module": "mpm_example" */
    MPM_PTR(const char *, vendor);      /* who made it */
    MPM_PTR(const char *, version);     /* of the plug-in */
    MPM_PTR(const char *, license);     /* SPDX expression */
    MPM_PTR(const char *, build_id);    /* id of the build, may be empty */
    uint64_t layout_id;                 /* MPM_LAYOUT_ID */
    MPM_PTR(const mpm_ops *, ops);
    MPM_PTR(const mpm_directive *, directives);
    uint32_t directive_count;
    uint32_t directive_stride;          /* sizeof(mpm_directive) */
} mpm_descriptor;

#if defined(__BYTE_ORDER__) && defined(__ORDER_BIG_ENDIAN__)
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define MPM_ENDIAN_HERE MPM_ENDIAN_BIG
#endif
#endif
#ifndef MPM_ENDIAN_HERE
#define MPM_ENDIAN_HERE MPM_ENDIAN_LITTLE
#endif

/*
 * The members of a descriptor up to optional_caps, for `flags` (MPM_FLAG_...) and required `caps`
 * (MPM_CAP_...). What follows in the initializer: name, vendor, version, license, build_id.
 */
#define MPM_DESCRIPTOR_INIT(flags, caps)                                                          \
    MPM_MAGIC, MPM_HEADER_SIZE, MPM_ABI_MAJOR, MPM_ABI_MINOR, MPM_ABI_MINOR,                      \
        (uint8_t)(sizeof(void *) * 8), MPM_ENDIAN_HERE, 0, (flags), MPM_INCOMPAT_DRAFT, (caps), 0

/* 1 if the table has this entry, for tables of either side. */
#define MPM_HAS(table, type, entry)                                                               \
    ((table)->struct_size >= offsetof(type, entry) + sizeof((table)->entry) && (table)->entry)

/* Marks the descriptor as visible when everything else is hidden (-fvisibility=hidden). */
#if defined(_WIN32)
#define MPM_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define MPM_EXPORT __attribute__((visibility("default")))
#else
#define MPM_EXPORT
#endif

/* Sizes and offsets as the host sees them on 64-bit platforms. */
#if UINTPTR_MAX != UINT32_MAX
#define MPM_CHECK(condition, n) typedef char mpm_check_##n[(condition) ? 1 : -1]
MPM_CHECK(sizeof(mpm_descriptor) == 128, 0);
MPM_CHECK(offsetof(mpm_descriptor, magic) == 0, 1);
MPM_CHECK(offsetof(mpm_descriptor, header_size) == 8, 2);
MPM_CHECK(offsetof(mpm_descriptor, abi_major) == 12, 3);
MPM_CHECK(offsetof(mpm_descriptor, abi_minor) == 14, 4);
MPM_CHECK(offsetof(mpm_descriptor, min_host_minor) == 16, 5);
MPM_CHECK(offsetof(mpm_descriptor, ptr_bits) == 18, 6);
MPM_CHECK(offsetof(mpm_descriptor, endian) == 19, 7);
MPM_CHECK(offsetof(mpm_descriptor, reserved) == 20, 8);
MPM_CHECK(offsetof(mpm_descriptor, flags_compat) == 24, 9);
MPM_CHECK(offsetof(mpm_descriptor, flags_incompat) == 32, 10);
MPM_CHECK(offsetof(mpm_descriptor, required_caps) == 40, 11);
MPM_CHECK(offsetof(mpm_descriptor, optional_caps) == 48, 12);
MPM_CHECK(offsetof(mpm_descriptor, name) == 56, 13);
MPM_CHECK(offsetof(mpm_descriptor, vendor) == 64, 14);
MPM_CHECK(offsetof(mpm_descriptor, version) == 72, 15);
MPM_CHECK(offsetof(mpm_descriptor, license) == 80, 16);
MPM_CHECK(offsetof(mpm_descriptor, build_id) == 88, 17);
MPM_CHECK(offsetof(mpm_descriptor, layout_id) == 96, 18);
MPM_CHECK(offsetof(mpm_descriptor, ops) == 104, 19);
MPM_CHECK(offsetof(mpm_descriptor, directives) == 112, 20);
MPM_CHECK(offsetof(mpm_descriptor, directive_count) == 120, 21);
MPM_CHECK(offsetof(mpm_descriptor, directive_stride) == 124, 22);
MPM_CHECK(sizeof(mpm_str) == 16, 23);
MPM_CHECK(offsetof(mpm_str, ptr) == 0, 24);
MPM_CHECK(offsetof(mpm_str, len) == 8, 25);
MPM_CHECK(sizeof(mpm_err) == 496, 26);
MPM_CHECK(offsetof(mpm_err, struct_size) == 0, 27);
MPM_CHECK(offsetof(mpm_err, code) == 4, 28);
MPM_CHECK(offsetof(mpm_err, os_code) == 8, 29);
MPM_CHECK(offsetof(mpm_err, text_len) == 12, 30);
MPM_CHECK(offsetof(mpm_err, text) == 16, 31);
MPM_CHECK(sizeof(mpm_aux_fd) == 16, 32);
MPM_CHECK(offsetof(mpm_aux_fd, fd) == 0, 33);
MPM_CHECK(offsetof(mpm_aux_fd, interest) == 8, 34);
MPM_CHECK(offsetof(mpm_aux_fd, reserved) == 12, 35);
MPM_CHECK(sizeof(mpm_poll_out) == 40, 36);
MPM_CHECK(offsetof(mpm_poll_out, struct_size) == 0, 37);
MPM_CHECK(offsetof(mpm_poll_out, status) == 4, 38);
MPM_CHECK(offsetof(mpm_poll_out, interest) == 8, 39);
MPM_CHECK(offsetof(mpm_poll_out, phase) == 12, 40);
MPM_CHECK(offsetof(mpm_poll_out, deadline_ns) == 16, 41);
MPM_CHECK(offsetof(mpm_poll_out, aux) == 24, 42);
MPM_CHECK(offsetof(mpm_poll_out, naux) == 32, 43);
MPM_CHECK(offsetof(mpm_poll_out, want_budget) == 36, 44);
MPM_CHECK(sizeof(mpm_event) == 40, 45);
MPM_CHECK(offsetof(mpm_event, struct_size) == 0, 46);
MPM_CHECK(offsetof(mpm_event, kind) == 4, 47);
MPM_CHECK(offsetof(mpm_event, slot) == 8, 48);
MPM_CHECK(offsetof(mpm_event, generation) == 12, 49);
MPM_CHECK(offsetof(mpm_event, pid) == 16, 50);
MPM_CHECK(offsetof(mpm_event, status) == 24, 51);
MPM_CHECK(offsetof(mpm_event, reason) == 28, 52);
MPM_CHECK(offsetof(mpm_event, deadline_ns) == 32, 53);
MPM_CHECK(sizeof(mpm_child_info) == 32, 54);
MPM_CHECK(offsetof(mpm_child_info, struct_size) == 0, 55);
MPM_CHECK(offsetof(mpm_child_info, flags) == 4, 56);
MPM_CHECK(offsetof(mpm_child_info, pid) == 8, 57);
MPM_CHECK(offsetof(mpm_child_info, generation) == 16, 58);
MPM_CHECK(offsetof(mpm_child_info, idle) == 20, 59);
MPM_CHECK(offsetof(mpm_child_info, busy) == 24, 60);
MPM_CHECK(offsetof(mpm_child_info, connections) == 28, 61);
MPM_CHECK(sizeof(mpm_plan) == 20, 62);
MPM_CHECK(offsetof(mpm_plan, struct_size) == 0, 63);
MPM_CHECK(offsetof(mpm_plan, max_children) == 4, 64);
MPM_CHECK(offsetof(mpm_plan, threads_per_child) == 8, 65);
MPM_CHECK(offsetof(mpm_plan, idle_low) == 12, 66);
MPM_CHECK(offsetof(mpm_plan, idle_high) == 16, 67);
MPM_CHECK(sizeof(mpm_config_value) == 32, 68);
MPM_CHECK(offsetof(mpm_config_value, struct_size) == 0, 69);
MPM_CHECK(offsetof(mpm_config_value, kind) == 4, 70);
MPM_CHECK(offsetof(mpm_config_value, value) == 8, 71);
MPM_CHECK(offsetof(mpm_config_value, text) == 16, 72);
MPM_CHECK(sizeof(mpm_listener) == 168, 73);
MPM_CHECK(offsetof(mpm_listener, struct_size) == 0, 74);
MPM_CHECK(offsetof(mpm_listener, bucket) == 4, 75);
MPM_CHECK(offsetof(mpm_listener, fd) == 8, 76);
MPM_CHECK(offsetof(mpm_listener, addr_len) == 16, 77);
MPM_CHECK(offsetof(mpm_listener, protocol_len) == 20, 78);
MPM_CHECK(offsetof(mpm_listener, protocol) == 24, 79);
MPM_CHECK(offsetof(mpm_listener, addr) == 40, 80);
MPM_CHECK(sizeof(mpm_accepted) == 160, 81);
MPM_CHECK(offsetof(mpm_accepted, struct_size) == 0, 82);
MPM_CHECK(offsetof(mpm_accepted, addr_len) == 4, 83);
MPM_CHECK(offsetof(mpm_accepted, fd) == 8, 84);
MPM_CHECK(offsetof(mpm_accepted, accepted_ns) == 16, 85);
MPM_CHECK(offsetof(mpm_accepted, retry_ns) == 24, 86);
MPM_CHECK(offsetof(mpm_accepted, addr) == 32, 87);
MPM_CHECK(sizeof(mpm_conn_info) == 64, 88);
MPM_CHECK(offsetof(mpm_conn_info, struct_size) == 0, 89);
MPM_CHECK(offsetof(mpm_conn_info, listener) == 4, 90);
MPM_CHECK(offsetof(mpm_conn_info, fd) == 8, 91);
MPM_CHECK(offsetof(mpm_conn_info, token) == 16, 92);
MPM_CHECK(offsetof(mpm_conn_info, accepted_ns) == 24, 93);
MPM_CHECK(offsetof(mpm_conn_info, peer) == 32, 94);
MPM_CHECK(offsetof(mpm_conn_info, local) == 40, 95);
MPM_CHECK(offsetof(mpm_conn_info, peer_len) == 48, 96);
MPM_CHECK(offsetof(mpm_conn_info, local_len) == 52, 97);
MPM_CHECK(offsetof(mpm_conn_info, slot) == 56, 98);
MPM_CHECK(offsetof(mpm_conn_info, thread) == 60, 99);
MPM_CHECK(sizeof(mpm_counters) == 24, 100);
MPM_CHECK(offsetof(mpm_counters, struct_size) == 0, 101);
MPM_CHECK(offsetof(mpm_counters, wait_io) == 4, 102);
MPM_CHECK(offsetof(mpm_counters, writing) == 8, 103);
MPM_CHECK(offsetof(mpm_counters, keep_alive) == 12, 104);
MPM_CHECK(offsetof(mpm_counters, closing) == 16, 105);
MPM_CHECK(offsetof(mpm_counters, suspended) == 20, 106);
MPM_CHECK(sizeof(mpm_directive) == 80, 107);
MPM_CHECK(offsetof(mpm_directive, name) == 0, 108);
MPM_CHECK(offsetof(mpm_directive, help) == 8, 109);
MPM_CHECK(offsetof(mpm_directive, default_text) == 16, 110);
MPM_CHECK(offsetof(mpm_directive, alias_of) == 24, 111);
MPM_CHECK(offsetof(mpm_directive, enum_names) == 32, 112);
MPM_CHECK(offsetof(mpm_directive, min) == 40, 113);
MPM_CHECK(offsetof(mpm_directive, max) == 48, 114);
MPM_CHECK(offsetof(mpm_directive, enum_count) == 56, 115);
MPM_CHECK(offsetof(mpm_directive, kind) == 60, 116);
MPM_CHECK(offsetof(mpm_directive, min_args) == 64, 117);
MPM_CHECK(offsetof(mpm_directive, max_args) == 68, 118);
MPM_CHECK(offsetof(mpm_directive, flags) == 72, 119);
MPM_CHECK(offsetof(mpm_directive, id) == 76, 120);
MPM_CHECK(sizeof(mpm_directive_call) == 56, 121);
MPM_CHECK(offsetof(mpm_directive_call, struct_size) == 0, 122);
MPM_CHECK(offsetof(mpm_directive_call, id) == 4, 123);
MPM_CHECK(offsetof(mpm_directive_call, value) == 8, 124);
MPM_CHECK(offsetof(mpm_directive_call, fraction) == 16, 125);
MPM_CHECK(offsetof(mpm_directive_call, argv) == 24, 126);
MPM_CHECK(offsetof(mpm_directive_call, argc) == 32, 127);
MPM_CHECK(offsetof(mpm_directive_call, line) == 36, 128);
MPM_CHECK(offsetof(mpm_directive_call, file) == 40, 129);
MPM_CHECK(sizeof(mpm_ops) == 120, 130);
MPM_CHECK(offsetof(mpm_ops, struct_size) == 0, 131);
MPM_CHECK(offsetof(mpm_ops, reserved) == 4, 132);
MPM_CHECK(offsetof(mpm_ops, create) == 8, 133);
MPM_CHECK(offsetof(mpm_ops, destroy) == 16, 134);
MPM_CHECK(offsetof(mpm_ops, directive) == 24, 135);
MPM_CHECK(offsetof(mpm_ops, config_check) == 32, 136);
MPM_CHECK(offsetof(mpm_ops, prepare) == 40, 137);
MPM_CHECK(offsetof(mpm_ops, run) == 48, 138);
MPM_CHECK(offsetof(mpm_ops, child_main) == 56, 139);
MPM_CHECK(offsetof(mpm_ops, wake) == 64, 140);
MPM_CHECK(offsetof(mpm_ops, task_spawn) == 72, 141);
MPM_CHECK(offsetof(mpm_ops, offload) == 80, 142);
MPM_CHECK(offsetof(mpm_ops, query) == 88, 143);
MPM_CHECK(offsetof(mpm_ops, status) == 96, 144);
MPM_CHECK(offsetof(mpm_ops, after_fork_child) == 104, 145);
MPM_CHECK(offsetof(mpm_ops, get_extension) == 112, 146);
MPM_CHECK(sizeof(mpm_host_api) == 360, 147);
MPM_CHECK(offsetof(mpm_host_api, struct_size) == 0, 148);
MPM_CHECK(offsetof(mpm_host_api, abi_major) == 4, 149);
MPM_CHECK(offsetof(mpm_host_api, abi_minor) == 6, 150);
MPM_CHECK(offsetof(mpm_host_api, caps) == 8, 151);
MPM_CHECK(offsetof(mpm_host_api, log) == 24, 152);
MPM_CHECK(offsetof(mpm_host_api, log_enabled) == 32, 153);
MPM_CHECK(offsetof(mpm_host_api, log_raw) == 40, 154);
MPM_CHECK(offsetof(mpm_host_api, now) == 48, 155);
MPM_CHECK(offsetof(mpm_host_api, alloc) == 56, 156);
MPM_CHECK(offsetof(mpm_host_api, realloc) == 64, 157);
MPM_CHECK(offsetof(mpm_host_api, free) == 72, 158);
MPM_CHECK(offsetof(mpm_host_api, get_extension) == 80, 159);
MPM_CHECK(offsetof(mpm_host_api, config_get) == 88, 160);
MPM_CHECK(offsetof(mpm_host_api, listener_count) == 96, 161);
MPM_CHECK(offsetof(mpm_host_api, listener_get) == 104, 162);
MPM_CHECK(offsetof(mpm_host_api, accept) == 112, 163);
MPM_CHECK(offsetof(mpm_host_api, accept_lock) == 120, 164);
MPM_CHECK(offsetof(mpm_host_api, accept_unlock) == 128, 165);
MPM_CHECK(offsetof(mpm_host_api, spawn_child) == 136, 166);
MPM_CHECK(offsetof(mpm_host_api, child_drain) == 144, 167);
MPM_CHECK(offsetof(mpm_host_api, child_stop) == 152, 168);
MPM_CHECK(offsetof(mpm_host_api, child_get) == 160, 169);
MPM_CHECK(offsetof(mpm_host_api, child_report) == 168, 170);
MPM_CHECK(offsetof(mpm_host_api, child_ready) == 176, 171);
MPM_CHECK(offsetof(mpm_host_api, child_stopping) == 184, 172);
MPM_CHECK(offsetof(mpm_host_api, reap) == 192, 173);
MPM_CHECK(offsetof(mpm_host_api, control_fd) == 200, 174);
MPM_CHECK(offsetof(mpm_host_api, control_next) == 208, 175);
MPM_CHECK(offsetof(mpm_host_api, slot_set) == 216, 176);
MPM_CHECK(offsetof(mpm_host_api, slot_counters) == 224, 177);
MPM_CHECK(offsetof(mpm_host_api, slot_thread_id) == 232, 178);
MPM_CHECK(offsetof(mpm_host_api, thread_spawn) == 240, 179);
MPM_CHECK(offsetof(mpm_host_api, thread_join) == 248, 180);
MPM_CHECK(offsetof(mpm_host_api, thread_attach) == 256, 181);
MPM_CHECK(offsetof(mpm_host_api, thread_detach) == 264, 182);
MPM_CHECK(offsetof(mpm_host_api, conn_create) == 272, 183);
MPM_CHECK(offsetof(mpm_host_api, conn_poll) == 280, 184);
MPM_CHECK(offsetof(mpm_host_api, conn_notify_stop) == 288, 185);
MPM_CHECK(offsetof(mpm_host_api, conn_destroy) == 296, 186);
MPM_CHECK(offsetof(mpm_host_api, drive_blocking) == 304, 187);
MPM_CHECK(offsetof(mpm_host_api, task_poll) == 312, 188);
MPM_CHECK(offsetof(mpm_host_api, task_destroy) == 320, 189);
MPM_CHECK(offsetof(mpm_host_api, requests_left) == 328, 190);
MPM_CHECK(offsetof(mpm_host_api, retained_get) == 336, 191);
MPM_CHECK(offsetof(mpm_host_api, retained_put) == 344, 192);
MPM_CHECK(offsetof(mpm_host_api, assert_thread) == 352, 193);
#undef MPM_CHECK
#endif

#ifdef __cplusplus
}
#endif

#endif /* MPM_ABI_H */
