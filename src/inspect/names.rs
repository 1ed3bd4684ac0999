//! Names of files that not every file system tells apart.

use std::collections::BTreeMap;

use super::package::Package;
use crate::model::{CodeCheck, CodeFinding};

/// How many pairs are told.
const MOST: usize = 5;

/// Two files whose names differ in the case of letters alone are one on macOS and Windows: what is packaged there differs.
pub(super) fn look(package: &Package<'_>) -> Vec<CodeFinding> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut found = Vec::new();
    for file in package.files {
        let Some(first) = seen.insert(file.path.to_lowercase(), &file.path) else { continue };
        let summary = format!("`{first}` and `{}` differ in the case of letters alone", file.path);
        let finding = CodeFinding::warning(CodeCheck::FileNames, summary)
            .of(&file.path)
            .because("on macOS and Windows they are one file: a package that is made there has other code")
            .hint("rename one of both");
        found.push(finding);
    }
    found.truncate(MOST);
    found
}
