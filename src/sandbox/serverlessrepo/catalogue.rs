//! The applications that the sandbox serves: code of its own, since it interprets no templates.
//!
//! | Application | Versions | What it is for |
//! |---|---|---|
//! | `SecretsManagerRotationTemplate` | 1.1.500, 1.1.560, 1.1.618 | the generic rotation function, as AWS publishes it |
//! | `RotationWithToken` | 1.0.0 | an application with a `NoEcho` parameter and without any for a VPC |
//!
//! The version numbers are made up, as is what differs between them; it is the kind of thing that differs between
//! AWS's own:
//!
//! | | 1.1.500 | 1.1.560 | 1.1.618 |
//! |---|---|---|---|
//! | runtime | python3.9 | python3.11 | python3.12, or what the parameter `runtime` says |
//! | lets Secrets Manager invoke the function | no | yes, unscoped | yes, unscoped |
//! | parameters | the first five of the generic application | also `invokingServicePrincipal` and `kmsKeyArn` | also `runtime`, `masterSecretArn` and `masterSecretKmsKeyArn` |
//! | code | | as 1.1.500 | another |

use std::io::{Cursor, Write};
use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;

use crate::wire::arn::partition;

/// An application of the repository.
#[derive(Debug)]
pub struct Application {
    /// Its name, the last part of its ARN.
    pub name: &'static str,
    /// Who publishes it, in AWS's words.
    pub author: &'static str,
    /// What it does.
    pub description: &'static str,
    /// Words to find it by.
    pub labels: &'static [&'static str],
    /// Region and account of its publisher, by partition.
    publishers: &'static [(&'static str, &'static str, &'static str)],
    /// Oldest first.
    pub versions: &'static [Version],
}

/// One version of an application.
#[derive(Debug)]
pub struct Version {
    /// Such as `1.1.618`.
    pub number: &'static str,
    /// When it was published, as RFC 3339.
    pub created: &'static str,
    /// What a stack can be given.
    pub parameters: &'static [Parameter],
    /// What the caller has to acknowledge.
    pub capabilities: &'static [&'static str],
    /// The function's runtime, where no parameter says another.
    pub runtime: &'static str,
    /// Whether the stack lets `invokingServicePrincipal` invoke the function.
    pub permission: bool,
    /// The function's code.
    pub code: Code,
}

/// The code of a function: which file of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The frame of the older versions.
    First,
    /// The frame of the newest version.
    Second,
}

/// A deployment package.
#[derive(Debug)]
pub struct Package {
    /// The zip file.
    pub zip: Arc<Vec<u8>>,
    /// The base64 of its SHA-256: Lambda's `CodeSha256`.
    pub sha256: String,
    /// Where it lies in the bucket of made-up name; it says which code this is, since it holds the hash.
    pub key: String,
}

/// What kind of value a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    String,
    /// Strings, separated by commas.
    CommaDelimitedList,
}

impl Kind {
    /// `CloudFormation`'s name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::CommaDelimitedList => "CommaDelimitedList",
        }
    }
}

/// A pattern that values must match, and the function that knows whether they do: no regular expressions are
/// interpreted here.
#[derive(Debug, Clone, Copy)]
pub struct Pattern {
    /// As the template has it.
    pub text: &'static str,
    /// Whether a value matches.
    pub matches: fn(&str) -> bool,
}

/// A parameter of a version.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What kind of value.
    pub kind: Kind,
    /// What for.
    pub description: &'static str,
    /// Where nothing is given; `None`: something must be given.
    pub default: Option<&'static str>,
    /// If not empty, the only values.
    pub allowed: &'static [&'static str],
    /// What values look like.
    pub pattern: Option<Pattern>,
    /// The least number of characters.
    pub min_length: Option<usize>,
    /// Said instead of the pattern where a value is refused.
    pub constraint: Option<&'static str>,
    /// Never shown again once given.
    pub no_echo: bool,
    /// The logical ids of the resources that use it.
    pub used_by: &'static [&'static str],
}

/// The logical id of the function in every stack of ours.
pub const FUNCTION: &str = "SecretsManagerRotationTemplate";
/// The logical id of the function's role.
pub const ROLE: &str = "SecretsManagerRotationTemplateRole";
/// The logical id of the permission to invoke the function.
pub const PERMISSION: &str = "LambdaPermission";

const BLANK: Parameter = Parameter {
    name: "",
    kind: Kind::String,
    description: "",
    default: None,
    allowed: &[],
    pattern: None,
    min_length: None,
    constraint: None,
    no_echo: false,
    used_by: &[FUNCTION],
};

