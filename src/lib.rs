//! `rotator` keeps the rotation of AWS Secrets Manager secrets in Git.
//!
//! ```text
//! *.yaml --config--> Manifest --resolve--> Desired --+
//!                                                    +--diff--> Plan --order--> Steps --apply--> Events, Report
//! AWS ----observe-------------------------> Live ----+            |                                |
//!                                                                 +---------- render --------------+
//! ```
//!
//! # The layers
//!
//! | Folder | Knows | May use |
//! |---|---|---|
//! | [`model`] | the domain: addresses, ARNs, rotation rules, functions, secrets, `Desired`, `Live` | std, serde, the calendar |
//! | [`diagnostic`] | what a problem in a manifest is | std |
//! | [`config`] | YAML → [`model::Desired`] | `model`, `diagnostic`, YAML and schema crates |
//! | [`plan`] | the pure difference of two values, and its order | `model` |
//! | [`package`] | function code → deterministic zip | std, `model`, zip and hash crates |
//! | [`aws`] | the only folder that names the SDK | `model`, SDK, `package` to read code that is live |
//! | [`apply`] | runs steps, emits events | `plan`, `model`, the traits of `aws`, tokio |
//! | [`render`] | values → text | `plan`, `apply` events, `diagnostic`, `model`, the errors of `aws` |
//! | [`sandbox`] | AWS on loopback; shares nothing with the layers that call it | its own state and protocols |
//! | [`cli`] | builds clients, prints, exits | everything |
//!
//! `tests/layers.rs` reads the `use` lines and keeps this table true.
//!
//! # Words
//!
//! - **project**: what a manifest's owner calls the set of functions and secrets it owns; a tag on AWS.
//! - **manifest**: a root YAML file with the parts that it includes.
//! - **target**: one AWS account and region that a manifest is applied to.
//! - **handle**: the key of a function or secret in the manifest; its stable address.
//! - **rotation function**: the Lambda function that Secrets Manager calls with the four steps.
//! - **stack**, **change set**: `CloudFormation`'s words, for what the Serverless Application Repository deploys.
//! - **rotation rules**: a schedule (days or an expression) and a window's duration.
//! - **window**: the hours in which Secrets Manager may rotate.
//! - **plan**, **change**, **effect**: what differs, one difference, and what people fear about it.
//! - **limit**: how much one apply may do to a target's secrets, unless a person says aloud that it may do more.
//! - **policy**, **rule**, **exemption**: what every plan is held to, whatever flags say; and who needn't keep it, until when.
//! - **drift**: a difference that somebody else made on AWS.
//! - **orphan**: something that this project owns on AWS and that no handle names any more.

pub mod apply;
pub mod aws;
pub mod cli;
pub mod config;
pub mod diagnostic;
pub mod env;
pub mod exit;
pub mod model;
pub mod package;
pub mod plan;
pub mod render;
pub mod sandbox;
