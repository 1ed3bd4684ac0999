//! A proxy that notes the requests of a run, so that the same ones can be made again by a client that does nothing else.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, Uri, client, server};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::Result;

/// Headers that say what a request means; all others are a client's own.
const KEPT: [&str; 2] = ["content-type", "x-amz-target"];

/// One request, without what only its client needed.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub uri: Uri,
    /// Few, and mostly the same: shared between requests.
    pub headers: Arc<HeaderMap>,
    /// Its body.
    pub body: Bytes,
    /// What the answer's status was.
    pub status: u16,
}

/// What a run asked for.
#[derive(Debug, Default)]
pub struct Recording {
    /// Its requests, in the order of their answers.
    pub requests: Vec<Recorded>,
    /// How many were under way at once, at most.
    pub in_flight: usize,
}

#[derive(Debug, Default)]
struct Log {
    requests: Mutex<Vec<Recorded>>,
    headers: Mutex<BTreeMap<String, Arc<HeaderMap>>>,
    /// The accounts of the temporary keys that were issued meanwhile.
    sessions: Mutex<BTreeMap<String, String>>,
    now: AtomicUsize,
    most: AtomicUsize,
}

/// The running proxy.
#[derive(Debug)]
pub struct Recorder {
    /// Where it listens.
    pub url: String,
    log: Arc<Log>,
    task: JoinHandle<()>,
}

impl Recorder {
    /// Starts one before a server.
    pub async fn start(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let log = Arc::new(Log::default());
        let shared = Arc::clone(&log);
        let task = tokio::spawn(async move {
            while let Ok((incoming, _)) = listener.accept().await {
                let log = Arc::clone(&shared);
                // A connection that breaks is its client's to notice.
                tokio::spawn(async move { drop(relay(incoming, server, log).await) });
            }
        });
        Ok(Self { url, log, task })
    }

    /// Ends it; what it noted.
    pub fn finish(self) -> Recording {
        self.task.abort();
        let requests = std::mem::take(&mut *self.log.requests.lock().unwrap_or_else(PoisonError::into_inner));
        Recording { requests, in_flight: self.log.most.load(Ordering::Relaxed) }
    }
}

/// Passes the requests of one connection on, over another of its own.
async fn relay(incoming: TcpStream, server: SocketAddr, log: Arc<Log>) -> Result<()> {
    incoming.set_nodelay(true)?;
    let sender = Arc::new(tokio::sync::Mutex::new(super::floor::connect(server).await?));
    let service = service_fn(move |request| {
        let (log, sender) = (Arc::clone(&log), Arc::clone(&sender));
        let passed = async move { pass(request, server, &log, &mut *sender.lock().await).await };
        // A type that the library can name: a connection ends with it.
        async move { passed.await.map_err(std::io::Error::other) }
    });
    server::conn::http1::Builder::new().serve_connection(TokioIo::new(incoming), service).await?;
    Ok(())
}

async fn pass(
    request: Request<Incoming>,
    server: SocketAddr,
    log: &Log,
    sender: &mut client::conn::http1::SendRequest<Full<Bytes>>,
) -> Result<Response<Full<Bytes>>> {
    log.most.fetch_max(log.now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    parts.headers.insert(header::HOST, HeaderValue::from_str(&server.to_string())?);
    let (method, uri, headers) = (parts.method.clone(), parts.uri.clone(), log.headers(&parts.headers)?);
    sender.ready().await?;
    let (answer, content) =
        sender.send_request(Request::from_parts(parts, Full::new(body.clone()))).await?.into_parts();
    let content = content.collect().await?.to_bytes();
    log.learn(&content);
    let status = answer.status.as_u16();
    let recorded = Recorded { method, uri, headers, body, status };
    log.requests.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
    log.now.fetch_sub(1, Ordering::Relaxed);
    Ok(Response::from_parts(answer, Full::new(content)))
}

/// What a request is signed with: the key, and the date, region and service that it is signed for, between slashes.
pub fn credential(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once("Credential=")?.1.split(',').next()
}

impl Log {
    /// Remembers whose the temporary key is that an answer of STS holds.
    fn learn(&self, answer: &[u8]) {
        let Ok(text) = std::str::from_utf8(answer) else { return };
        let between =
            |start: &str, end: &str| text.split_once(start)?.1.split_once(end).map(|(found, _)| found.to_owned());
        let account = || between("<Arn>arn:aws:sts::", ":");
        if let Some((key, account)) = between("<AccessKeyId>", "</").zip(account()) {
            self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(key, account);
        }
    }

    /// The headers that a replay sends: what the request means, and a made-up signature of the same scope.
    fn headers(&self, sent: &HeaderMap) -> Result<Arc<HeaderMap>> {
        let mut kept = HeaderMap::new();
        for name in KEPT {
            if let Some(value) = sent.get(name) {
                kept.insert(name, value.clone());
            }
        }
        if sent.contains_key(header::AUTHORIZATION) {
            let (key, scope) =
                credential(sent).and_then(|text| text.split_once('/')).ok_or("a request without a credential")?;
            // A key that is an account's id stands for that account in every sandbox; a temporary one is known to one alone.
            let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            let key = sessions.get(key).map_or(key, String::as_str);
            let signature = "0".repeat(64);
            let fixed = format!("AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders=host, Signature={signature}");
            kept.insert(header::AUTHORIZATION, HeaderValue::from_str(&fixed)?);
        }
        let key = format!("{kept:?}");
        let mut known = self.headers.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(known.entry(key).or_insert_with(|| Arc::new(kept))))
    }
}
