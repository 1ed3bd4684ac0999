//! AWS: the only folder that names its SDK.
//!
//! - [`connect()`] and [`connect_writer`] reach one target and prove that it is the right account.
//! - [`Reader`] reads it, [`Reader::observe`] as a whole, into the model's canonical types.
//! - [`Writer`] changes it, through the trait [`Execute`]. Whoever holds a read-only [`Connection`] can make none.
//! - [`AwsError`] is what every failed call becomes, classified by code in one place; a [`Denial`] what AWS says is missing.
//!
//! This folder knows nothing of manifests' files, plans, or how anything is shown. No call that returns a secret's value exists here.
//! It logs nothing: what is worth saying is in its results.

pub mod budget;
pub mod connect;
mod convert;
mod cover;
pub mod denial;
pub mod endpoints;
pub mod error;
pub mod execute;
mod failures;
pub mod http;
pub mod observe;
mod pages;
pub mod policy;
pub mod reader;
pub mod writer;

pub use connect::{
    ConnectError, Connection, ReadOnly, ReadWrite, SandboxEndpoint, SettingError, Settings, ambient_region, connect,
    connect_writer, endpoints, warnings,
};
pub use denial::Denial;
pub use error::{AwsError, ErrorKind};
pub use execute::Execute;
pub use observe::{ObserveOptions, Part, Progress};
pub use reader::Reader;
pub use writer::Writer;
