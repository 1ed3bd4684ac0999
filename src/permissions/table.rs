//! The phases of the program, and the actions that each of them needs.
//!
//! A phase is a row of [`PHASES`]: its name, and the groups of actions that it takes. What is marked as seen is held against the log of a
//! whole run by the tests; what stands in a published table, against that table (`tests/permissions`).

use super::Need;
use super::scope::On;

/// How it is known that an action is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    /// It is in the log of a run: the program calls it itself.
    Seen,
    /// A published table lists it: the schemas of the resources of a stack, or the Service Authorization Reference's dependent actions.
    Table,
    /// AWS's documentation or its words to others who lacked it say so.
    Documentation,
}

/// What the program does in one command, or in one kind of it.
#[derive(Debug)]
pub struct Phase {
    /// Its name on the command line.
    pub name: &'static str,
    /// Whose rights these are, in words.
    pub who: &'static str,
    /// Whether it changes nothing.
    pub reads: bool,
    groups: &'static [Group],
}

/// Actions on one kind of resources, for one reason.
#[derive(Debug)]
struct Row(&'static [&'static str], On, Known, &'static str);

type Group = &'static [Row];

/// All phases, in the order in which they are shown.
pub static PHASES: &[Phase] = &[
    Phase {
        name: "plan-caller",
        who: "who starts `plan` or `status`, where targets have roles",
        reads: true,
        groups: &[BECOME_READER],
    },
    Phase {
        name: "apply-caller",
        who: "who starts `apply` or `destroy`, where targets have roles",
        reads: false,
        groups: &[BECOME],
    },
    Phase { name: "plan", who: "`plan`, and each target's `role`", reads: true, groups: READING },
    Phase {
        name: "apply",
        who: "`apply`, and each target's `apply_role`",
        reads: false,
        groups: &[
            FIND,
            APPLICATIONS,
            FUNCTIONS,
            SECRETS,
            LIST,
            DEPLOY,
            EDIT,
            PERMIT,
            ROTATE,
            LOGS,
            PACKAGES,
            MAKE,
            UNMAKE,
            NETWORK,
        ],
    },
    Phase {
        name: "prune",
        who: "`apply --prune`, `removed:`, and `destroy` where entries have gone, beside the rights of `apply` or `destroy`: what they end is known by its tags alone",
        reads: false,
        groups: &[PRUNE],
    },
    Phase {
        name: "destroy",
        who: "`destroy`",
        reads: false,
        groups: &[FIND, APPLICATIONS, FUNCTIONS, SECRETS, LIST, STOP, END, UNMAKE],
    },
    Phase {
        name: "rotate",
        who: "`rotate`, and each target's `apply_role`",
        reads: false,
        groups: &[FUNCTIONS, DESCRIBED, RULES, VERSIONS, ROTATE_NOW, LOGS],
    },
    Phase {
        name: "repair",
        who: "`repair` and its three ways, and each target's `apply_role`",
        reads: false,
        groups: &[FUNCTIONS, DESCRIBED, RULES, VERSIONS, ROTATE_NOW, LABELS, LOGS],
    },
    Phase { name: "logs", who: "`logs`", reads: true, groups: &[LOOK, SECRETS, RULES, LOGS] },
    Phase { name: "status", who: "`status`", reads: true, groups: &[FUNCTIONS, SECRETS, LIST, VERSIONS] },
    Phase {
        name: "reasons",
        who: "`status --reasons`, with the rights of `status`",
        reads: true,
        groups: &[REASONS, LOGS],
    },
    Phase { name: "import", who: "`import`", reads: true, groups: &[ALL_SECRETS, ALL_FUNCTIONS, ALL_STACKS] },
];

/// What a plan reads.
const READING: &[Group] = &[FIND, APPLICATIONS, FUNCTIONS, SECRETS, LIST];

const BECOME_READER: Group = &[Row(&["sts:AssumeRole"], On::ReadRole, Known::Seen, "becoming the target's role")];

const BECOME: Group = &[Row(&["sts:AssumeRole"], On::TargetRoles, Known::Seen, "becoming the target's roles")];

