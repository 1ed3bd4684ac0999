//! Manifests as people write them, wrong in the ways that people are wrong: the exact text that they would see.
//!
//! Each folder of `tests/manifests` holds a `rotator.yaml` and `expected.txt`; `paths.txt` names other roots to load.
//! `ROTATOR_REGENERATE=1 cargo test --test config` writes `expected.txt` anew: read the difference before committing it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use rotator::config::{self, Ambient};
use rotator::diagnostic::Diagnostic;
use rotator::model::{CodeSource, FunctionSource, Schedule};
use rotator::render::diagnostics;

const WIDTH: usize = 120;

fn said(paths: &[PathBuf]) -> String {
    shown(config::load(paths).map(|loaded| loaded.warnings))
}

fn said_of_policies(paths: &[PathBuf]) -> String {
    shown(config::policies(paths).map(|policies| policies.warnings))
}

fn shown(result: Result<Vec<Diagnostic>, config::Problems>) -> String {
    let text = match result {
        Ok(warnings) if warnings.is_empty() => "no problem\n".to_owned(),
        Ok(found) | Err(config::Problems(found)) => diagnostics::render(&found, false, WIDTH),
    };
    format!("{}\n", text.trim_end())
}

/// Without it, a message could get worse, point elsewhere, or be lost, unseen in review.
#[test]
fn every_mistake_has_its_text() {
    let regenerate = std::env::var_os("ROTATOR_REGENERATE").is_some();
    let mut folders: Vec<PathBuf> = std::fs::read_dir("tests/manifests")
        .expect("the folder of cases")
        .map(|entry| entry.expect("a case").path())
        .collect();
    folders.sort();
    let mut different = Vec::new();
    for folder in &folders {
        let paths: Vec<PathBuf> = match std::fs::read_to_string(folder.join("paths.txt")) {
            Ok(lines) => lines.lines().map(|line| folder.join(line)).collect(),
            Err(_) => vec![folder.clone()],
        };
        // A folder of policies holds no manifest.
        let mut policies: Vec<PathBuf> =
            std::fs::read_dir(folder).expect("a case").map(|entry| entry.expect("a file").path()).collect();
        policies.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("policy")));
        policies.sort();
        let text = if policies.is_empty() { said(&paths) } else { said_of_policies(&policies) };
        let file = folder.join("expected.txt");
        if regenerate {
            std::fs::write(&file, &text).expect("writable");
        } else if std::fs::read_to_string(&file).unwrap_or_default() != text {
            different.push(format!("--- {}\n{text}", folder.display()));
        }
    }
    assert!(folders.len() >= 45, "cases went missing");
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// A folder of its own for manifests that a test writes.
fn written(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("writable");
        std::fs::write(path, text).expect("writable");
    }
    folder
}

fn loaded(folder: &tempfile::TempDir) -> config::Loaded {
    match config::load(&[folder.path().to_path_buf()]) {
        Ok(loaded) => loaded,
        Err(problems) => panic!("{}", diagnostics::render(&problems.0, false, WIDTH)),
    }
}

/// What was found wrong, one summary a line.
fn refused(folder: &tempfile::TempDir) -> String {
    let problems = config::load(&[folder.path().to_path_buf()]).expect_err("a refusal").0;
    let lines: Vec<String> = problems.iter().map(|problem| format!("{}: {}", problem.check, problem.summary)).collect();
    lines.join("\n")
}

/// The manifest that shows everything.
fn everything() -> tempfile::TempDir {
    written(&[
        ("rotator.yaml", include_str!("everything.yaml")),
        (
            "services/mail.yaml",
            "defaults: {secrets: {rotation: {duration: 2h}}}\nsecrets:\n  mail/smtp: {function: stripe}\n",
        ),
        ("functions/stripe/lambda_function.py", "def lambda_handler(event, context):\n    pass\n"),
        (
            "functions/stripe/requirements.txt",
            "idna==3.10 --hash=sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
        ),
        (
            "tf/prod-eu.json",
            r#"{"subnets":{"sensitive":false,"type":["list","string"],"value":["subnet-9","subnet-8"]},"sg":{"sensitive":false,"type":"string","value":"sg-9"},"password":{"sensitive":true,"type":"string","value":"hunter2"}}"#,
        ),
    ])
}

