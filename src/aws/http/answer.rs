//! Whole answers, of bounded size and time.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

/// The longest answer that is taken, in bytes. AWS's own are at most some MB; the SDK would keep reading until memory ends.
const LARGEST: usize = 64 * 1024 * 1024;

/// How long an answer may take from its beginning to its end: less than an attempt, so that it is this that is said.
const LONGEST: Duration = Duration::from_secs(45);

/// How long an answer may pause. It is asked for again, as after a connection that broke.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is taken of a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// In bytes.
    pub largest: usize,
    /// From its beginning to its end.
    pub longest: Duration,
    /// Between two parts.
    pub longest_pause: Duration,
}

/// The bounds of every answer of a service.
const ANSWER: Bounds = Bounds { largest: LARGEST, longest: LONGEST, longest_pause: LONGEST_PAUSE };

/// Why a body wasn't taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// It goes on after the largest size.
    #[error("the answer is longer than {} MB: it is not one of AWS's", .0 / 1024 / 1024)]
    TooLarge(usize),
    /// It goes on after the longest time.
    #[error("the answer had not ended after {} seconds and {bytes} bytes", longest.as_secs())]
    Endless {
        /// The time.
        longest: Duration,
        /// What had come.
        bytes: usize,
    },
    /// Nothing more came, for too long.
    #[error("the answer stopped after {bytes} bytes: nothing came for {} seconds", pause.as_secs())]
    Stalled {
        /// The time.
        pause: Duration,
        /// What had come.
        bytes: usize,
    },
    /// The connection broke.
    #[error("the answer broke off")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It ended in the middle.
    #[error("the answer is cut off after {0} bytes")]
    CutOff(usize),
}

impl From<BodyError> for ConnectorError {
    fn from(error: BodyError) -> Self {
        match error {
            // The next answer would be no shorter.
            BodyError::TooLarge(_) | BodyError::Endless { .. } => Self::other(error.into(), None),
            BodyError::Broken(source) => Self::io(source),
            BodyError::Stalled { .. } | BodyError::CutOff(_) => Self::io(error.into()),
        }
    }
}

/// Reads a body to its end.
pub(super) async fn read(body: SdkBody, bounds: Bounds) -> Result<Vec<u8>, BodyError> {
    let end = tokio::time::Instant::now() + bounds.longest;
    let mut body = ByteStream::new(body);
    let mut bytes = Vec::new();
    loop {
        let pause = tokio::time::timeout(bounds.longest_pause, body.next());
        let part = match tokio::time::timeout_at(end, pause).await {
            Err(_) => return Err(BodyError::Endless { longest: bounds.longest, bytes: bytes.len() }),
            Ok(Err(_)) => return Err(BodyError::Stalled { pause: bounds.longest_pause, bytes: bytes.len() }),
            Ok(Ok(None)) => return Ok(bytes),
            Ok(Ok(Some(part))) => part.map_err(|error| BodyError::Broken(error.into()))?,
        };
        if bytes.len() + part.len() > bounds.largest {
            return Err(BodyError::TooLarge(bounds.largest));
        }
        bytes.extend_from_slice(&part);
    }
}

/// Hands out whole answers only.
///
/// An answer that ends in the middle is one that didn't come, and is asked for again. The SDK takes the beginning of an XML document
/// for all of it: of half a list, the other half would count as not there; and half a JSON document it doesn't ask for again.
#[derive(Debug)]
pub(super) struct Whole(pub(super) SharedHttpConnector);

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
        _ => |_| false,
    };
    // The SDK too reads all answers of these services whole: none is a stream.
    let body = read(response.take_body(), ANSWER).await?;
    if is_cut_off(&body) {
        return Err(BodyError::CutOff(body.len()).into());
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
}
