//! The HTTP client of every call: trust, proxies, time-outs; and the download of a function's package.

mod answer;
mod fetch;
mod trust;
mod way;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use answer::{Bounds, Whole};
pub use fetch::{Fetcher, Got};
use trust::trust_store;
pub use trust::{CaBundle, CaBundleError};
pub(super) use way::is_nowhere;

use super::budget::{Budget, Counted};
use super::clock::CLOCK;
use super::cover;
use crate::env;

/// What is taken of a package: Lambda's limit for unpacked code is 250 MB.
const PACKAGE: Bounds =
    Bounds { largest: 300 * 1024 * 1024, longest: Duration::from_mins(5), longest_pause: Duration::from_secs(30) };

/// What a sandbox's answers carry, and what is asked of the sandbox itself.
const SANDBOX: &str = "x-rotator-sandbox";

/// What is taken of what a sandbox says of itself.
const CONTROL: Bounds =
    Bounds { largest: 16 * 1024 * 1024, longest: Duration::from_secs(20), longest_pause: Duration::from_secs(10) };

/// To connect, and to wait for the next part of an answer.
type Timeouts = (Option<Duration>, Option<Duration>);

/// An HTTP client with one pool of connections for each pair of time-outs, shared by all services.
///
/// Built by us, since the SDK's own neither reads `AWS_CA_BUNDLE` nor can be told to leave proxies alone.
pub(super) struct Http {
    tls: TlsContext,
    proxy: ProxyConfig,
    /// Whether a proxy may stand before plain HTTP.
    is_proxied: bool,
    connectors: Mutex<HashMap<Timeouts, SharedHttpConnector>>,
    /// Known once the account is; until then, and in a rehearsal, nothing waits.
    budget: OnceLock<Arc<Budget>>,
    /// Where the sandbox is that answered, such as `http://127.0.0.1:4570`.
    sandbox: Arc<OnceLock<String>>,
}

impl Http {
    /// A client for AWS: proxies of the environment; trusts the bundle's authorities if there is one, else the system's.
    pub(super) fn for_aws(ca_bundle: Option<&CaBundle>) -> Result<Self, CaBundleError> {
        let tls = match ca_bundle {
            None => TlsContext::default(),
            Some(bundle) => TlsContext::builder().with_trust_store(trust_store(bundle)?).build()?,
        };
        Ok(Self {
            tls,
            proxy: ProxyConfig::from_env(),
            is_proxied: is_proxied(),
            connectors: Mutex::default(),
            budget: OnceLock::new(),
            sandbox: Arc::default(),
        })
    }

    /// A client for the sandbox: never a proxy, and no trusted authorities, since it speaks plain HTTP on loopback.
    pub(super) fn for_sandbox() -> Result<Self, CaBundleError> {
        let tls = TlsContext::builder().with_trust_store(TrustStore::empty()).build()?;
        Ok(Self {
            tls,
            proxy: ProxyConfig::disabled(),
            is_proxied: false,
            connectors: Mutex::default(),
            budget: OnceLock::new(),
            sandbox: Arc::default(),
        })
    }

    fn connector(&self, settings: &HttpConnectorSettings) -> SharedHttpConnector {
        let key = (settings.connect_timeout(), settings.read_timeout());
        let mut connectors = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        let build = || {
            let plain = Connector::builder().connector_settings(settings.clone()).build_http();
            let ways = Ways {
                plain: SharedHttpConnector::new(plain),
                is_proxied: self.is_proxied,
                over_tls: OnceLock::new(),
                straight_over_tls: OnceLock::new(),
                settings: settings.clone(),
                tls: self.tls.clone(),
                proxy: self.proxy.clone(),
            };
            let connector = SharedHttpConnector::new(ways);
            SharedHttpConnector::new(Noting { connector, sandbox: Arc::clone(&self.sandbox) })
        };
        connectors.entry(key).or_insert_with(build).clone()
    }

    /// Keeps all further calls within a budget. The first budget holds.
    pub(super) fn keep_within(&self, budget: Arc<Budget>) {
        // A connection reaches one account and region, and asks once.
        let _ = self.budget.set(budget);
    }

    /// Where the sandbox is that answered; `None`: nothing that answered so far is one.
    pub(super) fn sandbox(&self) -> Option<&str> {
        self.sandbox.get().map(String::as_str)
    }

    /// Asks a sandbox something about itself: the status, and the answer.
    pub(super) async fn control(&self, url: &str, body: Option<String>) -> Result<(u16, Vec<u8>), String> {
        let words = |error: &dyn std::error::Error| error.to_string();
        let mut request = HttpRequest::get(url).map_err(|error| words(&error))?;
        request.headers_mut().insert(SANDBOX, "1");
        if let Some(body) = body {
            request.set_method("POST").map_err(|error| words(&error))?;
            request.headers_mut().insert("content-type", "application/json");
            request.headers_mut().insert("content-length", body.len().to_string());
            *request.body_mut() = body.into();
        }
        let answer = self.answered(request, (5, 15), CONTROL).await;
        let response = answer.ok_or("it doesn't answer")?.map_err(|error| words(&error))?;
        let status = response.status().as_u16();
        let body = answer::read(response.into_body(), CONTROL).await.map_err(|error| words(&error))?;
        Ok((status, body))
    }

