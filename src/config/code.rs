//! A function's code: that it exists, stays inside the manifest's tree, and holds what the handler names.

use std::collections::HashMap;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::document::Document;
use super::raw::{CodeFields, CodeFile, FunctionFile};
use super::scene::Scene;
use super::{suggest, targets};
use crate::diagnostic::Diagnostic;
use crate::model::glob::{self, Glob};
use crate::model::near::did_you_mean;
use crate::model::{Code, CodeSource, PartKind, Selection, text};
use crate::package::{self, Listing, PackageError};
use crate::tree::{MAX_DEPTH, here};

mod requirements;

/// The template's own handler, where the manifest states none.
const DEFAULT_MODULE: &str = "lambda_function";

/// The most patterns, or paths, of one function's code.
const MAX_CHOSEN: usize = 100;

/// Code that was looked at already: it is often used in several targets.
#[derive(Default)]
pub(super) struct Checked(HashMap<(PathBuf, Selection), Result<Arc<Listing>, String>>);

/// Reads and checks a function's code.
pub(super) fn read(
    scene: &mut Scene<'_>,
    file: &FunctionFile,
    document: &Document,
    checked: &mut Checked,
) -> Option<Code> {
    let source = match file.code.as_ref()? {
        CodeFile::Path(shown) => path(scene, file, (shown, &["code"]), Selection::default(), document, checked)?,
        CodeFile::Fields(fields) => match form(scene, fields)? {
            Form::Path(shown) => {
                let mut selection = selection(scene, fields)?;
                if let Some(stated) = &fields.requirements {
                    selection.requirements = Some(requirements::read(scene, file, (shown, stated), document)?);
                }
                path(scene, file, (shown, &["code", "path"]), selection, document, checked)?
            }
            Form::S3 => s3(scene, fields)?,
        },
    };
    Some(Code { source, package: None, unusable: None, findings: Vec::new() })
}

/// Where a map says that code lies.
enum Form<'a> {
    Path(&'a str),
    S3,
}