/// Without it, defaults, variables, parts or targets could mean something else than the format says.
#[test]
fn everything_means_what_the_format_says() {
    let folder = everything();
    let manifest = loaded(&folder).manifests.pop().expect("one manifest");
    let names: Vec<_> = manifest.targets().iter().filter_map(|target| target.name.as_deref()).collect();
    assert_eq!((manifest.project(), names), ("payments", vec!["dev", "prod-eu"]));
    let dev = manifest.resolve(0, &Ambient::default()).expect("dev");
    let prod = manifest.resolve(1, &Ambient::default()).expect("prod-eu");
    assert_eq!(dev.target.role.as_deref(), Some("arn:aws:iam::111111111111:role/rotator-read"));
    assert_eq!(prod.target.apply_role.as_deref(), Some("arn:aws:iam::333333333333:role/rotator-apply"));
    assert_eq!(prod.target.external_id.as_ref().map(rotator::model::Sensitive::expose), Some("prod-unit-7"));
    assert_eq!(prod.target.session_name.as_deref(), Some("rotator-prod-eu"));

    let stripe = &dev.functions["stripe"];
    let deployment = stripe.deployment().expect("deployed");
    assert_eq!(stripe.name, "SecretsManager-stripe");
    assert_eq!(deployment.stack, "stripe-rotation");
    assert_eq!(deployment.settings.timeout, Some(60));
    assert_eq!(deployment.settings.memory, Some(256));
    assert!(deployment.shared);
    assert_eq!(deployment.application.version.as_deref(), Some("1.1.618"));
    assert_eq!(deployment.application.parameters["excludeCharacters"].expose(), "/@\"");
    assert_eq!(deployment.environment["API_URL"].as_ref().expect("a value").expose(), "https://api.stripe.com");
    assert!(deployment.environment["OLD"].is_none(), "null deletes a variable");
    let vpc =
        prod.functions["stripe"].deployment().and_then(|deployment| deployment.settings.vpc.clone()).expect("a VPC");
    assert_eq!(
        (vpc.subnets, vpc.security_groups),
        (vec!["subnet-8".into(), "subnet-9".into()], vec!["sg-9".to_owned()])
    );
    let code = deployment.code.as_ref().expect("code");
    let CodeSource::Path { path, tree, shown, .. } = &code.source else { panic!("a path") };
    assert_eq!(
        (path.as_path(), tree.as_path(), shown.as_str()),
        (folder.path().join("functions/stripe").as_path(), folder.path(), "functions/stripe")
    );

    assert!(!dev.functions.contains_key("mainframe"), "it is in production only");
    assert!(
        matches!(&prod.functions["mainframe"].source, FunctionSource::Existing { reference } if reference == "mainframe-rotation")
    );
    let api_key = &dev.secrets["payments/api-key"];
    assert_eq!(api_key.name, "dev/payments/api-key");
    assert_eq!(api_key.labels["owner"], "team-payments");
    let rules = api_key.rotation.rules.as_ref().expect("rules");
    assert_eq!((&rules.schedule, rules.duration_hours), (&Schedule::AutomaticallyAfterDays(60), Some(4)));
    assert_eq!(api_key.rotation.enabled, Some(true));
    let ledger = &prod.secrets["payments/ledger"].rotation;
    let rules = ledger.rules.as_ref().expect("rules");
    assert_eq!(
        (&rules.schedule, rules.duration_hours),
        (&Schedule::Expression("cron(0 2 ? * SUN#1 *)".to_owned()), Some(3))
    );
    assert_eq!(ledger.rotate_immediately, Some(false));
    assert_eq!(prod.secrets["payments/paused"].rotation.enabled, Some(false));
    // The part's own default beats the root's, for its entries only.
    assert_eq!(dev.secrets["mail/smtp"].rotation.rules.as_ref().and_then(|rules| rules.duration_hours), Some(2));
    assert_eq!(
        dev.removed.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["dev/function.old", "dev/secret.payments/old"]
    );
    assert_eq!(prod.removed.iter().map(ToString::to_string).collect::<Vec<_>>(), ["prod-eu/secret.payments/old"]);
    assert_eq!(dev.renamed_from.as_deref(), Some("billing"));
    assert!(!dev.prune);
}

/// Without it, a manifest without targets would plan for a placeholder's account and region.
#[test]
fn the_environment_fills_what_is_not_stated() {
    let folder = written(&[(
        "rotator.yaml",
        "version: 1\nproject: p\nfunctions:\n  f: {name: \"f-${region}-${account}\"}\nsecrets:\n  s: {function: f, name: \"${partition}/s\"}\n",
    )]);
    let manifest = loaded(&folder).manifests.pop().expect("one manifest");
    assert_eq!(manifest.targets().len(), 1);
    let ambient = Ambient { region: Some("cn-north-1".into()), account: Some("444444444444".into()) };
    let desired = manifest.resolve(0, &ambient).expect("resolved");
    assert_eq!(desired.functions["f"].name, "f-cn-north-1-444444444444");
    assert_eq!(desired.secrets["s"].name, "aws-cn/s");
    assert!(
        desired.functions["f"]
            .deployment()
            .expect("deployed")
            .application
            .id
            .starts_with("arn:aws-cn:serverlessrepo:cn-north-1:")
    );
    assert_eq!((desired.target.region.as_deref(), desired.target.account), (Some("cn-north-1"), None));
    let problems = manifest.resolve(0, &Ambient::default()).expect_err("the region isn't known");
    assert!(problems.0.iter().any(|problem| problem.check == "unknown-place"), "{problems:?}");
    assert!(manifest.resolve(7, &ambient).is_err(), "there is one target only");
}