    /// Downloads a package from an address that AWS gave; `None` for whatever goes wrong, since it only serves to show more.
    ///
    /// The address is a secret of its own (presigned): it stands in no message. Only `https`, or `origin` where that is given (the
    /// sandbox's or another endpoint); redirects are not followed.
    pub(super) async fn download(&self, url: &str, origin: Option<&str>) -> Option<Vec<u8>> {
        self.fetch(url, origin, PACKAGE).await
    }

    async fn fetch(&self, url: &str, origin: Option<&str>, bounds: Bounds) -> Option<Vec<u8>> {
        if !is_allowed(url, origin) {
            return None;
        }
        let request = HttpRequest::get(url).ok()?;
        let response = self.answered(request, (5, 60), bounds).await?.ok()?;
        if response.status().as_u16() != 200 {
            return None;
        }
        answer::read(response.into_body(), bounds).await.ok()
    }

    /// Sends a request that is no call of AWS's API, and waits for what it is answered, before its body: as long as the bounds say, and so
    /// many seconds to connect and for the next part. `None` where nothing comes.
    async fn answered(
        &self,
        request: HttpRequest,
        (connect, read): (u64, u64),
        bounds: Bounds,
    ) -> Option<Result<HttpResponse, ConnectorError>> {
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(Duration::from_secs(connect))
            .read_timeout(Duration::from_secs(read))
            .build();
        tokio::time::timeout(bounds.longest, self.connector(&settings).call(request)).await.ok()
    }
}

/// A connector that sets TLS up once it is needed: reading the system's authorities takes as long as a small plan, and emulators of
/// AWS speak plain HTTP.
struct Ways {
    /// For plain HTTP without a proxy.
    plain: SharedHttpConnector,
    /// Whether a proxy may stand before plain HTTP: that one may be reached over TLS, whatever goes through it.
    is_proxied: bool,
    over_tls: OnceLock<SharedHttpConnector>,
    /// For TLS to the machine itself.
    straight_over_tls: OnceLock<SharedHttpConnector>,
    settings: HttpConnectorSettings,
    tls: TlsContext,
    proxy: ProxyConfig,
}

impl Ways {
    fn over_tls(&self, proxy: ProxyConfig) -> SharedHttpConnector {
        let connector = Connector::builder()
            .connector_settings(self.settings.clone())
            .proxy_config(proxy)
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(self.tls.clone())
            .build();
        SharedHttpConnector::new(connector)
    }
}

impl HttpConnector for Ways {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (is_near, is_plain) = (way::is_near(request.uri()), request.uri().starts_with("http://"));
        if is_plain && (is_near || !self.is_proxied) {
            self.plain.call(request)
        } else if is_near {
            self.straight_over_tls.get_or_init(|| self.over_tls(ProxyConfig::disabled())).call(request)
        } else {
            self.over_tls.get_or_init(|| self.over_tls(self.proxy.clone())).call(request)
        }
    }
}

impl fmt::Debug for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A proxy's address can hold a password.
        f.debug_struct("Ways").finish_non_exhaustive()
    }
}

/// Whether the environment names a proxy for plain HTTP.
fn is_proxied() -> bool {
    let is_set = |name: &str| env::read(name).or_else(|| env::read(&name.to_lowercase())).is_some();
    is_set(env::HTTP_PROXY) || is_set(env::ALL_PROXY)
}

/// A connector that notes the tokens that leave the machine: an answer may repeat them in an error's words. And it notes what time it is
/// there, and whether it is a sandbox that answers.
#[derive(Debug)]
struct Noting {
    connector: SharedHttpConnector,
    sandbox: Arc<OnceLock<String>>,
}

impl HttpConnector for Noting {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if let Some(token) = request.headers().get("x-amz-security-token") {
            cover::note("SessionToken", token);
        }
        let form = request.body().bytes().filter(|body| body.starts_with(b"Action=AssumeRoleWith"));
        for (name, value) in form.into_iter().flat_map(form_urlencoded::parse) {
            if matches!(&*name, "WebIdentityToken" | "SAMLAssertion") {
                cover::note(&name, &value);
            }
        }
        let origin = origin(request.uri());
        let answer = self.connector.call(request);
        let sandbox = Arc::clone(&self.sandbox);
        HttpConnectorFuture::new(async move {
            // A name that nobody knows isn't known a moment later, either: it isn't tried again.
            let final_one = |error| if is_nowhere(&error) { ConnectorError::user(error.into()) } else { error };
            let answer = answer.await.map_err(final_one)?;
            if let Some(origin) = origin.filter(|_| answer.headers().contains_key(SANDBOX)) {
                // The first one's: a connection reaches one.
                let _ = sandbox.set(origin);
            }
            if let Some(date) = answer.headers().get("date") {
                CLOCK.note(date);
            }
            Ok(answer)
        })
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A proxy's address can hold a password.
        f.debug_struct("Http").finish_non_exhaustive()
    }
}

