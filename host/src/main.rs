//! The gearbox binary.

use std::process::ExitCode;

use gearbox::cli::{self, Parsed};
use gearbox::server;

fn main() -> ExitCode {
    let status = match cli::parse(std::env::args_os()) {
        Parsed::Exit(status) => status,
        Parsed::Run(invocation) => server::run(&invocation),
    };
    ExitCode::from(u8::try_from(status).unwrap_or(1))
}
