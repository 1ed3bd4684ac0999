//! What AWS names when it refuses: the action, the resource, and the kind of policy, taken out of its words.
//!
//! The words come from services, from resource handlers of `CloudFormation`, and hold names that others chose. Only what has the
//! form of an action or of a resource is taken, and it is only ever shown.

use std::sync::LazyLock;

use regex::Regex;

use super::text::LONGEST_MESSAGE;
use crate::model::arn::Arn;

/// The buckets that the Serverless Application Repository keeps applications' packages in, as the beginnings of their names and the
/// pattern that covers them (AWS's managed policy `SecretsManagerReadWrite`). The objects in them have another key for each change set.
const REPOSITORY_BUCKETS: [(&str, &str); 2] =
    [("awsserverlessrepo-changesets", "*"), ("secrets-manager-rotation-apps-", "*/*")];

/// The kinds of policies that AWS's refusals name (IAM User Guide, "Troubleshoot access denied error messages").
const POLICIES: &str = "identity-based policy|resource-based policy|permissions boundary|session policy|service control policy|resource control policy|VPC endpoint policy";

/// The kind that a caller's own policies are.
const IDENTITY: &str = "identity-based policy";

/// The sentence of most services.
static SENTENCE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = format!(
        "not authorized to perform:? (?P<action>[a-z0-9-]{{2,40}}:[A-Za-z0-9*]{{2,80}})(?: on resource:? \"?(?P<resource>[!#-_a-~]{{1,1600}}))?\
         (?:\"? because no (?P<lacks>{POLICIES}) allows|\"? with an explicit deny(?: in an? (?P<denies>{POLICIES}))?)?"
    );
    Regex::new(&pattern).expect("a pattern of ours")
});

/// Lambda's words about code that it may not fetch from S3 in the caller's name.
static OBJECT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        "permission to (?P<action>GetObject(?:Version)?) for (?P<bucket>[a-z0-9.-]{3,63})/(?P<key>[!#-_a-~]{1,1024})",
    )
    .expect("a pattern of ours")
});

/// What `CloudFormation` says of a template that it may not fetch from S3 in the caller's name: neither action nor object.
const NO_TEMPLATE: &str = "S3 error: Access Denied";

/// A refusal: what would have to be allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Such as `iam:CreateRole`.
    pub action: String,
    /// The resources, as IAM policies write them; empty where AWS names none.
    pub resources: Vec<String>,
    /// Why, where AWS says so.
    pub because: Option<Because>,
}

/// Why something isn't allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// No policy of this kind allows it.
    NotAllowed(String),
    /// A policy denies it, perhaps of this kind: no other policy can allow it.
    Denied(Option<String>),
}

impl Denial {
    /// The first refusal that a text of AWS's speaks of. `near`: an ARN of the same partition.
    pub fn of(text: &str, near: &str) -> Option<Self> {
        if let Some(found) = SENTENCE.captures(text) {
            let named = |name: &str| found.name(name).map(|text| text.as_str().to_owned());
            let denied = found.get(0).is_some_and(|all| all.as_str().contains(" with an explicit deny"));
            let because =
                if denied { Some(Because::Denied(named("denies"))) } else { named("lacks").map(Because::NotAllowed) };
            let resource = found.name("resource").filter(|resource| is_whole(text, resource.end()));
            let resource = resource.map(|resource| resource.as_str().trim_end_matches(['.', ',', ';', ')', '\'']));
            let resources = resource.filter(|text| !text.is_empty()).map(as_policies_name_it).into_iter();
            return Some(Self { action: found["action"].to_owned(), resources: resources.collect(), because });
        }
        let partition = partition(text).or_else(|| partition(near)).unwrap_or_else(|| "aws".to_owned());
        if let Some(found) = OBJECT.captures(text) {
            let object = format!("arn:{partition}:s3:::{}/{}", &found["bucket"], found["key"].trim_end_matches('.'));
            let resources = vec![as_policies_name_it(&object)];
            return Some(Self { action: format!("s3:{}", &found["action"]), resources, because: None });
        }
        text.contains(NO_TEMPLATE).then(|| Self {
            action: "s3:GetObject".to_owned(),
            resources: repository_buckets(&partition).into(),
            because: None,
        })
    }

    /// Whether it is about packages that `CloudFormation` fetches from the repository's buckets, in the caller's name.
    pub fn is_of_repository(&self) -> bool {
        self.action.starts_with("s3:")
            && self.resources.iter().any(|one| REPOSITORY_BUCKETS.iter().any(|(bucket, _)| one.contains(bucket)))
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        let on = self.resources.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(" and ");
        let what = if on.is_empty() { format!("`{}`", self.action) } else { format!("`{}` on {on}", self.action) };
        let hint = match &self.because {
            Some(Because::Denied(kind)) => {
                let kind = kind.as_deref().unwrap_or("policy");
                let article = if kind == IDENTITY { "an" } else { "a" };
                return format!("{article} {kind} denies {what}, and no other policy can allow it: change that one");
            }
            Some(Because::NotAllowed(kind)) if kind != IDENTITY => format!("let the {kind} allow {what}, too"),
            _ => format!("allow {what}"),
        };
        if self.is_of_repository() {
            format!("{hint}: CloudFormation reads the application's code in the name of who deploys it")
        } else if on.is_empty() {
            format!("{hint}; AWS doesn't say on what, and some actions can be allowed on `*` alone")
        } else {
            hint
        }
    }
}

