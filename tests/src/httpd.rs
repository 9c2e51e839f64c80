//! Apache httpd itself, on the same directory as a server, to be asked the same.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

use crate::port::free_port;
use crate::server::Server;
use crate::wait::until;

/// Where Debian's package puts them.
const BINARY: &str = "/usr/sbin/apache2";
const MODULES: &str = "/usr/lib/apache2/modules";

/// A running httpd; stopped when dropped.
#[derive(Debug)]
pub struct Httpd {
    child: Child,
    address: SocketAddr,
}

impl Httpd {
    /// Starts httpd with `htdocs` of `server` as DocumentRoot, and these lines. `@ROOT@` stands for
    /// the server's ServerRoot.
    ///
    /// # Panics
    /// It is not installed, or does not start.
    pub fn beside(server: &Server, lines: &str) -> Self {
        assert!(
            Path::new(BINARY).exists() && Path::new(MODULES).exists(),
            "Apache httpd is missing, which answers are compared with: install package apache2 \
             (on Debian: sudo apt-get install --no-install-recommends apache2)"
        );
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let root = server.root().display().to_string();
        let mut conf = format!(
            "ServerRoot {root}\nDefaultRuntimeDir {root}\nServerName localhost\nListen {address}\n\
             PidFile {root}/httpd.pid\nErrorLog {root}/httpd_error_log\n"
        );
        for module in ["mpm_event", "authz_core", "dir", "mime", "autoindex"] {
            conf += &format!("LoadModule {module}_module {MODULES}/mod_{module}.so\n");
        }
        if Uid::effective().is_root() {
            conf += "User nobody\nGroup nogroup\n";
        }
        conf += &format!("DocumentRoot {root}/htdocs\n{}\n", lines.replace("@ROOT@", &root));
        let file = server.root().join("httpd.conf");
        std::fs::write(&file, conf).expect("the configuration is written");
        let stderr = std::fs::File::create(server.root().join("httpd_stderr")).expect("a file");
        let child = Command::new(BINARY)
            .arg("-f")
            .arg(&file)
            .arg("-DFOREGROUND")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("httpd starts");
        let mut httpd = Self { child, address };
        until("httpd serves", || {
            if let Some(status) = httpd.child.try_wait().expect("our child") {
                let said = |name| std::fs::read_to_string(server.root().join(name));
                panic!("httpd ended with {status}: {:?}", said("httpd_stderr"));
            }
            TcpStream::connect(address).ok()
        });
        httpd
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Httpd {
    fn drop(&mut self) {
        // Not SIGKILL: its children would stay.
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}
