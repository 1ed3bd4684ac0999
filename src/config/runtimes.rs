//! Lambda's runtimes: which there are, and from when AWS refuses functions of one.
//!
//! The table is data: AWS adds runtimes, and moves its dates. `lambda-runtimes.json` holds what AWS had published by its `as-of`
//! ("Lambda runtimes", deprecation policy; names without dates stand in Lambda's API alone). A newer file can take its place,
//! so that a team needn't wait for a release. No clock is asked here: who has one judges the dates.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use chrono::NaiveDate;
use serde::Deserialize;

/// What the tool was built with.
const BUILT_IN: &str = include_str!("lambda-runtimes.json");

/// The table that takes the place of the built-in one.
static INSTEAD: OnceLock<Runtimes> = OnceLock::new();

static OWN: LazyLock<Runtimes> = LazyLock::new(|| Runtimes::read(BUILT_IN).unwrap_or_default());

/// A table of runtimes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runtimes {
    /// The day up to which it knows what AWS published; none where a file doesn't say.
    pub as_of: Option<NaiveDate>,
    /// By name, such as `python3.12`.
    pub by_name: BTreeMap<String, Runtime>,
}

/// When AWS stops a runtime, as far as it said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Runtime {
    /// From when it gets no more security updates.
    #[serde(default)]
    pub deprecated: Option<NaiveDate>,
    /// From when no function can be made with it, nor be given it.
    #[serde(default)]
    pub create_block: Option<NaiveDate>,
    /// From when neither code nor configuration of a function that has it can be changed.
    #[serde(default)]
    pub update_block: Option<NaiveDate>,
    /// What to take instead.
    #[serde(default)]
    pub successor: Option<String>,
}

impl Runtimes {
    /// Reads a table: `{"as-of": DATE, "runtimes": {NAME: {…}}}`, or the runtimes alone.
    ///
    /// # Errors
    /// Says what of it is no table.
    pub fn read(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        struct Table {
            #[serde(default)]
            as_of: Option<NaiveDate>,
            runtimes: BTreeMap<String, Runtime>,
        }
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let whole = value.get("runtimes").is_some_and(serde_json::Value::is_object);
        let table = if whole {
            serde_json::from_value(value).map(|Table { as_of, runtimes }| Self { as_of, by_name: runtimes })
        } else {
            serde_json::from_value(value).map(|by_name| Self { as_of: None, by_name })
        };
        let table = table.map_err(|error| error.to_string())?;
        if table.by_name.is_empty() { Err("it names no runtime".to_owned()) } else { Ok(table) }
    }

    /// Whether Lambda knows a runtime.
    pub fn knows(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// All of them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Those that still get updates, as of the table's day. What has no date stands in Lambda's API alone.
    pub fn current(&self) -> impl Iterator<Item = &str> {
        let is_current =
            |runtime: &Runtime| runtime.deprecated.is_some_and(|day| self.as_of.is_none_or(|now| now < day));
        self.by_name.iter().filter(move |(_, runtime)| is_current(runtime)).map(|(name, _)| name.as_str())
    }

    /// The newest current one of a family, such as `python` or `python3`.
    pub fn newest(&self, family: &str) -> Option<&str> {
        let numbers = |name: &str| -> Vec<u32> {
            name.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
        };
        let of_family = self.current().filter(|name| !family.is_empty() && name.starts_with(family));
        of_family.max_by_key(|name| numbers(name))
    }
}

/// The table that checks go by.
pub fn known() -> &'static Runtimes {
    INSTEAD.get().unwrap_or(&OWN)
}

/// Puts a newer table in place of the built-in one, once, before any manifest is read; false where that was done already.
pub fn use_instead(newer: Runtimes) -> bool {
    INSTEAD.set(newer).is_ok()
}

/// How a runtime's handlers are written, where this one is none (Lambda developer guide, "Handler" of each language).
pub(super) fn other_handler(runtime: &str, handler: &str) -> Option<&'static str> {
    let (_, fits, form) = [
        ("python", is_dotted(handler), "`FILE.FUNCTION`, such as `lambda_function.lambda_handler`"),
        ("nodejs", is_dotted(handler), "`FILE.FUNCTION`, such as `index.handler`"),
        ("ruby", handler.contains('.'), "`FILE.METHOD`, such as `lambda_function.lambda_handler`"),
        ("java", !handler.contains('/'), "`PACKAGE.CLASS::METHOD`, such as `example.Handler::handleRequest`"),
        ("dotnet", !handler.contains('/'), "`ASSEMBLY::NAMESPACE.CLASS::METHOD`"),
    ]
    .into_iter()
    .find(|(language, ..)| runtime.starts_with(language))?;
    (!fits).then_some(form)
}

/// Whether a handler names a function in a file.
fn is_dotted(handler: &str) -> bool {
    !handler.contains(':') && handler.split_once('.').is_some_and(|(file, name)| !file.is_empty() && !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a slip in the table would make every manifest's runtime unknown.
    #[test]
    fn the_built_in_table_is_whole() {
        let own = Runtimes::read(BUILT_IN).expect("a table");
        assert!(own.as_of.is_some() && own.by_name.len() > 40);
        for (name, runtime) in &own.by_name {
            if let Some(successor) = &runtime.successor {
                assert!(own.knows(successor), "the successor of {name}");
            }
            let (create, update) = (runtime.create_block, runtime.update_block);
            assert!(create.is_none() == update.is_none(), "{name}");
        }
    }

    /// Without it, a hint would lead to a runtime that AWS has stopped.
    #[test]
    fn of_a_family_the_newest_that_gets_updates_is_meant() {
        let own = Runtimes::read(BUILT_IN).expect("a table");
        let newest = own.newest("python3").expect("one");
        assert!(own.by_name[newest].deprecated.is_none_or(|day| Some(day) > own.as_of), "{newest}");
        assert_eq!(own.newest("python"), Some(newest));
        assert!(own.newest("nodejs").is_some_and(|name| name.len() == "nodejs24.x".len()));
        assert_eq!((own.newest("cobol"), own.newest("")), (None, None));
    }

    /// Without it, a file that is no table would quietly make every runtime unknown.
    #[test]
    fn what_is_no_table_is_refused() {
        for text in
            ["", "[]", "{}", r#"{"python3.12": {"gone": "2030-01-01"}}"#, r#"{"python3.12": {"deprecated": "soon"}}"#]
        {
            assert!(Runtimes::read(text).is_err(), "{text}");
        }
        let alone =
            Runtimes::read(r#"{"python9.9": {"update-block": "2040-01-01", "successor": null}}"#).expect("a table");
        assert!(alone.knows("python9.9") && alone.as_of.is_none());
    }
}