/// Without it, a manifest that was let go after its first reading would mean another partition's template, or nothing at all: an empty
/// manifest would have everything removed.
#[test]
fn what_was_let_go_is_right_for_its_region_or_is_refused() {
    let resolved_for_all = |text: &str, released_for: &[Option<&str>], region: &str| {
        let folder = written(&[("rotator.yaml", text)]);
        let mut manifest = loaded(&folder).manifests.pop().expect("one manifest");
        manifest.release(released_for.iter().copied());
        let ambient = Ambient { region: Some(region.to_owned()), account: Some("444444444444".into()) };
        manifest.resolve(0, &ambient).map(|desired| {
            assert_eq!((desired.secrets.len(), desired.target.region.as_deref()), (1, Some(region)));
            desired.functions["f"].deployment().expect("deployed").application.id.split(':').nth(1).map(str::to_owned)
        })
    };
    let resolved =
        |text: &str, released_for: Option<&str>, region: &str| resolved_for_all(text, &[released_for], region);
    let anywhere = "version: 1\nproject: p\nfunctions:\n  f: {}\nsecrets:\n  s: {function: f}\n";
    let named = "version: 1\nproject: p\nfunctions:\n  f: {}\nsecrets:\n  s: {function: f, name: \"${account}/s\"}\n";
    for text in [anywhere, named] {
        for released_for in [None, Some("eu-west-1"), Some("cn-north-1")] {
            let partition = resolved(text, released_for, "eu-west-3").expect("the same partition");
            assert_eq!(partition.as_deref(), Some("aws"), "{text} {released_for:?}");
        }
    }
    assert_eq!(resolved(anywhere, Some("cn-north-1"), "cn-north-1").expect("kept").as_deref(), Some("aws-cn"));
    assert_eq!(resolved(named, Some("eu-west-1"), "cn-north-1").expect("kept").as_deref(), Some("aws-cn"));
    let both = [Some("eu-west-1"), Some("cn-north-1")];
    assert_eq!(resolved_for_all(anywhere, &both, "cn-north-1").expect("kept").as_deref(), Some("aws-cn"));
    let refused = resolved(anywhere, Some("eu-west-1"), "cn-north-1").expect_err("it was let go");
    assert!(refused.0[0].summary.contains("has changed"), "{refused:?}");
}

/// Without it, a fleet with very many warnings would be read to its half: what comes after would look as if it had been
/// taken out, and would stop rotating.
#[test]
fn warnings_end_no_reading() {
    let mut text = "version: 1\nproject: p\nfunctions:\n  f: {existing: f}\ndefaults:\n  secrets: {function: f, rotation: {duration: 12h}}\nsecrets:\n".to_owned();
    let secrets = 20_050;
    for number in 0..secrets {
        writeln!(text, "  s{number}: {{rotation: {{schedule_expression: rate(4 hours)}}}}").expect("room");
    }
    let folder = written(&[("rotator.yaml", &text)]);
    let mut loaded = loaded(&folder);
    assert!(!loaded.warnings.is_empty());
    let manifest = loaded.manifests.pop().expect("one manifest");
    assert_eq!(manifest.resolve(0, &Ambient::default()).expect("resolved").secrets.len(), secrets);
    // An error behind all of them is one nevertheless.
    let broken = text + "  last: {function: missing}\n";
    assert!(refused(&written(&[("rotator.yaml", &broken)])).contains("missing"));
}

/// Without it, the working directory's manifest would not be found, or another one would be read.
#[test]
fn no_path_means_the_working_directory() {
    let problems = config::load(&[]).expect_err("the repository's root has no manifest").0;
    assert!(problems[0].summary.contains("`rotator.yaml`"), "{problems:?}");
}

