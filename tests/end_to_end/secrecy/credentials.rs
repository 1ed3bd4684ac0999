//! Credentials of every kind, good and bad.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::Stage;
use crate::support::ACCOUNT;

const MANIFEST: &str = "version: 1
project: credentials
functions: {SecretsManagerOne: {code: code}}
secrets: {secrecy/one: {function: SecretsManagerOne, rotation: {automatically_after_days: 30}}}
";

fn stage() -> Stage {
    let stage = Stage::new();
    stage.write("repo/rotator.yaml", MANIFEST);
    stage.write("repo/code/lambda_function.py", crate::support::signing_key());
    stage
}

/// Plans, at the highest level, and saves what can be saved.
fn plan(stage: &Stage, change: impl FnOnce(&mut Command)) -> crate::support::Output {
    let mut command = stage.command();
    command.args(["plan", "-vvv", "--out", "credentials.plan"]).arg(stage.path("repo"));
    change(&mut command);
    stage.run(&mut command)
}

fn script(stage: &Stage, name: &str, text: &str) -> String {
    stage.write(name, format!("#!/bin/sh\n{text}\n"));
    let path = stage.path(name);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    path.to_str().expect("a path of ours").to_owned()
}

/// Without it, a key, a token or a password of a proxy could stand in an error's chain of causes.
#[test]
fn credentials_stay_where_they_are() {
    let mut stage = stage();
    let key = stage.marks.plain("a secret key");
    let token = stage.marks.plain("a session token");
    // In the environment, and in a profile.
    plan(&stage, |command| {
        command.env("AWS_ACCESS_KEY_ID", ACCOUNT).env("AWS_SECRET_ACCESS_KEY", &key).env("AWS_SESSION_TOKEN", &token);
    })
    .exits(1)
    .says("no such secret");
    let profile =
        format!("aws_access_key_id = {ACCOUNT}\naws_secret_access_key = {key}\naws_session_token = {token}\n");
    stage.write("home/.aws/credentials", format!("[one]\n{profile}"));
    plan(&stage, |command| {
        command.args(["--profile", "one"]);
    })
    .exits(1)
    .says("no such secret");
    // Files that were damaged around the values.
    for damaged in [
        format!("[one\n{profile}"),
        format!("[one]\naws_secret_access_key {key}\n"),
        format!("[one]\naws_access_key_id = {ACCOUNT}\naws_secret_access_key: {key}\n"),
        format!("{profile}[one]\n"),
        format!("[one]\n  {key}\n{profile}"),
        format!("[one]\naws_secret_access_key = {key}\n"),
        format!("[one]\naws_access_key_id = {key}\u{e9}\naws_secret_access_key = {key}\n"),
        format!("[one]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = {key}\n"),
    ] {
        // A name is no value: the last of them names a profile that doesn't exist, and it is said which.
        let names_it = damaged.contains("source_profile");
        stage.write("home/.aws/credentials", &damaged);
        if !names_it {
            plan(&stage, |command| {
                command.env("AWS_PROFILE", "one");
            })
            .exits(1);
        }
    }
    stage.end();
}

/// Without it, what a credential process prints, on either stream and in whatever form, could be quoted where it fails.
#[test]
fn credential_processes_are_not_quoted() {
    let mut stage = stage();
    let key = stage.marks.plain("a process's secret key");
    let token = stage.marks.plain("a process's session token");
    let good = format!(
        "{{\"Version\": 1, \"AccessKeyId\": \"{ACCOUNT}\", \"SecretAccessKey\": \"{key}\", \"SessionToken\": \"{token}\"}}"
    );
    let processes = [
        (format!("echo '{good}'"), true),
        (format!("echo '{good}'; echo '{key}' >&2; exit 3"), false),
        (format!("echo '{}'", good.replace("\"Version\": 1", "\"Version\": 7")), false),
        (format!("echo '{}'", &good[..good.len() - 3]), false),
        (format!("echo '{key} {good}'"), false),
        (format!("echo '\"{key}\"'"), false),
        (format!("echo '{}'", good.replace(&format!("\"{ACCOUNT}\""), &format!("[\"{key}\"]"))), false),
        (format!("echo '{}'", good.replace('}', &format!(", \"Expiration\": \"{token}\"}}"))), false),
        (format!("echo '{key}' >&2; kill -9 $$"), false),
    ];
    for (number, (text, works)) in processes.into_iter().enumerate() {
        let process = script(&stage, &format!("state/process-{number}"), &text);
        stage.write("home/.aws/config", format!("[profile one]\ncredential_process = {process}\n"));
        let output = plan(&stage, |command| {
            command.env("AWS_PROFILE", "one");
        })
        .exits(1);
        assert_eq!(output.all().contains("no such secret"), works, "process {number}: {}", output.all());
    }
    stage.end();
}

