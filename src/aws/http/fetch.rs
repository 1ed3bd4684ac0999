//! Downloads from elsewhere than AWS, on the same stack: the same trust (`AWS_CA_BUNDLE`), the same proxies, and none of AWS's credentials.

use std::fmt;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::error::display::DisplayErrorContext;

use super::answer::{self, Bounds};
use super::trust::{CaBundle, CaBundleError};
use super::{Http, way};
use crate::env;

/// How long one answer may take, and its next part.
const LONGEST: Duration = Duration::from_mins(5);
const PAUSE: Duration = Duration::from_secs(30);

/// Fetches what an address names.
pub struct Fetcher(Http);

/// An answer, whatever its status.
pub struct Got {
    /// The status.
    pub status: u16,
    /// The type of its content; empty where none is said.
    pub kind: String,
    /// Where it leads, where it says so.
    pub location: Option<String>,
    /// The content.
    pub body: Vec<u8>,
}

impl Fetcher {
    /// Trusts the authorities of `AWS_CA_BUNDLE` where it is set, else the system's.
    ///
    /// # Errors
    /// Where that file can't be used.
    pub fn new() -> Result<Self, CaBundleError> {
        let path = env::read(env::AWS_CA_BUNDLE);
        let bundle = path.map(|path| CaBundle { path: path.into(), stated_by: env::AWS_CA_BUNDLE.to_owned() });
        Http::for_aws(bundle.as_ref()).map(Self)
    }

    /// Gets what an address names, of at most so many bytes. Only `https`, or what is on this machine. Redirects aren't followed.
    ///
    /// # Errors
    /// What went wrong, in words that don't have the address.
    pub async fn get(&self, url: &str, headers: &[(&'static str, String)], largest: usize) -> Result<Got, String> {
        let is_taken = url.starts_with("https://") || url.starts_with("http://") && way::is_near(url);
        if !is_taken {
            return Err("only `https` is taken".to_owned());
        }
        let mut request = HttpRequest::get(url).map_err(|_| "the address can't be read".to_owned())?;
        for (name, value) in headers {
            request.headers_mut().try_insert(*name, value.clone()).map_err(|_| format!("`{name}` can't be sent"))?;
        }
        let bounds = Bounds { largest, longest: LONGEST, longest_pause: PAUSE };
        let answer = self.0.answered(request, (10, 60), bounds).await.ok_or("it doesn't answer")?;
        let response = answer.map_err(|error| DisplayErrorContext(&error).to_string())?;
        let header = |name: &str| response.headers().get(name).map(str::to_owned);
        let (status, kind, location) =
            (response.status().as_u16(), header("content-type").unwrap_or_default(), header("location"));
        let body = answer::read(response.into_body(), bounds).await.map_err(|error| error.to_string())?;
        Ok(Got { status, kind, location, body })
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").finish_non_exhaustive()
    }
}