/// Without it, anchors and merge keys would be read unlike everywhere else.
#[test]
fn anchors_and_merge_keys() {
    let text = "version: 1\nproject: p\nfunctions:\n  f: {existing: f}\nsecrets:\n  a: &a\n    function: f\n    rotation: &days {automatically_after_days: 30, duration: 2h}\n    labels: {team: a}\n  b: {<<: *a, labels: {team: b}}\n  c:\n    <<: [{labels: {team: c}}, *a]\n    rotation: {<<: *days, automatically_after_days: 7}\n";
    let folder = written(&[("rotator.yaml", text)]);
    let manifest = loaded(&folder).manifests.pop().expect("one manifest");
    let desired = manifest.resolve(0, &Ambient::default()).expect("resolved");
    let of = |handle: &str| {
        (
            desired.secrets[handle].labels["team"].clone(),
            desired.secrets[handle].rotation.rules.as_ref().map(ToString::to_string),
        )
    };
    assert_eq!(of("a"), ("a".into(), Some("every 30 days, window 2h".into())));
    assert_eq!(of("b"), ("b".into(), Some("every 30 days, window 2h".into())));
    assert_eq!(of("c"), ("c".into(), Some("every 7 days, window 2h".into())));
}

/// Without it, a few lines could keep a pipeline busy for ever, or end it without a word.
#[test]
fn bombs_are_refused_before_they_explode() {
    let mut lines =
        vec!["version: 1".to_owned(), "project: p".to_owned(), "l0: &l0 [x, x, x, x, x, x, x, x, x, x]".to_owned()];
    lines.extend((1..40).map(|n| format!("l{n}: &l{n} [{}]", vec![format!("*l{}", n - 1); 10].join(", "))));
    assert!(refused(&written(&[("rotator.yaml", &lines.join("\n"))])).contains("alias-bomb"));
    // A chain of aliases grows in depth, not in size.
    let chain: Vec<String> = (1..200).map(|n| format!("c{n}: &c{n} [*c{}]", n - 1)).collect();
    let chain = format!("version: 1\nproject: p\nc0: &c0 [x]\n{}\n", chain.join("\n"));
    assert!(refused(&written(&[("rotator.yaml", &chain)])).contains("too-deep"));
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", "")] {
        let text = format!("version: 1\nproject: p\nsecrets:\n  {}x{}\n", open.repeat(100_000), close.repeat(100_000));
        refused(&written(&[("rotator.yaml", &text)]));
    }
    assert!(refused(&written(&[("rotator.yaml", "a: &a [*a]\n")])).contains("alias"));
    // Neither are variables, defaults and targets a way to ask for what doesn't fit into memory.
    let secrets = (0..2_000).map(|n| format!("  s{n}: {{function: f}}")).collect::<Vec<_>>().join("\n");
    let secrets = format!("functions: {{f: {{existing: f}}}}\nsecrets:\n{secrets}\n");
    let value = "v".repeat(200_000);
    let variables = format!(
        "version: 1\nproject: p\ntargets: {{dev: {{region: eu-west-1, vars: {{v: {value}}}}}}}\ndefaults: {{secrets: {{name: \"${{v}}\"}}}}\n{secrets}"
    );
    assert!(refused(&written(&[("rotator.yaml", &variables)])).contains("variable-bomb"));
    let labels = (0..2_000).map(|n| format!("l{n}: {}", "v".repeat(1_000))).collect::<Vec<_>>().join(", ");
    let defaults = format!("version: 1\nproject: p\ndefaults: {{secrets: {{labels: {{{labels}}}}}}}\n{secrets}");
    assert!(refused(&written(&[("rotator.yaml", &defaults)])).contains("too-much"));
    let target = |n| format!("  t{n}: {{account: \"{n:012}\", region: eu-west-1}}");
    let targets = (0..1_500).map(target).collect::<Vec<_>>().join("\n");
    let targets = format!("version: 1\nproject: p\ntargets:\n{targets}\n{secrets}");
    assert!(refused(&written(&[("rotator.yaml", &targets)])).contains("too-much"));
}

/// Without it, a fleet's manifest could take time that grows with its square: this would not end.
#[test]
fn a_fleet_is_read_in_one_pass() {
    use std::fmt::Write as _;
    let mut text = "version: 1\nproject: p\ndefaults: {secrets: {rotation: {automatically_after_days: 30}}}\nfunctions:\n  f: {existing: f}\nsecrets:\n".to_owned();
    for n in 0..20_000 {
        writeln!(text, "  prod/service-{n}/key:\n    function: f\n    labels: {{owner: team-{}}}", n % 50)
            .expect("a string");
    }
    let folder = written(&[("rotator.yaml", &text)]);
    let manifest = loaded(&folder).manifests.pop().expect("one manifest");
    assert_eq!(manifest.resolve(0, &Ambient::default()).expect("resolved").secrets.len(), 20_000);
    // As many problems are no slower to find than none.
    let wrong = written(&[("rotator.yaml", &text.replace("labels:", "lables:").replace("function: f", "function: g"))]);
    let said = refused(&wrong);
    // More wouldn't be read, and a pipeline's log has an end.
    assert_eq!(said.lines().count(), 1_001);
    assert!(said.lines().last().is_some_and(|last| last.contains("more problems aren't listed")), "{said}");
    let one_line = format!(
        "{{version: 1, project: p, secrets: {{{}}}}}",
        (0..5_000).map(|n| format!("k{n}: {{functoin: f}}")).collect::<Vec<_>>().join(", ")
    );
    assert_eq!(refused(&written(&[("rotator.yaml", &one_line)])).lines().count(), 1_001);
}

