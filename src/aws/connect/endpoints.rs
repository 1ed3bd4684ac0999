//! Where the calls of each service go: what the command line, the environment and profiles say of it, checked before the first call.
//!
//! The SDK takes an endpoint as it stands, each service its own, and a profile may name one in a section of its own. So that a
//! plan is applied where it was made, all of them are known here.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_types::service_config::ServiceConfigKey;
use percent_encoding::percent_decode;

use super::error::ConnectError;
use super::settings::Settings;
use crate::aws::text::clean;
use crate::env;

/// What a service's endpoint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address.
    pub url: String,
    /// Whether it was stated; else it is AWS's own, of the region and of its kind (FIPS, dual-stack).
    pub is_stated: bool,
}

/// The endpoint of each service that is called, by the service's name.
pub type Endpoints = BTreeMap<&'static str, Endpoint>;

/// The services that are called, by the names of their actions, with the ids by which variables and profiles name them.
const SERVICES: [(&str, &str); 7] = [
    ("cloudformation", "CloudFormation"),
    ("cloudtrail", "CloudTrail"),
    ("lambda", "Lambda"),
    ("logs", "CloudWatch Logs"),
    ("secretsmanager", "Secrets Manager"),
    ("serverlessrepo", "ServerlessApplicationRepository"),
    ("sts", "STS"),
];

/// The services that credentials may come from.
const SIGN_INS: [(&str, &str); 3] = [("sso", "SSO"), ("sso-oidc", "SSO OIDC"), ("signin", "Signin")];

/// What is wrong with an endpoint. It is never shown: what isn't one may hold anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Empty,
    User,
    NoUrl,
}

/// The endpoints that a configuration leads to. No network.
pub(super) async fn of(config: &SdkConfig, settings: &Settings) -> Result<Endpoints, ConnectError> {
    let mut endpoints = Endpoints::new();
    for (service, id) in SERVICES {
        let stated = stated(config, id);
        if let Some(fault) = stated.as_deref().and_then(fault) {
            return Err(refused(fault, service, source(settings, id)));
        }
        let is_stated = stated.is_some();
        let url = resolved(service, config, stated)
            .await
            .map_err(|why| ConnectError::NoEndpoint { service, why: clean(&why) })?;
        endpoints.insert(service, Endpoint { url: url.trim_end_matches('/').to_owned(), is_stated });
    }
    wrong_sign_in(config).map_or(Ok(endpoints), Err)
}

/// What can be shown of an endpoint that stands in a file: all of it, where it is one.
pub fn is_endpoint(text: &str) -> bool {
    fault(text).is_none()
}

/// What was stated for a service, as the SDK's clients look for it.
fn stated(config: &SdkConfig, id: &str) -> Option<String> {
    let for_all = || config.endpoint_url().map(str::to_owned);
    if config.get_origin("endpoint_url").is_client_config() {
        return for_all();
    }
    loaded(config, id, env::AWS_ENDPOINT_URL, "endpoint_url").or_else(for_all)
}

fn loaded(config: &SdkConfig, id: &str, variable: &str, key: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(id).env(variable).profile(key).build().ok()?;
    config.service_config()?.load_config(key)
}

/// The first of the places where credentials come from whose address has a user or a password in it.
fn wrong_sign_in(config: &SdkConfig) -> Option<ConnectError> {
    const METADATA: &str = env::AWS_EC2_METADATA_SERVICE_ENDPOINT;
    const CONTAINER: &str = env::AWS_CONTAINER_CREDENTIALS_FULL_URI;
    let of_sign_in = |(service, id)| (service, loaded(config, id, env::AWS_ENDPOINT_URL, "endpoint_url"), own(id));
    let metadata = loaded(config, "", METADATA, "ec2_metadata_service_endpoint");
    let others = [
        ("the instance's metadata", metadata, METADATA.to_owned()),
        ("the container's credentials", env::read(CONTAINER), CONTAINER.to_owned()),
    ];
    let mut all = SIGN_INS.into_iter().map(of_sign_in).chain(others);
    let names_one = |stated: &Option<String>| stated.as_deref().and_then(fault) == Some(Fault::User);
    let (service, _, variable) = all.find(|(_, stated, _)| names_one(stated))?;
    Some(refused(Fault::User, service, format!("`{variable}`, `AWS_ENDPOINT_URL` or the profile")))
}

