//! Which values a stack's parameters have: what was given, what was there before, what the template says.

use std::collections::BTreeMap;

use super::catalogue::{Kind, Parameter, Version};

/// What a request says about a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// This value.
    Value(String),
    /// The value that the stack has.
    Previous,
}

/// The value of every parameter that a version declares, or what `CloudFormation` says is wrong with them.
///
/// What isn't given takes the template's default, never the previous value.
pub fn resolve(
    version: &Version,
    given: &BTreeMap<String, Given>,
    previous: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, String> {
    let unknown: Vec<&str> =
        given.keys().map(String::as_str).filter(|name| version.parameter(name).is_none()).collect();
    if !unknown.is_empty() {
        return Err(format!("Parameters: [{}] do not exist in the template", unknown.join(", ")));
    }
    let mut values = BTreeMap::new();
    let mut missing = Vec::new();
    for parameter in version.parameters {
        let value = match given.get(parameter.name) {
            Some(Given::Value(value)) => Some(value.clone()),
            Some(Given::Previous) => Some(previous.get(parameter.name).cloned().ok_or_else(|| {
                format!(
                    "Invalid input for parameter key {}. Cannot specify usePreviousValue as true for a parameter key \
                     not in the previous template",
                    parameter.name
                )
            })?),
            None => parameter.default.map(str::to_owned),
        };
        match value {
            Some(value) => {
                values.insert(parameter.name.to_owned(), value);
            }
            None => missing.push(parameter.name),
        }
    }
    if !missing.is_empty() {
        return Err(format!("Parameters: [{}] must have values", missing.join(", ")));
    }
    for parameter in version.parameters {
        if let Some(value) = values.get(parameter.name) {
            check(parameter, value)?;
        }
    }
    Ok(values)
}

/// The values as they may be shown: what is `NoEcho` is masked.
pub fn shown(version: &Version, values: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    values
        .iter()
        .map(|(name, value)| {
            let masked = version.parameter(name).is_some_and(|parameter| parameter.no_echo);
            (name.clone(), if masked { "****".to_owned() } else { value.clone() })
        })
        .collect()
}

/// The members of a comma-delimited list; none for an empty value.
pub fn list(value: &str) -> Vec<String> {
    value.split(',').map(str::trim).filter(|member| !member.is_empty()).map(str::to_owned).collect()
}

fn check(parameter: &Parameter, value: &str) -> Result<(), String> {
    let name = parameter.name;
    let refused = |otherwise: String| match parameter.constraint {
        Some(constraint) => format!("Parameter {name} failed to satisfy constraint: {constraint}"),
        None => otherwise,
    };
    let members = match parameter.kind {
        Kind::String => vec![value.to_owned()],
        Kind::CommaDelimitedList => list(value),
    };
    if !parameter.allowed.is_empty() && members.iter().any(|member| !parameter.allowed.contains(&member.as_str())) {
        return Err(refused(format!("Parameter '{name}' must be one of AllowedValues")));
    }
    if let Some(least) = parameter.min_length
        && value.chars().count() < least
    {
        return Err(refused(format!("Parameter '{name}' must contain at least {least} characters")));
    }
    if let Some(pattern) = parameter.pattern
        && members.iter().any(|member| !(pattern.matches)(member))
    {
        return Err(refused(match parameter.kind {
            Kind::String => format!("Parameter '{name}' must match pattern {}", pattern.text),
            Kind::CommaDelimitedList => format!("Each value of parameter '{name}' must match pattern {}", pattern.text),
        }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{self, Version};
    use super::*;

    fn version(application: &str, number: Option<&str>) -> &'static Version {
        catalogue::applications("us-east-1")
            .find(|found| found.name == application)
            .and_then(|found| found.version(number))
            .expect("the catalogue has it")
    }

    fn given(values: &[(&str, &str)]) -> BTreeMap<String, Given> {
        values.iter().map(|(name, value)| ((*name).to_owned(), Given::Value((*value).to_owned()))).collect()
    }

    fn generic(values: &[(&str, &str)]) -> Result<BTreeMap<String, String>, String> {
        resolve(version("SecretsManagerRotationTemplate", None), &given(values), &BTreeMap::new())
    }

    const NEEDED: [(&str, &str); 2] = [("endpoint", "https://example.com"), ("functionName", "rotate")];

    /// An update that leaves something out must fall back to the default, or a client that forgets to send the live
    /// values would pass here and break stacks on AWS.
    #[test]
    fn what_is_not_given_takes_the_default_and_never_the_previous_value() {
        let previous = BTreeMap::from([("excludeCharacters".to_owned(), "abc".to_owned())]);
        let generic = version("SecretsManagerRotationTemplate", None);
        let values = resolve(generic, &given(&NEEDED), &previous).expect("all is given");
        assert_eq!(values["excludeCharacters"], ":/@\"'\\");
        let mut wanted = given(&NEEDED);
        wanted.insert("excludeCharacters".to_owned(), Given::Previous);
        assert_eq!(resolve(generic, &wanted, &previous).expect("all is given")["excludeCharacters"], "abc");
    }

    /// Clients tell these problems apart by AWS's words, and people search for them.
    #[test]
    fn problems_are_told_in_the_words_of_aws() {
        let with =
            |more: (&'static str, &'static str)| generic(&[NEEDED[0], NEEDED[1], more]).expect_err("it is wrong");
        assert_eq!(generic(&NEEDED[1..]).expect_err("it is wrong"), "Parameters: [endpoint] must have values");
        assert_eq!(generic(&[]).expect_err("it is wrong"), "Parameters: [endpoint, functionName] must have values");
        assert_eq!(with(("foo", "1")), "Parameters: [foo] do not exist in the template");
        assert_eq!(with(("runtime", "python2.7")), "Parameter 'runtime' must be one of AllowedValues");
        assert_eq!(with(("endpoint", "http://example.com")), "Parameter 'endpoint' must match pattern ^https://.+$");
        let token = version("RotationWithToken", None);
        let short = given(&[NEEDED[0], NEEDED[1], ("apiToken", "short")]);
        let problem = resolve(token, &short, &BTreeMap::new()).expect_err("it is wrong");
        assert_eq!(problem, "Parameter 'apiToken' must contain at least 8 characters");
    }

    /// A `NoEcho` value that shows anywhere would teach clients to compare what AWS never gives them.
    #[test]
    fn no_echo_values_are_masked() {
        let token = version("RotationWithToken", None);
        let values = resolve(token, &given(&[NEEDED[0], NEEDED[1], ("apiToken", "long enough")]), &BTreeMap::new())
            .expect("all is given");
        assert_eq!(values["apiToken"], "long enough");
        assert_eq!(shown(token, &values)["apiToken"], "****");
        assert_eq!(shown(token, &values)["functionName"], "rotate");
    }
}