/// Without it, a variable could be read twice, or a literal `${` could not be written.
#[test]
fn variables_are_replaced_once() {
    let text = "version: 1\nproject: p\ntargets:\n  dev: {region: eu-west-1, vars: {a: \"$${b}\", b: x, n: 7, list: [subnet-1, subnet-2], where: \"${target}-${region}\"}}\nfunctions:\n  f:\n    environment: {AA: \"${a}\", BB: \"$${HOME} $5 ${n}\", CC: \"${where}\"}\n    vpc: {subnets: [subnet-0, \"${list}\"], security_groups: [sg-1]}\n";
    let folder = written(&[("rotator.yaml", text)]);
    let manifest = loaded(&folder).manifests.pop().expect("one manifest");
    let desired = manifest.resolve(0, &Ambient::default()).expect("resolved");
    let deployment = desired.functions["f"].deployment().expect("deployed");
    let value = |name: &str| deployment.environment[name].as_ref().map(|value| value.expose().to_owned());
    assert_eq!(value("AA").as_deref(), Some("${b}"));
    assert_eq!(value("BB").as_deref(), Some("${HOME} $5 7"));
    assert_eq!(value("CC").as_deref(), Some("dev-eu-west-1"));
    assert_eq!(deployment.settings.vpc.as_ref().expect("a VPC").subnets, ["subnet-0", "subnet-1", "subnet-2"]);
}

/// Without it, a link in a checked-out tree could bring a file of the machine into a function's package.
#[cfg(unix)]
#[test]
fn links_do_not_leave_the_tree() {
    use std::os::unix::fs::symlink;
    let text = "version: 1\nproject: p\ninclude: [parts/*.yaml]\nfunctions:\n  a: {code: code}\n  b: {code: away}\n  c: {code: inner}\n";
    let folder = written(&[
        ("rotator.yaml", text),
        ("code/lambda_function.py", "x"),
        ("inner/lambda_function.py", "x"),
        ("real/part.yaml", "{}"),
        ("parts/a.yaml", "functions: {}\n"),
    ]);
    symlink("/etc", folder.path().join("away")).expect("a link");
    symlink("/etc/hostname", folder.path().join("inner/hostname")).expect("a link");
    symlink("lambda_function.py", folder.path().join("code/same.py")).expect("a link");
    symlink("../real/part.yaml", folder.path().join("parts/b.yaml")).expect("a link");
    let text = refused(&folder);
    assert!(text.contains("`away` can't be the code: it is a link that leaves the manifest's folder"), "{text}");
    assert!(
        text.contains("`inner` can't be the code: the link `hostname` in it leaves the manifest's folder"),
        "{text}"
    );
    assert!(text.contains("`parts/b.yaml` is a link"), "{text}");
    assert!(!text.contains("`code`"), "a link inside the tree is as good as the file: {text}");
}