fn refused(fault: Fault, service: &'static str, stated_by: String) -> ConnectError {
    match fault {
        Fault::User => ConnectError::EndpointUser { service, stated_by },
        Fault::Empty => ConnectError::Endpoint { service, stated_by, fault: "is empty" },
        Fault::NoUrl => ConnectError::Endpoint {
            service,
            stated_by,
            fault: "is not a URL: it starts with `https://` or `http://`, and a host and at most a port and a path follow",
        },
    }
}

/// The variable of a service alone.
fn own(id: &str) -> String {
    format!("{}_{}", env::AWS_ENDPOINT_URL, id.to_uppercase().replace(' ', "_"))
}

/// Where a service's endpoint was stated.
fn source(settings: &Settings, id: &str) -> String {
    let is_set = |name: &str| std::env::var_os(name).is_some();
    if settings.endpoint_url.is_some() {
        "`--endpoint-url`".to_owned()
    } else if is_set(&own(id)) {
        format!("`{}`", own(id))
    } else if is_set(env::AWS_ENDPOINT_URL) {
        format!("`{}`", env::AWS_ENDPOINT_URL)
    } else {
        "the profile: its `endpoint_url`, or that of its `services`".to_owned()
    }
}

/// What is wrong with an endpoint: anything else fails deep in the HTTP client, with a dump of the request.
fn fault(text: &str) -> Option<Fault> {
    if text.trim().is_empty() {
        return Some(Fault::Empty);
    }
    if names_a_user(text) {
        return Some(Fault::User);
    }
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_sound = rest.is_some_and(|rest| {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let may_be_in_path = |c: char| c.is_ascii_alphanumeric() || "/._~-:+,;=!$&'()*".contains(c);
        is_authority(authority) && path.chars().all(may_be_in_path)
    });
    (!is_sound).then_some(Fault::NoUrl)
}

/// How often percent signs are undone: more of them within each other hide something.
const ROUNDS: usize = 16;

/// Whether a user is named before a host: by the sign itself, by one that looks like it, or by either behind percent signs.
fn names_a_user(text: &str) -> bool {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..ROUNDS {
        let shown = String::from_utf8_lossy(&bytes);
        if shown.contains(['@', '\u{ff20}', '\u{fe6b}']) {
            return true;
        }
        let decoded: Vec<u8> = percent_decode(&bytes).collect();
        if decoded.len() >= bytes.len() {
            return false;
        }
        bytes = decoded;
    }
    true
}

/// Whether a text is a host, and perhaps a port.
fn is_authority(text: &str) -> bool {
    let (is_host, port) = if let Some((address, port)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        (address.parse::<std::net::Ipv6Addr>().is_ok(), port)
    } else {
        let (name, _) = text.split_once(':').unwrap_or((text, ""));
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        (!name.is_empty() && name.chars().all(is_name), &text[name.len()..])
    };
    is_host && (port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok()))
}

/// Asks a service's own rules for its endpoint: the same that its client asks for each call.
macro_rules! resolve {
    ($sdk:ident, $config:expr, $stated:expr) => {{
        use $sdk::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
        let params = Params::builder()
            .set_region($config.region().map(ToString::to_string))
            .set_use_fips($config.use_fips())
            .set_use_dual_stack($config.use_dual_stack())
            .set_endpoint($stated)
            .build()
            .map_err(|error| error.to_string())?;
        let endpoint = ResolveEndpoint::resolve_endpoint(&DefaultResolver::new(), &params).await;
        endpoint.map(|endpoint| endpoint.url().to_owned()).map_err(|error| error.to_string())
    }};
}