/// Which of both a map is: it can't be both.
fn form<'a>(scene: &mut Scene<'_>, fields: &'a CodeFields) -> Option<Form<'a>> {
    let of_path = [
        ("requirements", fields.requirements.is_some()),
        ("exclude", fields.exclude.is_some()),
        ("include", fields.include.is_some()),
    ];
    let of_s3 = [
        ("s3_bucket", fields.s3_bucket.is_some()),
        ("s3_key", fields.s3_key.is_some()),
        ("s3_object_version", fields.s3_object_version.is_some()),
        ("sha256", fields.sha256.is_some()),
    ];
    let first = |fields: &[(&'static str, bool)]| fields.iter().find(|(_, stated)| *stated).map(|(field, _)| *field);
    let path = fields.path.as_deref();
    match (path.map(|_| "path").or_else(|| first(&of_path)), first(&of_s3)) {
        (Some(here), Some(there)) => {
            let problem = Diagnostic::error("code", format!("`{here}` and `{there}` can't stand together in `code`"))
                .because("code lies in the manifest's tree, or in S3")
                .hint("remove one of both, and what belongs to it");
            scene.report_key(&["code", here], problem);
            None
        }
        (_, None) if path.is_none() => {
            if !scene.incomplete {
                let problem = Diagnostic::error("code", "`code` lacks `path`")
                    .hint("write the folder beside it, such as `path: functions/vendor`");
                scene.report(&["code"], problem);
            }
            None
        }
        (_, None) => path.map(Form::Path),
        (None, Some(_)) => Some(Form::S3),
    }
}

/// What is said of a folder's files, if all of it can be read.
fn selection(scene: &mut Scene<'_>, fields: &CodeFields) -> Option<Selection> {
    let before = scene.found.len();
    let (exclude, include) = (fields.exclude.clone().unwrap_or_default(), fields.include.clone().unwrap_or_default());
    for (field, list) in [("exclude", &exclude), ("include", &include)] {
        if list.len() > MAX_CHOSEN {
            let problem = Diagnostic::error("code", format!("`{field}` has at most {MAX_CHOSEN} entries"));
            scene.report(&["code", field], problem.hint("name whole folders, or use `*`"));
            continue;
        }
        for (index, text) in list.iter().enumerate() {
            if scene.is_open(text) {
                continue;
            }
            let wrong = if field == "exclude" { wrong_pattern(text) } else { wrong_path(text) };
            if let Some((summary, hint)) = wrong {
                let problem = Diagnostic::error("code", summary).hint(hint);
                scene.report(&["code", field, &index.to_string()], problem);
            }
        }
    }
    let open = exclude.iter().chain(&include).any(|text| scene.is_open(text));
    (scene.found.len() == before && !open).then_some(Selection { exclude, include, requirements: None })
}

/// What is wrong with a pattern of `exclude`, and what to write.
fn wrong_pattern(pattern: &str) -> Option<(String, &'static str)> {
    let hint = "a pattern is relative to the code's folder, with `/` between folders, such as `tests/` or `**/*.md`";
    let plain = pattern.trim_start_matches("./").trim_end_matches('/');
    let reason = if plain.is_empty() {
        return Some(("a pattern of `exclude` is empty".to_owned(), hint));
    } else {
        relative(plain).err().or_else(|| Glob::new(plain).err())
    };
    reason.map(|reason| (format!("`{}` excludes nothing: {reason}", suggest::brief(pattern)), hint))
}

/// What is wrong with a path of `include`, and what to write.
fn wrong_path(path: &str) -> Option<(String, &'static str)> {
    let shown = suggest::brief(path);
    let plain = path.trim_start_matches("./").trim_end_matches('/');
    if package::is_never_packaged(path) {
        let summary =
            format!("`{shown}` can't be included: version control's and this tool's own files are never packaged");
        return Some((summary, "copy what the function needs to another place"));
    }
    let hint = "a path is relative to the code's folder, with `/` between folders, such as `conf/.env`";
    let reason = if plain.is_empty() {
        return Some(("a path of `include` is empty".to_owned(), hint));
    } else if plain.contains(['*', '?', '[', '{']) {
        return Some((format!("`{shown}` can't be included: it is a pattern"), "name each file or folder by its path"));
    } else {
        relative(plain).err()
    };
    reason.map(|reason| (format!("`{shown}` can't be included: {reason}"), hint))
}

/// Whether a pattern or path stays in the folder.
fn relative(path: &str) -> Result<(), String> {
    glob::check_length(path)?;
    text::check_readable(path)?;
    if path.starts_with(['/', '~']) || path.contains('\\') {
        return Err("it isn't relative to the code's folder".to_owned());
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("it holds `..`, `.` or `//`".to_owned());
    }
    Ok(())
}

/// Code in the manifest's tree; `at` is where its path stands.
fn path(
    scene: &mut Scene<'_>,
    file: &FunctionFile,
    (shown, at): (&str, &[&str]),
    mut selection: Selection,
    document: &Document,
    checked: &mut Checked,
) -> Option<CodeSource> {
    if scene.is_open(shown) {
        return None;
    }
    let stated_in = scene.merged.find(at).map_or(scene.at.file, |node| node.span.file);
    let folder = document.sources.folder(stated_in);
    document.sources.fetch(&folder.join(shown));
    let path = match targets::inside(&document.tree, &folder, shown) {
        Ok(path) => path,
        Err(reason) => {
            let problem = Diagnostic::error("code", format!("`{shown}` can't be the code: {reason}"));
            let hint = "the path is relative to the file that states it, and stays inside the manifest's folder";
            scene.report(at, problem.hint(hint));
            return None;
        }
    };
    let tree = here(&document.tree);
    let result = checked.0.entry((path.clone(), selection.clone()));
    let result = result.or_insert_with(|| look_at(&path, &tree, &selection).map(Arc::new)).clone();
    let listing = match result {
        Ok(listing) => listing,
        Err(reason) => {
            scene.report(at, Diagnostic::error("code", format!("`{shown}` can't be the code: {reason}")));
            return None;
        }
    };
    if path.is_dir() {
        check_use(scene, &selection, &listing, shown, &path);
    } else {
        let requirements = selection.requirements.take().filter(|_| !package::is_archive(&path));
        selection = Selection { requirements, ..Selection::default() };
        // Inherited lists are there for the folders among many.
        if package::is_archive(&path) && scene.merged.key_span(&["code", "requirements"]).is_some() {
            let problem = Diagnostic::error(
                "code",
                format!("`requirements` are packaged beside files, and `{shown}` is an archive"),
            )
            .because("an archive is taken as it is")
            .hint("name the folder that it was made of");
            scene.report_key(&["code", "requirements"], problem);
        }
        let stated = |field: &&str| scene.merged.key_span(&["code", field]).is_some() && scene.is_own(&["code", field]);
        if let Some(field) = ["exclude", "include"].into_iter().find(stated) {
            let problem =
                Diagnostic::error("code", format!("`{field}` chooses files of a folder, and `{shown}` is a file"))
                    .because("a single file is packaged alone, and an archive is taken as it is")
                    .hint("remove it, or name the folder");
            scene.report_key(&["code", field], problem);
        }
    }
    check_handler(scene, file, (&path, &listing, &selection), shown, at);
    Some(CodeSource::Path { path, tree, shown: shown.to_owned(), selection })
}

/// Patterns and paths that are of no use are spelt wrong, or left over.
fn check_use(scene: &mut Scene<'_>, selection: &Selection, listing: &Listing, shown: &str, path: &Path) {
    if selection.requirements.is_some() {
        // They may be about files of the requirements, of which nothing is fetched here.
        return;
    }
    for &index in &listing.unused_includes {
        let include = &selection.include[index];
        let problem = Diagnostic::error("code", format!("`{include}` is not in `{shown}`"));
        let hint = match near(path, include) {
            Some(near) => did_you_mean(&[&near]),
            None => "a path is relative to the code's folder; remove it if the file is gone".to_owned(),
        };
        scene.report(&["code", "include", &index.to_string()], problem.hint(hint));
    }
    for &index in &listing.unused_excludes {
        let exclude = &selection.exclude[index];
        let at = index.to_string();
        let at = ["code", "exclude", &at];
        // One for many functions, and one with a `*`, are there for what may be there.
        if exclude.contains(['*', '?', '[', '{']) || !scene.is_own(&at) {
            continue;
        }
        let problem = Diagnostic::warning("code", format!("`{exclude}` excludes nothing: it is not in `{shown}`"));
        let hint = match near(path, exclude.trim_end_matches('/')) {
            Some(near) => did_you_mean(&[&near]),
            None => "a pattern is relative to the code's folder; `**/` before it looks into all folders, and a pattern with a `*` may match nothing".to_owned(),
        };
        scene.report(&at, problem.hint(hint));
    }
}

/// How many names of a folder are compared with one that isn't there.
const MAX_NAMES: usize = 1_000;

/// A path that is there and looks like one that isn't.
fn near(folder: &Path, wanted: &str) -> Option<String> {
    let wanted = wanted.trim_start_matches("./");
    let (parent, name) = wanted.rsplit_once('/').map_or(("", wanted), |(parent, name)| (parent, name));
    let entries = std::fs::read_dir(folder.join(parent)).ok()?.flatten().take(MAX_NAMES);
    let names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let near = suggest::nearest(name, names.iter().map(String::as_str))?;
    text::check_readable(near).ok()?;
    Some(if parent.is_empty() { near.to_owned() } else { format!("{parent}/{near}") })
}

fn s3(scene: &mut Scene<'_>, object: &CodeFields) -> Option<CodeSource> {
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

/// What is packaged of a folder, or a regular file; else, why it can't be the code.
fn look_at(path: &Path, tree: &Path, selection: &Selection) -> Result<Listing, String> {
    let metadata = path.metadata().map_err(|error| error.to_string())?;
    let private = |kind: PartKind| {
        let words = kind.words();
        format!(
            "it is private ({words}); package a folder of code, and name under `include` what the function needs of it"
        )
    };
    if metadata.is_file() {
        match package::check(path, tree) {
            Err(PackageError::Private { kind, .. }) => return Err(private(kind)),
            Err(error) => return Err(error.to_string()),
            Ok(()) => {}
        }
        let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        return Ok(Listing { files: name.into_iter().collect(), ..Listing::default() });
    }
    if !metadata.is_dir() {
        return Err("it is neither a folder nor a regular file".to_owned());
    }
    let below =
        |place: &Path| place.strip_prefix(path).map(Path::to_path_buf).unwrap_or_default().display().to_string();
    package::list(path, tree, selection).map_err(|error| match &error {
        PackageError::Outside { path, .. } => format!("the link `{}` in it leaves the manifest's folder", below(path)),
        PackageError::Read { path, error } if error.kind() == ErrorKind::NotFound && path.is_symlink() => {
            format!("the link `{}` in it leads nowhere", below(path))
        }
        PackageError::Read { path, error } => format!("`{}` can't be read: {error}", path.display()),
        PackageError::Git(path) => format!("the link `{}` in it leads into Git's own folder", below(path)),
        PackageError::TooDeep => format!("its folders are nested more than {MAX_DEPTH} deep"),
        PackageError::Cycle(path) => format!("the link `{}` in it leads back to a folder that holds it", below(path)),
        PackageError::Special(path) => format!("`{}` in it is neither a file nor a folder", below(path)),
        PackageError::Empty(_) => "the folder is empty".to_owned(),
        PackageError::Private { kind, .. } => private(*kind),
        PackageError::LeftOut(_) => "all that it holds is left out of packages; `include` brings one back".to_owned(),
        PackageError::TooManyFiles => format!("it holds more than {} files", package::MAX_FILES),
        _ => error.to_string(),
    })
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

fn check_handler(
    scene: &mut Scene<'_>,
    file: &FunctionFile,
    (path, listing, selection): (&Path, &Listing, &Selection),
    shown: &str,
    code_at: &[&str],
) {
    let runtime = file.runtime.as_deref();
    let zipped = path.is_file() && package::is_archive(path);
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
    if candidates.iter().any(|candidate| listing.files.binary_search(candidate).is_ok()) {
        return;
    }
    let wanted = &candidates[0];
    // A layer may bring the handler along; and so may a requirement, of which nothing is fetched here.
    let by_layer = file.layers.as_ref().is_some_and(|layers| !layers.is_empty());
    let from_layer = by_layer || selection.requirements.is_some();
    let bringer = if by_layer { "a layer" } else { "a requirement" };
    let handler_at: &[&str] = &["handler"];
    let (at, mut problem) = match file.handler {
        Some(_) if from_layer => (
            handler_at,
            Diagnostic::warning(
                "handler",
                format!("`{shown}` has no `{wanted}`, which the handler `{handler}` needs, unless {bringer} brings it"),
            ),
        ),
        Some(_) => (
            handler_at,
            Diagnostic::error("handler", format!("`{shown}` has no `{wanted}`, which the handler `{handler}` needs")),
        ),
        None => (
            code_at,
            Diagnostic::warning(
                "handler",
                format!("`{shown}` has no `{wanted}`, which the template's own handler needs"),
            ),
        ),
    };
    let below = format!("/{wanted}");
    let mut own = listing.files.iter().filter(|file| !file.contains("node_modules/"));
    let deep = own.find_map(|file| file.strip_suffix(below.as_str()));
    if let Some(folder) = deep {
        problem = problem
            .because(format!("it is in the folder `{folder}`, and Lambda looks at the top"))
            .hint(format!("state that folder as the code: `{}/{folder}`", shown.trim_end_matches('/')));
    } else if file.handler.is_none() {
        let module = source_files(&listing.files).first().and_then(|file| file.rsplit_once('.'));
        let module = module.map_or("rotate", |(module, _)| module);
        problem = problem.hint(format!("state the `handler`, such as `{module}.lambda_handler`"));
    } else if let Some(other) = source_files(&listing.files).first() {
        let module = other.rsplit_once('.').map_or(other.as_str(), |(module, _)| module);
        let function = handler.rsplit_once('.').map_or("handler", |(_, function)| function);
        let source = if path.is_dir() { path.join(other) } else { path.to_owned() };
        let function = defined(&source, &[function, "lambda_handler", "handler"]).unwrap_or(function);
        problem = problem.hint(did_you_mean(&[&format!("{module}.{function}")]));
    }
    scene.report(at, problem);
}

/// The first of these functions that a file of Python defines, as far as its beginning says.
fn defined<'a>(path: &Path, names: &[&'a str]) -> Option<&'a str> {
    const BEGINNING: u64 = 256 * 1024;
    if !path.symlink_metadata().ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    std::fs::File::open(path).ok()?.take(BEGINNING).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let defines = |name: &&&str| text.lines().any(|line| line.starts_with(&format!("def {name}(")));
    names.iter().find(defines).copied()
}

/// The only source file at the top of a folder, or a file itself: what a handler was probably meant to name.
fn source_files(files: &[String]) -> Vec<&String> {
    let is_source = |name: &&String| {
        !name.contains('/') && [".py", ".js", ".mjs", ".cjs"].iter().any(|ending| name.ends_with(ending))
    };
    let sources: Vec<&String> = files.iter().filter(is_source).collect();
    if sources.len() == 1 { sources } else { Vec::new() }
}
