//! The domain: what a manifest wants ([`Desired`]) and what AWS has ([`Live`]), in the same canonical types.
//!
//! This folder knows nothing of YAML, of the SDK, or of how a difference is shown.

pub mod account;
pub mod acknowledge;
pub mod address;
pub mod arn;
pub mod desired;
mod difference;
pub mod explanation;
pub mod external;
pub mod finding;
pub mod freeze;
pub mod glob;
pub mod invocation;
pub mod key;
pub mod live;
pub mod loading;
pub mod log;
pub mod near;
pub mod package;
pub mod place;
pub mod record;
pub mod regions;
pub mod rotation_event;
pub mod rule;
pub mod run;
pub mod schedule;
pub mod session;
pub mod setting;
pub mod shared;
pub mod text;
pub mod trouble;

pub use address::{Address, Kind};
pub use desired::{
    Application, Code, CodeSource, Deployment, Desired, Function, FunctionSource, LeftOut, Match, ReadFault, Rotation,
    Secret, SelectRule, Selected, Target, TestValues, Verify,
};
pub use difference::{Content, Difference, FileDifference, Held, InstalledDifference};
pub use external::External;
pub use finding::{CodeCheck, CodeFinding, Spot};
pub use live::Live;
pub use log::LogEvent;
pub use package::{PackagePart, PackageSummary, PackagedFile, PartKind, Requirements, Selection};
pub use place::Place;
pub use run::RunId;
pub use schedule::{RotationRules, Schedule};
pub use setting::{Setting, SettingValue, Settings, Vpc};
pub use shared::Shared;

use std::fmt;

/// The stack tag (and, through the stack, the function tag) that names the owning project.
pub const PROJECT_TAG: &str = "rotator:project";

/// The stack tag with the value `true` where other projects may attach secrets to the function.
pub const SHARED_TAG: &str = "rotator:shared";

/// The tag by which `CloudFormation` marks what a stack made: the stack's name.
pub const STACK_TAG: &str = "aws:cloudformation:stack-name";

/// The tag by which the Serverless Application Repository marks its stacks: the application's ARN.
pub const SAR_APPLICATION_TAG: &str = "serverlessrepo:applicationId";

/// The tag by which the Serverless Application Repository marks its stacks: the application's version.
pub const SAR_VERSION_TAG: &str = "serverlessrepo:semanticVersion";

/// How the ARNs of the applications begin that AWS publishes as rotation templates, in a partition (Secrets Manager user guide; of the
/// other partitions, those of the database applications). `None` where none is known.
pub fn templates(partition: &str) -> Option<&'static str> {
    match partition {
        "aws" => Some("arn:aws:serverlessrepo:us-east-1:297356227824:applications/"),
        "aws-cn" => Some("arn:aws-cn:serverlessrepo:cn-north-1:193023089310:applications/"),
        "aws-us-gov" => Some("arn:aws-us-gov:serverlessrepo:us-gov-west-1:023102451235:applications/"),
        _ => None,
    }
}

/// Whether an application is AWS's generic template, by its ARN: its function is written in Python, and its own code fails every rotation.
pub fn is_generic_application(id: &str) -> bool {
    id.ends_with(":applications/SecretsManagerRotationTemplate")
}

/// What the Serverless Application Repository puts before a stack's name, newest first.
pub const SAR_STACK_PREFIXES: [&str; 2] = ["serverlessrepo-", "aws-serverless-repository-"];

/// The parameters of AWS's template that let a function read another secret: its ARN, and its key's.
pub const READ_PARAMETERS: [&str; 2] = ["masterSecretArn", "masterSecretKmsKeyArn"];

/// The statement id that the AWS guide gives to Secrets Manager's permission on a rotation function.
pub const PERMISSION_STATEMENT: &str = "SecretsManagerAccess";

/// A value that is compared and sent, and never shown: an environment variable's, or a `NoEcho` parameter's.
///
/// Neither `Debug` nor `Display` shows it, and it doesn't implement `Serialize`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sensitive(String);

impl Sensitive {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, to be sent to AWS or compared; never to be printed.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(sensitive)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A trait that everything has once, and twice what has the other trait too: naming its function is then ambiguous, and doesn't
    /// compile.
    macro_rules! lacks {
        ($type:ty, $forbidden:path) => {{
            trait Once<A> {
                fn here() {}
            }
            struct Twice;
            impl<T: ?Sized> Once<()> for T {}
            impl<T: ?Sized + $forbidden> Once<Twice> for T {}
            <$type as Once<_>>::here()
        }};
    }

    /// Without it, one `derive` could open every way out at once: into messages, into plan files, into panics.
    #[test]
    fn a_private_value_can_be_neither_printed_nor_saved() {
        lacks!(Sensitive, fmt::Display);
        lacks!(Sensitive, serde::Serialize);
        lacks!(Desired, serde::Serialize);
        lacks!(Live, serde::Serialize);
        lacks!(live::Configuration, serde::Serialize);
        lacks!(live::LiveStack, serde::Serialize);
        lacks!(Deployment, serde::Serialize);
        let value = "kept-to-itself";
        let held = BTreeMap::from([("TOKEN", Some(Sensitive::new(value)))]);
        let shown = format!("{held:?} {held:#?} {:?}", Result::<(), _>::Err(Sensitive::new(value)));
        assert!(shown.contains("(sensitive)") && !shown.contains(value), "{shown}");
    }
}
