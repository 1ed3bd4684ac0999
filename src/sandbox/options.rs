//! How a sandbox is started.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// How a sandbox is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether that may be another address than loopback's: it runs the code that callers send, as the user who runs it.
    pub allow_remote: bool,
    /// Whether rotations rest: nothing that is due is tried.
    pub rests: bool,
    /// Where its state is kept between runs; `None`: nowhere.
    pub state_file: Option<PathBuf>,
    /// The account of callers whose key doesn't say another: 12 digits.
    pub account: String,
    /// The region of the few calls whose signature doesn't say one.
    pub region: String,
    /// Added to every answer.
    pub latency: Duration,
    /// Throttle as AWS does ([`super::quotas`]).
    pub quotas: bool,
    /// Scripted failures ([`super::faults`]): JSON, or JSON lines.
    pub faults: Option<PathBuf>,
    /// Policies of IAM that callers are held to ([`super::rights`]); none: everything is allowed.
    pub allow: Vec<PathBuf>,
    /// Where to write one JSON line a call ([`super::calls`]).
    pub calls: Option<PathBuf>,
    /// Asynchronous waits are multiplied by this: 0 for none, 1 as they are. AWS's own waits are much longer.
    pub time_scale: f64,
    /// `Host` names that are accepted beside loopback's and the one listened on.
    pub hosts: Vec<String>,
    /// Whether functions of Python run by their own version where the machine has it, and not always by its `python3`: it is looked for in
    /// `PATH` and among those of uv and pyenv, and prepared once.
    pub own_python: bool,
    /// Where language runtimes for functions are prepared and kept; `None`: the user's cache directory.
    pub cache: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            allow_remote: false,
            rests: false,
            state_file: None,
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            latency: Duration::ZERO,
            quotas: false,
            faults: None,
            allow: Vec::new(),
            calls: None,
            time_scale: 1.0,
            hosts: Vec::new(),
            own_python: false,
            cache: None,
        }
    }
}