/// The patterns of the repository's buckets.
fn repository_buckets(partition: &str) -> [String; 2] {
    REPOSITORY_BUCKETS.map(|(bucket, rest)| format!("arn:{partition}:s3:::{bucket}{rest}"))
}

/// Whether what ends here in a text is whole: not cut by its own longest length, nor by that of messages.
fn is_whole(text: &str, end: usize) -> bool {
    match text[end..].chars().next() {
        None => text.chars().count() < LONGEST_MESSAGE,
        Some(next) => !next.is_ascii_graphic() || next == '"',
    }
}

/// A resource as a policy should name it: of the repository's buckets all objects, since a key serves for one change set alone.
fn as_policies_name_it(resource: &str) -> String {
    let Some((head, object)) = resource.split_once(":s3:::") else { return resource.to_owned() };
    let known = REPOSITORY_BUCKETS.iter().find(|(begin, _)| object.starts_with(begin));
    known.map_or_else(|| resource.to_owned(), |(begin, rest)| format!("{head}:s3:::{begin}{rest}"))
}

/// The partition of the first ARN in a text.
fn partition(text: &str) -> Option<String> {
    let found = text.split("arn:").nth(1)?.split(':').next()?;
    let is_one =
        found.starts_with("aws") && found.len() < 20 && found.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    is_one.then(|| found.to_owned())
}

