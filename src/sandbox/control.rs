//! `/_sandbox/…`: what tests, and this program's own commands, ask of the sandbox itself. Needs the header `x-rotator-sandbox: 1`,
//! which no web page can send unasked. Each answer to an API call has that header too: it says that there is somebody to ask.
//!
//! | | |
//! |---|---|
//! | `GET /_sandbox/health` | `{"status": "ok", "time": "…"}` |
//! | `POST /_sandbox/reset` | forgets everything |
//! | `GET /_sandbox/calls` | the calls so far: `{"calls": […]}`; `DELETE` forgets them |
//! | `POST /_sandbox/faults` | a script ([`super::faults`]) in place of the old one, whose waiting calls go on; `GET` says how many calls each rule has hit, and how many wait at the moment: `{"hits": […], "waiting": N}` |
//! | `POST /_sandbox/allow` | a policy ([`super::rights`]) in place of the old one; `DELETE` lifts it; `GET` says what was asked since: `{"asked": [{"action", "resource", "allowed"}]}` |
//! | `POST /_sandbox/secrets` | `{"name": "…", "region": "…", "account": "…", "owning_service": "rds"}`: a secret with a made-up value, as another AWS service makes one; all but the name may be absent |
//! | `GET /_sandbox/rehearsal?account=…&region=…` | what stood in for what AWS would have run, and what was left out: `{"secrets": {NAME: {"simulated": {"reason": "…"}}}, "functions": {ARN: ["…"]}}` |
//! | `GET /_sandbox/rotation?account=…&region=…&secret=…&version=…` | `{"goes_on": true}`: whether a rotation is still tried |
//! | `GET /_sandbox/secret?name=…` | a secret's versions without their values; with `value=current` or `value=pending`, that value; `account` and `region` where several have the name |
//! | `POST /_sandbox/secret` | `{"name": "…", "value": "…"}` gives it a value; `{"name": "…", "rotate": true}` rotates it now, or tries again what hasn't finished |
//! | `POST /_sandbox/clock` | `{"advance_seconds": N}`: moves service time, so that schedules fire |

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::faults;
use super::lambda;
use super::rights;
use super::secretsmanager::{self, StandIn, direct};
use super::service::Shared;
use super::state::Scope;
use super::wire::Response;

/// The header that a control call must carry.
pub const HEADER: &str = "x-rotator-sandbox";

/// Furthest move of the clock at once: a hundred years.
const FURTHEST: f64 = 100.0 * 365.25 * 86_400.0;

/// Answers a control call; `path` is what stands after `/_sandbox/`.
pub async fn handle(shared: &Arc<Shared>, (method, path, query): (&str, &str, &str), body: &[u8]) -> Response {
    match (method, path) {
        ("GET", "health") => ok(&json!({"status": "ok", "time": shared.now().iso8601()})),
        ("POST", "reset") => {
            shared.reset().await;
            ok(&json!({}))
        }
        ("GET", "calls") => ok(&json!({"calls": shared.calls().entries()})),
        ("DELETE", "calls") => {
            shared.calls().clear();
            ok(&json!({}))
        }
        ("POST", "faults") => script(shared, body),
        ("GET", "faults") => ok(&json!({"hits": shared.faults().hits(), "waiting": shared.faults().waiting()})),
        ("POST", "allow") => allow(shared, body),
        ("DELETE", "allow") => {
            shared.rights().replace(None);
            ok(&json!({}))
        }
        ("GET", "allow") => ok(&json!({"asked": shared.rights().asked()})),
        ("POST", "secrets") => secret(shared, body),
        ("POST", "clock") => clock(shared, body),
        ("GET", "rehearsal") => rehearsal(shared, &Asked::of(query)),
        ("GET", "rotation") => rotation(shared, &Asked::of(query)),
        ("GET", "secret") => shown(shared, &Asked::of(query)),
        ("POST", "secret") => put_or_rotate(shared, body),
        (
            _,
            "health" | "reset" | "calls" | "faults" | "allow" | "secrets" | "clock" | "rehearsal" | "rotation"
            | "secret",
        ) => error(405, &format!("{path} doesn't know {method}")),
        _ => error(404, &format!("there is no control call `{path}`")),
    }
}

fn script(shared: &Arc<Shared>, body: &[u8]) -> Response {
    let parsed = std::str::from_utf8(body).map_err(|e| e.to_string());
    match parsed.and_then(|text| faults::parse(text).map_err(|e| e.to_string())) {
        Ok(rules) => {
            let count = rules.len();
            shared.script(rules);
            ok(&json!({"rules": count}))
        }
        Err(why) => error(400, &format!("not a list of faults: {why}")),
    }
}

fn allow(shared: &Arc<Shared>, body: &[u8]) -> Response {
    let parsed = std::str::from_utf8(body).map_err(|e| e.to_string());
    match parsed.and_then(|text| rights::parse(text).map_err(|e| e.to_string())) {
        Ok(policy) => {
            shared.rights().replace(Some(policy));
            ok(&json!({}))
        }
        Err(why) => error(400, &format!("not a policy that is understood: {why}")),
    }
}

