//! Amazon Resource Names, as far as requests hold them.

/// The parts of an ARN, borrowed from its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: &'a str,
    /// Such as `secretsmanager`.
    pub service: &'a str,
    /// Empty for global resources.
    pub region: &'a str,
    /// 12 digits, or empty.
    pub account: &'a str,
    /// The rest, colons included.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Takes an ARN apart.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next()? != "arn" {
            return None;
        }
        Some(Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next().filter(|resource| !resource.is_empty())?,
        })
    }
}

/// The partition that a region lies in.
pub fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, names with colons in them (Lambda's `function:NAME`) would be cut.
    #[test]
    fn the_resource_keeps_its_colons() {
        let arn = Arn::parse("arn:aws:lambda:eu-west-1:111111111111:function:rotate").expect("it is one");
        assert_eq!((arn.region, arn.account, arn.resource), ("eu-west-1", "111111111111", "function:rotate"));
        assert_eq!(Arn::parse("arn:aws:lambda:eu-west-1:111111111111:"), None);
        assert_eq!(Arn::parse("payments/api-key"), None);
    }
}