/// A resource that a call was made on, as IAM policies write it. The repository's applications count as resources of the region of the
/// call, whatever region their ARN names.
pub(super) fn iam_resource(action: &str, resource: &str) -> String {
    match resource.parse::<Arn>() {
        Ok(arn) if action.starts_with("serverlessrepo:") => Arn { region: "*".to_owned(), ..arn }.to_string(),
        _ => resource.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: &str = "arn:aws-cn:cloudformation:cn-north-1:111111111111:stack/serverlessrepo-f/1";

    fn found(text: &str) -> (String, Vec<String>) {
        let denial = Denial::of(text, STACK).unwrap_or_else(|| panic!("no denial in {text}"));
        (denial.action, denial.resources)
    }

    /// Without it, people would allow what the program called, and be refused again over what AWS misses.
    #[test]
    fn action_and_resource_are_those_that_aws_names() {
        for (text, action, resource) in [
            (
                "User: arn:aws:sts::123456789012:assumed-role/apply/rotator is not authorized to perform: cloudformation:CreateChangeSet on resource: arn:aws:cloudformation:us-east-1:aws:transform/Serverless-2016-10-31",
                "cloudformation:CreateChangeSet",
                "arn:aws:cloudformation:us-east-1:aws:transform/Serverless-2016-10-31",
            ),
            (
                "Resource handler returned message: \"User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::123456789012:role/serverlessrepo-f-SecretsManagerRotationTe-x because no identity-based policy allows the iam:CreateRole action (Service: Iam, Status Code: 403, Request ID: 1)\" (RequestToken: 2, HandlerErrorCode: AccessDenied)",
                "iam:CreateRole",
                "arn:aws:iam::123456789012:role/serverlessrepo-f-SecretsManagerRotationTe-x",
            ),
            (
                "Encountered a permissions error performing a tagging operation, please add required tag permissions. Resource handler returned message: \"User: x is not authorized to perform: lambda:TagResource on resource: arn:aws:lambda:eu-west-1:123456789012:function:f\"",
                "lambda:TagResource",
                "arn:aws:lambda:eu-west-1:123456789012:function:f",
            ),
            (
                "User: x is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::bucket/key\" because no session policy allows the s3:PutObject action",
                "s3:PutObject",
                "arn:aws:s3:::bucket/key",
            ),
            (
                "User is not authorized to perform sts:AssumeRole on resource arn:aws:iam::1:role/r.",
                "sts:AssumeRole",
                "arn:aws:iam::1:role/r",
            ),
        ] {
            assert_eq!(found(text), (action.to_owned(), vec![resource.to_owned()]), "{text}");
        }
        let without = "You are not authorized to perform this operation. User: x is not authorized to perform: ec2:DescribeNetworkInterfaces because no identity-based policy allows the ec2:DescribeNetworkInterfaces action";
        assert_eq!(found(without), ("ec2:DescribeNetworkInterfaces".to_owned(), Vec::new()));
    }

    /// Without it, a stack's failure over the application's package would name one object of one change set, or nothing at all.
    #[test]
    fn packages_of_the_repository_are_allowed_by_bucket() {
        let lambda = |object: &str| {
            format!(
                "Resource handler returned message: \"Your access has been denied by S3, please make sure your request credentials have permission to GetObject for {object}. S3 Error Code: AccessDenied. S3 Error Message: Access Denied (Service: Lambda, Status Code: 403, Request ID: 1)\" (RequestToken: 2, HandlerErrorCode: AccessDenied)"
            )
        };
        let key = "awsserverlessrepo-changesets-plntc6bfnfj/111111111111/arn:aws:serverlessrepo:eu-central-1:482117739457:applications-x-versions-1.1.8/465e2e1c";
        let get = "s3:GetObject".to_owned();
        assert_eq!(found(&lambda(key)), (get.clone(), vec!["arn:aws:s3:::awsserverlessrepo-changesets*".to_owned()]));
        let package =
            "secrets-manager-rotation-apps-bebbb94a36b6f11ff37b8aa4ff4d8ac9/SecretsManagerRotationTemplate/f.zip";
        let (_, resources) = found(&lambda(package));
        assert_eq!(resources, ["arn:aws-cn:s3:::secrets-manager-rotation-apps-*/*"]);
        assert_eq!(found(&lambda("mine/code.zip")).1, ["arn:aws-cn:s3:::mine/code.zip"]);
        let template = "S3 error: Access Denied For more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html";
        assert_eq!(found(template).1.len(), 2);
        let sentence =
            format!("User: x is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::{key}\" because");
        assert_eq!(found(&sentence), (get, vec!["arn:aws:s3:::awsserverlessrepo-changesets*".to_owned()]));
        assert!(Denial::of(&sentence, "").is_some_and(|denial| denial.hint().contains("CloudFormation reads")));
    }

    /// Without it, people would add an allow that a deny overrides, or that stands in the wrong policy.
    #[test]
    fn hints_name_the_policy_that_stands_in_the_way() {
        let hint = |rest: &str| {
            let text = format!(
                "User: x is not authorized to perform: lambda:GetPolicy on resource: arn:aws:lambda:r:1:function:f {rest}"
            );
            Denial::of(&text, "").expect("a denial").hint()
        };
        let what = "`lambda:GetPolicy` on `arn:aws:lambda:r:1:function:f`";
        for rest in
            ["", "because no identity-based policy allows the lambda:GetPolicy action", "because of the weather"]
        {
            assert_eq!(hint(rest), format!("allow {what}"), "{rest}");
        }
        let boundary = "because no permissions boundary allows the lambda:GetPolicy action";
        assert_eq!(hint(boundary), format!("let the permissions boundary allow {what}, too"));
        let control = "with an explicit deny in a service control policy";
        assert!(hint(control).starts_with(&format!("a service control policy denies {what}")), "{}", hint(control));
        assert!(
            hint("with an explicit deny in an identity-based policy").starts_with("an identity-based policy denies")
        );
        assert!(hint("with an explicit deny").starts_with(&format!("a policy denies {what}")));
    }

    /// Without it, a name that somebody chose could put words, or commands, into a hint.
    #[test]
    fn only_what_has_the_form_of_a_resource_is_taken() {
        let on =
            |resource: &str| found(&format!("is not authorized to perform: iam:GetRole on resource: {resource}")).1;
        assert_eq!(on("\"a\" b; rm -rf /"), ["a"]);
        assert_eq!(on("a`; rm -rf / #"), Vec::<String>::new());
        assert_eq!(on("\u{202e}x"), Vec::<String>::new());
        for text in
            ["not authorized to perform: rm -rf", "not authorized to perform: IAM:x on resource: y", "denied", ""]
        {
            assert_eq!(Denial::of(text, ""), None, "{text}");
        }
        // Half a name would be another resource's.
        assert_eq!(on(&"x".repeat(1700)), Vec::<String>::new());
        let end = format!("is not authorized to perform: iam:GetRole on resource: {}", "x".repeat(100));
        let cut =
            format!("{}{end}", "y ".repeat(LONGEST_MESSAGE)).chars().rev().take(LONGEST_MESSAGE).collect::<String>();
        let cut: String = cut.chars().rev().collect();
        assert_eq!((found(&end).1.len(), found(&cut).1.len()), (1, 0));
    }

    /// Without it, hints would name a resource that no request is ever made on.
    #[test]
    fn applications_are_resources_of_the_region_of_the_call() {
        let application = "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate";
        assert_eq!(
            iam_resource("serverlessrepo:GetApplication", application),
            "arn:aws:serverlessrepo:*:297356227824:applications/SecretsManagerRotationTemplate"
        );
        assert_eq!(iam_resource("lambda:GetFunction", "f"), "f");
    }
}
