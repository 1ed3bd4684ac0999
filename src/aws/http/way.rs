//! Which way a request takes: straight, or through a proxy.

use std::net::{IpAddr, Ipv6Addr};

use aws_smithy_runtime_api::client::result::ConnectorError;

/// Whether an address is of this machine or of its link alone: no proxy can reach it, and where credentials of instances and
/// containers come from, none may see them. `NO_PROXY` needn't name them.
pub(super) fn is_near(url: &str) -> bool {
    let Some(host) = host(url) else { return false };
    let host = host.to_ascii_lowercase();
    if host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
    match bare.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.is_unicast_link_local() || is_of_an_instance(address)
        }
        Err(_) => false,
    }
}

/// `fd00:ec2::/32`, which EC2 keeps for what an instance asks of its host: `::254` for its metadata, `::23` for EKS.
fn is_of_an_instance(address: Ipv6Addr) -> bool {
    address.segments()[..2] == [0xfd00, 0x0ec2]
}

/// The host of a URL, an IPv6 address in its brackets.
fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let place = authority.rsplit('@').next()?;
    match place.find(']') {
        Some(end) => Some(&place[..=end]),
        None => place.split(':').next(),
    }
}

/// What systems say of a name without an address: that there is none, unlike that they couldn't find out.
const UNKNOWN_NAME: [&str; 4] = [
    // Linux and musl.
    "name or service not known",
    "name does not resolve",
    // macOS.
    "nodename nor servname provided",
    // Windows.
    "no such host is known",
];

/// Whether a connection failed because nobody knows its host's name.
pub fn is_nowhere(error: &ConnectorError) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let words = error.to_string().to_ascii_lowercase();
        if UNKNOWN_NAME.iter().any(|unknown| words.contains(unknown)) {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, the credentials of an instance or a container would be asked of a proxy, which can't reach them, or would keep them.
    #[test]
    fn what_is_on_the_machine_or_its_link_is_told_from_the_rest() {
        for near in [
            "http://169.254.169.254/latest/api/token",
            "http://169.254.170.2/v2/credentials/x",
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::254]/latest/meta-data",
            "http://[fd00:ec2::23]/v1/credentials",
            "http://[FD00:EC2::23]:80/v1/credentials",
            "http://[::ffff:169.254.169.254]/",
            "http://[fe80::1]/",
            "http://127.0.0.1:4570",
            "https://127.8.9.1/get-credentials?a=b",
            "http://[::1]:8080/x",
            "http://localhost:4566/",
            "https://LocalHost",
            "http://aws.localhost:1#x",
        ] {
            assert!(is_near(near), "{near}");
        }
        for far in [
            "https://sts.eu-west-1.amazonaws.com/",
            "http://10.0.0.1/169.254.169.254",
            "http://169.254.169.254.example.com/",
            "http://169.254.169.254@example.com/",
            "http://localhost.example.com/",
            "http://[fd00:ec3::254]/",
            "http://[2600:1f00::1]:8080",
            "http://example.com?@127.0.0.1",
            "169.254.169.254",
            "",
        ] {
            assert!(!is_near(far), "{far}");
        }
    }

    /// Without it, a region with a slip in its name would be asked for many times, and blamed on the network.
    #[test]
    fn a_name_that_nobody_knows_is_told_from_a_network_that_is_down() {
        let failed = |words: &str| ConnectorError::io(std::io::Error::other(words.to_owned()).into());
        let lookup = |words: &str| failed(&format!("failed to lookup address information: {words}"));
        assert!(is_nowhere(&lookup("Name or service not known")));
        assert!(is_nowhere(&ConnectorError::user(lookup("nodename nor servname provided, or not known").into())));
        assert!(!is_nowhere(&lookup("Temporary failure in name resolution")));
        assert!(!is_nowhere(&failed("connection refused")));
    }
}
