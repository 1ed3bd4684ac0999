//! The HTTP server: who may speak to us, which service and operation is meant, and the order of a call:
//! faults before, quota, the operation, faults after, latency, log.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response as HttpResponse;
use axum::serve::ListenerExt as _;
use futures::StreamExt as _;
use tokio::net::TcpListener;

use super::calls::Entry;
use super::faults::{Fault, When};
use super::service::{Call, Service, Shared};
use super::wire::query::Query;
use super::wire::rest::RestRequest;
use super::wire::{ApiError, Response, json, sigv4};
use super::{cloudformation, control, lambda, logs, secretsmanager, serverlessrepo, sts};

/// The largest body: a direct upload of 50 MB, in base64, with room for the rest.
const LARGEST_BODY: usize = 80 * 1024 * 1024;

/// How much of a larger one is read and dropped.
const MOST_DROPPED: usize = 4 * LARGEST_BODY;

/// Serves until the sandbox stops.
pub(super) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let until = Arc::clone(&shared);
    let router = Router::new().fallback(answer).with_state(shared);
    // Small answers must not wait for the client's acknowledgement of earlier ones. Where it can't be set, they do.
    let listener = listener.tap_io(|tcp| drop(tcp.set_nodelay(true)));
    let server = axum::serve(listener, router).with_graceful_shutdown(async move { until.until_stopped().await });
    // It ends when the sandbox does; errors of single connections stay with them.
    let _ = server.await;
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> HttpResponse {
    let (parts, body) = request.into_parts();
    if let Err(why) =
        check_sender(&shared, &parts.headers, parts.uri.authority().map(axum::http::uri::Authority::as_str))
    {
        return http(control::error(403, why));
    }
    let path = parts.uri.path();
    let Some(body) = receive(body).await else {
        return http(too_large(&parts.headers, path));
    };
    if let Some(path) = path.strip_prefix("/_sandbox/") {
        return http(sandbox(&shared, parts.method.as_str(), path, &parts.headers, &body).await);
    }
    let request = Incoming {
        method: parts.method.as_str(),
        path,
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body,
    };
    match call(&shared, &request).await {
        Some(response) => http(response),
        // Closes the connection: hyper drops the head that it has not sent yet when the body fails at once.
        None => HttpResponse::new(Body::from_stream(futures::stream::once(async {
            Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
        }))),
    }
}

/// The whole body; `None`: it is too large, or ended early. What is too large is read nevertheless, within limits: a client that is
/// still sending would see a broken connection, and not the answer.
async fn receive(body: Body) -> Option<Bytes> {
    let mut received = Vec::new();
    let mut dropped = 0;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.ok()?;
        if dropped == 0 && received.len() + chunk.len() <= LARGEST_BODY {
            received.extend_from_slice(&chunk);
            continue;
        }
        received = Vec::new();
        dropped += chunk.len();
        if dropped > MOST_DROPPED {
            return None;
        }
    }
    (dropped == 0).then(|| received.into())
}

/// What AWS's front end says of a body that no service takes.
fn too_large(headers: &HeaderMap, path: &str) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).and_then(json::target);
    let request = Incoming { method: "POST", path, query: "", headers, body: Bytes::new() };
    let service = guess(&request, target.map(|(service, _)| service));
    let message = format!("Request must be smaller than {LARGEST_BODY} bytes");
    ApiError::new(413, "RequestEntityTooLargeException", message).response(service, &uuid::Uuid::new_v4().to_string())
}

/// A web page must not reach the sandbox: not by a name that somebody points at loopback, nor across origins.
fn check_sender(shared: &Shared, headers: &HeaderMap, authority: Option<&str>) -> Result<(), &'static str> {
    if headers.contains_key(header::ORIGIN) {
        return Err("requests from web pages are refused");
    }
    let host = authority.or_else(|| headers.get(header::HOST)?.to_str().ok()).ok_or("the Host header is missing")?;
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let listen = shared.options().listen.ip();
    let known = if let Ok(ip) = name.parse::<IpAddr>() {
        // An address can't be pointed elsewhere, so all are well where all are listened on.
        ip.is_loopback() || ip == listen || listen.is_unspecified()
    } else {
        let name = name.to_ascii_lowercase();
        name == "localhost"
            || name.ends_with(".localhost")
            || shared.options().hosts.iter().any(|host| host.eq_ignore_ascii_case(&name))
    };
    known.then_some(()).ok_or("this Host is not the sandbox's")
}

async fn sandbox(shared: &Arc<Shared>, method: &str, path: &str, headers: &HeaderMap, body: &[u8]) -> Response {
    // Download URLs are opened by clients that know nothing of our header; their token can't be guessed.
    if let ("GET", Some(token)) = (method, path.strip_prefix("code/")) {
        return match lambda::code(shared, token) {
            Some(code) => Response::new(200, "application/zip", code),
            None => control::error(404, "there is no such code"),
        };
    }
    if headers.get(control::HEADER).is_none_or(|value| value != "1") {
        return control::error(403, "control calls need the header `x-rotator-sandbox: 1`");
    }
    control::handle(shared, method, path, body).await
}

