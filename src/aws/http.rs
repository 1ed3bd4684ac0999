//! The HTTP client of every call: trust, proxies, time-outs; and the download of a function's package.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Connector, HttpClientError};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::budget::{Budget, Counted};
use super::cover;
use crate::env;

/// The largest package that is downloaded, in bytes: Lambda's limit for unpacked code is 250 MB.
const MAX_DOWNLOAD: usize = 300 * 1024 * 1024;

/// How long a download may take altogether.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_mins(5);

/// Why the trust store of `AWS_CA_BUNDLE` can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CaBundleError {
    /// The file can't be read.
    #[error("cannot read `{}` (AWS_CA_BUNDLE): {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        error: std::io::Error,
    },
    /// The file holds no certificate, or one that isn't an authority's.
    #[error("`{}` (AWS_CA_BUNDLE) is no PEM file of certificates: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The TLS library refused it.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] HttpClientError),
}

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
}

impl Http {
    /// A client for AWS: proxies of the environment; trusts the bundle's authorities if there is one, else the system's.
    pub(super) fn for_aws(ca_bundle: Option<&Path>) -> Result<Self, CaBundleError> {
        let tls = match ca_bundle {
            None => TlsContext::default(),
            Some(path) => TlsContext::builder().with_trust_store(trust_store(path)?).build()?,
        };
        Ok(Self {
            tls,
            proxy: ProxyConfig::from_env(),
            is_proxied: is_proxied(),
            connectors: Mutex::default(),
            budget: OnceLock::new(),
        })
    }

    /// A client for the sandbox: no proxy ever, and trust in nobody, since it speaks plain HTTP on loopback.
    pub(super) fn for_sandbox() -> Result<Self, CaBundleError> {
        let tls = TlsContext::builder().with_trust_store(TrustStore::empty()).build()?;
        Ok(Self {
            tls,
            proxy: ProxyConfig::disabled(),
            is_proxied: false,
            connectors: Mutex::default(),
            budget: OnceLock::new(),
        })
    }

    fn connector(&self, settings: &HttpConnectorSettings) -> SharedHttpConnector {
        let key = (settings.connect_timeout(), settings.read_timeout());
        let mut connectors = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        let build = || {
            let plain = || Connector::builder().connector_settings(settings.clone()).build_http();
            let by_scheme = ByScheme {
                plain: (!self.is_proxied).then(|| SharedHttpConnector::new(plain())),
                over_tls: OnceLock::new(),
                settings: settings.clone(),
                tls: self.tls.clone(),
                proxy: self.proxy.clone(),
            };
            SharedHttpConnector::new(Noting(SharedHttpConnector::new(by_scheme)))
        };
        connectors.entry(key).or_insert_with(build).clone()
    }

    /// Keeps all further calls within a budget. The first budget holds.
    pub(super) fn keep_within(&self, budget: Arc<Budget>) {
        // A connection reaches one account and region, and asks once.
        let _ = self.budget.set(budget);
    }

    /// Downloads a package from an address that AWS gave; `None` for whatever goes wrong, since it only serves to show more.
    ///
    /// The address is a secret of its own (presigned): it stands in no message. Only `https`, or `origin` where that is given (the
    /// sandbox's or another endpoint); redirects are not followed.
    pub(super) async fn download(&self, url: &str, origin: Option<&str>) -> Option<Vec<u8>> {
        if !is_allowed(url, origin) {
            return None;
        }
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(Duration::from_mins(1))
            .build();
        let connector = self.connector(&settings);
        let request = HttpRequest::get(url).ok()?;
        let body = async {
            let response = connector.call(request).await.ok()?;
            if response.status().as_u16() != 200 {
                return None;
            }
            let mut body = ByteStream::new(response.into_body());
            let mut bytes = Vec::new();
            while let Some(chunk) = body.next().await {
                let chunk = chunk.ok()?;
                if bytes.len() + chunk.len() > MAX_DOWNLOAD {
                    return None;
                }
                bytes.extend_from_slice(&chunk);
            }
            Some(bytes)
        };
        tokio::time::timeout(DOWNLOAD_TIMEOUT, body).await.ok()?
    }
}

/// A connector that sets TLS up once it is needed: reading the system's authorities takes as long as a small plan, and emulators of
/// AWS speak plain HTTP.
struct ByScheme {
    /// For plain HTTP. `None` where a proxy may stand before it: that one may be reached over TLS, whatever goes through it.
    plain: Option<SharedHttpConnector>,
    over_tls: OnceLock<SharedHttpConnector>,
    settings: HttpConnectorSettings,
    tls: TlsContext,
    proxy: ProxyConfig,
}

impl ByScheme {
    fn over_tls(&self) -> SharedHttpConnector {
        let connector = Connector::builder()
            .connector_settings(self.settings.clone())
            .proxy_config(self.proxy.clone())
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(self.tls.clone())
            .build();
        SharedHttpConnector::new(connector)
    }
}

impl HttpConnector for ByScheme {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match &self.plain {
            Some(plain) if request.uri().starts_with("http://") => plain.call(request),
            _ => self.over_tls.get_or_init(|| self.over_tls()).call(request),
        }
    }
}

impl fmt::Debug for ByScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A proxy's address can hold a password.
        f.debug_struct("ByScheme").finish_non_exhaustive()
    }
}