const ENDPOINT: Parameter = Parameter {
    name: "endpoint",
    description: "The Secrets Manager endpoint to hit",
    pattern: Some(Pattern {
        text: "^https://.+$",
        matches: |value| value.strip_prefix("https://").is_some_and(|rest| !rest.is_empty()),
    }),
    ..BLANK
};

const FUNCTION_NAME: Parameter = Parameter {
    name: "functionName",
    description: "The name of the Lambda function",
    pattern: Some(Pattern { text: "^[a-zA-Z0-9-_]{1,64}$", matches: is_function_name }),
    used_by: &[FUNCTION, ROLE],
    ..BLANK
};

const SUBNETS: Parameter = Parameter {
    name: "vpcSubnetIds",
    kind: Kind::CommaDelimitedList,
    description: "Comma separated list of VPC Subnet IDs (for Lambdas in VPCs)",
    default: Some(""),
    used_by: &[FUNCTION, ROLE],
    ..BLANK
};

const SECURITY_GROUPS: Parameter = Parameter {
    name: "vpcSecurityGroupIds",
    kind: Kind::CommaDelimitedList,
    description: "Comma separated list of VPC Security Group IDs (for Lambdas in VPCs)",
    default: Some(""),
    used_by: &[FUNCTION, ROLE],
    ..BLANK
};

const EXCLUDED: Parameter = Parameter {
    name: "excludeCharacters",
    description: "The characters to exclude from passwords",
    default: Some(":/@\"'\\"),
    ..BLANK
};

const PRINCIPAL: Parameter = Parameter {
    name: "invokingServicePrincipal",
    description: "The service that may invoke the Lambda function",
    default: Some("secretsmanager.amazonaws.com"),
    used_by: &[PERMISSION],
    ..BLANK
};

const KMS_KEY: Parameter = Parameter {
    name: "kmsKeyArn",
    description: "The ARN of the KMS key that Secrets Manager uses to encrypt the secret",
    default: Some(""),
    pattern: Some(Pattern {
        text: "^(arn:.+)?$",
        matches: |value| value.is_empty() || value.strip_prefix("arn:").is_some_and(|rest| !rest.is_empty()),
    }),
    used_by: &[ROLE],
    ..BLANK
};

const ADMIN_SECRET: Parameter = Parameter {
    name: "masterSecretArn",
    description: "The ARN of another secret that the Lambda function may read",
    ..KMS_KEY
};

const ADMIN_KEY: Parameter = Parameter {
    name: "masterSecretKmsKeyArn",
    description: "The ARN of the KMS key that encrypts that other secret",
    ..KMS_KEY
};

const RUNTIME: Parameter = Parameter {
    name: "runtime",
    description: "The runtime of the Lambda function",
    default: Some("python3.12"),
    allowed: &["python3.9", "python3.10", "python3.11", "python3.12", "python3.13"],
    ..BLANK
};

const TOKEN: Parameter = Parameter {
    name: "apiToken",
    description: "The token that the function signs in to the service with",
    min_length: Some(8),
    no_echo: true,
    ..BLANK
};

const CAPABILITIES: &[&str] = &["CAPABILITY_IAM", "CAPABILITY_RESOURCE_POLICY"];

static APPLICATIONS: [Application; 2] = [
    Application {
        name: "SecretsManagerRotationTemplate",
        author: "AWS Secrets Manager",
        description: "Rotates any secret once it is customised: the generic template for the secrets of other services",
        labels: &["secretsmanager", "rotation"],
        publishers: &[
            ("aws", "us-east-1", "297356227824"),
            ("aws-cn", "cn-north-1", "193023089310"),
            ("aws-us-gov", "us-gov-west-1", "023102451235"),
        ],
        versions: &[
            Version {
                number: "1.1.500",
                created: "2023-11-06T18:04:12.000Z",
                parameters: &[ENDPOINT, FUNCTION_NAME, SUBNETS, SECURITY_GROUPS, EXCLUDED],
                capabilities: CAPABILITIES,
                runtime: "python3.9",
                permission: false,
                code: Code::First,
            },
            Version {
                number: "1.1.560",
                created: "2024-09-17T16:31:40.000Z",
                parameters: &[ENDPOINT, FUNCTION_NAME, PRINCIPAL, SUBNETS, SECURITY_GROUPS, KMS_KEY, EXCLUDED],
                capabilities: CAPABILITIES,
                runtime: "python3.11",
                permission: true,
                code: Code::First,
            },
            Version {
                number: "1.1.618",
                created: "2025-06-24T20:12:55.000Z",
                parameters: &[
                    ENDPOINT,
                    FUNCTION_NAME,
                    PRINCIPAL,
                    SUBNETS,
                    SECURITY_GROUPS,
                    KMS_KEY,
                    EXCLUDED,
                    RUNTIME,
                    ADMIN_SECRET,
                    ADMIN_KEY,
                ],
                capabilities: CAPABILITIES,
                runtime: "python3.12",
                permission: true,
                code: Code::Second,
            },
        ],
    },
    Application {
        name: "RotationWithToken",
        author: "Example",
        description: "A rotation function for a service that is signed in to with a token",
        labels: &["rotation"],
        publishers: &[("aws", "us-east-1", "123456789012")],
        versions: &[Version {
            number: "1.0.0",
            created: "2025-01-15T09:00:00.000Z",
            parameters: &[ENDPOINT, FUNCTION_NAME, TOKEN],
            capabilities: CAPABILITIES,
            runtime: "python3.12",
            permission: true,
            code: Code::Second,
        }],
    },
];

