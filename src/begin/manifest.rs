//! The manifest that is begun with.

use std::fmt::Write as _;

use crate::render::yaml::{quoted, scalar};

use super::{Beginning, Kind, Language};

/// The port of a rehearsal's service.
const URL: &str = "http://127.0.0.1:${port}";

pub(super) fn text(beginning: &Beginning) -> String {
    let (project, function, secret) =
        (scalar(&beginning.project), scalar(&beginning.function), scalar(&beginning.secret));
    let mut text = String::new();
    if let Some(schema) = &beginning.schema {
        let _ = writeln!(text, "# yaml-language-server: $schema={schema}\n#");
    }
    for line in about(beginning) {
        let _ = write!(text, "# {line}");
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    let _ = writeln!(text, "version: 1\nproject: {project}");
    text += &target(beginning);
    let _ =
        write!(text, "functions:\n  {function}:\n    code: functions/{}\n", beginning.kind.word().replace('-', "_"));
    if beginning.language == Language::Node {
        text += "    runtime: nodejs24.x\n    handler: index.handler\n";
    }
    text += "    timeout: 30\n";
    text += &own(beginning);
    let _ = writeln!(text, "secrets:\n  {secret}:\n    function: {function}");
    text += "    rotation: {automatically_after_days: 30, duration: 4h}\n";
    text
}

/// What rotates, which form its secrets have, and how it is tried.
fn about(beginning: &Beginning) -> Vec<String> {
    let Beginning { kind, language, .. } = beginning;
    let what: &[&str] = match kind {
        Kind::ApiKey => &[
            "Rotates an API key of a web service: the function asks for another key with the current one, tries it, and revokes the one",
            "before with the next rotation. One function serves every secret of this form, wherever its service is:",
            "",
            r#"  {"url": "https://api.example.com", "key_id": "k1", "api_key": "…"}"#,
        ],
        Kind::Password => &[
            "Rotates the password of a user of a web service: the function logs in, sets a new password over the service's own API, and",
            "logs in with it. One function serves every secret of this form, wherever its service is:",
            "",
            r#"  {"url": "https://api.example.com", "username": "app", "password": "…"}"#,
        ],
        Kind::AdminPassword => &[
            "Rotates the password of a user of a web service, as its admin: `app` and `app_clone` take turns, so that no login ends while it",
            "is read. One function serves every secret of this form; `masterarn` names the admin's secret, which has no such member:",
            "",
            r#"  {"url": "https://api.example.com", "username": "app", "password": "…", "masterarn": "arn:aws:secretsmanager:…"}"#,
        ],
        Kind::SigningKey => &[
            "Rotates the key that a web application signs its session cookies with: a text, which only its readers know.",
        ],
    };
    let (first, second) = kind.own();
    let mut lines: Vec<String> = what.iter().map(ToString::to_string).collect();
    lines.push(String::new());
    if *kind == Kind::SigningKey {
        lines.push("In a rehearsal, nothing is real:".to_owned());
    } else {
        let (first, second) = (language.name(first), language.name(second));
        lines.push(format!(
            "`{}` is such a service. For yours, replace `{first}` and `{second}` in the",
            language.service_file()
        ));
        lines.push("function's code. In a rehearsal, nothing is real, and the service is started for it:".to_owned());
    }
    lines.extend([String::new(), "  rotator test".to_owned(), "  rotator apply --sandbox".to_owned()]);
    lines
}

fn target(beginning: &Beginning) -> String {
    let target = &beginning.target;
    let region = target.region.as_ref().map(|region| format!("region: {}", scalar(region)));
    let account = target.account.as_ref().map(|account| format!("account: {}", quoted(account)));
    let said: Vec<String> = region.into_iter().chain(account).collect();
    if said.is_empty() { String::new() } else { format!("targets:\n  main: {{{}}}\n", said.join(", ")) }
}

/// What differs between kinds.
fn own(beginning: &Beginning) -> String {
    let service = format!(
        "    test:                                 # for rehearsals; nothing of it reaches AWS\n      service: [{}, {}, \"${{port}}\"]\n",
        beginning.language.program(),
        beginning.language.service_file(),
    );
    let admin = beginning.admin().map(|name| scalar(&name)).unwrap_or_default();
    match beginning.kind {
        Kind::ApiKey => service + &format!("      secret: {{url: \"{URL}\", key_id: k1, api_key: first}}\n"),
        Kind::Password => service + &format!("      secret: {{url: \"{URL}\", username: app, password: first}}\n"),
        Kind::AdminPassword => format!(
                "    role: {{read_secrets: [{admin}]}}\n{service}      secret: {{url: \"{URL}\", username: app, password: first, masterarn: {admin}}}\n      others: {{{admin}: {{url: \"{URL}\", username: admin, password: first-of-all}}}}\n",
        ),
        Kind::SigningKey => "    environment: {KEY_LENGTH: \"64\"}\n    test: {secret: the-first-key}         # what the secret holds in a rehearsal; never sent to AWS\n".to_owned(),
    }
}
