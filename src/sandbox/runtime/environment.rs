//! The environment variables of a function's process.
//!
//! It starts from nothing: a function sees what Lambda would show it, its own variables, and then what keeps it inside the
//! sandbox, whatever its configuration says.

use std::collections::BTreeMap;
use std::path::Path;

use super::function::Function;
use crate::sessions::function_token;

/// What a process is given besides what its function says.
pub(super) struct Surroundings<'a> {
    /// `host:port` of the process's runtime interface.
    pub interface: &'a str,
    /// The sandbox's own address, such as `http://127.0.0.1:4570`.
    pub endpoint: &'a str,
    /// Where the package was unpacked.
    pub task_root: &'a Path,
    /// A directory of the process's own.
    pub scratch: &'a Path,
    /// The log stream that its output goes to.
    pub stream: &'a str,
    /// The machine's `PATH`.
    pub path: Option<&'a str>,
}

/// Variables that a function must not choose: each of them could lead it, or its credentials, to the real AWS.
const REMOVED: [&str; 18] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "FTP_PROXY",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_SECURITY_TOKEN",
    "BOTO_CONFIG",
];

/// The endpoints of these services are the sandbox's, whatever a function says (`AWS_ENDPOINT_URL_` and the service's id in the models).
const SERVED: [&str; 6] =
    ["SECRETS_MANAGER", "LAMBDA", "CLOUDFORMATION", "SERVERLESSAPPLICATIONREPOSITORY", "STS", "CLOUDWATCH_LOGS"];

/// Whether a function's own variable isn't passed on. An endpoint on this machine of a service that the sandbox doesn't serve is: it
/// leads to a stand-in for that service, and not to AWS.
fn is_withheld(name: &str, value: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    match upper.strip_prefix("AWS_ENDPOINT_URL") {
        Some(rest) => {
            let service = rest.strip_prefix('_').filter(|service| !service.is_empty() && !SERVED.contains(service));
            service.is_none() || !is_loopback(value)
        }
        None => REMOVED.contains(&upper.as_str()),
    }
}

/// The names of a function's own variables that its process doesn't get, and of those that lead it into the sandbox instead.
pub(super) fn withheld(function: &Function) -> Vec<&str> {
    let all = function.environment.iter();
    all.filter(|(name, value)| is_withheld(name, value)).map(|(name, _)| name.as_str()).collect()
}