struct Incoming<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: &'a HeaderMap,
    body: Bytes,
}

/// A request as its service's protocol reads it.
enum Parsed {
    Json,
    Query(Query),
    Rest(RestRequest),
}

/// Answers an API call; `None`: close the connection.
async fn call(shared: &Arc<Shared>, request: &Incoming<'_>) -> Option<Response> {
    let request_id = uuid::Uuid::new_v4().to_string();
    let (call, parsed) = match identify(shared, request, &request_id) {
        Ok(identified) => identified,
        Err((service, error)) => return Some(error.response(service, &request_id)),
    };
    let contains = |part: &str| {
        find(&request.body, part.as_bytes()) || request.path.contains(part) || request.query.contains(part)
    };
    let fault = shared.faults().take(call.service, &call.operation, contains).unwrap_or_default();
    let result = perform(shared, &call, request, parsed, &fault).await;
    if !shared.options().latency.is_zero() {
        tokio::time::sleep(shared.options().latency).await;
    }
    let (status, error) = match &result {
        Some(Ok(response)) => (response.status, None),
        Some(Err(error)) => (error.status, Some(error.code.clone())),
        None => (0, Some("ConnectionReset".to_owned())),
    };
    let response = result.map(|result| result.unwrap_or_else(|error| error.response(call.service, &call.request_id)));
    shared.calls().add(Entry {
        time: call.now.iso8601(),
        service: call.service.name(),
        operation: call.operation,
        account: call.account,
        region: call.region,
        status,
        error,
    });
    response
}

async fn perform(
    shared: &Arc<Shared>,
    call: &Call,
    request: &Incoming<'_>,
    parsed: Parsed,
    fault: &Fault,
) -> Option<Result<Response, ApiError>> {
    if fault.when == When::Before {
        tokio::time::sleep(fault.delay).await;
        if fault.is_failure() {
            return fault.error.clone().filter(|_| !fault.reset).map(Err);
        }
    }
    let result = match shared.quotas().take(call) {
        Ok(()) => dispatch(shared, call, request, parsed).await,
        Err(throttled) => Err(throttled),
    };
    if fault.when == When::After {
        tokio::time::sleep(fault.delay).await;
        if fault.is_failure() {
            return fault.error.clone().filter(|_| !fault.reset).map(Err);
        }
    }
    Some(result)
}

async fn dispatch(
    shared: &Arc<Shared>,
    call: &Call,
    request: &Incoming<'_>,
    parsed: Parsed,
) -> Result<Response, ApiError> {
    match (call.service, parsed) {
        (service, Parsed::Rest(_)) if call.operation.contains(' ') => {
            Err(ApiError::not_served(service, &call.operation))
        }
        (Service::SecretsManager, Parsed::Json) => {
            secretsmanager::handle(shared, call, json::read(&request.body)?).await
        }
        (Service::Logs, Parsed::Json) => logs::handle(shared, call, json::read(&request.body)?).await,
        (Service::CloudFormation, Parsed::Query(query)) => cloudformation::handle(shared, call, query).await,
        (Service::Sts, Parsed::Query(query)) => sts::handle(shared, call, &query),
        (Service::Lambda, Parsed::Rest(rest)) => lambda::handle(shared, call, rest).await,
        (Service::ServerlessRepo, Parsed::Rest(rest)) => serverlessrepo::handle(shared, call, rest).await,
        (service, _) => Err(ApiError::internal(service, "the request was read in another service's protocol")),
    }
}

