//! `rotator diff` and `rotator explain` in a Git repository, as a reviewer or a pipeline runs them: offline.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::support::{Output, output, rotator_binary, scrubbed};

const MANIFEST: &str = "version: 1
project: payments
include: [services/*.yaml]
defaults:
  functions: {name: \"SecretsManager-${key}\", code: \"functions/${key}\", environment: {STAGE: \"${env}\", TOKEN: \"${token}\"}}
  secrets:
    name: ${env}/${key}
    rotation: {automatically_after_days: 60, duration: 4h}
targets:
  prod-eu: {region: eu-west-1, account: \"333333333333\", vars: {env: prod, token: hush-hush}, vars_from: prod.json}
  prod-us: {region: us-east-1, account: \"333333333333\", vars: {env: us, token: hush-hush}, vars_from: prod.json}
functions:
  stripe: {timeout: \"${timeout}\"}
";

/// A Git repository with a manifest, and Git without anything of the tester's configuration.
pub struct Repository(tempfile::TempDir);

impl Repository {
    pub fn new() -> Self {
        use std::fmt::Write as _;
        let repository = Self(tempfile::tempdir().expect("a temporary folder"));
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.write("rotator.yaml", MANIFEST);
        repository.write("prod.json", "{\"timeout\": 60}\n");
        repository.write("functions/stripe/lambda_function.py", "def lambda_handler(event, context):\n    pass\n");
        let mut secrets = "secrets:\n".to_owned();
        for number in 0..40 {
            let _ = writeln!(secrets, "  payments/key-{number:02}: {{function: stripe}}");
        }
        repository.write("services/payments.yaml", &secrets);
        repository
            .write("services/mail.yaml", "secrets:\n  mail/smtp: {function: stripe, rotation: {enabled: false}}\n");
        repository.commit("first");
        repository
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders can be made");
        std::fs::write(path, text).expect("files can be written");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).expect("a text file")
    }

    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} holds no {from:?}");
        self.write(name, &text.replace(from, to));
    }

    pub fn git(&self, arguments: &[&str]) -> Output {
        let mut command = scrubbed("git");
        command.current_dir(self.path()).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command.args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]);
        output(command.args(arguments)).exits(0)
    }

    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    pub fn command(&self) -> Command {
        let mut command = scrubbed(rotator_binary());
        command.current_dir(self.path());
        command
    }

    pub fn rotator(&self, arguments: &[&str]) -> Output {
        output(self.command().args(arguments))
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.rotator(arguments).exits(0);
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", output.all()))
    }
}

/// Without it, the rules and the brake could go in one pull request that means nothing, and be broken in the next.
#[test]
fn weaker_guards_are_said_first() {
    let repository = Repository::new();
    let guards = "policy:\n  - {name: fresh, max_age_days: 90, forbid: [deletes]}\nlimits: {stopped: 1}\n";
    let bare = repository.read("rotator.yaml");
    repository.write("rotator.yaml", &format!("{bare}{guards}"));
    let diff = ["diff", "--detailed-exitcode"];
    repository.rotator(&diff).exits(2).says("+ policy.fresh added").says("+ limit.stopped added");
    repository.commit("guards");
    repository.rotator(&diff).exits(0);
    repository.edit("rotator.yaml", "max_age_days: 90", "max_age_days: 900");
    repository.rotator(&diff).exits(2).says("! policy.fresh weakened: it forbids less").says("max_age_days: 90 -> 900");
    repository.write("rotator.yaml", &bare);
    repository
        .rotator(&diff)
        .exits(2)
        .says("2 guards")
        .says("! policy.fresh removed: a guard less")
        .says("forbid.deletes: not stated (was true)")
        .says("! limit.stopped removed: a guard less");
    repository.rotator(&["diff", "--format", "markdown"]).exits(0).says("⚠️ **`policy.fresh` removed: a guard less**");
    let json = repository.json(&["diff", "--format", "json"]);
    let guard = &json["manifests"][0]["guards"][1];
    assert_eq!((&guard["address"], &guard["turn"]), (&"policy.fresh".into(), &"weakened".into()), "{json}");
}

/// Without it, one changed line of a default would be approved as one line.
#[test]
fn one_line_of_a_default_is_said_with_all_that_it_changes() {
    let repository = Repository::new();
    repository.rotator(&["diff", "--detailed-exitcode"]).exits(0).says("The manifests mean the same.");
    repository.edit("rotator.yaml", "automatically_after_days: 60", "automatically_after_days: 30");
    repository
        .rotator(&["diff", "--detailed-exitcode"])
        .exits(2)
        .says("HEAD -> working tree: 1 line in rotator.yaml")
        .says("82 secrets, the same 41 in prod-eu and prod-us")
        .says("rotation.rules: every 60 days, window 4h -> every 30 days, window 4h")
        .says("more often: at most 30 days 4 hours between two rotations, was 60 days 4 hours")
        .says("the function's testSecret step runs now (80 of 82)");
    repository.rotator(&["diff"]).exits(0);
    repository.rotator(&["diff", "--target", "prod-eu"]).exits(0).says("41 secrets in prod-eu");
    repository
        .rotator(&["diff", "--target", "secret.mail/smtp"])
        .exits(0)
        .says("secret mail/smtp in prod-eu and prod-us");
    repository
        .rotator(&["diff", "--format", "markdown"])
        .exits(0)
        .says("**82 secrets, the same 41 in `prod-eu` and `prod-us`**");
    let json = repository.json(&["diff", "--format", "json"]);
    let difference = &json["manifests"][0]["differences"][0];
    assert_eq!((&difference["count"], &difference["subject"]), (&82.into(), &"secret".into()), "{json}");
    assert_eq!(difference["fields"][0]["after"], "every 30 days, window 4h");
    assert_eq!(json["files"][0]["lines"], 1);
}

/// Without it, what joins, leaves or changes its handle, and code and variables from files, would pass unseen.
#[test]
fn entries_code_and_variables_are_compared() {
    let repository = Repository::new();
    repository.git(&["switch", "--quiet", "--create", "topic"]);
    repository.edit("services/payments.yaml", "  payments/key-00: {function: stripe}\n", "");
    repository.edit("services/mail.yaml", "mail/smtp: {function", "mail/relay: {name: \"${env}/mail/smtp\", function");
    repository.write("services/new.yaml", "secrets:\n  new/key: {function: stripe}\n");
    repository.write("functions/stripe/lambda_function.py", "def lambda_handler(event, context):\n    return 1\n");
    repository.write("functions/stripe/helper.py", "x = 1\n");
    repository.write("prod.json", "{\"timeout\": 50}\n");
    repository.edit("rotator.yaml", "token: hush-hush", "token: other-hush");
    let said = |output: Output| {
        output
            .exits(0)
            .says("timeout: 60 -> 50")
            .says("lambda_function.py edited")
            .says("helper.py added")
            .says("the live function runs other code")
            .says("environment.TOKEN: another value (sensitive)")
            .says("secret new/key in prod-eu and prod-us added")
            .says("rotates now, unless it rotates already")
            .says("secret payments/key-00 in prod-eu and prod-us removed from the manifest")
            .says("becomes an orphan")
            .says("secret mail/relay in prod-eu and prod-us renamed: the same on AWS")
            .says("was mail/smtp")
            .keeps_silent_about("hush")
    };
    said(repository.rotator(&["diff"]));
    repository.commit("second");
    said(repository.rotator(&["diff", "main"]));
    said(repository.rotator(&["diff", "main..topic"]));
    // What the base branch did since isn't what the topic changed.
    repository.git(&["switch", "--quiet", "main"]);
    repository.edit("rotator.yaml", "duration: 4h", "duration: 2h");
    repository.commit("third");
    said(repository.rotator(&["diff", "main...topic"])).keeps_silent_about("window 2h");
    repository.rotator(&["diff", "main..topic"]).exits(0).says("window 2h -> every 60 days, window 4h");
    repository.rotator(&["diff", "..topic"]).exits(0).says("window 2h -> ");
}

/// Without it, a manifest that comes, goes or moves would be an error, or everything it declares a surprise.
#[test]
fn manifests_come_go_and_move() {
    let repository = Repository::new();
    repository.write(
        "other/rotator.yaml",
        "version: 1\nproject: other\nfunctions: {f: {existing: f}}\nsecrets: {s: {function: f}}\n",
    );
    repository.rotator(&["diff", "HEAD", "other"]).exits(0).says("The manifest is new.").says("secret s added");
    repository.rotator(&["diff", "--", "other"]).exits(0).says("The manifest is new.");
    repository.commit("other");
    std::fs::remove_dir_all(repository.path().join("other")).expect("removed");
    repository
        .rotator(&["diff", "HEAD", "other"])
        .exits(0)
        .says("The manifest is gone")
        .says("no plan looks at it any more");
    repository.write(
        "moved/rotator.yaml",
        "version: 1\nproject: other\nfunctions: {f: {existing: g}}\nsecrets: {s: {function: f}}\n",
    );
    repository.rotator(&["diff", "HEAD", "other", "moved"]).exits(0).says("The manifest was other/rotator.yaml before");
    repository.rotator(&["diff", "HEAD", "nowhere"]).exits(1).says("there is no manifest at `nowhere` on either side");
    // From another folder of the repository, paths are as people write them.
    let mut command = repository.command();
    command.current_dir(repository.path().join("services")).args(["diff", "HEAD", ".."]);
    output(&mut command).exits(0).says("mean the same");
}

/// Without it, a side that doesn't load would be compared as if it were empty.
#[test]
fn errors_say_which_side_they_are_on() {
    let repository = Repository::new();
    repository.rotator(&["diff", "--target", "dev"]).exits(1).says("matches no target");
    repository.rotator(&["diff", "--target", "secret.x"]).exits(1).says("matches nothing on either side");
    repository.edit("services/mail.yaml", "function: stripe", "function: strip");
    repository
        .rotator(&["diff"])
        .exits(1)
        .says("services/mail.yaml:2")
        .says("the manifests of `working tree` can't be compared");
    repository.commit("broken");
    repository.edit("services/mail.yaml", "function: strip", "function: stripe");
    repository
        .rotator(&["diff"])
        .exits(1)
        .says("HEAD:services/mail.yaml:2")
        .says("did you mean `stripe`?")
        .says("the manifests of `HEAD` can't be compared")
        .keeps_silent_about(&std::env::temp_dir().join("rotator-").display().to_string());
    repository.rotator(&["diff", "nope"]).exits(1).says("`nope` is no revision");
    repository.rotator(&["diff", "--", "/"]).exits(1);
    repository.rotator(&["diff", "../elsewhere"]).exits(1).says("is a path, and a revision comes first");
    repository.rotator(&["diff", "services"]).exits(1).says("rotator diff HEAD services");
    repository.rotator(&["diff", "HEAD..-x"]).exits(1).says("`-x` can't be a revision");
    let outside = tempfile::tempdir().expect("a folder");
    let mut command = repository.command();
    output(command.current_dir(outside.path()).arg("diff")).exits(1).says("is in no Git repository");
}

/// Without it, a pull request from a fork could run code on the machine that reviews it.
#[cfg(unix)]
#[test]
fn nothing_of_the_repository_runs() {
    use std::os::unix::fs::PermissionsExt as _;
    let repository = Repository::new();
    let marker = repository.path().join("ran");
    let script = repository.path().join("evil.sh");
    repository.write("evil.sh", &format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\ncat\n", marker.display()));
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let evil = script.to_str().expect("UTF-8");
    // Drivers of attributes, for what is checked out or shown.
    repository.write(".gitattributes", "* filter=evil diff=evil merge=evil\n");
    repository.commit("attributes");
    for name in ["post-checkout", "post-index-change", "reference-transaction", "fsmonitor-watchman", "pre-commit"] {
        let hook = repository.path().join(".git/hooks").join(name);
        std::fs::create_dir_all(hook.parent().expect("a parent")).expect("folders can be made");
        std::fs::copy(&script, &hook).expect("copied");
    }
    for key in [
        "core.fsmonitor",
        "core.pager",
        "core.editor",
        "core.sshCommand",
        "core.askPass",
        "core.gitProxy",
        "core.alternateRefsCommand",
        "credential.helper",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "interactive.diffFilter",
        "gpg.program",
        "uploadpack.packObjectsHook",
        "pager.cat-file",
        "pager.rev-parse",
        "alias.rev-parse",
        "remote.origin.uploadpack",
    ] {
        let value = if key.starts_with("alias") { format!("!{evil}") } else { evil.to_owned() };
        repository.git(&["config", key, &value]);
    }
    // A partial clone that would fetch what it lacks through a program.
    for (key, value) in [
        ("core.hooksPath", ".git/hooks"),
        ("protocol.ext.allow", "always"),
        ("protocol.allow", "always"),
        ("remote.origin.url", &format!("ext::{evil}")),
        ("remote.origin.promisor", "true"),
        ("remote.origin.partialclonefilter", "blob:none"),
        ("extensions.partialClone", "origin"),
        ("core.repositoryFormatVersion", "1"),
    ] {
        repository.git(&["config", key, value]);
    }
    let _ = std::fs::remove_file(&marker);
    repository.write("rotator.yaml", &MANIFEST.replace("duration: 4h", "duration: 3h"));
    repository.rotator(&["diff"]).exits(0).says("window 4h -> every 60 days, window 3h");
    let mut command = repository.command();
    command
        .env("GIT_EXTERNAL_DIFF", evil)
        .env("GIT_PAGER", evil)
        .env("GIT_SSH_COMMAND", evil)
        .env("GIT_DIR", "/nonexistent");
    output(command.args(["diff", "HEAD~1..HEAD"])).exits(0).says("mean the same");
    assert!(!marker.exists(), "{}", std::fs::read_to_string(&marker).unwrap_or_default());
    // A missing object is an error, not a reason to go and get it.
    let blob = repository.git(&["rev-parse", "HEAD:rotator.yaml"]).stdout.trim().to_owned();
    let _ = std::fs::remove_file(&marker);
    std::fs::remove_file(repository.path().join(format!(".git/objects/{}/{}", &blob[..2], &blob[2..])))
        .expect("a loose object");
    repository.rotator(&["diff"]).exits(1).says("an object is missing from this clone");
    assert!(!marker.exists(), "{}", std::fs::read_to_string(&marker).unwrap_or_default());
}

/// Without it, a folder of a pull request that looks like a bare repository could bring its own configuration.
#[cfg(unix)]
#[test]
fn a_repository_inside_the_repository_is_none() {
    let repository = Repository::new();
    let marker = repository.path().join("ran");
    repository.write("inner/HEAD", "ref: refs/heads/main\n");
    let config = format!("[core]\n\tbare = false\n\tworktree = ..\n\tfsmonitor = \"echo x > {}\"\n", marker.display());
    repository.write("inner/config", &config);
    std::fs::create_dir_all(repository.path().join("inner/objects")).expect("a folder");
    std::fs::create_dir_all(repository.path().join("inner/refs")).expect("a folder");
    repository.write("inner/rotator.yaml", "version: 1\nproject: inner\n");
    repository.rotator(&["diff", "HEAD", "inner"]).exits(1).says("is in no Git repository that can be read");
    assert!(!marker.exists());
}

/// Without it, a link in a fork's branch could carry a file of the reviewing machine into the comparison.
#[cfg(unix)]
#[test]
fn links_of_a_revision_stay_inside_it() {
    use std::os::unix::fs::symlink;
    let repository = Repository::new();
    std::fs::create_dir_all(repository.path().join("shared")).expect("a folder");
    repository.write("shared/common.py", "x = 1\n");
    symlink("../../shared/common.py", repository.path().join("functions/stripe/common.py")).expect("a link");
    repository.commit("a link that stays inside");
    repository.write("shared/common.py", "x = 2\n");
    repository.rotator(&["diff"]).exits(0).says("common.py edited");
    symlink("/etc/hostname", repository.path().join("functions/stripe/away.py")).expect("a link");
    repository.commit("a link that leaves");
    std::fs::remove_file(repository.path().join("functions/stripe/away.py")).expect("removed");
    repository.rotator(&["diff"]).exits(1).says("the link `away.py` in it leaves the manifest's folder");
    symlink("../mail.yaml", repository.path().join("services/linked.yaml")).expect("a link");
    repository.commit("a linked part");
    std::fs::remove_file(repository.path().join("services/linked.yaml")).expect("removed");
    repository.rotator(&["diff"]).exits(1).says("`services/linked.yaml` is a link");
}

/// Without it, names in a pull request could mention and link in the comment that a pipeline writes.
#[test]
fn hostile_names_are_shown_as_names() {
    let repository = Repository::new();
    repository.write("functions/stripe/`@org`[x](http:y).py", "x = 1\n");
    repository.edit("services/mail.yaml", "enabled: false}", "enabled: false}, labels: {\"<img>@org\": \"`a` | @b\"}");
    let markdown = repository.rotator(&["diff", "--format", "markdown"]).exits(0).stdout;
    assert!(markdown.contains("`` `@org`[x](http:y).py ``"), "{markdown}");
    assert!(markdown.contains("`labels.<img>@org`"), "{markdown}");
    assert!(markdown.contains("``` `a` | @b ```") || markdown.contains("`` `a` | @b ``"), "{markdown}");
}

/// Without it, one couldn't tell which of four places a value came from.
#[test]
fn explain_names_the_place_of_each_value() {
    let repository = Repository::new();
    repository.edit("rotator.yaml", "automatically_after_days: 60", "automatically_after_days: \"${days}\"");
    repository.edit("rotator.yaml", "{env: prod,", "{env: prod, days: 30,");
    repository.edit("rotator.yaml", "{env: us,", "{env: us, days: 90,");
    repository
        .rotator(&["explain", "secret.payments/key-07"])
        .exits(0)
        .says("secret.payments/key-07  declared in services/payments.yaml:9:3")
        .says("prod-eu: prod/payments/key-07")
        .says("prod-us: us/payments/key-07")
        .says("${env} in rotator.yaml:7:11: prod in the target's vars, rotator.yaml:10:69")
        .says("the root's defaults, rotator.yaml:8:42")
        .says("${days} in rotator.yaml:8:43: 30 in the target's vars, rotator.yaml:10:81")
        .says("its own entry, services/payments.yaml:9:31")
        .says("default: rotation is on where a schedule is given");
    repository
        .rotator(&["explain", "prod-eu/function.stripe"])
        .exits(0)
        .says("${timeout} in rotator.yaml:13:22: 60 from vars_from, prod.json:1:13")
        .says("${key} in rotator.yaml:5:37: stripe, the entry's key")
        .says("${token} in rotator.yaml:5:111: (sensitive) in the target's vars")
        .says("default: AWS's generic rotation template")
        .says("not managed, AWS keeps what it has: runtime, handler")
        .keeps_silent_about("hush")
        .keeps_silent_about("prod-us");
    let json = repository.json(&["explain", "--format", "json", "prod-us/secret.us/mail/smtp"]);
    let entry = &json["entries"][0];
    assert_eq!((&entry["address"], &entry["name"]), (&"prod-us/secret.mail/smtp".into(), &"us/mail/smtp".into()));
    let value = |path: &str| {
        let values = entry["values"].as_array().expect("values");
        values.iter().find(|value| value["path"] == path).cloned().unwrap_or_else(|| panic!("{path}: {entry}"))
    };
    assert_eq!(value("rotation.enabled")["origin"], "entry");
    assert_eq!(value("rotation.duration")["origin"], "root-defaults");
    assert_eq!(value("rotation.automatically_after_days")["variables"][0]["set_at"]["file"], "rotator.yaml");
    repository.rotator(&["explain", "payments/key-07"]).exits(0).says("secret.payments/key-07");
    repository.rotator(&["explain", "secret.payments/key-7"]).exits(1).says("did you mean `secret.payments/key-07`");
    repository.rotator(&["explain", "prod-uk/secret.mail/smtp"]).exits(1).says("did you mean `prod-us`?");
    repository.rotator(&["explain", "secret.*"]).exits(1).says("is a pattern");
}

/// Without it, a manifest would be good for one offline command and an error for the next, or a filter be heard by some.
#[test]
fn offline_commands_read_manifests_alike() {
    let repository = Repository::new();
    repository.write(
        "rotator.yaml",
        "version: 1
project: p
functions: {f: {existing: \"f-${region}\"}}
secrets: {s: {name: \"s-${account}\", function: f, rotation: {automatically_after_days: 30}}}
",
    );
    repository.commit("names that only AWS knows");
    repository.write("rules.yaml", "version: 1\npolicy: [{name: r, forbid: [overrides-freeze]}]\n");
    for command in [&["validate"][..], &["schedule"], &["explain", "secret.s"], &["diff"]] {
        let with = |more: &[&str]| repository.rotator(&[command, more].concat());
        for more in [&[][..], &["--policy", "rules.yaml"], &["--target", "secret.s"], &["--region", "eu-west-1"]] {
            with(more).exits(0);
        }
        with(&["--target", "secret.nobody"]).exits(1).says("error: `--target secret.nobody` matches nothing");
        with(&["--target", "label:of=nobody"]).exits(1).says("error: `--target label:of=nobody` matches nothing");
        with(&["--target", "dev"]).exits(1).says("error: `--target dev` matches no target").says("has no `targets:`");
        with(&["--target", "freeze.x"]).exits(1).says("names no function and no secret, but a freeze");
    }
    for command in [&["validate"][..], &["schedule"], &["explain", "secret.s"]] {
        repository.rotator(&[command, &["--policy", "nothing.yaml"]].concat()).exits(1).says("nothing.yaml");
    }
}