/// The applications that can be found in a region.
pub fn applications(region: &str) -> impl Iterator<Item = &'static Application> {
    APPLICATIONS.iter().filter(move |application| application.arn(region).is_some())
}

/// The application of an ARN, where it can be used in that region.
pub fn find(arn: &str, region: &str) -> Option<&'static Application> {
    applications(region).find(|application| application.arn(region).as_deref() == Some(arn))
}

impl Application {
    /// Its ARN in the partition of a region; `None` where it isn't published.
    pub fn arn(&self, region: &str) -> Option<String> {
        let partition = partition(region);
        self.publishers.iter().find(|(of, ..)| *of == partition).map(|(_, home, account)| {
            format!("arn:{partition}:serverlessrepo:{home}:{account}:applications/{}", self.name)
        })
    }

    /// A version by number; the newest without one.
    pub fn version(&self, number: Option<&str>) -> Option<&'static Version> {
        match number {
            Some(number) => self.versions.iter().find(|version| version.number == number),
            None => self.versions.last(),
        }
    }
}

impl Version {
    /// The parameter of a name.
    pub fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }
}

impl Code {
    /// The deployment package: `lambda_function.py` in a zip file that is the same bytes each time.
    pub fn package(self) -> &'static Package {
        static FIRST: LazyLock<Package> = LazyLock::new(|| package(include_bytes!("code/rotation_template_1.py")));
        static SECOND: LazyLock<Package> = LazyLock::new(|| package(include_bytes!("code/rotation_template_2.py")));
        match self {
            Self::First => &FIRST,
            Self::Second => &SECOND,
        }
    }
}

fn package(source: &[u8]) -> Package {
    let zip = zip(source).expect("a zip file in memory, of one file of ours, can be written");
    let digest = Sha256::digest(&zip);
    let key = digest.iter().take(16).fold(String::new(), |key, byte| format!("{key}{byte:02x}"));
    Package { zip: Arc::new(zip), sha256: STANDARD.encode(digest), key }
}

fn zip(source: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644);
    writer.start_file("lambda_function.py", options)?;
    writer.write_all(source)?;
    Ok(writer.finish()?.into_inner())
}

fn is_function_name(value: &str) -> bool {
    (1..=64).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tool asks for this ARN, exactly; in other partitions the publisher is another one.
    #[test]
    fn the_generic_application_is_found_in_every_partition() {
        let aws = "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate";
        assert!(find(aws, "eu-west-1").is_some());
        assert!(find(aws, "cn-north-1").is_none());
        let china = "arn:aws-cn:serverlessrepo:cn-north-1:193023089310:applications/SecretsManagerRotationTemplate";
        assert!(find(china, "cn-northwest-1").is_some());
        let government =
            "arn:aws-us-gov:serverlessrepo:us-gov-west-1:023102451235:applications/SecretsManagerRotationTemplate";
        assert!(find(government, "us-gov-east-1").is_some());
    }

    /// Whether uploaded code survives an update hangs on which versions share the template's code.
    #[test]
    fn only_the_newest_version_has_code_of_its_own() {
        let codes: Vec<_> = APPLICATIONS[0].versions.iter().map(|version| version.code.package().key.clone()).collect();
        assert_eq!(codes[0], codes[1]);
        assert_ne!(codes[1], codes[2]);
    }

    /// A default that its own constraints refuse could never be deployed.
    #[test]
    fn defaults_satisfy_their_own_constraints() {
        for parameter in APPLICATIONS.iter().flat_map(|a| a.versions).flat_map(|v| v.parameters) {
            let Some(default) = parameter.default else { continue };
            assert!(parameter.allowed.is_empty() || parameter.allowed.contains(&default), "{}", parameter.name);
            assert!(parameter.pattern.is_none_or(|pattern| (pattern.matches)(default)), "{}", parameter.name);
        }
    }
}
