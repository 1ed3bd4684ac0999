//! Functions in Node, by a simple reader: the handler's file, what it exports, and what it imports of AWS and of packages. No parser of
//! JavaScript is part of this program, so that little is certain here.

use std::sync::LazyLock;

use regex::Regex;

use super::Facts;
use super::package::Package;
use super::text::Lines;
use crate::model::near::near;
use crate::model::{CodeCheck, CodeFinding};

/// The largest file that is read, in bytes.
const MOST: usize = 1024 * 1024;

/// Modules that Node brings along (Node.js, "Built-in modules"), without `node:` before them.
const BUILT_IN: [&str; 44] = [
    "assert",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "domain",
    "events",
    "fs",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "os",
    "path",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "repl",
    "sqlite",
    "stream",
    "string_decoder",
    "sys",
    "test",
    "timers",
    "tls",
    "trace_events",
    "tty",
    "url",
    "util",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
    "zlib",
];

/// From which version on the runtime has the third generation of AWS's SDK alone (AWS Lambda, "Node.js runtimes").
const WITHOUT_OLD_SDK: u8 = 18;

/// An import at the beginning of a line: `import x from "y"`, `const x = require("y")`.
static IMPORT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    // `\w` and `\s` would need tables of Unicode that nothing else here needs.
    let (word, space) = ("A-Za-z0-9_$", r" \t\r\n");
    let names = format!("[{word}*{{}},{space}]+");
    Regex::new(&format!(
        r#"(?m)^(?:import[{space}]+(?:{names}[{space}]+from[{space}]*)?|export[{space}]+{names}[{space}]+from[{space}]*|(?:const|let|var)[{space}]+[{word}{{}}:,{space}]+=[{space}]*require\([{space}]*)["']([^"'\n]+)["']"#,
    ))
    .ok()
});

/// Looks at the handler's file.
pub(super) fn look(package: &Package<'_>, facts: &Facts, major: Option<u8>) -> Vec<CodeFinding> {
    let handler = facts.handler.as_deref().unwrap_or(super::DEFAULT_HANDLER);
    // The first dot after the last slash ends the module (the runtime's own client splits so).
    let start = handler.rfind('/').map_or(0, |at| at + 1);
    let Some((module, function)) = handler[start..].split_once('.') else { return Vec::new() };
    let module = format!("{}{module}", handler[..start].trim_start_matches("./"));
    let endings = ["", ".js", ".mjs", ".cjs"];
    let Some(file) = endings.iter().map(|ending| format!("{module}{ending}")).find(|file| package.has(file)) else {
        let said = !facts.is_archive || facts.layers;
        return if said { Vec::new() } else { vec![missing(package, facts, handler, &module)] };
    };
    let Some(content) = package.read(&file, MOST) else { return Vec::new() };
    let text = String::from_utf8_lossy(&content);
    let mut found = Vec::new();
    found.extend(export(&text, &file, handler, function));
    found.extend(imports(package, facts, major, &text, &file));
    let lines = Lines::new(&text);
    if lines.names("createSecret") && lines.names("finishSecret") && !lines.names("testSecret") {
        found.push(CodeFinding::warning(CodeCheck::Step, super::UNTESTED).of(&file).hint(super::TRY));
    }
    found
}

fn missing(package: &Package<'_>, facts: &Facts, handler: &str, module: &str) -> CodeFinding {
    let summary = format!("`{}` has no `{module}.js` or `.mjs`, which the handler `{handler}` needs", facts.place);
    let finding = CodeFinding::new(CodeCheck::Handler, facts.handler.is_some(), summary);
    let endings = [".js", ".mjs", ".cjs"].map(|ending| format!("/{module}{ending}"));
    let deep = package.files.iter().find_map(|file| {
        let outside = !file.path.contains("node_modules/");
        endings.iter().find_map(|ending| file.path.strip_suffix(ending.as_str())).filter(|_| outside)
    });
    match deep {
        Some(folder) => finding
            .because(format!("it has it in the folder `{folder}`, and Lambda looks at the top"))
            .hint(format!("pack what is in the folder: (cd {folder} && zip -r ../package.zip .)")),
        None => finding,
    }
}

/// A function that isn't named in the file at all isn't exported by it, unless the file hands on what others export.
fn export(text: &str, file: &str, handler: &str, function: &str) -> Option<CodeFinding> {
    let name = function.split('.').next().unwrap_or_default();
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let words = || text.split(|c: char| !is_word(c)).filter(|word| !word.is_empty());
    let hands_on = ["export *", "module.exports = require", "module.exports=require", "__exportStar", "__reExport"]
        .iter()
        .any(|form| text.contains(form));
    if hands_on || name.is_empty() || words().any(|word| word == name) {
        return None;
    }
    let summary = format!("`{file}` has no `{name}`, which the handler `{handler}` names");
    let finding = CodeFinding::error(CodeCheck::Handler, summary).of(file);
    let exported = text.lines().filter_map(|line| {
        let rest = line.trim_start();
        let rest = rest.strip_prefix("exports.").or_else(|| rest.strip_prefix("module.exports.")).or_else(|| {
            let rest = rest.strip_prefix("export ")?;
            ["const ", "let ", "var ", "async function ", "function "].iter().find_map(|word| rest.strip_prefix(word))
        })?;
        let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        Some(&rest[..end])
    });
    let exported: Vec<&str> = exported.filter(|word| !word.is_empty()).collect();
    let meant = near(name, exported.iter().copied()).first().copied();
    let meant = meant.or_else(|| if let [one] = exported[..] { Some(one) } else { None });
    let module = handler.strip_suffix(function).unwrap_or(handler);
    Some(match meant {
        Some(meant) => finding.hint(format!("is `handler: {module}{meant}` meant?")),
        None => finding.hint(format!("export it: `export const {name} = async (event) => {{ … }}`")),
    })
}

fn imports(package: &Package<'_>, facts: &Facts, major: Option<u8>, text: &str, file: &str) -> Vec<CodeFinding> {
    let Some(pattern) = IMPORT.as_ref().filter(|_| !facts.layers) else { return Vec::new() };
    let lines = Lines::new(text);
    let mut found = Vec::new();
    for module in pattern.captures_iter(text).filter_map(|one| one.get(1)) {
        let name = module.as_str();
        let mut parts = name.split('/');
        let first = parts.next().unwrap_or_default();
        let top = if first.starts_with('@') {
            format!("{first}/{}", parts.next().unwrap_or_default())
        } else {
            first.to_owned()
        };
        let packaged = !package.below(&format!("node_modules/{top}")).is_empty();
        let is_known = name.starts_with(['.', '/', '#'])
            || name.starts_with("node:")
            || BUILT_IN.contains(&first)
            || first == "@aws-sdk"
            || first == "@smithy"
            || packaged;
        let finding = |is_error: bool, summary: String| {
            let spot = lines.spot(module.start(), module.end());
            CodeFinding::new(CodeCheck::Import, is_error, summary).of(file).at(spot)
        };
        if top == "aws-sdk" && !packaged {
            if major.is_some_and(|major| major >= WITHOUT_OLD_SDK) {
                let summary = "`aws-sdk`, the second generation, isn't in the runtime since nodejs18.x".to_owned();
                found.push(finding(true, summary).hint("use `@aws-sdk/client-secrets-manager`, which the runtime has"));
            }
        } else if !is_known {
            let summary = format!("`{top}` is neither in the package's `node_modules` nor in Lambda's runtime");
            found.push(finding(false, summary).hint(format!("npm install --prefix {} {top}", facts.place)));
        }
    }
    found
}
