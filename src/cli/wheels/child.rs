//! The process that speaks with an index: without credentials in its environment, and with nothing to say but what it couldn't bring.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use url::Url;

use super::cache::{Cache, LARGEST};
use crate::aws::http::{Fetcher, Got};
use crate::package::sha256_hex;
use crate::requirements::{self, Machine, Pin, Platform, index};

/// The word that this program is started with to be the child. It is no command: no person types it.
pub const WORD: &str = "_fetch-wheels";

/// What the child is left of the environment: how the network is reached, and whom to trust.
const KEPT: [&str; 13] = [
    crate::env::AWS_CA_BUNDLE,
    crate::env::SSL_CERT_FILE,
    crate::env::SSL_CERT_DIR,
    crate::env::HTTPS_PROXY,
    crate::env::HTTP_PROXY,
    crate::env::ALL_PROXY,
    crate::env::NO_PROXY,
    "https_proxy",
    "http_proxy",
    "all_proxy",
    "no_proxy",
    "TMPDIR",
    "SYSTEMROOT",
];

/// The most that is read of a page, in bytes: the largest ones have some thousand files.
const PAGE: usize = 64 * 1024 * 1024;

/// How many wheels are fetched side by side.
const AT_A_TIME: usize = 3;

/// How often an address may lead to another.
const REDIRECTS: usize = 5;

/// How long all of it may take.
const LONGEST: Duration = Duration::from_mins(10);

/// The most that the child may say, in bytes.
const ANSWER: u64 = 1024 * 1024;

/// What a child is to bring.
#[derive(Serialize, Deserialize)]
pub(super) struct Job {
    /// The address; it may hold a login.
    pub index: String,
    pub cache: PathBuf,
    pub minor: u8,
    pub is_arm: bool,
    pub wanted: Vec<Wanted>,
}

/// A requirement.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Wanted {
    pub name: String,
    pub version: String,
    pub hashes: Vec<String>,
    pub line: u32,
}

/// A requirement that couldn't be brought.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failed {
    pub line: u32,
    pub reason: String,
    /// What to do; `None`: have the file made anew.
    pub hint: Option<String>,
}

/// Starts a child, and waits for it. What it couldn't bring is sorted by line.
pub(super) fn start(job: &Job) -> Result<Vec<Failed>, String> {
    let failed = |what: &str, error: &dyn std::fmt::Display| format!("the process that fetches wheels {what}: {error}");
    let program = std::env::current_exe().map_err(|error| failed("can't be started", &error))?;
    let kept = KEPT.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let mut child = Command::new(program)
        .arg(WORD)
        .env_clear()
        .envs(kept)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed("can't be started", &error))?;
    let text = serde_json::to_vec(job).map_err(|error| failed("can't be told what to do", &error))?;
    // What it doesn't read, it ends without; how it ends is said below.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(&text));
    let mut answer = Vec::new();
    let read = child.stdout.take().map(|stdout| stdout.take(ANSWER).read_to_end(&mut answer));
    let ended = child.wait().map_err(|error| failed("can't be waited for", &error))?;
    if let Some(Err(error)) = read {
        return Err(failed("can't be heard", &error));
    }
    let mut all: Vec<Failed> = match serde_json::from_slice(&answer) {
        Ok(all) => all,
        Err(_) => return Err(failed("ended without an answer", &ended)),
    };
    all.sort_by_key(|one| one.line);
    Ok(all)
}

/// Is the child. The answer is the exit code.
pub fn run() -> u8 {
    let mut text = Vec::new();
    let job = std::io::stdin().read_to_end(&mut text).ok().and_then(|_| serde_json::from_slice::<Job>(&text).ok());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (Some(job), Ok(runtime)) = (job, runtime) else { return crate::exit::ERROR };
    let failed = runtime.block_on(async {
        let late = |wanted: &Wanted| Failed {
            line: wanted.line,
            reason: "the index takes too long".to_owned(),
            hint: Some("run the same command again: what has come is kept".to_owned()),
        };
        match tokio::time::timeout(LONGEST, bring(&job)).await {
            Ok(failed) => failed,
            Err(_) => job.wanted.iter().map(late).collect(),
        }
    });
    let written = serde_json::to_vec(&failed).is_ok_and(|answer| std::io::stdout().write_all(&answer).is_ok());
    if written { crate::exit::OK } else { crate::exit::ERROR }
}

async fn bring(job: &Job) -> Vec<Failed> {
    let fetcher = match Fetcher::new() {
        Ok(fetcher) => fetcher,
        Err(error) => {
            let hint = Some("correct `AWS_CA_BUNDLE`".to_owned());
            return vec![Failed { line: 0, reason: error.to_string(), hint }];
        }
    };
    let machine = if job.is_arm { Machine::Arm } else { Machine::X86 };
    let Ok(index) = Url::parse(&job.index) else { return Vec::new() };
    let (index, platform) = (Origin::new(&index), Platform { minor: job.minor, machine });
    let (fetcher, index, cache) = (&fetcher, &index, &Cache::at(&job.cache));
    let each = job.wanted.iter().map(|wanted| async move {
        let result = one(fetcher, index, cache, wanted, platform).await;
        result.err().map(|(reason, hint)| Failed { line: wanted.line, reason, hint })
    });
    let all: Vec<Option<Failed>> = futures::stream::iter(each.collect::<Vec<_>>()).buffered(AT_A_TIME).collect().await;
    all.into_iter().flatten().collect()
}