async fn resolved(service: &str, config: &SdkConfig, stated: Option<String>) -> Result<String, String> {
    match service {
        "cloudformation" => resolve!(aws_sdk_cloudformation, config, stated),
        "cloudtrail" => resolve!(aws_sdk_cloudtrail, config, stated),
        "lambda" => resolve!(aws_sdk_lambda, config, stated),
        "logs" => resolve!(aws_sdk_cloudwatchlogs, config, stated),
        "secretsmanager" => resolve!(aws_sdk_secretsmanager, config, stated),
        "serverlessrepo" => resolve!(aws_sdk_serverlessrepo, config, stated),
        _ => resolve!(aws_sdk_sts, config, stated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a password in an endpoint would be shown by the next message, or saved in a plan, once it is written another way.
    #[test]
    fn a_user_is_found_in_whatever_way_it_is_written() {
        for text in [
            "http://user:password@host",
            "http://user@host/",
            "https://@host",
            "http://user:password%40host",
            "http://user%3Apassword%40host:80/",
            "http://user:password%2540host",
            "http://user:password%25252540host",
            "http://user:password%%34%30host",
            "http://user:pass%ff%2540host",
            "http://user:password\u{ff20}host",
            "http://user:password%EF%BC%A0host",
            "http://user:pass/word@host",
            "http:user:password@host",
            "user:password@host",
            "http:\\\\user:password@host",
            "http://host/path?user:password@x",
            "  http://user:password@host",
        ] {
            assert_eq!(fault(text), Some(Fault::User), "{text}");
        }
        assert_eq!(fault(&format!("http://host/{}", "%25".repeat(20_000))), Some(Fault::NoUrl));
        assert_eq!(fault(&format!("http://host/%{}40", "25".repeat(20))), Some(Fault::User));
    }

    /// Without it, what is no endpoint would fail deep in the HTTP client, or send calls to a place that wasn't meant.
    #[test]
    fn endpoints_are_told_from_what_is_none() {
        for text in [
            "https://lambda.eu-west-1.amazonaws.com",
            "http://127.0.0.1:4566",
            "http://localhost:4566/",
            "https://vpce-0123-abc.lambda.eu-west-1.vpce.amazonaws.com/",
            "http://[::1]:4566",
            "https://gateway.example.com/aws/lambda_1",
            "http://docker_host:80",
        ] {
            assert!(is_endpoint(text), "{text}");
        }
        for text in [
            "localhost:4566",
            "http://",
            "https:///path",
            "ftp://host",
            "http:/host",
            "http://host:port",
            "http://host:99999",
            "http://a b",
            "http://host\n",
            "http://host?x=1",
            "http://host#x",
            "http://host\\path",
            "http://h%6fst",
            "http://host/%2e%2e",
            "http://höst",
            "http://[::g]",
            "http://[::1",
        ] {
            assert_eq!(fault(text), Some(Fault::NoUrl), "{text}");
        }
        assert_eq!(fault(""), Some(Fault::Empty));
        assert_eq!(fault(" "), Some(Fault::Empty));
    }

    /// Without it, a plan would be compared by the names that variables and profiles use, and the client would ask another.
    #[tokio::test]
    async fn each_service_has_the_endpoint_that_its_client_asks() {
        let base = || SdkConfig::builder().region(aws_config::Region::new("eu-west-1"));
        let settings = Settings::default();
        let own = of(&base().build(), &settings).await.expect("endpoints");
        let urls: Vec<&str> = own.values().map(|endpoint| endpoint.url.as_str()).collect();
        assert_eq!(
            urls,
            [
                "https://cloudformation.eu-west-1.amazonaws.com",
                "https://cloudtrail.eu-west-1.amazonaws.com",
                "https://lambda.eu-west-1.amazonaws.com",
                "https://logs.eu-west-1.amazonaws.com",
                "https://secretsmanager.eu-west-1.amazonaws.com",
                "https://serverlessrepo.eu-west-1.amazonaws.com",
                "https://sts.eu-west-1.amazonaws.com",
            ]
        );
        assert!(own.values().all(|endpoint| !endpoint.is_stated));
        let kinds = of(&base().use_fips(true).use_dual_stack(true).build(), &settings).await;
        assert!(kinds.is_err() || kinds.is_ok_and(|kinds| kinds["lambda"] != own["lambda"]));
        let dual = of(&base().use_dual_stack(true).build(), &settings).await.expect("endpoints");
        assert_eq!(dual["lambda"].url, "https://lambda.eu-west-1.api.aws");
        let stated = of(&base().endpoint_url("http://127.0.0.1:1/").build(), &settings).await.expect("endpoints");
        assert!(stated.values().all(|endpoint| endpoint.is_stated && endpoint.url == "http://127.0.0.1:1"));
        let both = of(&base().endpoint_url("http://127.0.0.1:1").use_fips(true).build(), &settings).await;
        assert!(matches!(both, Err(ConnectError::NoEndpoint { .. })), "{both:?}");
    }
}
