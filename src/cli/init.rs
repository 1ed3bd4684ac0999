//! `rotator init`.

mod ask;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::begin::{Beginning, Kind, Language, Target, Text};
use crate::config::{self, facts};
use crate::exit;
use crate::render::begun::{self, Begun};

use super::failure::Failure;
use super::files::{self, NewFile};
use super::options::Global;
use super::output;

/// What a project is called whose folder has no name that could be one.
const PROJECT: &str = "rotation";

/// Writes a rotation function to begin with: code whose four steps are done right, a service to try it on, a manifest.
#[derive(Debug, Args)]
#[command(
    after_help = "Files that are there already are never written over: then nothing is written at all. At a terminal, what isn't said is
asked; elsewhere, and with --yes, it is as the defaults say.

Examples:
  rotator init api-key --into vendor
  rotator init password --language node --into crm --secret crm/login
  rotator init admin-password --into broker --region eu-west-1 --account 111111111111"
)]
pub struct Arguments {
    /// What rotates
    #[arg(value_name = "KIND", value_parser = kinds())]
    kind: Option<Kind>,
    /// What the function is written in [default: python]
    #[arg(long, value_name = "LANGUAGE", value_parser = languages())]
    language: Option<Language>,
    /// The folder that is written into; made where it isn't there [default: .]
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// The name of the secret on AWS [default: PROJECT/KIND]
    #[arg(long, value_name = "NAME")]
    secret: Option<String>,
    /// The name of the function on AWS [default: by the kind, such as `SecretsManagerApiKey`]
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// The project's name [default: the name of the folder]
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// The only account that the manifest may be applied to [default: where the credentials lead]
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Ask nothing, and take the defaults
    #[arg(short, long)]
    yes: bool,
}

fn kinds() -> impl TypedValueParser<Value = Kind> {
    let all = Kind::ALL.map(|kind| PossibleValue::new(kind.word()).help(kind.about()));
    PossibleValuesParser::new(all).try_map(|word| Kind::of(&word).ok_or("it is no kind"))
}

fn languages() -> impl TypedValueParser<Value = Language> {
    let all = Language::ALL.map(|language| PossibleValue::new(language.word()));
    PossibleValuesParser::new(all).try_map(|word| Language::of(&word).ok_or("it is no language"))
}

/// Runs it.
pub fn run(global: &Global, arguments: &Arguments) -> Result<u8, Failure> {
    let is_asked = !arguments.yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let mut ask = is_asked.then(ask::Terminal::new);
    let kind = match (arguments.kind, &mut ask) {
        (Some(kind), _) => kind,
        (None, Some(ask)) => ask.kind()?,
        (None, None) => return Err(unsaid_kind(arguments.yes)),
    };
    let language = match (arguments.language, &mut ask) {
        (Some(language), _) => language,
        (None, Some(ask)) => ask.language()?,
        (None, None) => Language::Python,
    };
    let into = match (&arguments.into, &mut ask) {
        (Some(into), _) => into.clone(),
        (None, Some(ask)) => PathBuf::from(ask.text("Into which folder?", ".", &|text| folder(Path::new(text)))?),
        (None, None) => PathBuf::from("."),
    };
    folder(&into)?;
    let project = match &arguments.project {
        Some(project) => project.clone(),
        None => named(&into).and_then(|name| facts::project_name(&name)).unwrap_or_else(|| PROJECT.to_owned()),
    };
    check_project(&project)?;
    let usual = format!("{project}/{}", kind.word());
    let secret = said(arguments.secret.as_ref(), &mut ask, "Which secret?", &usual, &check_secret)?;
    let function = said(arguments.function.as_ref(), &mut ask, "Which function?", kind.function(), &check_function)?;
    let target = Target { account: arguments.account.clone(), region: global.region.clone() };
    check_target(&target)?;
    let beginning = Beginning { kind, language, project, function, secret, target, schema: None };
    if beginning.admin().as_ref() == Some(&beginning.secret) {
        return Err(Failure::new(format!("`{}` is the admin's own secret here", beginning.secret))
            .hint("name the secret of the user, whose password the admin sets: `--secret NAME`"));
    }
    write(&beginning, &into)
}

/// What a flag says, or the person at the terminal, or the default.
fn said(
    flag: Option<&String>,
    ask: &mut Option<ask::Terminal>,
    question: &str,
    usual: &str,
    check: &dyn Fn(&str) -> Result<(), Failure>,
) -> Result<String, Failure> {
    let text = match (flag, ask) {
        (Some(text), _) => text.clone(),
        (None, Some(ask)) => ask.text(question, usual, check)?,
        (None, None) => usual.to_owned(),
    };
    check(&text)?;
    Ok(text)
}

