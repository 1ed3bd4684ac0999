//! A function's code: that it exists, stays inside the manifest's tree, and holds what the handler names.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::document::Document;
use super::raw::{CodeFile, FunctionFile, S3File};
use super::scene::Scene;
use super::targets;
use crate::diagnostic::Diagnostic;
use crate::model::{Code, CodeSource};
use crate::tree::{MAX_DEPTH, Stray, Tree, here, is_git_name};

/// The template's own handler, where the manifest states none.
const DEFAULT_MODULE: &str = "lambda_function";

/// The most files of a folder that are looked at for links; packaging has its own limits.
const MAX_FILES: usize = 100_000;

/// Folders that were looked at already: the same code is often used in several targets.
#[derive(Default)]
pub(super) struct Checked(HashMap<PathBuf, Result<(), String>>);

/// Reads and checks a function's code.
pub(super) fn read(
    scene: &mut Scene<'_>,
    file: &FunctionFile,
    document: &Document,
    checked: &mut Checked,
) -> Option<Code> {
    let source = match file.code.as_ref()? {
        CodeFile::S3(object) => s3(scene, object)?,
        CodeFile::Path(shown) if scene.is_open(shown) => return None,
        CodeFile::Path(shown) => {
            let stated_in = scene.merged.child("code").map_or(scene.at.file, |node| node.span.file);
            let folder = document.sources.folder(stated_in);
            document.sources.fetch(&folder.join(shown));
            let path = match targets::inside(&document.tree, &folder, shown) {
                Ok(path) => path,
                Err(reason) => {
                    let problem = Diagnostic::error("code", format!("`{shown}` can't be the code: {reason}"));
                    scene.report(
                        &["code"],
                        problem.hint(
                            "the path is relative to the file that states it, and stays inside the manifest's folder",
                        ),
                    );
                    return None;
                }
            };
            let tree = here(&document.tree);
            let check = || Tree::at(&tree).map_err(|error| error.to_string()).and_then(|tree| check_path(&path, &tree));
            let result = checked.0.entry(path.clone()).or_insert_with(check).clone();
            if let Err(reason) = result {
                scene.report(&["code"], Diagnostic::error("code", format!("`{shown}` can't be the code: {reason}")));
                return None;
            }
            check_handler(scene, file, &path, shown);
            CodeSource::Path { path, tree, shown: shown.clone() }
        }
    };
    Some(Code { source, package: None, unusable: None })
}

fn s3(scene: &mut Scene<'_>, object: &S3File) -> Option<CodeSource> {
    let mut member = |field: &str, value: &Option<String>| {
        if value.is_none() && !scene.incomplete {
            let problem = Diagnostic::error("code", format!("`code` lacks `{field}`"))
                .hint("an object in S3 takes `s3_bucket`, `s3_key` and `sha256`");
            scene.report(&["code"], problem);
        }
        value.clone()
    };
    let (bucket, key, sha256) =
        (member("s3_bucket", &object.s3_bucket), member("s3_key", &object.s3_key), member("sha256", &object.sha256));
    let (bucket, key, sha256) = (bucket?, key?, sha256?);
    let base64 = |text: &str| {
        text.len() == 44
            && text.ends_with('=')
            && !text.ends_with("==")
            && text[..43].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
    };
    if !base64(&sha256) && !scene.is_open(&sha256) {
        let problem = Diagnostic::error("code", "`sha256` is the package's SHA-256 in base64, 44 characters")
            .hint("openssl dgst -sha256 -binary package.zip | openssl base64");
        scene.report(&["code", "sha256"], problem);
    }
    let valid =
        (3..=63).contains(&bucket.len()) && bucket.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if !valid && !scene.is_open(&bucket) {
        scene.report(
            &["code", "s3_bucket"],
            Diagnostic::error("code", format!("`{bucket}` can't be a bucket's name"))
                .hint("the bucket's name alone, without `s3://` and key"),
        );
    }
    Some(CodeSource::S3 { bucket, key, object_version: object.s3_object_version.clone(), sha256 })
}

/// A regular file, or a folder whose links stay inside the tree.
fn check_path(path: &Path, tree: &Tree) -> Result<(), String> {
    let metadata = path.metadata().map_err(|error| error.to_string())?;
    if metadata.is_file() {
        return Ok(());
    }
    if !metadata.is_dir() {
        return Err("it is neither a folder nor a regular file".to_owned());
    }
    let mut folders = vec![(path.to_path_buf(), 1)];
    let mut files = 0;
    while let Some((folder, depth)) = folders.pop() {
        if depth > MAX_DEPTH {
            return Err(format!("its folders are nested more than {MAX_DEPTH} deep"));
        }
        let entries =
            std::fs::read_dir(&folder).map_err(|error| format!("`{}` can't be read: {error}", folder.display()))?;
        for entry in entries.flatten() {
            files += 1;
            if files > MAX_FILES {
                return Err(format!("it holds more than {MAX_FILES} files"));
            }
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name();
            // It never goes into a package.
            if is_git_name(&name) {
                continue;
            }
            if kind.is_symlink() {
                let shown = entry.path().strip_prefix(path).map(Path::to_path_buf).unwrap_or_default();
                let what = match tree.reach(&folder, Path::new(&name)) {
                    Ok(_) => continue,
                    Err(Stray::Git) => "leads into Git's own folder",
                    Err(Stray::Outside | Stray::Link) => "leaves the manifest's folder",
                    Err(_) => "leads nowhere",
                };
                return Err(format!("the link `{}` in it {what}", shown.display()));
            } else if kind.is_dir() {
                folders.push((entry.path(), depth + 1));
            }
        }
    }
    if files == 0 { Err("the folder is empty".to_owned()) } else { Ok(()) }
}