/// Without it, editors would complain about right manifests or pass wrong ones.
#[test]
fn the_schema_is_the_format() {
    let committed = std::fs::read_to_string("schema/rotator.schema.json").unwrap_or_default();
    if std::env::var_os("ROTATOR_REGENERATE").is_some() {
        std::fs::write("schema/rotator.schema.json", config::json_schema()).expect("writable");
    } else {
        assert!(
            committed == config::json_schema(),
            "the schema differs from the types: cargo run -- schema > schema/rotator.schema.json"
        );
    }
    let committed = std::fs::read_to_string("schema/policy.schema.json").unwrap_or_default();
    if std::env::var_os("ROTATOR_REGENERATE").is_some() {
        std::fs::write("schema/policy.schema.json", config::policy_schema()).expect("writable");
    } else {
        let how = "cargo run -- schema policy > schema/policy.schema.json";
        assert!(committed == config::policy_schema(), "the schema of policies differs from the types: {how}");
    }
    let schema: serde_json::Value = serde_json::from_str(&config::json_schema()).expect("JSON");
    let validator = jsonschema::draft7::new(&schema).expect("a draft-07 schema");
    let value = |text: &str| serde_yaml::from_str::<serde_json::Value>(text).expect("YAML");
    let problems = |text: &str| validator.iter_errors(&value(text)).map(|error| error.to_string()).collect::<Vec<_>>();
    assert_eq!(problems(include_str!("everything.yaml")), Vec::<String>::new());
    assert_eq!(problems("version: 1\nproject: p\nsecrets: {a: , b: {rotation: null}}"), Vec::<String>::new());
    assert_eq!(
        problems("functions: {f: {timeout: \"${t}\", shared: \"${s}\"}}"),
        Vec::<String>::new(),
        "a part needs neither version nor project"
    );
    for wrong in [
        "version: 1",
        "project: p",
        "version: 2\nproject: p",
        "version: 1\nproject: p\nfunction: {}",
        "version: 1\nproject: p\nsecrets: {a: {rotation: {days: 3}}}",
        "version: 1\nproject: p\nfunctions: {f: {timeout: 60s}}",
        "version: 1\nproject: p\nfunctions: {f: {timeout: 0}}",
        "version: 1\nproject: p\nfunctions: {f: {environment: {AA: 1}}}",
        "version: 1\nproject: p\ntargets: {dev: {account: 111111111111}}",
        "version: 1\nproject: p\ntargets: {Dev: {}}",
        "version: 1\nproject: p\nsecrets: {a: {rotation: {duration: 4}}}",
        "version: 1\nproject: p\nlimits: {stopped: 30.5%}",
        "version: 1\nproject: p\npolicy: [{name: x, enabled: false}]",
    ] {
        assert!(!problems(wrong).is_empty(), "{wrong}");
    }
}

/// Without it, a new field could be left out of the manifest that shows everything, and of all that is tried with it.
#[test]
fn everything_shows_every_field() {
    fn keys(value: &serde_json::Value, found: &mut BTreeSet<String>) {
        match value {
            serde_json::Value::Object(map) => {
                found.extend(map.keys().cloned());
                map.values().for_each(|inner| keys(inner, found));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|inner| keys(inner, found)),
            _ => {}
        }
    }
    let shown: serde_json::Value = serde_yaml::from_str(include_str!("everything.yaml")).expect("YAML");
    let mut written = BTreeSet::new();
    keys(&shown, &mut written);
    let schema: serde_json::Value = serde_json::from_str(&config::json_schema()).expect("JSON");
    let definitions = schema["definitions"].as_object().expect("definitions");
    let fields = definitions.iter().filter_map(|(of, one)| Some((of, one["properties"].as_object()?)));
    let named = fields.flat_map(|(of, fields)| fields.keys().map(move |field| (of, field)));
    let missing: Vec<String> =
        named.filter(|(_, field)| !written.contains(*field)).map(|(of, field)| format!("{field} of {of}")).collect();
    assert!(missing.is_empty(), "write an example of each into tests/everything.yaml: {missing:?}");
}

/// Without it, the security team's editor would complain about right policies or pass wrong ones, or its file would mean less
/// than a manifest's own rules.
#[test]
fn policies_are_the_rules_of_manifests() {
    let schema: serde_json::Value = serde_json::from_str(&config::policy_schema()).expect("JSON");
    let validator = jsonschema::draft7::new(&schema).expect("a draft-07 schema");
    let is_valid = |text: &str| validator.is_valid(&serde_yaml::from_str::<serde_json::Value>(text).expect("YAML"));
    let shown: serde_json::Value = serde_yaml::from_str(include_str!("everything.yaml")).expect("YAML");
    let text = format!("version: 1\npolicy: {}\n", shown["policy"]);
    assert!(is_valid(&text), "{text}");
    assert!(!is_valid("version: 1") && !is_valid("version: 1\npolicy: [{name: x, forbid: [rotates]}]"));
    let folder = written(&[("team.yaml", &text)]);
    let file = config::policies(&[folder.path().join("team.yaml"), folder.path().join("./team.yaml")]).expect("valid");
    assert_eq!(file.files.len(), 1, "a file that is named twice holds once");
    let manifest = loaded(&everything()).manifests.pop().expect("one manifest");
    let of = |rules: &[rotator::model::rule::Rule]| -> Vec<String> {
        rules.iter().map(|rule| format!("{} {:?} {:?}", rule.name, rule.scope, rule.exempt.len())).collect()
    };
    assert_eq!(of(&file.files[0].rules), of(manifest.policy()));
    assert_eq!(manifest.policy().len(), 3);
    assert_eq!(manifest.limits().stopped.as_ref().map(|limit| limit.at.line), Some(11));
}

