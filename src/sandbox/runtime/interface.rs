//! Lambda's runtime interface ("Using the Lambda runtime API for custom runtimes"), one listener on loopback for each process.
//!
//! AWS's clients take a host and a port and no path, so that the port tells which process is asking.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::middleware::{self, Next};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::output::Output;

/// The largest answer of a function, in bytes (Lambda quotas, "Invocation payload", 6 MB, as the service counts it).
pub(super) const MAX_RESPONSE_BYTES: usize = 6_291_556;

/// One invocation on its way to a process.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub request_id: String,
    pub payload: Bytes,
    pub arn: String,
    pub client_context: Option<String>,
    pub timeout: Duration,
}

/// What a process has done, in its order.
#[derive(Debug)]
pub(super) enum Signal {
    /// It asked for work for the first time: its initialisation is over.
    Ready(Instant),
    /// It took the job.
    Taken(Instant),
    /// It answered.
    Answered { payload: Bytes, failed: bool },
    /// It could not be initialised; the client's error document.
    InitializationFailed(Bytes),
}

/// What the handlers share.
struct Interface {
    jobs: tokio::sync::Mutex<mpsc::Receiver<Job>>,
    progress: Mutex<Progress>,
    signals: mpsc::UnboundedSender<Signal>,
    output: Arc<Output>,
    host: String,
}

#[derive(Default)]
struct Progress {
    ready: bool,
    current: Option<String>,
}

/// The way to a process: jobs go in, signals come out, and the listener lives as long as this value.
pub(super) struct Link {
    pub address: String,
    pub jobs: mpsc::Sender<Job>,
    pub signals: mpsc::UnboundedReceiver<Signal>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Serves a new interface.
pub(super) async fn serve(output: Arc<Output>) -> std::io::Result<Link> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let (jobs, incoming) = mpsc::channel(1);
    let (sender, signals) = mpsc::unbounded_channel();
    let interface = Arc::new(Interface {
        jobs: tokio::sync::Mutex::new(incoming),
        progress: Mutex::default(),
        signals: sender,
        output,
        host: address.clone(),
    });
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(initialization_error))
        .layer(DefaultBodyLimit::max(MAX_RESPONSE_BYTES))
        .layer(middleware::from_fn_with_state(Arc::clone(&interface), only_the_process))
        .with_state(interface);
    let server = tokio::spawn(async move {
        // A listener that fails ends the process's next request, and with it the process.
        let _ = axum::serve(listener, router).await;
    });
    Ok(Link { address, jobs, signals, server })
}

/// Refuses what no runtime client sends: a web page's request, by its origin or by a name that was made to lead here.
async fn only_the_process(State(interface): State<Arc<Interface>>, request: Request, next: Next) -> Response<Body> {
    let headers = request.headers();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if headers.contains_key(header::ORIGIN) || host != Some(interface.host.as_str()) {
        return answer(StatusCode::FORBIDDEN, r#"{"errorType":"Forbidden","errorMessage":"Forbidden"}"#);
    }
    next.run(request).await
}

async fn next(State(interface): State<Arc<Interface>>) -> Response<Body> {
    let first = !std::mem::replace(&mut interface.progress().ready, true);
    if first {
        interface.signal(Signal::Ready(Instant::now()));
    }
    let Some(job) = interface.jobs.lock().await.recv().await else {
        return answer(StatusCode::GONE, r#"{"errorType":"Shutdown","errorMessage":"The sandbox ends"}"#);
    };
    interface.progress().current = Some(job.request_id.clone());
    interface.signal(Signal::Taken(Instant::now()));
    let deadline = SystemTime::now() + job.timeout;
    let deadline = deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let mut response = Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", &job.request_id)
        .header("Lambda-Runtime-Deadline-Ms", deadline.to_string())
        .header("Lambda-Runtime-Invoked-Function-Arn", &job.arn)
        .header("Lambda-Runtime-Trace-Id", trace_id());
    // A context that no header can hold is left out: the event still counts.
    if let Some(context) = job.client_context.and_then(|context| header::HeaderValue::try_from(context).ok()) {
        response = response.header("Lambda-Runtime-Client-Context", context);
    }
    response
        .body(Body::from(job.payload))
        .unwrap_or_else(|_| answer(StatusCode::INTERNAL_SERVER_ERROR, r#"{"errorType":"InternalServerError"}"#))
}

async fn response(
    State(interface): State<Arc<Interface>>,
    Path(id): Path<String>,
    payload: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Response<Body> {
    let Ok(payload) = payload else {
        return interface.finish(&id, oversized(), true, StatusCode::PAYLOAD_TOO_LARGE);
    };
    interface.finish(&id, payload, false, StatusCode::ACCEPTED)
}

async fn error(
    State(interface): State<Arc<Interface>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    payload: Bytes,
) -> Response<Body> {
    let payload = if payload.is_empty() { error_document(&headers) } else { payload };
    interface.finish(&id, payload, true, StatusCode::ACCEPTED)
}

async fn initialization_error(
    State(interface): State<Arc<Interface>>,
    headers: HeaderMap,
    payload: Bytes,
) -> Response<Body> {
    let payload = if payload.is_empty() { error_document(&headers) } else { payload };
    interface.output.drain();
    interface.signal(Signal::InitializationFailed(payload));
    accepted(StatusCode::ACCEPTED)
}

impl Interface {
    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The worker that isn't listening any more has given the process up.
    fn signal(&self, signal: Signal) {
        let _ = self.signals.send(signal);
    }

    fn finish(&self, id: &str, payload: Bytes, failed: bool, status: StatusCode) -> Response<Body> {
        {
            let mut progress = self.progress();
            if progress.current.as_deref() != Some(id) {
                return answer(
                    StatusCode::BAD_REQUEST,
                    r#"{"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}"#,
                );
            }
            progress.current = None;
        }
        // The client has printed all it had to print before it answered.
        self.output.drain();
        self.signal(Signal::Answered { payload, failed });
        accepted(status)
    }
}

fn oversized() -> Bytes {
    let document = serde_json::json!({
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": format!("Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."),
    });
    Bytes::from(document.to_string())
}

/// An error that a client reported by its header alone.
fn error_document(headers: &HeaderMap) -> Bytes {
    let kind =
        headers.get("Lambda-Runtime-Function-Error-Type").and_then(|kind| kind.to_str().ok()).unwrap_or("Unknown");
    Bytes::from(serde_json::json!({ "errorType": kind, "errorMessage": "" }).to_string())
}

fn accepted(status: StatusCode) -> Response<Body> {
    answer(
        status,
        if status == StatusCode::ACCEPTED { r#"{"status":"OK"}"# } else { r#"{"errorType":"RequestEntityTooLarge"}"# },
    )
}

fn answer(status: StatusCode, body: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

/// X-Ray's trace header, of a trace that isn't sampled.
fn trace_id() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let root = fastrand::u128(..) >> 32;
    format!("Root=1-{seconds:08x}-{root:024x};Parent={:016x};Sampled=0", fastrand::u64(..))
}
