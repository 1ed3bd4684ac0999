//! Proxies, as the environment names them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver};

use super::support::{ACCOUNT, REGION, World, output, rotator_binary, scrubbed};

/// A proxy that passes nothing on.
struct Proxy {
    url: String,
    /// The first line of each request.
    asked: Receiver<String>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (sender, asked) = mpsc::channel();
        // It ends with the test's process.
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.expect("a connection");
                let mut line = String::new();
                BufReader::new(&connection).read_line(&mut line).expect("a request");
                let _ = sender.send(line.trim_end().to_owned());
                let _ =
                    connection.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
        });
        Self { url, asked }
    }
}

fn world() -> World {
    let world = World::new();
    world.write_signing_key("code/lambda_function.py");
    world.write(
        "rotator.yaml",
        "version: 1\nproject: proxies\nfunctions: {SecretsManagerOne: {code: code}}\nsecrets: {}\n",
    );
    world
}

/// Without it, calls could leave a network past the proxy through which they must go.
#[test]
fn plain_http_goes_through_the_proxy_that_is_named_for_it() {
    let world = world();
    for name in ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"] {
        let proxy = Proxy::start();
        let variables = [("AWS_ENDPOINT_URL", "http://aws.invalid"), (name, proxy.url.as_str())];
        world.rotator_with(&variables, &["plan"]).exits(1);
        let first = proxy.asked.try_iter().next();
        assert_eq!(first.as_deref(), Some("POST http://aws.invalid/ HTTP/1.1"), "{name}");
    }
}

/// Without it, a proxy for others would stand before an endpoint on this machine.
#[test]
fn plain_http_goes_straight_where_no_proxy_is_named_for_it() {
    let world = world();
    let proxy = Proxy::start();
    for variables in [
        vec![("HTTPS_PROXY", proxy.url.as_str()), ("https_proxy", &proxy.url)],
        vec![("http_proxy", &proxy.url), ("NO_PROXY", "127.0.0.1")],
        vec![("HTTP_PROXY", "")],
    ] {
        world.rotator_with(&variables, &["plan"]).exits(0).says("SecretsManagerOne");
        assert_eq!(proxy.asked.try_iter().next(), None, "{variables:?}");
    }
}

/// Answers every request with a container's credentials.
fn container() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/credentials", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.expect("a connection");
            BufReader::new(&connection).read_line(&mut String::new()).expect("a request");
            let body = format!(
                r#"{{"AccessKeyId": "{ACCOUNT}", "SecretAccessKey": "x", "Token": "y", "Expiration": "2099-01-01T00:00:00Z"}}"#
            );
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = connection.write_all((head + &body).as_bytes());
        }
    });
    url
}

/// Without it, a container's credentials would be asked of the proxy, which can't reach them and shouldn't see them.
#[test]
fn credentials_of_the_machine_never_go_through_a_proxy() {
    let (world, proxy) = (world(), Proxy::start());
    let mut command = scrubbed(rotator_binary());
    command.current_dir(world.folder.path()).arg("plan").env("AWS_ENDPOINT_URL", &world.url).env("AWS_REGION", REGION);
    command.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", container());
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env(name, &proxy.url);
    }
    output(&mut command).exits(0).says("SecretsManagerOne");
    assert_eq!(proxy.asked.try_iter().next(), None);
}

/// Without it, what gives out credentials would be asked at another kind of endpoint than all services, where a rule asks for FIPS.
#[test]
fn sts_is_asked_at_the_kind_of_endpoint_that_is_asked_for() {
    let world = world();
    world.write("token", "a.web.token");
    let keys = format!("aws_access_key_id = {ACCOUNT}\naws_secret_access_key = x\n");
    let role = format!("role_arn = arn:aws:iam::{ACCOUNT}:role/own\n");
    let token = format!("web_identity_token_file = {}\n", world.path("token").display());
    let fips = "use_fips_endpoint = true\n";
    let with_role = format!("[profile one]\n{role}source_profile = two\n{fips}[profile two]\n{keys}");
    for (profile, variable, host) in [
        (format!("[profile one]\n{keys}"), None, "sts.us-east-1.amazonaws.com"),
        (format!("[profile one]\n{keys}{fips}"), None, "sts-fips.us-east-1.amazonaws.com"),
        (format!("[profile one]\n{keys}use_dualstack_endpoint = true\n"), None, "sts.us-east-1.api.aws"),
        (
            format!("[profile one]\n{keys}{fips}"),
            Some(("AWS_USE_FIPS_ENDPOINT", "false")),
            "sts.us-east-1.amazonaws.com",
        ),
        (format!("[profile one]\n{keys}"), Some(("AWS_USE_FIPS_ENDPOINT", "TRUE")), "sts-fips.us-east-1.amazonaws.com"),
        (with_role.clone(), None, "sts-fips.us-east-1.amazonaws.com"),
        (
            with_role.replace(fips, "use_fips_endpoint = true\nduration_seconds = 900\n"),
            None,
            "sts-fips.us-east-1.amazonaws.com",
        ),
        (format!("[profile one]\n{role}{token}{fips}"), None, "sts-fips.us-east-1.amazonaws.com"),
        (format!("[profile one]\n{role}{token}use_dualstack_endpoint = true\n"), None, "sts.us-east-1.api.aws"),
    ] {
        world.write("config", &profile);
        let proxy = Proxy::start();
        let mut command = scrubbed(rotator_binary());
        command.current_dir(world.folder.path()).args(["plan", "--profile", "one"]).env("AWS_REGION", REGION);
        command.env("AWS_CONFIG_FILE", world.path("config")).env("HTTPS_PROXY", &proxy.url).envs(variable);
        output(&mut command).exits(1);
        let first = proxy.asked.try_iter().next();
        assert_eq!(first, Some(format!("CONNECT {host}:443 HTTP/1.1")), "{profile} {variable:?}");
    }
}

/// Without it, a switch with a typing error would be none, and calls would go where a rule forbids them; or a profile's authorities
/// would be left out behind a proxy that inspects TLS.
#[test]
fn what_a_profile_says_of_endpoints_and_authorities_is_read_or_refused() {
    let world = world();
    let run = |fields: &str, variables: &[(&str, &str)]| {
        world.write(
            "config",
            &format!("[profile one]\naws_access_key_id = {ACCOUNT}\naws_secret_access_key = x\n{fields}\n"),
        );
        let config = world.path("config").display().to_string();
        let all: Vec<_> = variables.iter().copied().chain([("AWS_CONFIG_FILE", config.as_str())]).collect();
        world.rotator_with(&all, &["plan", "--profile", "one"])
    };
    run("", &[]).exits(0);
    run("", &[("AWS_USE_FIPS_ENDPOINT", "yes")])
        .exits(1)
        .says("`AWS_USE_FIPS_ENDPOINT` is `yes`: it is `true` or `false`");
    run("use_dualstack_endpoint = on", &[])
        .exits(1)
        .says("`use_dualstack_endpoint` of the profile `one` is `on`: it is `true` or `false`");
    run("ca_bundle = missing.pem", &[]).exits(1).says("cannot read `missing.pem` (`ca_bundle` of the profile `one`)");
    run("ca_bundle = config", &[]).exits(1).says("`config` (`ca_bundle` of the profile `one`) is no PEM file");
    // The variable wins, as in AWS's CLI.
    run("ca_bundle = missing.pem", &[("AWS_CA_BUNDLE", "other.pem")])
        .exits(1)
        .says("cannot read `other.pem` (AWS_CA_BUNDLE)");
}
