//! Between the program and the sandbox: hears every answer, and lets others out in their place.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub operation: String,
    pub status: u16,
    pub content_type: String,
    /// What a refusal says of itself in a header.
    pub error_type: String,
    pub body: Vec<u8>,
}

/// What becomes of the answer to a call; the number counts the calls of one operation from 0. `None`: it goes out as it is.
pub type Lie = Arc<dyn Fn(&Answer, usize) -> Option<Answer> + Send + Sync>;

impl Answer {
    /// The same answer with other words.
    pub fn with(&self, body: Vec<u8>) -> Self {
        Self { body, ..self.clone() }
    }
}

#[derive(Default)]
struct State {
    heard: Vec<Answer>,
    lie: Option<Lie>,
    lies_told: usize,
}

/// A proxy on loopback.
pub struct Proxy {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    /// Starts one before a server.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let _ = serve(stream, server, &shared).await;
                });
            }
        });
        Self { url, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was heard, and tells the truth or a lie from now on.
    pub fn tell(&self, lie: Option<Lie>) {
        *self.state() = State { lie, ..State::default() };
    }

    /// The true answers, in the order in which they came.
    pub fn heard(&self) -> Vec<Answer> {
        self.state().heard.clone()
    }

    /// How many answers were changed.
    pub fn lies_told(&self) -> usize {
        self.state().lies_told
    }
}

async fn serve(mut client: TcpStream, server: SocketAddr, state: &Mutex<State>) -> std::io::Result<()> {
    while let Some((head, body)) = message(&mut client).await? {
        let mut upstream = TcpStream::connect(server).await?;
        let lines = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
        let forwarded = format!("{}\r\nconnection: close\r\n\r\n", lines.collect::<Vec<_>>().join("\r\n"));
        upstream.write_all(forwarded.as_bytes()).await?;
        upstream.write_all(&body).await?;
        let Some((answer_head, answer_body)) = message(&mut upstream).await? else { return Ok(()) };
        let answer = Answer {
            operation: operation(&head, &body),
            status: answer_head.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0),
            content_type: header(&answer_head, "content-type").unwrap_or_default().to_owned(),
            error_type: header(&answer_head, "x-amzn-errortype").unwrap_or_default().to_owned(),
            body: answer_body,
        };
        let told = {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            let number = state.heard.iter().filter(|other| other.operation == answer.operation).count();
            let lie = state.lie.clone().and_then(|lie| lie(&answer, number)).filter(|lie| *lie != answer);
            state.lies_told += usize::from(lie.is_some());
            let told = lie.unwrap_or_else(|| answer.clone());
            state.heard.push(answer);
            told
        };
        let dropped = ["content-length:", "connection:", "transfer-encoding:", "content-type:", "x-amzn-errortype:"];
        let keeps = |line: &&str| !dropped.iter().any(|name| line.to_ascii_lowercase().starts_with(name));
        let mut head = format!("HTTP/1.1 {} Told\r\n", told.status);
        for line in answer_head.lines().skip(1).filter(keeps) {
            head.extend([line, "\r\n"]);
        }
        for (name, value) in [("content-type", &told.content_type), ("x-amzn-errortype", &told.error_type)] {
            if !value.is_empty() {
                head.extend([name, ": ", value, "\r\n"]);
            }
        }
        client.write_all(format!("{head}content-length: {}\r\n\r\n", told.body.len()).as_bytes()).await?;
        client.write_all(&told.body).await?;
    }
    Ok(())
}

/// A request or an answer: its head without the empty line, and its body.
async fn message(stream: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut body = bytes.split_off(end + 4);
    match header(&head, "content-length").and_then(|length| length.parse::<usize>().ok()) {
        Some(length) => while body.len() < length && stream.read_buf(&mut body).await? > 0 {},
        // An answer without a length ends with its connection; a request without one has no body.
        None if head.starts_with("HTTP/") => {
            stream.read_to_end(&mut body).await?;
        }
        None => {}
    }
    Ok(Some((head, body)))
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines.into_iter().find(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// What a request asks for, by the name of AWS's API.
fn operation(head: &str, body: &[u8]) -> String {
    if let Some((_, operation)) = header(head, "x-amz-target").and_then(|target| target.rsplit_once('.')) {
        return operation.to_owned();
    }
    let form = String::from_utf8_lossy(&body[..body.len().min(4096)]).into_owned();
    if let Some(action) = form.split('&').find_map(|pair| pair.strip_prefix("Action=")) {
        return action.to_owned();
    }
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default().trim_end_matches('/');
    let last = path.rsplit('/').next().unwrap_or_default();
    match (method, last) {
        ("GET", "policy") => "GetPolicy",
        ("POST", "policy") => "AddPermission",
        ("PUT", "configuration") => "UpdateFunctionConfiguration",
        ("PUT", "code") => "UpdateFunctionCode",
        ("POST", "changesets") => "CreateCloudFormationChangeSet",
        ("GET", _) if path.starts_with("/applications") => "GetApplication",
        ("GET", _) if path.contains("/functions/") => "GetFunction",
        ("GET", _) if path.starts_with("/_sandbox/code") => "Download",
        _ => return format!("{method} {path}"),
    }
    .to_owned()
}
