//! The services that are served, and what they are called.

/// The services that are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// AWS Secrets Manager: JSON 1.1.
    SecretsManager,
    /// AWS Lambda: REST with JSON.
    Lambda,
    /// AWS `CloudFormation`: Query.
    CloudFormation,
    /// AWS Serverless Application Repository: REST with JSON.
    ServerlessRepo,
    /// AWS Security Token Service: Query.
    Sts,
    /// Amazon `CloudWatch` Logs: JSON 1.1.
    Logs,
    /// AWS `CloudTrail`: JSON 1.1.
    CloudTrail,
}

/// The protocol that a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// JSON 1.1: a header names the operation.
    Json,
    /// A form, answered in XML.
    Query,
    /// REST with JSON.
    Rest,
}

impl Service {
    /// The protocol that it speaks.
    pub fn protocol(self) -> Protocol {
        match self {
            Self::SecretsManager | Self::Logs | Self::CloudTrail => Protocol::Json,
            Self::CloudFormation | Self::Sts => Protocol::Query,
            Self::Lambda | Self::ServerlessRepo => Protocol::Rest,
        }
    }

    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::SecretsManager,
        Self::Lambda,
        Self::CloudFormation,
        Self::ServerlessRepo,
        Self::Sts,
        Self::Logs,
        Self::CloudTrail,
    ];

    /// The name in a signature's scope, and in faults and call logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::SecretsManager => "secretsmanager",
            Self::Lambda => "lambda",
            Self::CloudFormation => "cloudformation",
            Self::ServerlessRepo => "serverlessrepo",
            Self::Sts => "sts",
            Self::Logs => "logs",
            Self::CloudTrail => "cloudtrail",
        }
    }

    /// The service of a signing name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }
}