fn secret(shared: &Arc<Shared>, body: &[u8]) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Owned {
        name: String,
        account: Option<String>,
        region: Option<String>,
        owning_service: Option<String>,
    }
    match serde_json::from_slice::<Owned>(body) {
        Ok(wanted) => {
            let options = shared.options();
            let account = wanted.account.as_deref().unwrap_or(&options.account);
            let region = wanted.region.as_deref().unwrap_or(&options.region);
            let service = wanted.owning_service.as_deref();
            ok(&json!({"created": secretsmanager::create_owned(shared, account, region, &wanted.name, service)}))
        }
        Err(why) => error(400, &format!("not {{\"name\": …}}: {why}")),
    }
}

/// What a control call's query says.
struct Asked(BTreeMap<String, String>);

impl Asked {
    fn of(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The account and region; those that the sandbox was started with where none are said.
    fn scope(&self, shared: &Shared) -> Scope {
        let options = shared.options();
        let or = |name: &str, other: &str| self.get(name).unwrap_or(other).to_owned();
        Scope { account: or("account", &options.account), region: or("region", &options.region) }
    }
}

fn rehearsal(shared: &Arc<Shared>, asked: &Asked) -> Response {
    let Scope { account, region } = asked.scope(shared);
    let secrets: BTreeMap<String, StandIn> = secretsmanager::stand_ins(shared, &account, &region).into_iter().collect();
    ok(&json!({"secrets": secrets, "functions": lambda::differences(shared, &account, &region)}))
}

fn rotation(shared: &Arc<Shared>, asked: &Asked) -> Response {
    let (Some(secret), Some(version)) = (asked.get("secret"), asked.get("version")) else {
        return error(400, "`secret` and `version` say which rotation");
    };
    let Scope { account, region } = asked.scope(shared);
    ok(&json!({"goes_on": secretsmanager::goes_on(shared, &account, &region, secret, version)}))
}

/// Where a secret of a name is meant: where it is known, if that is one place alone.
fn meant(shared: &Shared, name: &str, stated: Scope) -> Scope {
    let mut known = direct::scopes(shared, name);
    if known.len() == 1 { known.remove(0) } else { stated }
}

fn shown(shared: &Arc<Shared>, asked: &Asked) -> Response {
    let Some(name) = asked.get("name") else { return error(400, "`name` says which secret") };
    let scope = meant(shared, name, asked.scope(shared));
    let Some(secret) = direct::show(shared, &scope, name) else {
        return error(
            404,
            &format!("there is no secret `{name}` in account {}, region {}", scope.account, scope.region),
        );
    };
    match asked.get("value") {
        None => ok(&json!({
            "arn": secret.arn, "function": secret.function, "enabled": secret.enabled, "unfinished": secret.unfinished,
            "versions": secret.versions, "account": scope.account, "region": scope.region,
        })),
        Some(which) => match direct::value(shared, &scope, name, which == "pending") {
            Some(value) => ok(&json!({"value": value})),
            None => error(404, "it has no such value"),
        },
    }
}

fn put_or_rotate(shared: &Arc<Shared>, body: &[u8]) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        name: String,
        account: Option<String>,
        region: Option<String>,
        value: Option<String>,
        #[serde(default)]
        rotate: bool,
    }
    // The error would quote what it couldn't read.
    let Ok(wanted) = serde_json::from_slice::<Wanted>(body) else {
        return error(400, "not {\"name\": …} with a `value`, or with `rotate`");
    };
    let options = shared.options();
    let account = wanted.account.unwrap_or_else(|| options.account.clone());
    let region = wanted.region.unwrap_or_else(|| options.region.clone());
    let scope = meant(shared, &wanted.name, Scope { account, region });
    match (wanted.value, wanted.rotate) {
        (Some(value), false) => match direct::put(shared, &scope, &wanted.name, &value) {
            Ok(made) => ok(&json!({"made": made})),
            Err(why) => error(400, &why),
        },
        (None, true) => match direct::rotate(shared, &scope, &wanted.name) {
            Ok(version) => ok(&json!({"version": version, "account": scope.account, "region": scope.region})),
            Err(why) => error(400, &why),
        },
        _ => error(400, "either a `value`, or `rotate`"),
    }
}

fn clock(shared: &Arc<Shared>, body: &[u8]) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Move {
        advance_seconds: f64,
    }
    match serde_json::from_slice::<Move>(body) {
        Ok(Move { advance_seconds }) if (0.0..=FURTHEST).contains(&advance_seconds) => {
            shared.advance(Duration::from_secs_f64(advance_seconds));
            ok(&json!({"time": shared.now().iso8601()}))
        }
        Ok(_) => error(400, "advance_seconds must be from 0 to a hundred years"),
        Err(why) => error(400, &format!("not {{\"advance_seconds\": N}}: {why}")),
    }
}

fn ok(body: &Value) -> Response {
    Response::new(200, "application/json", body.to_string())
}

/// An error in the sandbox's own words.
pub fn error(status: u16, message: &str) -> Response {
    Response::new(status, "application/json", json!({"message": message}).to_string())
}