/// The endings of a handler's file, by language.
fn endings(runtime: Option<&str>) -> &'static [&'static str] {
    match runtime {
        Some(runtime) if runtime.starts_with("python") => &[".py", "/__init__.py"],
        Some(runtime) if runtime.starts_with("nodejs") => &[".js", ".mjs", ".cjs"],
        None => &[".py", "/__init__.py", ".js", ".mjs", ".cjs"],
        // Compiled code is named otherwise.
        Some(_) => &[],
    }
}

/// The files that may hold a handler, relative to the code's folder.
fn candidates(handler: &str, runtime: Option<&str>) -> Vec<String> {
    let Some((module, _)) = handler.rsplit_once('.') else { return Vec::new() };
    let module = module.trim_start_matches("./");
    let mut candidates = Vec::new();
    for ending in endings(runtime) {
        // In Python, dots divide packages as slashes do.
        let path = if ending.ends_with("py") { module.replace('.', "/") } else { module.to_owned() };
        candidates.push(format!("{path}{ending}"));
    }
    candidates
}

fn check_handler(scene: &mut Scene<'_>, file: &FunctionFile, path: &Path, shown: &str) {
    let runtime = file.runtime.as_deref();
    let zipped = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
    // A zip is opened when it is packaged, and a broken handler was reported.
    if zipped
        || endings(runtime).is_empty()
        || file.handler.as_ref().is_some_and(|handler| scene.is_open(handler) || handler.contains(char::is_whitespace))
    {
        return;
    }
    let default = format!("{DEFAULT_MODULE}.lambda_handler");
    let handler = file.handler.as_deref().unwrap_or(&default);
    let candidates = candidates(handler, runtime);
    if candidates.is_empty() {
        let problem = Diagnostic::error("handler", format!("`{handler}` names no function of a file"))
            .hint("write `FILE.FUNCTION`, such as `lambda_function.lambda_handler`");
        scene.report(&["handler"], problem);
        return;
    }
    let holds = |candidate: &String| {
        if path.is_dir() {
            path.join(candidate).is_file()
        } else {
            path.file_name().is_some_and(|name| name.to_str() == Some(candidate.as_str()))
        }
    };
    if candidates.iter().any(holds) {
        return;
    }
    let wanted = &candidates[0];
    // A layer may bring the handler along.
    let from_layer = file.layers.as_ref().is_some_and(|layers| !layers.is_empty());
    let (at, mut problem) = match file.handler {
        Some(_) if from_layer => (
            "handler",
            Diagnostic::warning(
                "handler",
                format!("`{shown}` has no `{wanted}`, which the handler `{handler}` needs, unless a layer brings it"),
            ),
        ),
        Some(_) => (
            "handler",
            Diagnostic::error("handler", format!("`{shown}` has no `{wanted}`, which the handler `{handler}` needs")),
        ),
        None => (
            "code",
            Diagnostic::warning(
                "handler",
                format!("`{shown}` has no `{wanted}`, which the template's own handler needs"),
            )
            .hint("state the `handler`, such as `rotate.handler`"),
        ),
    };
    if file.handler.is_some()
        && let Some(other) = source_files(path).first()
    {
        let module = other.rsplit_once('.').map_or(other.as_str(), |(module, _)| module);
        let function = handler.rsplit_once('.').map_or("handler", |(_, function)| function);
        problem = problem.hint(format!("did you mean `{module}.{function}`?"));
    }
    scene.report(&[at], problem);
}

/// The only source file of a folder, or a file itself: what a handler was probably meant to name.
fn source_files(path: &Path) -> Vec<String> {
    let is_source = |name: &str| [".py", ".js", ".mjs", ".cjs"].iter().any(|ending| name.ends_with(ending));
    let names: Vec<String> = if path.is_dir() {
        let entries = std::fs::read_dir(path)
            .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect());
        entries.unwrap_or_default()
    } else {
        path.file_name().and_then(|name| name.to_str()).map(str::to_owned).into_iter().collect()
    };
    let sources: Vec<String> = names.into_iter().filter(|name| is_source(name)).collect();
    if sources.len() == 1 { sources } else { Vec::new() }
}