/// Whether the environment names a proxy for plain HTTP.
fn is_proxied() -> bool {
    let is_set = |name: &str| env::read(name).or_else(|| env::read(&name.to_lowercase())).is_some();
    is_set(env::HTTP_PROXY) || is_set(env::ALL_PROXY)
}

/// A connector that notes the tokens that leave the machine: whoever answers may repeat them in an error's words.
#[derive(Debug)]
struct Noting(SharedHttpConnector);

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
        self.0.call(request)
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

/// Hands out whole answers only.
///
/// An answer that ends in the middle is one that didn't come, and is asked for again. The SDK takes the beginning of an XML document
/// for all of it: of half a list, the other half would count as not there; and half a JSON document it doesn't ask for again.
#[derive(Debug)]
struct Whole(SharedHttpConnector);

impl HttpConnector for Whole {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move { whole(answer.await?).await })
    }
}

async fn whole(mut response: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let is_cut_off: fn(&[u8]) -> bool = match response.headers().get("content-type") {
        Some(kind) if kind.contains("xml") => is_half_xml,
        Some(kind) if kind.contains("json") => is_half_json,
        _ => return Ok(response),
    };
    // All answers of these kinds are read whole by the SDK too.
    let body = ByteStream::new(response.take_body()).collect().await;
    let body = body.map_err(|error| ConnectorError::io(error.into()))?.into_bytes();
    if is_cut_off(&body) {
        return Err(ConnectorError::io(format!("the answer is cut off after {} bytes", body.len()).into()));
    }
    *response.body_mut() = SdkBody::from(body);
    Ok(response)
}

/// Whether a document's outermost element isn't closed.
fn is_half_xml(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let after_declaration = match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>").map_or("", |(_, rest)| rest).trim_start(),
        None => text,
    };
    if text.is_empty() {
        return false;
    }
    let Some(root) = after_declaration.strip_prefix('<') else { return true };
    let name: &str = root.split(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).next().unwrap_or_default();
    let is_empty_element = root.ends_with("/>") && !root.contains('<');
    let is_closed = root.strip_suffix('>').map(str::trim_end).and_then(|rest| rest.strip_suffix(name));
    !is_empty_element && !is_closed.is_some_and(|rest| rest.ends_with("</"))
}

/// Whether a document ends too early.
fn is_half_json(body: &[u8]) -> bool {
    let is_blank = body.iter().all(u8::is_ascii_whitespace);
    !is_blank && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err_and(|error| error.is_eof())
}

fn is_allowed(url: &str, origin: Option<&str>) -> bool {
    let at_origin =
        |origin: &str| url.strip_prefix(origin.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'));
    url.starts_with("https://") || origin.is_some_and(at_origin)
}

/// Reads a bundle, and keeps what can stand as a trust anchor: the connector would panic on the rest.
fn trust_store(path: &Path) -> Result<TrustStore, CaBundleError> {
    let pem = std::fs::read(path).map_err(|error| CaBundleError::Read { path: path.to_owned(), error })?;
    let bad = |reason: String| CaBundleError::Content { path: path.to_owned(), reason };
    let certificates: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|error| bad(error.to_string()))?;
    // One old certificate in a company's bundle must not cost the others.
    let usable: Vec<_> =
        certificates.into_iter().filter(|one| RootCertStore::empty().add(one.clone()).is_ok()).collect();
    if usable.is_empty() {
        return Err(bad("it holds no usable certificate".to_owned()));
    }
    Ok(usable.iter().fold(TrustStore::empty(), |store, one| {
        let body = STANDARD.encode(one);
        store.with_pem_certificate(format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, half a list would be taken for all of it, and what stands in its other half be made again; or a whole answer be
    /// asked for for ever.
    #[test]
    fn answers_that_end_in_the_middle_are_told_from_whole_ones() {
        let whole = [
            "<?xml version=\"1.0\"?>\n<DescribeStacksResponse xmlns=\"x\"><A/>\n</DescribeStacksResponse >\n",
            "<A></A>",
            "<A/>",
            "<A b=\"c\" />",
            "",
        ];
        for text in whole {
            assert!(!is_half_xml(text.as_bytes()), "{text}");
        }
        let document = "<?xml version=\"1.0\"?><Root xmlns=\"x\"><Member><Name>a</Name></Member></Root>";
        for end in 1..document.len() {
            assert!(is_half_xml(&document.as_bytes()[..end]), "{}", &document[..end]);
        }
        let document = r#"{"SecretList": [{"Name": "a", "Tags": []}], "Next": null}"#;
        for end in 1..document.len() {
            assert!(is_half_json(&document.as_bytes()[..end]), "{}", &document[..end]);
        }
        for text in ["", " ", "{}", document, "null", "no JSON at all"] {
            assert!(!is_half_json(text.as_bytes()), "{text}");
        }
    }

    /// Without it, whoever can edit a function could make this program fetch any address, such as the instance's credentials.
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

    /// Without it, a wrong bundle would end the program with a panic inside the TLS library.
    #[test]
    fn a_wrong_ca_bundle_is_an_error_and_no_panic() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("ca.pem");
        assert!(matches!(Http::for_aws(Some(&path)), Err(CaBundleError::Read { .. })));
        for content in [
            "",
            "not pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        ] {
            std::fs::write(&path, content).expect("a file");
            assert!(matches!(Http::for_aws(Some(&path)), Err(CaBundleError::Content { .. })), "{content:?}");
        }
    }
}
