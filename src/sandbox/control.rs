//! `/_sandbox/…`: what tests do to the sandbox itself. Needs the header `x-rotator-sandbox: 1`, which no web page can send
//! unasked.
//!
//! | | |
//! |---|---|
//! | `GET /_sandbox/health` | `{"status": "ok", "time": "…"}` |
//! | `POST /_sandbox/reset` | forgets everything |
//! | `GET /_sandbox/calls` | the calls so far: `{"calls": […]}`; `DELETE` forgets them |
//! | `POST /_sandbox/faults` | a script ([`super::faults`]) in place of the old one, whose waiting calls go on; `GET` says how many calls each rule has hit, and how many wait at the moment: `{"hits": […], "waiting": N}` |
//! | `POST /_sandbox/secrets` | `{"name": "…", "region": "…", "account": "…", "owning_service": "rds"}`: a secret with a made-up value, as another AWS service makes one; all but the name may be absent |
//! | `POST /_sandbox/clock` | `{"advance_seconds": N}`: moves service time, so that schedules fire |

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::faults;
use super::secretsmanager;
use super::service::Shared;
use super::wire::Response;

/// The header that a control call must carry.
pub const HEADER: &str = "x-rotator-sandbox";

/// Furthest move of the clock at once: a hundred years.
const FURTHEST: f64 = 100.0 * 365.25 * 86_400.0;

/// Answers a control call; `path` is what stands after `/_sandbox/`.
pub async fn handle(shared: &Arc<Shared>, method: &str, path: &str, body: &[u8]) -> Response {
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
        ("POST", "secrets") => secret(shared, body),
        ("POST", "clock") => clock(shared, body),
        (_, "health" | "reset" | "calls" | "faults" | "secrets" | "clock") => {
            error(405, &format!("{path} doesn't know {method}"))
        }
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