/// Without it, the policy that people copy first would be refused.
#[test]
fn the_documented_policy_is_valid() {
    let page = include_str!("../schema/README.md");
    let section = page.split("## Limits and policy").nth(1).expect("the section");
    let blocks: Vec<&str> = section.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let manifest = format!("version: 1\nproject: p\n{}", blocks[0]);
    let policy = blocks.iter().find(|block| block.contains("\npolicy:\n")).expect("a policy");
    let folder = written(&[("rotator.yaml", &manifest), ("security.yaml", policy)]);
    assert!(loaded(&folder).manifests[0].limits().changed.is_some());
    let file = config::policies(&[folder.path().join("security.yaml")]).expect("valid").files.pop().expect("one file");
    assert_eq!(file.rules.len(), 2);
}

/// Without it, outputs of Terraform with an escape that only JSON has would stop every plan.
#[test]
fn outputs_may_hold_json_escapes() {
    let folder = written(&[
        (
            "rotator.yaml",
            "version: 1\nproject: p\ntargets:\n  dev: {region: eu-west-1, vars_from: out.json}\nfunctions:\n  f: {description: \"${icon}\"}\n",
        ),
        ("out.json", "{\"icon\": {\"sensitive\": false, \"type\": \"string\", \"value\": \"\\ud83d\\ude80\"}}"),
    ]);
    let manifest = loaded(&folder).manifests.pop().expect("one manifest");
    let desired = manifest.resolve(0, &Ambient::default()).expect("resolved");
    assert_eq!(
        desired.functions["f"].deployment().and_then(|deployment| deployment.settings.description.as_deref()),
        Some("\u{1f680}")
    );
}

/// Without it, an output of Terraform that is called like what is built in would take its place: functions and secrets would be
/// looked for in another region.
#[test]
fn outputs_never_replace_what_is_built_in() {
    let manifest = |vars_from: &str| {
        format!(
            "version: 1\nproject: p\ntargets:\n  dev: {{region: eu-west-1, vars_from: {vars_from}}}\nfunctions:\n  f: {{existing: \"f-${{region}}-${{sg}}\"}}\n"
        )
    };
    let outputs = r#"{"region": {"sensitive": false, "type": "string", "value": "us-east-1"}, "odd name": {"sensitive": false, "type": "string", "value": "x"}, "sg": {"sensitive": false, "type": "string", "value": "sg-1"}}"#;
    let folder = written(&[("rotator.yaml", &manifest("out.json")), ("out.json", outputs)]);
    let desired =
        loaded(&folder).manifests.pop().expect("one manifest").resolve(0, &Ambient::default()).expect("resolved");
    assert_eq!(desired.functions["f"].name, "f-eu-west-1-sg-1");
    // In a file that people write, it is a mistake.
    let plain = written(&[("rotator.yaml", &manifest("vars.yaml")), ("vars.yaml", "region: us-east-1\nsg: sg-1\n")]);
    assert!(refused(&plain).contains("`region` in `"), "{}", refused(&plain));
    // And so is what holds no variables at all, or isn't a file's name.
    for (text, path) in [("- region\n", "vars.yaml"), ("text\n", "vars.yaml")] {
        let said = refused(&written(&[("rotator.yaml", &manifest(path)), (path, text)]));
        assert!(said.contains("vars-from:") && said.contains("must hold a map, not"), "{said}");
    }
    let said = refused(&written(&[("rotator.yaml", &manifest("{sg: sg-1}"))]));
    assert!(said.contains("`vars_from` must be a path, not"), "{said}");
    // Git's own folder, where a pipeline keeps its token, is never read.
    let said = refused(&written(&[("rotator.yaml", &manifest(".git/config")), (".git/config", "sg: sg-1\n")]));
    assert!(said.contains("`.git/config` can't be used"), "{said}");
}

/// Without it, files written on Windows would be refused, or shown with their line ends.
#[test]
fn windows_line_ends() {
    let text = "\u{feff}version: 1\nproject: p\nfunctions:\n  f: {existing: f, colour: red}\n".replace('\n', "\r\n");
    let folder = written(&[("rotator.yaml", &text)]);
    let problems = config::load(&[folder.path().to_path_buf()]).expect_err("an unknown field").0;
    let position = problems[0].position.as_ref().expect("a place");
    assert_eq!(
        (position.line, position.column, position.text.as_deref()),
        (4, 20, Some("  f: {existing: f, colour: ***}"))
    );
}