const FIND: Group = &[
    Row(
        &["cloudformation:DescribeStacks"],
        On::All,
        Known::Seen,
        "stacks by name and tag, and those that no entry names",
    ),
    Row(&["cloudformation:ListStacks"], On::All, Known::Table, "describing all stacks asks for it too"),
    Row(
        &["cloudformation:DescribeStackResources"],
        On::Stacks,
        Known::Seen,
        "the function of a stack that is not at rest, or names none in its outputs",
    ),
    Row(&["cloudformation:DescribeStackEvents"], On::Stacks, Known::Seen, "why a stack failed"),
];

const APPLICATIONS: Group = &[Row(
    &["serverlessrepo:GetApplication"],
    On::Applications,
    Known::Seen,
    "their versions, parameters and capabilities",
)];

const FUNCTIONS: Group = &[
    Row(&["lambda:GetFunction"], On::Functions, Known::Seen, "configuration and code"),
    Row(&["lambda:GetPolicy"], On::Functions, Known::Seen, "whether Secrets Manager may invoke them"),
    Row(&["lambda:ListTags"], On::Functions, Known::Documentation, "their tags, which Lambda leaves out without it"),
    Row(&["kms:Decrypt"], On::Keys, Known::Documentation, "environments that a customer's key encrypts"),
];

const DESCRIBED: Group =
    &[Row(&["secretsmanager:DescribeSecret"], On::Secrets, Known::Seen, "how they rotate, never their values")];

const SECRETS: Group = &[
    Row(&["secretsmanager:DescribeSecret"], On::Secrets, Known::Seen, "how they rotate, never their values"),
    Row(&["secretsmanager:DescribeSecret"], On::ReadSecrets, Known::Seen, "the ARN that the function is given"),
];

const LIST: Group =
    &[Row(&["secretsmanager:ListSecrets"], On::All, Known::Seen, "secrets that no entry names; more than 100 at once")];

const RULES: Group = &[Row(
    &["secretsmanager:ListSecrets"],
    On::Rules,
    Known::Seen,
    "which secrets rules of `select` mean: names and tags",
)];

const VERSIONS: Group =
    &[Row(&["secretsmanager:ListSecretVersionIds"], On::Secrets, Known::Seen, "since when a version is pending")];

const REASONS: Group = &[Row(
    &["cloudtrail:LookupEvents"],
    On::All,
    Known::Documentation,
    "what Secrets Manager said of rotations; without it, that isn't known",
)];

const ALL_SECRETS: Group = &[Row(
    &["secretsmanager:ListSecrets"],
    On::All,
    Known::Seen,
    "how all secrets rotate, and their tags, never their values",
)];

const ALL_FUNCTIONS: Group = &[
    Row(&["lambda:GetFunction"], On::AnyFunction, Known::Seen, "the functions by which secrets rotate"),
    Row(&["lambda:GetPolicy"], On::AnyFunction, Known::Seen, "`--adopt`: whether Secrets Manager may invoke them"),
    Row(&["lambda:ListTags"], On::AnyFunction, Known::Documentation, "their tags, which Lambda leaves out without it"),
];

const ALL_STACKS: Group = &[
    Row(&["cloudformation:DescribeStacks"], On::All, Known::Seen, "which stack made a function"),
    Row(&["cloudformation:ListStacks"], On::All, Known::Table, "describing all stacks asks for it too"),
];

const DEPLOY: Group = &[
    Row(
        &["serverlessrepo:CreateCloudFormationChangeSet"],
        On::Applications,
        Known::Seen,
        "deploying and updating them",
    ),
    Row(
        &["cloudformation:CreateChangeSet"],
        On::Stacks,
        Known::Seen,
        "the repository makes the change set in the caller's name; tags of a stack",
    ),
    Row(&["cloudformation:CreateChangeSet"], On::Transform, Known::Documentation, "the transform of the template"),
    Row(
        &["cloudformation:DescribeChangeSet", "cloudformation:DescribeEvents"],
        On::Stacks,
        Known::Seen,
        "what a change set would do, and why one failed",
    ),
    Row(&["cloudformation:ExecuteChangeSet"], On::Stacks, Known::Seen, "running it"),
    Row(
        &["cloudformation:DeleteChangeSet"],
        On::Stacks,
        Known::Seen,
        "change sets that do nothing, or would replace the function",
    ),
    Row(&["cloudformation:DeleteStack"], On::Stacks, Known::Seen, "a stack that never came to be is made anew"),
];