/// Why something couldn't be brought, and what to do.
type Refused = (String, Option<String>);

/// Brings the wheel of one requirement into the cache.
async fn one(
    fetcher: &Fetcher,
    index: &Origin,
    cache: &Cache,
    wanted: &Wanted,
    platform: Platform,
) -> Result<(), Refused> {
    // By the same reader as the file: what a child is told is no more than a file could say.
    let hashes = wanted.hashes.join(" --hash=sha256:");
    let pins = requirements::read(&format!("{}=={} --hash=sha256:{hashes}", wanted.name, wanted.version), None);
    let pins = pins.map_err(|_| ("it isn't a requirement".to_owned(), None))?;
    let pin: &Pin = pins.first().ok_or_else(|| ("it isn't a requirement".to_owned(), None))?;
    let page =
        index::page(&index.url, &pin.name).ok_or_else(|| ("the index has no address for it".to_owned(), None))?;
    let (page, at) = index.get(fetcher, page, &[("accept", index::ACCEPT.to_owned())], PAGE, &pin.name).await?;
    let offered = index::read(&page.kind, &page.body, &at).map_err(|reason| (reason, None))?;
    let chosen = index::choose(pin, &offered, platform).map_err(|reason| (reason, None))?;
    if let Some(sha256) = chosen.sha256.as_ref().filter(|sha256| cache.has(sha256)) {
        return kept(cache.keep(pin, platform, (&chosen.file, sha256), None));
    }
    let largest = usize::try_from(LARGEST).unwrap_or(usize::MAX);
    let (wheel, _) = index.get(fetcher, chosen.url.clone(), &[], largest, &pin.name).await?;
    let sha256 = sha256_hex(&wheel.body);
    if !pin.hashes.contains(&sha256) {
        let reason = format!("`{}` has another hash than the file says: sha256:{sha256}", chosen.file);
        let hint = "somebody may have replaced it: look before you trust it, and have the file made anew".to_owned();
        return Err((reason, Some(hint)));
    }
    kept(cache.keep(pin, platform, (&chosen.file, &sha256), Some(&wheel.body)))
}

fn kept(result: std::io::Result<()>) -> Result<(), Refused> {
    result.map_err(|error| {
        let hint = "`XDG_CACHE_HOME` names another place".to_owned();
        (format!("the cache can't be written: {error}"), Some(hint))
    })
}

/// An index, with its login apart: it goes to no other host, and into no message.
struct Origin {
    url: Url,
    login: Option<String>,
}

impl Origin {
    fn new(url: &Url) -> Self {
        let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (user, password) = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
        let login = (!user.is_empty() || !password.is_empty())
            .then(|| format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
        let mut url = url.clone();
        // An address with a host takes both.
        let _ = (url.set_username(""), url.set_password(None));
        Self { url, login }
    }

    /// Gets an address of the index or of where its files lie, and where that was in the end.
    async fn get(
        &self,
        fetcher: &Fetcher,
        mut url: Url,
        headers: &[(&'static str, String)],
        largest: usize,
        name: &str,
    ) -> Result<(Got, Url), Refused> {
        for _ in 0..=REDIRECTS {
            let mut headers = headers.to_vec();
            let is_own = url.origin() == self.url.origin();
            if let Some(login) = self.login.as_ref().filter(|_| is_own) {
                headers.push(("authorization", login.clone()));
            }
            // What an answer leads to is on this machine only where the index is.
            if url.scheme() != "https" && !is_own {
                return Err((format!("the index leads to an address that isn't `https` for `{name}`"), None));
            }
            let mut plain = url.clone();
            plain.set_fragment(None);
            let _ = (plain.set_username(""), plain.set_password(None));
            let got = fetcher.get(plain.as_str(), &headers, largest).await.map_err(|reason| self.unreached(&reason))?;
            let Some(next) = got.location.as_ref().filter(|_| (300..400).contains(&got.status)) else {
                return self.judged(got, name).map(|got| (got, url));
            };
            url = url.join(next).map_err(|_| (format!("the index leads nowhere for `{name}`"), None))?;
        }
        Err((format!("the index leads from one address to another for `{name}`"), None))
    }

    fn judged(&self, got: Got, name: &str) -> Result<Got, Refused> {
        let (host, status) = (self.url.host_str().unwrap_or_default(), got.status);
        match status {
            200 => Ok(got),
            401 | 403 => Err((
                format!("the index {host} refuses (HTTP {status}) what belongs to `{name}`"),
                Some("a login goes into the index's address: `https://USER:PASSWORD@HOST/…`".to_owned()),
            )),
            404 => Err((
                format!("the index {host} doesn't know `{name}`"),
                Some("its address is that of the simple API, which often ends in `/simple`".to_owned()),
            )),
            _ => Err((
                format!("the index {host} answers HTTP {status} for `{name}`"),
                Some("try again later".to_owned()),
            )),
        }
    }

    fn unreached(&self, reason: &str) -> Refused {
        let host = self.url.host_str().unwrap_or_default();
        let hint = "look at the network, `HTTPS_PROXY`, `NO_PROXY`, and `AWS_CA_BUNDLE` where a proxy inspects TLS";
        (format!("the index {host} can't be reached: {reason}"), Some(hint.to_owned()))
    }
}