/// Without it, a pipeline's own token could come back in the words of the service that refuses it.
#[test]
fn tokens_of_pipelines_are_not_repeated() {
    let mut stage = stage();
    let token = stage.marks.plain("a web identity token");
    stage.write("state/token", &token);
    let web = |command: &mut Command, stage: &Stage| {
        command.env("AWS_WEB_IDENTITY_TOKEN_FILE", stage.path("state/token"));
        command.env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pipeline").env("AWS_ROLE_SESSION_NAME", "one");
    };
    plan(&stage, |command| web(command, &stage)).exits(1).says("no such secret");
    for code in ["InvalidIdentityToken", "AccessDenied", "IDPRejectedClaim"] {
        let rule = serde_json::json!({"service": "sts", "operation": "AssumeRoleWithWebIdentity",
            "error": {"code": code, "status": 400, "message": format!("the token {token} is no good")}});
        stage.world.fault(&rule.to_string());
        plan(&stage, |command| web(command, &stage)).exits(1).says("(sensitive)");
    }
    // A session's token, by the first call and by the one that becomes a role.
    let session = stage.marks.plain("a session token");
    stage.write(
        "repo/rotator.yaml",
        MANIFEST.to_owned() + "targets: {here: {region: us-east-1, role: 'arn:aws:iam::123456789012:role/reads'}}\n",
    );
    for operation in ["GetCallerIdentity", "AssumeRole"] {
        let rule = serde_json::json!({"service": "sts", "operation": operation,
            "error": {"code": "InvalidClientTokenId", "status": 403, "message": format!("unknown: {session}")}});
        stage.world.fault(&rule.to_string());
        let output = plan(&stage, |command| {
            command
                .env("AWS_ACCESS_KEY_ID", ACCOUNT)
                .env("AWS_SECRET_ACCESS_KEY", "x")
                .env("AWS_SESSION_TOKEN", &session);
        });
        output.exits(1);
    }
    stage.world.fault("[]");
    // A container's, which the endpoint refuses; and a cached sign-in that can't be used.
    let container = stage.marks.plain("a container's token");
    plan(&stage, |command| {
        command.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/credentials", stage.world.url));
        command.env("AWS_CONTAINER_AUTHORIZATION_TOKEN", &container);
    })
    .exits(1);
    let cached = stage.marks.plain("a cached sign-in");
    // The file's name is the SHA-1 of the session's name, here `one`.
    stage.write(
        "home/.aws/sso/cache/fe05bcdcdc4928012781a5f1a2a77cbb5398e106.json",
        format!(
            "{{\"accessToken\": \"{cached}\", \"expiresAt\": \"2020-01-01T00:00:00Z\", \"refreshToken\": \"{cached}\"}}"
        ),
    );
    stage.write(
        "home/.aws/config",
        "[profile one]\nsso_session = one\nsso_account_id = 123456789012\nsso_role_name = x\n[sso-session one]\nsso_region = us-east-1\nsso_start_url = http://127.0.0.1:1/start\n",
    );
    plan(&stage, |command| {
        command.env("AWS_PROFILE", "one");
    })
    .exits(1);
    stage.end();
}