const PACKAGES: Group = &[Row(
    &["s3:GetObject"],
    On::Packages,
    Known::Documentation,
    "the application's template and code, which CloudFormation fetches, also in a roll-back",
)];

const OF_A_STACK: &str = "CloudFormation makes and changes the function";
const THE_ROLE: &str = "CloudFormation makes and changes the function's role";

const MAKE: Group = &[
    Row(
        &["lambda:CreateFunction", "lambda:UpdateFunctionConfiguration", "lambda:UpdateFunctionCode"],
        On::Deployed,
        Known::Table,
        OF_A_STACK,
    ),
    Row(
        &["lambda:TagResource", "lambda:UntagResource"],
        On::Deployed,
        Known::Table,
        "a stack's tags go to its function",
    ),
    Row(
        &[
            "lambda:GetFunctionCodeSigningConfig",
            "lambda:GetFunctionRecursionConfig",
            "lambda:GetFunctionScalingConfig",
            "lambda:GetRuntimeManagementConfig",
        ],
        On::Deployed,
        Known::Table,
        "CloudFormation looks at the function; it may do without these",
    ),
    Row(
        &[
            "iam:CreateRole",
            "iam:UpdateRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:AttachRolePolicy",
            "iam:PutRolePolicy",
            "iam:GetRole",
            "iam:GetRolePolicy",
        ],
        On::Roles,
        Known::Table,
        THE_ROLE,
    ),
    Row(&["iam:PassRole"], On::Roles, Known::Table, "the function is given its role"),
    Row(&["lambda:AddPermission", "lambda:RemovePermission"], On::Deployed, Known::Table, "the template's permission"),
];

/// What the handler of a role needs to delete it.
const DELETE_ROLE: &[&str] = &[
    "iam:DeleteRole",
    "iam:DetachRolePolicy",
    "iam:DeleteRolePolicy",
    "iam:GetRole",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:TagRole",
    "iam:UntagRole",
];

const UNMAKE: Group = &[
    Row(
        &["lambda:DeleteFunction"],
        On::Deployed,
        Known::Table,
        "CloudFormation deletes the function, also in a roll-back",
    ),
    Row(&["lambda:RemovePermission"], On::Deployed, Known::Table, "the template's permission"),
    Row(DELETE_ROLE, On::Roles, Known::Table, "CloudFormation deletes the function's role, also in a roll-back"),
    Row(&["ec2:DescribeNetworkInterfaces"], On::Network, Known::Table, "the networks that a deleted function leaves"),
];

const NETWORK: Group = &[Row(
    &["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"],
    On::Vpc,
    Known::Table,
    "functions in a VPC: Lambda looks at it in the caller's name",
)];

const EDIT: Group = &[
    Row(&["lambda:UpdateFunctionConfiguration"], On::Deployed, Known::Seen, "configuration"),
    Row(&["lambda:UpdateFunctionCode"], On::Deployed, Known::Seen, "code"),
    Row(
        &["lambda:ListVersionsByFunction", "lambda:PublishVersion"],
        On::Deployed,
        Known::Seen,
        "old code is kept as a version; without it, it is replaced all the same, with a warning",
    ),
    Row(&["lambda:GetLayerVersion"], On::Layers, Known::Table, "layers"),
    Row(&["s3:GetObject"], On::Objects, Known::Table, "code in S3"),
    Row(&["s3:GetObjectVersion"], On::ObjectVersions, Known::Table, "a version of code in S3"),
];

const PERMIT: Group = &[
    Row(&["lambda:AddPermission"], On::Deployed, Known::Seen, "Secrets Manager's permission"),
    Row(&["lambda:RemovePermission"], On::Deployed, Known::Seen, "one that lets another account in, or denies"),
    Row(
        &["lambda:GetResourcePolicy"],
        On::Deployed,
        Known::Documentation,
        "a permission that can't be added, or doesn't show",
    ),
];