/// Writes all files, or none.
fn write(beginning: &Beginning, into: &Path) -> Result<u8, Failure> {
    let texts = beginning.files();
    let there = there(into, &texts);
    if !there.is_empty() {
        return Err(taken(into, &there));
    }
    let new: Vec<NewFile> =
        texts.iter().map(|file| NewFile::text(file.path.split('/').collect(), file.text.clone())).collect();
    let written = files::write(into, &new).map_err(|failure| failure.hint("nothing was written"))?;
    // As everybody will read it: what can't be read isn't left there.
    if let Err(problems) = config::load(&[into.join("rotator.yaml")]) {
        written.undo();
        return Err(Failure::from(problems).and(Failure::new("nothing was written")));
    }
    let (first, second) = beginning.kind.own();
    let code = beginning.code_file();
    output::report(&begun::text(&Begun {
        into,
        files: &texts.iter().map(|file| (file.path.as_str(), file.about.as_str())).collect::<Vec<_>>(),
        code: &code,
        own: [&beginning.language.name(first), &beginning.language.name(second)],
        secret: &beginning.secret,
        has_sandbox: cfg!(unix),
    }));
    Ok(exit::OK)
}

/// What is there already of files that are to be written, or in the place of their folders.
fn there<'a>(into: &Path, texts: &'a [Text]) -> Vec<&'a str> {
    let is_taken = |path: &&str| into.join(path).symlink_metadata().is_ok();
    let mut found: Vec<&str> = Vec::new();
    for file in texts {
        let folders = file.path.match_indices('/').map(|(end, _)| &file.path[..end]);
        let blocked = folders.filter(|folder| into.join(folder).metadata().is_ok_and(|found| !found.is_dir()));
        found.extend(blocked.chain(Some(file.path.as_str()).filter(is_taken)));
    }
    found
}

fn taken(into: &Path, there: &[&str]) -> Failure {
    let names = there.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let verb = if there.len() == 1 { "is" } else { "are" };
    let failure = Failure::new(format!(
        "{names} {verb} there already in `{}`: nothing is written over, and nothing was written",
        output::path(into)
    ));
    let failure = failure.hint("`--into DIR` begins in another folder");
    if there.contains(&"rotator.yaml") {
        failure.hint("to add to a project that stands: begin in another folder, then move its function's folder, and its entries, over")
    } else {
        failure
    }
}

fn unsaid_kind(is_told: bool) -> Failure {
    let why = if is_told { "nothing is asked with `--yes`" } else { "there is no terminal to ask" };
    let kinds = Kind::ALL.map(|kind| format!("`rotator init {}`: {}", kind.word(), kind.about()));
    Failure::new(format!("what rotates isn't said, and {why}")).hints(kinds)
}

/// Why a folder can't be begun in.
fn folder(path: &Path) -> Result<(), Failure> {
    let failure = |what: &str| {
        Failure::new(format!("cannot begin in `{}`: {what}", output::path(path)))
            .hint("`--into DIR` names the folder; it is made where it isn't there")
    };
    if path.components().any(|part| part.as_os_str() == ".git") {
        return Err(failure("Git's own folder is no place for it"));
    }
    match (path.symlink_metadata(), path.metadata()) {
        (Ok(_), Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(failure("it is a link that leads nowhere"))
        }
        (_, Ok(found)) if !found.is_dir() => Err(failure("it is a file")),
        (_, Err(error)) if error.kind() != std::io::ErrorKind::NotFound => Err(failure(&error.to_string())),
        _ => Ok(()),
    }
}

/// What a folder is called, whichever way it is named.
fn named(into: &Path) -> Option<String> {
    let whole = into.canonicalize().unwrap_or_else(|_| into.to_owned());
    Some(whole.file_name()?.to_string_lossy().into_owned())
}

fn check_project(name: &str) -> Result<(), Failure> {
    if facts::project_name(name).as_deref() == Some(name) {
        return Ok(());
    }
    let failure = Failure::new(format!("`{name}` is no project's name: it holds letters, digits, `.`, `_` and `-`"));
    Err(match facts::project_name(name) {
        Some(near) => failure.hint(format!("`--project {near}` would do")),
        None => failure.hint("`--project NAME` gives one; it begins with a letter or a digit"),
    })
}

fn check_secret(name: &str) -> Result<(), Failure> {
    let failure = |reason: &str| Failure::new(format!("`{name}` is no secret's name: {reason}"));
    if name.starts_with("arn:") {
        return Err(failure("it is an ARN")
            .hint("write the name alone, such as `payments/api-key`: the account and the region have flags"));
    }
    if name.contains('!') {
        return Err(failure("names with `!` are of services, which rotate such secrets themselves")
            .hint("`rotator import` writes a manifest of them"));
    }
    facts::secret_name(name).map_err(|reason| failure(&reason).hint("such as `payments/api-key`"))
}

fn check_function(name: &str) -> Result<(), Failure> {
    let checked = facts::function_name(name).and_then(|()| facts::stack_name(name));
    checked.map_err(|reason| {
        Failure::new(format!("`{name}` can't name the function and its stack: {reason}"))
            .hint("such as `SecretsManagerVendor`")
    })
}

fn check_target(target: &Target) -> Result<(), Failure> {
    if let Some(account) = &target.account
        && (account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Err(
            Failure::new(format!("`{account}` is no account: it has 12 digits")).hint("`--account 111111111111`")
        );
    }
    match target.region.as_deref().map(facts::region) {
        Some(Err((reason, hint))) => Err(Failure::new(reason).hints(hint)),
        _ => Ok(()),
    }
}