/// Without it, what `validate` takes could be refused in a rehearsal, or the other way round: the sandbox shares no code with the
/// checks, so that both state the same facts of AWS.
#[test]
fn the_checks_and_the_sandbox_state_the_same_facts() {
    use rotator::config::{facts, runtimes};
    use rotator::model::{Setting, regions};
    use rotator::sandbox::model::{self, Kind};
    use rotator::sandbox::services::Service;
    use rotator::sandbox::{lambda, operations, secretsmanager, serverlessrepo};

    let set = |names: &[&'static str]| names.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(set(&facts::RESERVED), set(&lambda::RESERVED_VARIABLES), "names that Lambda keeps for itself");
    assert_eq!(facts::MAX_ENVIRONMENT_BYTES, lambda::MAX_ENVIRONMENT_BYTES);
    let with_repository = regions::KNOWN.into_iter().filter(|region| regions::has_repository(region));
    assert_eq!(with_repository.collect::<BTreeSet<_>>(), set(&serverlessrepo::REGIONS));

    let members = operations::input(Service::Lambda, "UpdateFunctionConfiguration").expect("it is served");
    let kind = |name: &str| members.iter().find(|member| member.name == name).expect("a member").kind;
    let range = |kind: Kind| match kind {
        Kind::Number(least, most) => (least, most),
        Kind::Structure([size]) => match size.kind {
            Kind::Number(least, most) => (least, most),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let ranges = [
        (Setting::Timeout, "Timeout"),
        (Setting::Memory, "MemorySize"),
        (Setting::EphemeralStorage, "EphemeralStorage"),
    ];
    for (setting, member) in ranges {
        let ours = setting.range().expect("a range");
        assert_eq!((i64::from(ours.least), i64::from(ours.most)), range(kind(member)), "{member}");
    }

    // A runtime that no function can be made with any more is known to the table, and not taken by the sandbox.
    let table = runtimes::known();
    let today = table.as_of.expect("the built-in table has a day");
    let usable = |runtime: &runtimes::Runtime| runtime.create_block.is_none_or(|day| day > today);
    let usable: BTreeSet<&str> =
        table.by_name.iter().filter(|(_, runtime)| usable(runtime)).map(|(name, _)| name.as_str()).collect();
    let differing: Vec<_> = usable.symmetric_difference(&set(&lambda::RUNTIMES)).copied().collect();
    assert_eq!(differing, ["dotnet9"], "container images alone have .NET 9");

    // Names: each printable character in the middle, each length at the limits.
    let characters = (' '..='~').map(|c| format!("a{c}b"));
    let lengths = [0, 1, 64, 65, 512, 513].map(|length| "a".repeat(length));
    let accepts = |service, operation, member: &str, name: &str| {
        let members = operations::input(service, operation).expect("it is served");
        let member = members.iter().find(|known| known.name == member).expect("a member");
        let request = serde_json::json!({ member.name: name }).as_object().cloned().expect("an object");
        model::check(service, std::slice::from_ref(member), &request).is_ok()
    };
    let mut apart = BTreeSet::new();
    for name in characters.chain(lengths) {
        let function = accepts(Service::Lambda, "CreateFunction", "FunctionName", &name) && name.len() <= 64;
        // `a:b` names a version for Lambda, which no new function has.
        if facts::function_name(&name).is_ok() != (function && !name.contains(':')) {
            apart.insert(format!("function {name}"));
        }
        let secret = accepts(Service::SecretsManager, "CreateSecret", "Name", &name)
            && secretsmanager::check_name(&name).is_ok();
        if facts::secret_name(&name).is_ok() != secret {
            apart.insert(format!("secret {name}"));
        }
    }
    assert_eq!(apart.into_iter().collect::<Vec<_>>(), [""; 0]);
}

proptest::proptest! {
    /// Without it, a manifest that is broken in an unforeseen way could stop the program, or point outside the file.
    #[test]
    fn broken_manifests_are_refused_and_nothing_more(edits in proptest::collection::vec((0_usize..4000, 0_usize..12, "[ \\n:{}\\[\\]\"'&*<!|>#${}a0é-]{0,6}"), 1..5)) {
        let mut text: Vec<char> = include_str!("everything.yaml").chars().collect();
        for (at, length, new) in edits {
            let at = at % text.len();
            let end = (at + length).min(text.len());
            text.splice(at..end, new.chars());
        }
        let text: String = text.into_iter().collect();
        let folder = written(&[("rotator.yaml", &text), ("services/mail.yaml", "secrets: {}\n")]);
        if let Err(problems) = config::load(&[folder.path().to_path_buf()]) {
            let lines = text.split(['\n', '\r']).count() + 1;
            for position in problems.0.iter().filter_map(|problem| problem.position.as_ref()) {
                proptest::prop_assert!((1..=lines).contains(&position.line) && position.column >= 1 && position.length >= 1, "{:?}", position);
            }
            diagnostics::render(&problems.0, true, 80);
        }
    }
}
