//! The floor: the requests of a run, made again by a client that knows them beforehand, signs nothing, and drops the answers unread. It
//! waits for a free connection, and for two things else: a page of a list can't be asked for before the one that leads to it, and
//! nothing before it is known whose account this is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Request, client};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::record::{Recorded, credential};
use super::{Result, measure};

/// What a replay took.
#[derive(Debug, Clone, Copy)]
pub struct Floor {
    /// From before the first connection until after the last answer.
    pub wall: Duration,
    /// Of this process, meanwhile.
    pub cpu: Duration,
    /// How many answers had another status than in the recording.
    pub differing: usize,
}

/// Makes all requests, on so many connections.
pub async fn replay(server: SocketAddr, requests: &Arc<Vec<Recorded>>, connections: usize) -> Result<Floor> {
    let next = Arc::new(AtomicUsize::new(0));
    let (began, before) = (Instant::now(), measure::own_cpu()?);
    let mut workers = JoinSet::new();
    let first = before_all(requests);
    let jobs = Arc::new(jobs(requests, first));
    let mut differing = 0;
    if first > 0 {
        let alone = Arc::new(vec![(0..first).collect()]);
        differing += work(server, Arc::clone(requests), alone, Arc::default()).await?;
    }
    for _ in 0..connections.clamp(1, requests.len().max(1)) {
        workers.spawn(work(server, Arc::clone(requests), Arc::clone(&jobs), Arc::clone(&next)));
    }
    while let Some(worker) = workers.join_next().await {
        differing += worker??;
    }
    Ok(Floor { wall: began.elapsed(), cpu: measure::own_cpu()?.saturating_sub(before), differing })
}

/// How many requests come before all others: those that tell the account. Of several accounts, one's come beside the others' calls.
fn before_all(requests: &[Recorded]) -> usize {
    // Key, date, region, service.
    let signed =
        |request: &Recorded, part: usize| credential(&request.headers)?.split('/').nth(part).map(str::to_owned);
    let first = requests.iter().take_while(|request| signed(request, 3).as_deref() == Some("sts")).count();
    let accounts: BTreeSet<_> = requests[first..].iter().map(|request| signed(request, 0)).collect();
    if accounts.len() == 1 { first } else { 0 }
}

/// The positions of requests that must follow each other, the pages of lists, and of all others by themselves; what is long first.
/// Without so many that come before all.
fn jobs(requests: &[Recorded], first: usize) -> Vec<Vec<usize>> {
    let mut lists: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut others = Vec::new();
    for (position, request) in requests.iter().enumerate().skip(first) {
        let target = request.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        if target.is_some_and(|target| target.ends_with(".ListSecrets")) {
            // From either end, by each account.
            let from_end = String::from_utf8_lossy(&request.body).contains("\"desc\"");
            lists.entry(format!("{:?} {from_end}", request.headers)).or_default().push(position);
        } else {
            others.push(vec![position]);
        }
    }
    lists.into_values().chain(others).collect()
}

async fn work(
    server: SocketAddr,
    requests: Arc<Vec<Recorded>>,
    jobs: Arc<Vec<Vec<usize>>>,
    next: Arc<AtomicUsize>,
) -> Result<usize> {
    let mut sender = connect(server).await?;
    let host = HeaderValue::from_str(&server.to_string())?;
    let mut differing = 0;
    let job = || jobs.get(next.fetch_add(1, Ordering::Relaxed));
    for position in std::iter::from_fn(job).flatten() {
        let recorded = &requests[*position];
        let mut request = Request::new(Full::new(recorded.body.clone()));
        request.method_mut().clone_from(&recorded.method);
        request.uri_mut().clone_from(&recorded.uri);
        request.headers_mut().clone_from(&recorded.headers);
        request.headers_mut().insert(header::HOST, host.clone());
        sender.ready().await?;
        let answer = sender.send_request(request).await?;
        differing += usize::from(answer.status().as_u16() != recorded.status);
        let mut body = answer.into_body();
        while let Some(frame) = body.frame().await {
            drop(frame?);
        }
    }
    Ok(differing)
}

/// One connection to a server, kept alive.
pub async fn connect(server: SocketAddr) -> Result<client::conn::http1::SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Its errors come out of the sender.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}
