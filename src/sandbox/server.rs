//! The HTTP server: who may speak to us, which service and operation is meant, and the order of a call:
//! faults before, quota, the operation, faults after, latency, log, and the answer as faults let it out.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request};
use axum::response::Response as HttpResponse;
use futures::StreamExt as _;
use tokio::net::TcpListener;

use super::call::Call;
use super::calls::{Entry, LONGEST_AGENT};
use super::connection::{self, Line, Lines};
use super::faults::{Answer, Fault, When};
use super::probe::Side;
use super::service::Shared;
use super::services::{Protocol, Service};
use super::wire::query::Query;
use super::wire::rest::RestRequest;
use super::wire::{ApiError, Response, json, sigv4, unserved};
use super::{
    cloudformation, cloudtrail, control, history, lambda, logs, needs, secretsmanager, serverlessrepo, sessions, sts,
};

/// The largest body: a direct upload of 50 MB, in base64, with room for the rest.
const LARGEST_BODY: usize = 80 * 1024 * 1024;

/// How much of a larger one is read and dropped.
const MOST_DROPPED: usize = 4 * LARGEST_BODY;

/// Serves until the sandbox stops.
pub(super) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let until = Arc::clone(&shared);
    let router = Router::new().fallback(answer).with_state(shared).into_make_service_with_connect_info::<Line>();
    let server =
        axum::serve(Lines(listener), router).with_graceful_shutdown(async move { until.until_stopped().await });
    // It ends when the sandbox does; errors of single connections stay with them.
    let _ = server.await;
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> HttpResponse {
    let (parts, body) = request.into_parts();
    if let Err(why) =
        check_sender(&shared, &parts.headers, parts.uri.authority().map(axum::http::uri::Authority::as_str))
    {
        return http(control::error(403, why));
    }
    if let Some(fault) = unread_fault(&shared, &parts).await {
        return deliver(Reply::None, &fault, &line);
    }
    let path = parts.uri.path();
    let Some(body) = receive(body).await else {
        return http(too_large(&parts.headers, path));
    };
    if let Some(path) = path.strip_prefix("/_sandbox/") {
        let query = parts.uri.query().unwrap_or_default();
        return http(sandbox(&shared, (parts.method.as_str(), path, query), &parts.headers, &body).await);
    }
    let request = Incoming {
        method: parts.method.as_str(),
        path,
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body,
    };
    let (reply, fault) = call(&shared, &request).await;
    let mut response = deliver(reply, &fault, &line);
    // Whoever calls can know that nothing here is real, and ask what was left out.
    response.headers_mut().insert(HeaderName::from_static(control::HEADER), HeaderValue::from_static("1"));
    // Service time, not the machine's: clients that judge dates judge them by the clock that set them.
    let date = shared.now().utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::from_str(&date) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

/// Answers one API call of a caller who has been let in, without a connection: for whoever embeds the sandbox.
///
/// `None` where a scripted failure keeps the answer back.
pub async fn handle(
    shared: &Arc<Shared>,
    (method, path, query): (&str, &str, &str),
    headers: &HeaderMap,
    body: Bytes,
) -> Option<Response> {
    match call(shared, &Incoming { method, path, query, headers, body }).await.0 {
        Reply::Service(response) => Some(response),
        Reply::Other(_) | Reply::None => None,
    }
}

/// What a call ends with.
enum Reply {
    /// The service's own answer.
    Service(Response),
    /// An answer of somebody before the service.
    Other(Answer),
    /// None: the connection ends.
    None,
}

/// Sends a reply as its fault lets it out.
fn deliver(reply: Reply, fault: &Fault, line: &Line) -> HttpResponse {
    let mut response = match reply {
        Reply::Service(response) => response,
        Reply::Other(answer) => {
            let mut response = Response::empty(answer.status);
            response.body = Bytes::from(answer.body);
            response.headers.extend(answer.content_type.map(|content_type| ("content-type", content_type)));
            response
        }
        Reply::None => {
            if fault.reset {
                line.reset();
            }
            return HttpResponse::new(connection::no_answer());
        }
    };
    // These two have no body (RFC 9110, 15.3.5 and 15.4.5), whatever a script says: a client would take it for the next answer.
    if matches!(response.status, 204 | 304) {
        response.body = Bytes::new();
        response.content_type = None;
        response.headers.retain(|(name, _)| *name != "content-type");
        return http(response);
    }
    if fault.slow_body.is_zero() && fault.break_body.is_none() {
        return http(response);
    }
    let (body, claimed) = connection::body(&response.body, fault.slow_body, fault.break_body, line);
    let mut http = http(response);
    *http.body_mut() = body;
    http.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(claimed));
    http
}