/// Whether a URL leads to this machine, whoever reads it.
fn is_loopback(url: &str) -> bool {
    let Ok(url) = url.parse::<axum::http::Uri>() else { return false };
    let plain = matches!(url.scheme_str(), Some("http" | "https"));
    let Some(authority) = url.authority().filter(|authority| plain && !authority.as_str().contains('@')) else {
        return false;
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    host.parse::<std::net::IpAddr>().map_or(host == "localhost", |ip| ip.to_canonical().is_loopback())
}

/// Says the log stream, which no other process has.
pub(super) const LOG_STREAM: &str = "AWS_LAMBDA_LOG_STREAM_NAME";

/// All variables of a function's process.
pub(super) fn variables(function: &Function, surroundings: &Surroundings<'_>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let mut set = |name: &str, value: &str| {
        variables.insert(name.to_owned(), value.to_owned());
    };
    let task_root = surroundings.task_root.to_string_lossy();
    let scratch = surroundings.scratch.to_string_lossy();
    set("PATH", surroundings.path.unwrap_or("/usr/local/bin:/usr/bin:/bin"));
    set("LANG", "en_US.UTF-8");
    set("TZ", ":UTC");
    // Lambda's `/tmp`: writable, and the process's own.
    set("TMPDIR", &scratch);
    set("AWS_EXECUTION_ENV", &format!("AWS_Lambda_{}", function.runtime));
    for (name, value) in &function.environment {
        if !is_withheld(name, value) {
            set(name, value);
        }
    }

    // Names that Lambda reserves ("Defined runtime environment variables") come after the function's own.
    set("_HANDLER", &function.handler);
    set("LAMBDA_TASK_ROOT", &task_root);
    set("LAMBDA_RUNTIME_DIR", &task_root);
    set("AWS_LAMBDA_FUNCTION_NAME", &function.name);
    set("AWS_LAMBDA_FUNCTION_VERSION", &function.version);
    set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &function.memory.to_string());
    set("AWS_LAMBDA_LOG_GROUP_NAME", &function.log_group);
    set(LOG_STREAM, surroundings.stream);
    set("AWS_LAMBDA_LOG_FORMAT", &function.log_format);
    if let Some(level) = &function.log_level {
        set("AWS_LAMBDA_LOG_LEVEL", level);
    }
    set("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand");
    set("AWS_LAMBDA_RUNTIME_API", surroundings.interface);

    // What keeps it inside: every AWS client finds the sandbox, with an identity that only the sandbox knows.
    set("AWS_REGION", &function.region);
    set("AWS_DEFAULT_REGION", &function.region);
    set("AWS_ACCESS_KEY_ID", &function.account);
    set("AWS_SECRET_ACCESS_KEY", "sandbox");
    set("AWS_SESSION_TOKEN", &function_token(&function.name, &function.role));
    set("AWS_ENDPOINT_URL", surroundings.endpoint);
    set("SECRETS_MANAGER_ENDPOINT", surroundings.endpoint);
    set("HOME", &scratch);
    // Files that don't exist: the machine's own profiles stay unknown.
    set("AWS_CONFIG_FILE", &surroundings.scratch.join("no-config").to_string_lossy());
    set("AWS_SHARED_CREDENTIALS_FILE", &surroundings.scratch.join("no-credentials").to_string_lossy());
    set("AWS_EC2_METADATA_DISABLED", "true");
    set("NO_PROXY", "*");
    set("no_proxy", "*");
    variables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::tests::function;

    /// Without it, a function whose configuration names real endpoints, profiles or proxies would reach AWS from a rehearsal.
    #[test]
    fn nothing_of_a_configuration_leads_out_of_the_sandbox() {
        let mut function = function("python3.12");
        for (name, value) in [
            ("SECRETS_MANAGER_ENDPOINT", "https://secretsmanager.eu-west-1.amazonaws.com"),
            ("AWS_ENDPOINT_URL", "https://example.com"),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "https://example.com"),
            ("AWS_ENDPOINT_URL_S3", "https://example.com"),
            ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1@example.com/"),
            ("AWS_ENDPOINT_URL_SNS", "http://127.0.0.1.example.com"),
            ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9000"),
            ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9000"),
            ("AWS_ENDPOINT_URL_KMS", "http://[::1]:9000/kms"),
            ("aws_endpoint_url_rds", "http://localhost:9000"),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
            ("AWS_PROFILE", "production"),
            ("https_proxy", "http://proxy:3128"),
            ("HTTP_PROXY", "http://proxy:3128"),
            ("NO_PROXY", ""),
            ("HOME", "/root"),
            ("AWS_REGION", "us-west-2"),
            ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
            ("API_URL", "https://api.example.com"),
        ] {
            function.environment.insert(name.to_owned(), value.to_owned());
        }
        let surroundings = Surroundings {
            interface: "127.0.0.1:1",
            endpoint: "http://127.0.0.1:2",
            task_root: Path::new("/task"),
            scratch: Path::new("/scratch"),
            stream: "stream",
            path: Some("/bin"),
        };
        let variables = variables(&function, &surroundings);
        let get = |name: &str| variables.get(name).map(String::as_str);
        assert_eq!(get("SECRETS_MANAGER_ENDPOINT"), Some("http://127.0.0.1:2"));
        assert_eq!(get("AWS_ENDPOINT_URL"), Some("http://127.0.0.1:2"));
        assert_eq!(get("AWS_REGION"), Some("eu-west-1"));
        assert_eq!(get("AWS_ACCESS_KEY_ID"), Some("111111111111"));
        assert_eq!(get("NO_PROXY"), Some("*"));
        assert_eq!(get("HOME"), Some("/scratch"));
        assert_eq!(get("API_URL"), Some("https://api.example.com"), "the function's own variables stay");
        for kept in ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_KMS", "aws_endpoint_url_rds"] {
            assert_eq!(get(kept), function.environment.get(kept).map(String::as_str), "{kept}");
        }
        let withheld = withheld(&function);
        for gone in [
            "AWS_ENDPOINT_URL_S3",
            "AWS_ENDPOINT_URL_SQS",
            "AWS_ENDPOINT_URL_SNS",
            "AWS_ENDPOINT_URL_STS",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "AWS_PROFILE",
            "https_proxy",
            "HTTP_PROXY",
        ] {
            assert_eq!(get(gone), None, "{gone}");
            assert!(withheld.contains(&gone), "{gone} is said");
        }
    }
}