/// Who calls what, from the signature and the request's own protocol.
fn identify(shared: &Shared, request: &Incoming<'_>, request_id: &str) -> Result<(Call, Parsed), (Service, ApiError)> {
    let header = |name: HeaderName| request.headers.get(name).and_then(|value| value.to_str().ok());
    let target = header(HeaderName::from_static("x-amz-target")).and_then(json::target);
    let form = || Query::read(if request.body.is_empty() { request.query.as_bytes() } else { &request.body });
    let signed = match header(header::AUTHORIZATION) {
        Some(text) => Some(sigv4::read(text).ok_or_else(|| {
            let service = guess(request, target.map(|(service, _)| service));
            (service, incomplete_signature(service))
        })?),
        None => None,
    };
    let Some(signed) = signed else {
        let service = guess(request, target.map(|(service, _)| service));
        let query = (service == Service::Sts).then(form);
        // The one call that comes without a signature: it is how callers get their first credentials.
        return match query {
            Some(query) if query.action == "AssumeRoleWithWebIdentity" => {
                let account = shared.options().account.clone();
                let region = shared.options().region.clone();
                let call = Call {
                    service,
                    operation: query.action.clone(),
                    principal: String::new(),
                    access_key: String::new(),
                    account,
                    region,
                    request_id: request_id.to_owned(),
                    now: shared.now(),
                };
                Ok((call, Parsed::Query(query)))
            }
            _ => Err((service, missing_token(service))),
        };
    };
    let service = Service::named(&signed.service).ok_or_else(|| {
        let guessed = guess(request, target.map(|(service, _)| service));
        let message = format!("The sandbox doesn't serve `{}`.", signed.service);
        (guessed, ApiError::new(400, "UnknownOperationException", message))
    })?;
    let (operation, parsed) = read(service, request, target, form).map_err(|error| (service, error))?;
    let session = shared.session(&signed.access_key);
    if session.as_ref().is_some_and(|session| session.expires <= shared.now()) {
        return Err((service, expired_token(service)));
    }
    let account = session.as_ref().map_or_else(|| sts::account_of(shared, &signed.access_key), |s| s.account.clone());
    let principal = session.map_or_else(|| sts::user_arn(&account, &signed.region), |s| s.principal);
    let call = Call {
        service,
        operation,
        account,
        principal,
        region: signed.region,
        request_id: request_id.to_owned(),
        access_key: signed.access_key,
        now: shared.now(),
    };
    Ok((call, parsed))
}

/// The operation, and the request in its service's protocol.
fn read(
    service: Service,
    request: &Incoming<'_>,
    target: Option<(Service, &str)>,
    form: impl Fn() -> Query,
) -> Result<(String, Parsed), ApiError> {
    match service {
        Service::SecretsManager | Service::Logs => match target {
            Some((meant, operation)) if meant == service => Ok((operation.to_owned(), Parsed::Json)),
            _ => Err(ApiError::new(400, "UnknownOperationException", "X-Amz-Target doesn't name an operation.")),
        },
        Service::CloudFormation | Service::Sts => {
            let query = form();
            if query.action.is_empty() {
                return Err(ApiError::new(400, "MissingAction", "The request has no Action."));
            }
            Ok((query.action.clone(), Parsed::Query(query)))
        }
        Service::Lambda | Service::ServerlessRepo => {
            let rest = RestRequest::new(
                request.method,
                request.path,
                request.query,
                request.headers.clone(),
                request.body.clone(),
            );
            let operation = match service {
                Service::Lambda => lambda::operation(&rest),
                _ => serverlessrepo::operation(&rest),
            };
            // What isn't served goes on with its path for a name, so that the log of calls shows what a client wanted.
            let operation = operation.map_or_else(|| format!("{} {}", request.method, request.path), str::to_owned);
            Ok((operation, Parsed::Rest(rest)))
        }
    }
}

/// The service that an unsigned request most likely means, so that it is refused in words its client understands.
fn guess(request: &Incoming<'_>, target: Option<Service>) -> Service {
    if let Some(service) = target {
        return service;
    }
    if request.path.starts_with("/applications") {
        return Service::ServerlessRepo;
    }
    if request.path.len() > 1 {
        return Service::Lambda;
    }
    let form = Query::read(if request.body.is_empty() { request.query.as_bytes() } else { &request.body });
    if form.version == "2010-05-15" {
        Service::CloudFormation
    } else if form.version == "2011-06-15" {
        Service::Sts
    } else {
        Service::SecretsManager
    }
}

fn missing_token(service: Service) -> ApiError {
    match service {
        Service::SecretsManager | Service::Logs => {
            ApiError::new(400, "MissingAuthenticationTokenException", "Missing Authentication Token")
        }
        Service::CloudFormation | Service::Sts => {
            ApiError::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
        }
        Service::Lambda | Service::ServerlessRepo => {
            ApiError::new(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        }
    }
}

fn expired_token(service: Service) -> ApiError {
    let message = "The security token included in the request is expired";
    match service {
        Service::SecretsManager | Service::Logs => ApiError::new(400, "ExpiredTokenException", message),
        Service::CloudFormation | Service::Sts => ApiError::new(403, "ExpiredToken", message),
        Service::Lambda | Service::ServerlessRepo => ApiError::new(403, "ExpiredTokenException", message),
    }
}

fn incomplete_signature(service: Service) -> ApiError {
    let message = "The Authorization header is not a well-formed AWS4-HMAC-SHA256 signature.";
    match service {
        Service::CloudFormation | Service::Sts => ApiError::new(400, "IncompleteSignature", message),
        _ => ApiError::new(400, "IncompleteSignatureException", message),
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || haystack.windows(needle.len()).any(|window| window == needle)
}

fn http(response: Response) -> HttpResponse {
    let mut http = HttpResponse::new(Body::from(response.body));
    *http.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = http.headers_mut();
    if let Some(content_type) = response.content_type {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    for (name, value) in response.headers {
        // A value that no header can hold is left out: it came from a script of faults, or a function.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    http
}