/// The client as the SDK takes it.
#[derive(Debug, Clone)]
pub(super) struct SharedHttp(pub(super) Arc<Http>);

impl HttpClient for SharedHttp {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let connector = SharedHttpConnector::new(Whole(self.0.connector(settings)));
        match self.0.budget.get() {
            Some(budget) => SharedHttpConnector::new(Paced { connector, budget: Arc::clone(budget) }),
            None => connector,
        }
    }
}

/// A connector that waits until a request fits into its quota.
#[derive(Debug)]
struct Paced {
    connector: SharedHttpConnector,
    budget: Arc<Budget>,
}

impl HttpConnector for Paced {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(counted) = Counted::of(&request) else { return self.connector.call(request) };
        let (connector, budget) = (self.connector.clone(), Arc::clone(&self.budget));
        HttpConnectorFuture::new(async move {
            budget.wait_for(counted).await;
            connector.call(request).await
        })
    }
}

/// The scheme and authority of a URL.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().filter(|authority| !authority.contains('@'))?;
    Some(format!("{scheme}://{authority}"))
}

fn is_allowed(url: &str, origin: Option<&str>) -> bool {
    let at_origin =
        |origin: &str| url.strip_prefix(origin.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'));
    url.starts_with("https://") || origin.is_some_and(at_origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, people who can edit a function could make this program fetch any address, such as the instance's credentials.
    #[test]
    fn downloads_come_from_https_or_the_given_origin() {
        let sandbox = Some("http://127.0.0.1:4570/");
        assert!(is_allowed("https://awslambda-eu-west-1-tasks.s3.amazonaws.com/x?X-Amz-Signature=1", None));
        assert!(is_allowed("http://127.0.0.1:4570/_sandbox/code/x", sandbox));
        assert!(!is_allowed("http://127.0.0.1:45700/x", sandbox));
        assert!(!is_allowed("http://127.0.0.1:4570@evil.example/x", sandbox));
        assert!(!is_allowed("http://169.254.169.254/latest/meta-data", sandbox));
        assert!(!is_allowed("http://127.0.0.1:4570/x", None));
        assert!(!is_allowed("file:///etc/passwd", sandbox));
    }

    /// A server that answers each request with a head, and then with the same part for ever, or with nothing more.
    fn server(part: &'static [u8], pause: Duration) -> String {
        use std::io::{Read as _, Write as _};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        // It ends with the test's process, each connection with its client.
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.expect("a connection");
                std::thread::spawn(move || {
                    let _ = connection.read(&mut [0; 4096]);
                    let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nbegin");
                    while !part.is_empty() && connection.write_all(part).is_ok() {
                        std::thread::sleep(pause);
                    }
                    let _ = connection.read(&mut [0; 16]);
                });
            }
        });
        url
    }

    /// Without it, whatever answers in AWS's place could fill the memory, or hold a run for ever: with much, with little, with nothing.
    #[tokio::test]
    async fn bodies_that_never_end_are_left() {
        let http = Http::for_sandbox().expect("a client");
        let hour = Duration::from_hours(1);
        let bounds = Bounds { largest: 100_000, longest: hour, longest_pause: hour };
        let short = Duration::from_millis(300);
        let much = server(&[b'a'; 1000], Duration::ZERO);
        let little = server(b"a", Duration::from_millis(5));
        let nothing = server(b"", Duration::ZERO);
        let body = async |url: &str, bounds: Bounds| {
            let connector = http.connector(&HttpConnectorSettings::builder().build());
            let response = connector.call(HttpRequest::get(url).expect("a request")).await.expect("an answer");
            answer::read(response.into_body(), bounds).await.expect_err("it never ends").to_string()
        };
        let small = Bounds { largest: 1024 * 1024, ..bounds };
        assert_eq!(body(&much, small).await, "the answer is longer than 1 MB: it is not one of AWS's");
        let said = body(&little, Bounds { longest: short, ..bounds }).await;
        assert!(said.starts_with("the answer had not ended after 0 seconds and "), "{said}");
        let said = body(&nothing, Bounds { longest_pause: short, ..bounds }).await;
        assert_eq!(said, "the answer stopped after 5 bytes: nothing came for 0 seconds");
        for (url, bounds) in [
            (&much, bounds),
            (&little, Bounds { longest: short, ..bounds }),
            (&nothing, Bounds { longest_pause: short, ..bounds }),
        ] {
            assert_eq!(http.fetch(&format!("{url}/package"), Some(url), bounds).await, None);
        }
    }
}