/// Without it, the password of a proxy, or of an endpoint's address, would stand in the message that says it can't be reached,
/// or in a plan file.
#[test]
fn passwords_in_addresses_are_not_shown() {
    let mut stage = stage();
    let password = stage.marks.plain("a proxy's password");
    let signed = |command: &mut Command| {
        command.env("AWS_ACCESS_KEY_ID", ACCOUNT).env("AWS_SECRET_ACCESS_KEY", "x");
    };
    for (proxy, endpoint) in [
        (format!("http://user:{password}@127.0.0.1:1"), "https://localhost:1"),
        (format!("http://user:{password}@127.0.0.1:1"), "http://example.invalid"),
        (format!("http://user:{password}@not a host"), "http://example.invalid"),
        (format!("socks5://user:{password}@127.0.0.1:1"), "http://example.invalid"),
        (format!("user:{password}@127.0.0.1"), "https://example.invalid"),
    ] {
        plan(&stage, |command| {
            signed(command);
            command.env("AWS_ENDPOINT_URL", endpoint);
            for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
                command.env(name, &proxy);
            }
        })
        .exits(1);
    }
    let within = stage.marks.plain("an endpoint's password");
    let good = stage.world.url.replace("http://", &format!("http://user:{within}@"));
    for endpoint in [
        good,
        format!("https://user:{within}@127.0.0.1:1"),
        format!("user:{within}@host"),
        format!("http://user:{within}@ x"),
    ] {
        plan(&stage, |command| {
            signed(command);
            command.env("AWS_ENDPOINT_URL", &endpoint);
        })
        .exits(1)
        .says("has a user or a password in it")
        .says("hint: it comes from `AWS_ENDPOINT_URL`");
    }
    stage.end();
}

/// Without it, a password in the endpoint of one service alone, or behind percent signs, would stand in the plan file, or in the
/// next message about the network.
#[test]
fn passwords_in_any_endpoint_are_refused_and_not_shown() {
    let mut stage = stage();
    let within = stage.marks.plain("an endpoint's password");
    let forms = [
        format!("http://user:{within}@127.0.0.1:1"),
        format!("http://user:{within}%40127.0.0.1:1"),
        format!("http://user%3A{within}%2540127.0.0.1:1/"),
        format!("https://127.0.0.1:1/x?user:{within}@y"),
    ];
    let variables = [
        "AWS_ENDPOINT_URL_LAMBDA",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER",
        "AWS_ENDPOINT_URL_CLOUDFORMATION",
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
        "AWS_ENDPOINT_URL_SERVERLESSAPPLICATIONREPOSITORY",
        "AWS_ENDPOINT_URL_STS",
        "AWS_ENDPOINT_URL_SSO",
        "AWS_ENDPOINT_URL_SSO_OIDC",
        "AWS_ENDPOINT_URL_SIGNIN",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    let refused = |change: &dyn Fn(&mut Command)| {
        let said = plan(&stage, |command| {
            command.env("AWS_ACCESS_KEY_ID", ACCOUNT).env("AWS_SECRET_ACCESS_KEY", "x");
            change(command);
        });
        said.exits(1).says("has a user or a password in it").says("hint: it comes from")
    };
    let before = stage.world.calls().len();
    for (number, variable) in variables.into_iter().enumerate() {
        refused(&|command| {
            command.env(variable, &forms[number % forms.len()]);
        })
        .says(&format!("`{variable}`"));
    }
    for form in &forms {
        refused(&|command| {
            command.args(["--endpoint-url", form]);
        })
        .says("`--endpoint-url`");
        let config = [
            format!("[profile one]\nendpoint_url = {form}\n"),
            format!("[profile one]\nservices = own\n[services own]\nlambda =\n  endpoint_url = {form}\n"),
        ];
        for config in config {
            stage.write("home/.aws/config", config);
            refused(&|command| {
                command.env_remove("AWS_ENDPOINT_URL").args(["--profile", "one"]);
            })
            .says("the profile: its `endpoint_url`, or that of its `services`");
        }
    }
    assert_eq!(stage.world.calls().len(), before, "something was asked");
    // What is no endpoint may hold anything: it isn't shown either.
    for form in [format!("http:/{within}"), format!("http://host/{within} x"), String::new()] {
        plan(&stage, |command| {
            command.env("AWS_ENDPOINT_URL_LAMBDA", &form);
        })
        .exits(1)
        .says("error: the endpoint of lambda is")
        .says("hint: it comes from `AWS_ENDPOINT_URL_LAMBDA`");
    }
    stage.end();
}
