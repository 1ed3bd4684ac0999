//! Which authorities are trusted.

use std::fmt;
use std::path::PathBuf;

use aws_smithy_http_client::HttpClientError;
use aws_smithy_http_client::tls::TrustStore;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// A file of authorities to trust instead of the system's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaBundle {
    /// The file.
    pub path: PathBuf,
    /// What names it: a variable, or a profile.
    pub stated_by: String,
}

impl fmt::Display for CaBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.path.display(), self.stated_by)
    }
}

/// Why a file of authorities can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CaBundleError {
    /// The file can't be read.
    #[error("cannot read {bundle}: {error}")]
    Read {
        /// The file.
        bundle: CaBundle,
        /// The system's answer.
        #[source]
        error: std::io::Error,
    },
    /// The file holds no certificate, or one that isn't an authority's.
    #[error("{bundle} is no PEM file of certificates: {reason}")]
    Content {
        /// The file.
        bundle: CaBundle,
        /// What is wrong with it.
        reason: String,
    },
    /// The TLS library refused it.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] HttpClientError),
}

/// Reads a bundle, and keeps what can stand as a trust anchor: the connector would panic on the rest.
pub(super) fn trust_store(bundle: &CaBundle) -> Result<TrustStore, CaBundleError> {
    let pem = std::fs::read(&bundle.path).map_err(|error| CaBundleError::Read { bundle: bundle.clone(), error })?;
    let bad = |reason: String| CaBundleError::Content { bundle: bundle.clone(), reason };
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
    use crate::env;

    /// Without it, a wrong bundle would end the program with a panic inside the TLS library.
    #[test]
    fn a_wrong_ca_bundle_is_an_error_and_no_panic() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("ca.pem");
        let bundle = CaBundle { path: path.clone(), stated_by: env::AWS_CA_BUNDLE.to_owned() };
        assert!(matches!(trust_store(&bundle), Err(CaBundleError::Read { .. })));
        for content in [
            "",
            "not pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        ] {
            std::fs::write(&path, content).expect("a file");
            assert!(matches!(trust_store(&bundle), Err(CaBundleError::Content { .. })), "{content:?}");
        }
    }
}