/// The fault of a request whose body hasn't been read, and isn't going to be.
async fn unread_fault(shared: &Shared, parts: &request::Parts) -> Option<Fault> {
    if !shared.faults().any_unread() {
        return None;
    }
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    let request = Incoming { method: parts.method.as_str(), path, query, headers: &parts.headers, body: Bytes::new() };
    let contains = |part: &str| path.contains(part) || query.contains(part);
    // A request in the Query protocol doesn't say yet what it wants, nor do some malformed ones.
    let (service, call) = match identify(shared, &request, "") {
        Ok((call, _)) => (call.service, Some(call)),
        Err(refused) => (refused.service, None),
    };
    let who = call.as_ref().map(|call| (call.operation.as_str(), call.signer())).unzip();
    let fault = shared.faults().take_unread(service, who, contains)?;
    shared.faults().wait(&fault).await;
    if let Some(call) = call {
        shared.calls().add(entry(call, &parts.headers, 0, Some(ended(&fault).to_owned())));
    }
    Some(fault)
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

async fn sandbox(
    shared: &Arc<Shared>,
    (method, path, query): (&str, &str, &str),
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
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
    control::handle(shared, (method, path, query), body).await
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

/// Answers an API call. The fault says how the answer goes out.
async fn call(shared: &Arc<Shared>, request: &Incoming<'_>) -> (Reply, Fault) {
    let request_id = uuid::Uuid::new_v4().to_string();
    let (call, parsed) = match identify(shared, request, &request_id) {
        Ok(identified) => identified,
        Err(refused) => return (Reply::Service(refused.answer), Fault::default()),
    };
    let contains = |part: &str| {
        find(&request.body, part.as_bytes()) || request.path.contains(part) || request.query.contains(part)
    };
    let watched = shared.probes().of(&call).map(|probe| {
        let (number, ends) = probe.called(&call.operation, secret_of(request));
        (probe, number, ends)
    });
    if let Some((probe, _, Some(Side::Before))) = &watched {
        probe.cut().await;
        return (Reply::None, Fault::default());
    }
    let fault = shared.faults().take(call.service, &call.operation, call.signer(), contains).unwrap_or_default();
    let result = perform(shared, &call, request, parsed, &fault).await;
    if let Some((probe, number, ends)) = watched {
        probe
            .answered(number, result.as_ref().ok().and_then(|one| one.as_ref().err()).map(|error| error.code.as_str()));
        if ends == Some(Side::After) {
            probe.cut().await;
            return (Reply::None, Fault::default());
        }
    }
    if !shared.options().latency.is_zero() {
        tokio::time::sleep(shared.options().latency).await;
    }
    let (reply, status, error) = match result {
        Ok(Ok(response)) => {
            let (status, broken) = (response.status, fault.break_body.map(|_| "BrokenBody".to_owned()));
            (Reply::Service(response), status, broken)
        }
        Ok(Err(error)) => {
            (Reply::Service(error.response(call.service, &call.request_id)), error.status, Some(error.code))
        }
        Err(Broken::Answer(answer)) => {
            let status = answer.status;
            (Reply::Other(answer), status, Some("OtherAnswer".to_owned()))
        }
        Err(Broken::Connection) => (Reply::None, 0, Some(ended(&fault).to_owned())),
    };
    shared.calls().add(entry(call, request.headers, status, error));
    (reply, fault)
}

/// The secret that a request in JSON names.
fn secret_of(request: &Incoming<'_>) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(&request.body).ok()?;
    body["SecretId"].as_str().map(str::to_owned)
}

fn entry(call: Call, headers: &HeaderMap, status: u16, error: Option<String>) -> Entry {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    Entry {
        agent: agent.chars().take(LONGEST_AGENT).collect(),
        time: call.now.iso8601(),
        service: call.service.name(),
        operation: call.operation,
        account: call.account,
        region: call.region,
        status,
        error,
    }
}

/// How a connection without an answer ended, for the log of calls.
fn ended(fault: &Fault) -> &'static str {
    if fault.reset { "ConnectionReset" } else { "ConnectionClosed" }
}

/// Why a service's own answer doesn't get through.
enum Broken {
    /// Somebody before it answers.
    Answer(Answer),
    /// The connection ends.
    Connection,
}

/// A service's answer, unless a fault is in its way.
async fn perform(
    shared: &Arc<Shared>,
    call: &Call,
    request: &Incoming<'_>,
    parsed: Parsed,
    fault: &Fault,
) -> Result<Result<Response, ApiError>, Broken> {
    let fail = |when: When| (fault.when == when && fault.is_failure()).then(|| failure(fault));
    if fault.when == When::Before {
        shared.faults().wait(fault).await;
    }
    if let Some(failure) = fail(When::Before) {
        return failure;
    }
    let past = fault.stale.and_then(|lag| shared.past(lag));
    let result = match shared.quotas().take(call) {
        Ok(()) => history::within(past, dispatch(shared, call, request, parsed)).await,
        Err(throttled) => Err(throttled),
    };
    if fault.when == When::After {
        shared.faults().wait(fault).await;
    }
    fail(When::After).unwrap_or(Ok(result))
}

fn failure(fault: &Fault) -> Result<Result<Response, ApiError>, Broken> {
    match (&fault.error, &fault.answer) {
        (Some(error), _) => Ok(Err(error.clone())),
        (None, Some(answer)) => Err(Broken::Answer(answer.clone())),
        (None, None) => Err(Broken::Connection),
    }
}

async fn dispatch(
    shared: &Arc<Shared>,
    call: &Call,
    request: &Incoming<'_>,
    parsed: Parsed,
) -> Result<Response, ApiError> {
    check_rights(shared, call, request, &parsed)?;
    match (call.service, parsed) {
        (service, Parsed::Rest(_)) if call.operation.contains(' ') => {
            Err(ApiError::not_served(service, &call.operation))
        }
        (Service::SecretsManager, Parsed::Json) => {
            secretsmanager::handle(shared, call, json::read(&request.body)?).await
        }
        (Service::Logs, Parsed::Json) => logs::handle(shared, call, json::read(&request.body)?).await,
        (Service::CloudTrail, Parsed::Json) => cloudtrail::handle(shared, call, json::read(&request.body)?).await,
        (Service::CloudFormation, Parsed::Query(query)) => cloudformation::handle(shared, call, query).await,
        (Service::Sts, Parsed::Query(query)) => sts::handle(shared, call, &query),
        (Service::Lambda, Parsed::Rest(rest)) => lambda::handle(shared, call, rest).await,
        (Service::ServerlessRepo, Parsed::Rest(rest)) => serverlessrepo::handle(shared, call, rest).await,
        (service, _) => Err(ApiError::internal(service, "the request was read in another service's protocol")),
    }
}

/// Refuses what the policy doesn't allow the caller, or what the service does in the caller's name. Functions have the rights of their
/// roles, and what needs no signature needs no rights either.
fn check_rights(shared: &Shared, call: &Call, request: &Incoming<'_>, parsed: &Parsed) -> Result<(), ApiError> {
    let token = request.headers.get("x-amz-security-token").and_then(|value| value.to_str().ok());
    let is_function = token.is_some_and(|token| sessions::function_principal(token, &call.account).is_some());
    if !shared.rights().are_held() || is_function || call.access_key.is_empty() {
        return Ok(());
    }
    let read = match parsed {
        Parsed::Json => needs::Request::Json(json::read(&request.body)?),
        Parsed::Query(query) => needs::Request::Query(query),
        Parsed::Rest(rest) => needs::Request::Rest(rest),
    };
    needs::check(shared, call, &read)
}

/// A request that no service takes: which was probably meant, and what is answered.
struct Refused {
    service: Service,
    answer: Response,
}

/// Who calls what, from the signature and the request's own protocol.
fn identify(shared: &Shared, request: &Incoming<'_>, request_id: &str) -> Result<(Call, Parsed), Refused> {
    let refused = |service: Service, error: &ApiError| Refused { service, answer: error.response(service, request_id) };
    let header = |name: HeaderName| request.headers.get(name).and_then(|value| value.to_str().ok());
    let target = header(HeaderName::from_static("x-amz-target")).and_then(json::target);
    let form = || Query::read(if request.body.is_empty() { request.query.as_bytes() } else { &request.body });
    let signed = match header(header::AUTHORIZATION) {
        Some(text) => Some(sigv4::read(text).ok_or_else(|| {
            let service = guess(request, target.map(|(service, _)| service));
            refused(service, &incomplete_signature(service))
        })?),
        None => None,
    };
    let Some(signed) = signed else {
        let service = guess(request, target.map(|(service, _)| service));
        let query = (service == Service::Sts).then(form);
        // The calls that come without a signature: they are how callers get their first credentials.
        return match query {
            Some(query) if matches!(query.action.as_str(), "AssumeRoleWithWebIdentity" | "AssumeRoleWithSAML") => {
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
            _ => Err(refused(service, &missing_token(service))),
        };
    };
    let service = Service::named(&signed.service).ok_or_else(|| {
        let answer = unserved::refusal(&signed.service, request.headers, request_id);
        Refused { service: guess(request, target.map(|(service, _)| service)), answer }
    })?;
    let (operation, parsed) = read(service, request, target, form).map_err(|error| refused(service, &error))?;
    let session = shared.session(&signed.access_key);
    if session.as_ref().is_some_and(|session| session.expires <= shared.now()) {
        return Err(refused(service, &expired_token(service)));
    }
    let account = session.as_ref().map_or_else(|| sts::account_of(shared, &signed.access_key), |s| s.account.clone());
    let token = header(HeaderName::from_static("x-amz-security-token"));
    let principal = session
        .map(|session| session.principal)
        .or_else(|| sessions::function_principal(token?, &account))
        .unwrap_or_else(|| sts::user_arn(&account, &signed.region));
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
    match service.protocol() {
        Protocol::Json => match target {
            Some((meant, operation)) if meant == service => Ok((operation.to_owned(), Parsed::Json)),
            _ => Err(ApiError::new(400, "UnknownOperationException", "X-Amz-Target doesn't name an operation.")),
        },
        Protocol::Query => {
            let query = form();
            if query.action.is_empty() {
                return Err(ApiError::new(400, "MissingAction", "The request has no Action."));
            }
            Ok((query.action.clone(), Parsed::Query(query)))
        }
        Protocol::Rest => {
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
    match service.protocol() {
        Protocol::Json => ApiError::new(400, "MissingAuthenticationTokenException", "Missing Authentication Token"),
        Protocol::Query => ApiError::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token"),
        Protocol::Rest => ApiError::new(403, "MissingAuthenticationTokenException", "Missing Authentication Token"),
    }
}

fn expired_token(service: Service) -> ApiError {
    let message = "The security token included in the request is expired";
    match service.protocol() {
        Protocol::Json => ApiError::new(400, "ExpiredTokenException", message),
        Protocol::Query => ApiError::new(403, "ExpiredToken", message),
        Protocol::Rest => ApiError::new(403, "ExpiredTokenException", message),
    }
}

fn incomplete_signature(service: Service) -> ApiError {
    let message = "The Authorization header is not a well-formed AWS4-HMAC-SHA256 signature.";
    match service.protocol() {
        Protocol::Query => ApiError::new(400, "IncompleteSignature", message),
        Protocol::Json | Protocol::Rest => ApiError::new(400, "IncompleteSignatureException", message),
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
