//! The sandbox's protocols: JSON, Query and REST requests, with signatures, targets and paths.

use std::cell::RefCell;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use rotator::sandbox::{self, Options, Sandbox, server};
use tokio::runtime::Runtime;

/// The services by their signing names, and what a request to each starts from.
const SERVICES: [&str; 6] = ["secretsmanager", "lambda", "cloudformation", "serverlessrepo", "sts", "logs"];

/// How many requests one sandbox answers before a new one takes its place: what they leave behind must not slow down the rest.
const LIFE: usize = 500;

/// A request: service, then method, path and query, then headers, an empty line, and the body.
///
/// The first line is `SERVICE METHOD PATH?QUERY`; a first character from `0` to `5` names the service.
pub fn protocols(data: &[u8]) {
    let at = data.windows(2).position(|two| two == b"\n\n");
    let (head, body) = at.map_or((data, &data[data.len()..]), |at| (&data[..at], &data[at + 2..]));
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().splitn(3, ' ');
    let service =
        words.next().and_then(|word| word.bytes().next()).map_or("sts", |byte| SERVICES[usize::from(byte) % 6]);
    let method = words.next().unwrap_or("POST");
    let (path, query) = words.next().map_or(("/", ""), |target| target.split_once('?').unwrap_or((target, "")));
    let mut headers = HeaderMap::new();
    let signature = format!(
        "AWS4-HMAC-SHA256 Credential=111111111111/20260131/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature={}",
        "0".repeat(64)
    );
    headers.insert("authorization", HeaderValue::from_str(&signature).expect("a header"));
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let name = HeaderName::from_bytes(name.trim().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.trim().as_bytes())) {
            headers.insert(name, value);
        }
    }
    with_sandbox(|runtime, sandbox| {
        let body = Bytes::copy_from_slice(body);
        let answer = runtime.block_on(server::handle(sandbox.shared(), (method, path, query), &headers, body));
        let answer = answer.expect("no failure is scripted");
        assert!((200..600).contains(&answer.status), "{}", answer.status);
        // A server's own failure is nothing that a request may bring about.
        assert!(answer.status < 500, "{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
        let kind = answer.content_type.unwrap_or_default();
        if kind.contains("json") && !answer.body.is_empty() {
            let _: serde_json::Value = serde_json::from_slice(&answer.body).expect("an answer in JSON is JSON");
        }
        if kind.contains("xml") {
            let text = String::from_utf8(answer.body.to_vec()).expect("XML is UTF-8");
            let mut reader = quick_xml::Reader::from_str(&text);
            while reader.read_event().expect("an answer in XML is XML") != quick_xml::events::Event::Eof {}
        }
    });
}

fn with_sandbox(run: impl FnOnce(&Runtime, &Sandbox)) {
    struct Served {
        sandbox: Sandbox,
        runtime: Runtime,
        left: usize,
        /// The rotations that a hostile request asks for prepare no runtime on this machine.
        _cache: tempfile::TempDir,
    }
    thread_local! {
        static SERVED: RefCell<Option<Served>> = const { RefCell::new(None) };
    }
    SERVED.with_borrow_mut(|served| {
        if served.as_ref().is_none_or(|served| served.left == 0) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let cache = tempfile::tempdir().expect("a temporary folder");
            let options = Options { time_scale: 0.0, cache: Some(cache.path().to_owned()), ..Options::default() };
            let sandbox = runtime.block_on(sandbox::start(options)).expect("a sandbox");
            sandbox.seed_secret("111111111111", "eu-west-1", "s");
            sandbox.seed_function("111111111111", "eu-west-1", "f");
            *served = Some(Served { sandbox, runtime, left: LIFE, _cache: cache });
        }
        let served = served.as_mut().expect("it was just made");
        served.left -= 1;
        let _entered = served.runtime.enter();
        run(&served.runtime, &served.sandbox);
    });
}