const ROTATE: Group = &[
    Row(&["secretsmanager:RotateSecret"], On::Secrets, Known::Seen, "rotation on, and other rules"),
    Row(
        &["lambda:InvokeFunction"],
        On::Functions,
        Known::Documentation,
        "Secrets Manager asks whether the caller may invoke a secret's function",
    ),
    Row(&["secretsmanager:CancelRotateSecret"], On::Stopped, Known::Seen, "rotation off"),
];

/// What rotates a secret now, or has a rotation tried again.
const ROTATE_NOW: Group = &[
    Row(&["secretsmanager:RotateSecret"], On::Secrets, Known::Seen, "other values now"),
    Row(
        &["lambda:InvokeFunction"],
        On::Functions,
        Known::Documentation,
        "Secrets Manager asks whether the caller may invoke a secret's function",
    ),
];

const LABELS: Group = &[Row(
    &["secretsmanager:UpdateSecretVersionStage"],
    On::Secrets,
    Known::Seen,
    "the labels of a pending version: `repair promote` and `repair drop`",
)];

const LOOK: Group = &[
    Row(&["lambda:GetFunction"], On::Functions, Known::Seen, "where functions log"),
    Row(&["lambda:ListTags"], On::Functions, Known::Documentation, "their tags, which Lambda leaves out without it"),
];

const LOGS: Group = &[Row(
    &["logs:FilterLogEvents"],
    On::LogGroups,
    Known::Seen,
    "how tests ended and what rotations' tries did; without it, tests are unverified",
)];

const STOP: Group = &[Row(&["secretsmanager:CancelRotateSecret"], On::Secrets, Known::Seen, "rotation off")];

const END: Group = &[Row(&["cloudformation:DeleteStack"], On::Stacks, Known::Seen, "their end")];

const PRUNE: Group = &[
    Row(&["secretsmanager:DescribeSecret"], On::AnySecret, Known::Seen, "whether it still rotates with our function"),
    Row(&["secretsmanager:CancelRotateSecret"], On::AnySecret, Known::Seen, "rotation off"),
    Row(&["cloudformation:DeleteStack"], On::AnyStack, Known::Seen, "stacks of the project that no entry names"),
    Row(
        &[
            "cloudformation:CreateChangeSet",
            "cloudformation:DescribeChangeSet",
            "cloudformation:DescribeEvents",
            "cloudformation:ExecuteChangeSet",
            "cloudformation:DeleteChangeSet",
        ],
        On::AnyStack,
        Known::Seen,
        "the tag of a stack that `removed:` lets go of",
    ),
    Row(
        &["cloudformation:DescribeStackResources", "cloudformation:DescribeStackEvents"],
        On::AnyStack,
        Known::Seen,
        "their functions, and why one failed",
    ),
    Row(
        &["lambda:DeleteFunction", "lambda:RemovePermission", "lambda:GetFunction"],
        On::AnyFunction,
        Known::Table,
        "CloudFormation deletes the function",
    ),
    Row(DELETE_ROLE, On::AnyRole, Known::Table, "CloudFormation deletes the function's role"),
    Row(&["ec2:DescribeNetworkInterfaces"], On::All, Known::Table, "the networks that a deleted function leaves"),
];

impl Phase {
    /// The phase of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        PHASES.iter().find(|phase| phase.name == name)
    }

    /// Whether it is for who becomes a target's role.
    pub fn is_callers(&self) -> bool {
        self.name.ends_with("-caller")
    }

    /// Whether it is about whole accounts, whatever a manifest names.
    pub fn is_of_whole_accounts(&self) -> bool {
        self.needs().all(|need| matches!(need.on, On::All | On::AnyFunction))
    }

    /// All that it may need, whatever a manifest says, in the order of the table.
    pub fn needs(&self) -> impl Iterator<Item = Need> {
        let rows = self.groups.iter().flat_map(|group| group.iter());
        rows.flat_map(|Row(actions, on, known, why)| {
            actions.iter().map(|action| Need { action, on: *on, why, known: *known })
        })
    }
}

impl Known {
    /// In one word, as tables have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Table => "table",
            Self::Documentation => "documentation",
        }
    }
}
