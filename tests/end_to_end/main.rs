//! The real binary over HTTP against the sandbox, judged by AWS's own CLI where one can.

mod answers;
mod drift;
mod endings;
mod failures;
mod fleet;
mod freeze;
mod guide;
mod packages;
mod peers;
mod permissions;
mod policy;
mod proxies;
mod quickstart;
mod review;
mod revisions;
mod rights;
mod roles;
mod saved;
mod secrecy;
mod support;
mod times;
mod upgrade;
