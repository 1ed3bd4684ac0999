//! AWS: the only folder that names its SDK.
//!
//! - [`connect()`] and [`connect_writer`] reach one target and prove that it is the right account.
//! - [`Reader`] reads it, [`Reader::observe`] as a whole, into the model's canonical types.
//! - [`Writer`] changes it, through the trait [`Execute`]. A read-only [`Connection`] can make none.
//! - [`Served`] is a sandbox that answered in AWS's place, where one did.
//! - [`AwsError`] is what every failed call becomes, classified by code in one place; a [`Denial`] what AWS says is missing.
//!
//! This folder knows nothing of manifests' files, plans, or how anything is shown. No call that returns a secret's value exists here.
//! It logs nothing: what is worth saying is in its results.

pub mod account;
pub mod budget;
mod classify;
mod clients;
mod clock;
pub mod connect;
mod convert;
mod cover;
pub mod denial;
pub mod error;
pub mod execute;
mod failures;
pub mod fleet;
mod functions;
pub mod http;
mod kind;
pub mod observe;
mod pages;
pub mod permission;
pub mod reader;
pub mod reasons;
pub mod served;
mod text;
pub mod writer;

pub use connect::{
    ConnectError, Connection, ReadOnly, ReadWrite, SANDBOX_ACCOUNT, SandboxEndpoint, SettingError, Settings,
    ambient_region, connect, connect_writer, endpoints, warnings,
};
pub use denial::Denial;
pub use error::AwsError;
pub use execute::Execute;
pub use kind::ErrorKind;
pub use observe::{ObserveOptions, Part, Progress};
pub use reader::Reader;
pub use served::Served;
pub use text::covered;
pub use writer::Writer;

/// The name in the user agent and of role sessions, by which the tool is found in an audit trail.
pub(crate) const NAME: &str = "rotator";
