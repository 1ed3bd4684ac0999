//! The examples in blocks: manifests and policies are valid, JSON is JSON, and what a shell is shown to do is done.

use std::path::Path;

use rotator::config;
use serde_json::Value;

use super::pages::{Block, pages};

/// Files that examples name and pages don't show.
pub fn beside(folder: &Path) {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("written");
    };
    let code = "def lambda_handler(event, context): pass\n";
    for name in ["stripe", "signing_key"] {
        write(&format!("functions/{name}/lambda_function.py"), code);
    }
    for name in ["lambda_function.py", "tests/test_vendor.py", "conf/.env.prod"] {
        write(&format!("functions/vendor/{name}"), code);
    }
    let hash = "a".repeat(64);
    write("functions/vendor/requirements.txt", &format!("requests==2.32.3 --hash=sha256:{hash}\n"));
    write("services/empty.yaml", "secrets: {}\n");
    write("prod-eu.json", "{\"days\": 30}\n");
}

/// What is wrong with a manifest, a part of one, or a policy.
fn problems(block: &Block) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    beside(folder.path());
    let value: Value = match serde_yaml::from_str(&block.text) {
        Ok(value) => value,
        Err(error) => return Some(error.to_string()),
    };
    let has = |field: &str| value.get(field).is_some();
    let is_policy = has("version") && !has("project");
    let text = if has("version") { block.text.clone() } else { format!("version: 1\nproject: p\n{}", block.text) };
    let path = folder.path().join("rotator.yaml");
    std::fs::write(&path, text).expect("written");
    let problems = if is_policy { config::policies(&[path]).err() } else { config::load(&[path]).err() };
    problems.map(|problems| format!("{problems:?}"))
}

/// Without it, people would copy a manifest or a policy that the tool refuses.
#[test]
fn yaml_is_valid() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in pages() {
        for block in page.blocks.iter().filter(|block| block.language == "yaml") {
            count += 1;
            if let Some(problem) = problems(block) {
                wrong.push(format!("{}:{}: {problem}", page.path.display(), block.line));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 4, "only {count} blocks were found");
}

/// Without it, a script of failures that people copy could be one that nothing reads.
#[test]
fn json_is_json() {
    let mut count = 0;
    for page in pages() {
        for block in page.blocks.iter().filter(|block| block.language == "json") {
            let values: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&block.text).into_iter().collect();
            let place = format!("{}:{}", page.path.display(), block.line);
            count += values.unwrap_or_else(|error| panic!("{place}: {error}")).len();
        }
    }
    assert!(count >= 2, "only {count} values were found");
}

/// Without it, a block in another language would be one that no test looks at.
#[test]
fn every_block_says_its_language() {
    for page in pages() {
        for block in &page.blocks {
            let place = format!("{}:{}", page.path.display(), block.line);
            assert!(["yaml", "json", "sh", "text"].contains(&block.language.as_str()), "{place}: {}", block.language);
        }
    }
}