pub fn seeds() -> Vec<Vec<u8>> {
    let json = |service: char, target: &str, body: &str| format!("{service} POST /\nx-amz-target: {target}\n\n{body}");
    let secrets = |operation: &str, body: &str| json('0', &format!("secretsmanager.{operation}"), body);
    let form = |service: char, body: &str| format!("{service} POST /\n\n{body}");
    [
        secrets("CreateSecret", r#"{"Name":"a/b","SecretString":"x","ClientRequestToken":"00000000-0000-4000-8000-000000000001","Tags":[{"Key":"k","Value":"v"}]}"#),
        secrets("DescribeSecret", r#"{"SecretId":"s"}"#),
        secrets("ListSecrets", r#"{"MaxResults":2,"NextToken":"x","Filters":[{"Key":"name","Values":["s"]}],"SortOrder":"asc"}"#),
        secrets("RotateSecret", r#"{"SecretId":"s","ClientRequestToken":"00000000-0000-4000-8000-000000000002","RotationLambdaARN":"arn:aws:lambda:eu-west-1:111111111111:function:none","RotationRules":{"ScheduleExpression":"cron(0 8 1 * ? *)","Duration":"3h"},"RotateImmediately":false}"#),
        secrets("GetRandomPassword", r#"{"PasswordLength":32,"ExcludeCharacters":"abc","RequireEachIncludedType":true}"#),
        secrets("PutResourcePolicy", r#"{"SecretId":"s","ResourcePolicy":"{\"Statement\":[]}","BlockPublicPolicy":true}"#),
        secrets("UpdateSecretVersionStage", r#"{"SecretId":"s","VersionStage":"AWSCURRENT","MoveToVersionId":"00000000-0000-4000-8000-000000000001"}"#),
        secrets("BatchGetSecretValue", r#"{"SecretIdList":["s","none"],"MaxResults":1}"#),
        secrets("DeleteSecret", r#"{"SecretId":"s","RecoveryWindowInDays":7}"#),
        json('5', "Logs_20140328.FilterLogEvents", r#"{"logGroupName":"/aws/lambda/f","startTime":0,"filterPattern":"?a -\"b c\" %x%","limit":3}"#),
        json('5', "Logs_20140328.DescribeLogGroups", r#"{"logGroupNamePrefix":"/aws","nextToken":"x"}"#),
        "1 GET /2015-03-31/functions/f\n\n".to_owned(),
        "1 GET /2015-03-31/functions/?MaxItems=1&Marker=x\n\n".to_owned(),
        "1 GET /2015-03-31/functions/f/policy?Qualifier=1\n\n".to_owned(),
        "1 POST /2015-03-31/functions/f/policy\n\n{\"StatementId\":\"a\",\"Action\":\"lambda:InvokeFunction\",\"Principal\":\"secretsmanager.amazonaws.com\",\"SourceAccount\":\"111111111111\"}".to_owned(),
        "1 PUT /2015-03-31/functions/f/configuration\n\n{\"Timeout\":3,\"Environment\":{\"Variables\":{\"A\":\"b\"}},\"Layers\":[\"x\"]}".to_owned(),
        "1 PUT /2015-03-31/functions/f/code\n\n{\"ZipFile\":\"UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==\",\"DryRun\":true}".to_owned(),
        "1 GET /2017-03-31/tags/arn%3Aaws%3Alambda%3Aeu-west-1%3A111111111111%3Afunction%3Af\n\n".to_owned(),
        form('2', "Action=DescribeStacks&Version=2010-05-15&StackName=x&NextToken=y"),
        form('2', "Action=CreateChangeSet&Version=2010-05-15&StackName=x&ChangeSetName=c&UsePreviousTemplate=true&Tags.member.1.Key=a&Tags.member.1.Value=b&Capabilities.member.1=CAPABILITY_IAM"),
        form('2', "Action=ListStacks&Version=2010-05-15&StackStatusFilter.member.1=CREATE_COMPLETE"),
        form('2', "Action=DescribeStackEvents&Version=2010-05-15&StackName=x"),
        form('2', "Action=DescribeEvents&Version=2010-05-15&ChangeSetName=x&Filters.FailedEvents=true"),
        "3 GET /applications/arn%3Aaws%3Aserverlessrepo%3Aus-east-1%3A297356227824%3Aapplications%2FSecretsManagerRotationTemplate?semanticVersion=1.1.618\n\n".to_owned(),
        "3 POST /applications/arn%3Aaws%3Aserverlessrepo%3Aus-east-1%3A297356227824%3Aapplications%2FSecretsManagerRotationTemplate/changesets\n\n{\"stackName\":\"f\",\"capabilities\":[\"CAPABILITY_IAM\",\"CAPABILITY_RESOURCE_POLICY\"],\"parameterOverrides\":[{\"name\":\"functionName\",\"value\":\"f\"},{\"name\":\"endpoint\",\"value\":\"https://x\"}]}".to_owned(),
        form('4', "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::111111111111:role/r&RoleSessionName=abc&DurationSeconds=900"),
        form('4', "Action=GetCallerIdentity&Version=2011-06-15"),
    ]
    .map(String::into_bytes)
    .to_vec()
}
