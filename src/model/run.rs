//! A run of `rotate`: its id, which says when it began, and which version each of its rotations makes.

use std::fmt;
use std::str::FromStr;

use sha1::{Digest as _, Sha1};
use uuid::{Builder, Uuid};

/// The id of a run: a UUID of version 7 (RFC 9562).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunId(Uuid);

impl RunId {
    /// An id of a run that begins at `now`, in milliseconds since 1970 (UTC).
    pub fn new(now: i64, random: [u8; 10]) -> Self {
        Self(Builder::from_unix_timestamp_millis(u64::try_from(now).unwrap_or_default(), &random).into_uuid())
    }

    /// When the run began, in milliseconds since 1970 (UTC), by the clock of the machine that it ran on.
    pub fn began(self) -> i64 {
        let bytes = self.0.as_bytes();
        bytes[..6].iter().fold(0, |time, byte| (time << 8) | i64::from(*byte))
    }

    /// The `ClientRequestToken` with which the run rotates a secret, which is the id of the version that it makes: a UUID of version 5 of
    /// the secret's ARN.
    pub fn token(self, secret_arn: &str) -> String {
        let mut digest = Sha1::new();
        digest.update(self.0.as_bytes());
        digest.update(secret_arn.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest.finalize()[..16]);
        Builder::from_sha1_bytes(bytes).into_uuid().to_string()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RunId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = Uuid::try_parse(text).ok().filter(|id| id.get_version_num() == 7);
        id.map(Self).ok_or_else(|| "it is no id that a run of `rotator rotate` has printed".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a run that goes on could rotate anew what it has rotated: its versions would have other names.
    #[test]
    fn an_id_keeps_its_time_and_its_tokens() {
        let id = RunId::new(1_795_953_600_123, [7; 10]);
        let again: RunId = id.to_string().parse().expect("its own words");
        assert_eq!((again, again.began()), (id, 1_795_953_600_123));
        let arn = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:app/one-AbCdEf";
        assert_eq!(id.token(arn), again.token(arn));
        assert_ne!(id.token(arn), id.token("arn:aws:secretsmanager:eu-west-1:111111111111:secret:app/two-AbCdEf"));
        assert_ne!(id.token(arn), RunId::new(1_795_953_600_123, [8; 10]).token(arn));
        for text in ["", "1", "6b7391d3-d3e7-4bd6-8038-39754d066c56"] {
            assert!(text.parse::<RunId>().is_err(), "{text}");
        }
    }

    /// Without it, tokens would be no UUIDs of version 5 to those who compute them elsewhere. From RFC 9562, appendix A.4.
    #[test]
    fn tokens_are_those_of_the_standard() {
        let dns = RunId("6ba7b810-9dad-11d1-80b4-00c04fd430c8".parse().expect("a UUID"));
        assert_eq!(dns.token("www.example.com"), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    }
}
