//! The way between the tool and the sandbox: what a network does that no service can.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::aws::Aws;

/// How old a signature may be.
const SIGNATURE_AGE: i64 = 5 * 60;

/// What it does to requests.
#[derive(Debug, Clone)]
pub enum Does {
    /// Passes them on.
    Nothing,
    /// Ends the connection of every request whose head holds this.
    Cut(&'static str),
    /// The services' clock is ahead by this: answers carry its date, and signatures of another time are refused.
    Skew(Duration),
}

/// A way to a sandbox.
pub struct Way {
    address: SocketAddr,
    does: Arc<Mutex<Does>>,
    task: JoinHandle<()>,
}

impl Way {
    pub async fn to(aws: &Aws, does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let does = Arc::new(Mutex::new(does));
        let (shared, upstream) = (Arc::clone(&does), aws.url().replace("http://", ""));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let does = shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let upstream = upstream.clone();
                // Whatever ends early is what is tested.
                tokio::spawn(async move { carry(client, &upstream, does).await.unwrap_or_default() });
            }
        });
        Self { address, does, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn now_does(&self, does: Does) {
        *self.does.lock().unwrap_or_else(PoisonError::into_inner) = does;
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Carries one request and its answer; the connection ends with them.
async fn carry(mut client: TcpStream, upstream: &str, does: Does) -> std::io::Result<()> {
    let Some((head, body)) = receive(&mut client).await? else { return Ok(()) };
    match does {
        Does::Cut(part) if head.contains(part) => return Ok(()),
        Does::Skew(by) if is_out_of_time(&head, by) => {
            client.write_all(refusal(&head, by).as_bytes()).await?;
            return client.shutdown().await;
        }
        _ => {}
    }
    let mut server = TcpStream::connect(upstream).await?;
    let (first, rest) = head.split_once("\r\n").unwrap_or((&head, ""));
    server.write_all(format!("{first}\r\nConnection: close\r\n{rest}\r\n\r\n").as_bytes()).await?;
    server.write_all(&body).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    if let Does::Skew(by) = does {
        answer = with_date(&answer, by);
    }
    client.write_all(&answer).await?;
    client.shutdown().await
}

/// A request's head, without the empty line, and its body.
async fn receive(client: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut received = Vec::new();
    loop {
        if let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&received[..end]).into_owned();
            let length = header(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
            let mut body = received.split_off(end + 4);
            while body.len() < length {
                if client.read_buf(&mut body).await? == 0 {
                    return Ok(None);
                }
            }
            return Ok(Some((head, body)));
        }
        if client.read_buf(&mut received).await? == 0 {
            return Ok(None);
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn service_time(by: Duration) -> DateTime<Utc> {
    Utc::now() + by
}

fn date(by: Duration) -> String {
    service_time(by).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn is_out_of_time(head: &str, by: Duration) -> bool {
    let signed = header(head, "x-amz-date").and_then(|text| NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ").ok());
    signed.is_none_or(|signed| (service_time(by) - signed.and_utc()).num_seconds().abs() > SIGNATURE_AGE)
}

/// How a service refuses a signature of another time, in its protocol.
fn refusal(head: &str, by: Duration) -> String {
    let message = "Signature expired: it is of another time";
    let is_query = ["/sts/", "/cloudformation/"].iter().any(|service| head.contains(service));
    let (kind, body) = if is_query {
        let error =
            format!("<Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>{message}</Message></Error>");
        ("text/xml", format!("<ErrorResponse>{error}<RequestId>r-1</RequestId></ErrorResponse>"))
    } else {
        ("application/json", format!("{{\"__type\": \"InvalidSignatureException\", \"message\": \"{message}\"}}"))
    };
    format!(
        "HTTP/1.1 403 Forbidden\r\nDate: {}\r\nContent-Type: {kind}\r\nX-Amzn-ErrorType: InvalidSignatureException\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        date(by),
        body.len()
    )
}

/// An answer with the service's date.
fn with_date(answer: &[u8], by: Duration) -> Vec<u8> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(answer.len());
    let head = String::from_utf8_lossy(&answer[..end]);
    let kept = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("date:"));
    let mut lines: Vec<String> = kept.map(str::to_owned).collect();
    lines.push(format!("Date: {}", date(by)));
    let mut all = lines.join("\r\n").into_bytes();
    all.extend_from_slice(&answer[end..]);
    all
}
