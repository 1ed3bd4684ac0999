//! Whatever an account has: what an import writes loads, says what AWS has, plans nothing, and isn't written a second time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use rotator::config::{self, Ambient, Manifest};
use rotator::import::{Draft, Here, Managed, Place, Root, Wanted, draft, file_name};
use rotator::model::account::{Account, AccountFunction, TaggedSecret};
use rotator::model::arn::{function_name, unqualified_function_arn};
use rotator::model::live::{Configuration, LiveFunction, LiveSecret, Reading, Statement, Unread};
use rotator::model::record::SecretRecord;
use rotator::model::{Desired, FunctionSource, Kind, Live, RotationRules, Schedule, Settings};
use rotator::plan::{PlanOptions, Purpose, Severity, make_plan};
use rotator::render::import_files::{NewTarget, part, root};

use crate::cases::{Dice, Throws, check, dice};

const ACCOUNT: &str = "111111111111";
const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

/// Names that AWS takes, that only its services make, and that no service should: the list may say anything.
const NAMES: [&str; 28] = [
    "a",
    "app/key",
    "app/key-AbCdEf",
    "null",
    "true",
    "on",
    "012",
    "1e3",
    "-dash",
    "/slash",
    "a.b_c+d=e@f-g",
    "~",
    "=",
    "@x",
    "rds!db-3bea",
    "events!connection/x/1",
    "na me",
    "a: b",
    "a, b}",
    "a\nb: {}",
    "a\u{2028}b",
    "ключ",
    "#a",
    "*",
    "&a",
    "!!x",
    "${key}",
    "a\"b",
];

/// How many of them people have.
const PLAIN: usize = 14;

/// Functions by what stands behind `function:`, or whole ARNs.
const FUNCTIONS: [&str; 9] =
    ["one", "one:live", "one:$LATEST", "null", "two-A1B2C3D4E5F6", "gone", "theirs", "shared", "failed"];

/// Defaults that a root may have.
const DEFAULTS: [&str; 6] = [
    "{}",
    "{secrets: {rotation: {automatically_after_days: 90, duration: 2h}}}",
    "{secrets: {name: 'x/${key}', labels: {owner: me}}}",
    "{secrets: {function: mine, rotation: {schedule_expression: 'rate(10 days)'}}}",
    "{secrets: {rotation: {enabled: false}}, functions: {name: 'f-${key}', timeout: 60}}",
    "{secrets: {targets: [us-east-1], rotation: {duration: 24h, rotate_immediately: true, automatically_after_days: 1}}}",
];

#[derive(Debug, Clone)]
struct Case {
    secrets: Vec<Dice>,
    whole: Dice,
}

fn rules(throws: &mut Throws<'_>) -> RotationRules {
    let schedule = match throws.one_of(&[0_u8, 0, 0, 0, 1, 1, 1, 2]) {
        0 => Schedule::AutomaticallyAfterDays(throws.one_of(&[30, 30, 7, 1, 1000])),
        1 => Schedule::Expression(
            throws.one_of(&["cron(0 8 ? * SUN *)", "rate(10 days)", "rate(12 hours)", "cron(0 /8 * * ? *)"]).to_owned(),
        ),
        _ => Schedule::Expression(
            throws.one_of(&["cron(0 8 ? * SUN#9 *)", "rate(1 week)", "", "x: y\nz", "cron(0 8 * * ? *)"]).to_owned(),
        ),
    };
    RotationRules::new(schedule, throws.maybe(50, &[1, 2, 4, 8, 24]))
}

fn secret(throws: &mut Throws<'_>, region: &str) -> TaggedSecret {
    // Half of them as people call them, so that most cases have something to write.
    let names = if throws.chance(50) { &NAMES[..] } else { &NAMES[..PLAIN] };
    let functions = if throws.chance(50) { &FUNCTIONS[..] } else { &FUNCTIONS[..4] };
    let (mut name, mut function) = (throws.one_of(names).to_owned(), throws.one_of(functions).to_owned());
    // What is called by the target's own words.
    let staged = throws.chance(40);
    let plain = RotationRules::new(Schedule::AutomaticallyAfterDays(30), None);
    if staged {
        let env = env(region);
        name = throws
            .one_of(&["{env}/app/db", "app-{env}", "{env}", "{region}/{env}.key", "x{env}/db", "{env}/{env}"])
            .replace("{env}", env)
            .replace("{region}", region);
    }
    if throws.chance(30) {
        function = throws
            .one_of(&["rotate-{env}", "rotate_{region}:live"])
            .replace("{env}", env(region))
            .replace("{region}", region);
    }
    let other = throws.chance(10);
    let account = if other { "222222222222" } else { ACCOUNT };
    let function = format!("arn:aws:lambda:{region}:{account}:function:{function}");
    let owner = throws.maybe(15, &["rds", "events"]);
    let record = SecretRecord {
        arn: format!("arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{name}-QwErTy"),
        rotation_enabled: throws.one_of(&[Some(true), Some(true), Some(true), Some(true), Some(false), None]),
        function_arn: Some(Arc::from(function)).filter(|_| owner.is_none()),
        rules: Some(rules(throws)),
        owning_service: owner.map(str::to_owned),
        partner_type: throws.maybe(5, &["SalesforceClientSecret"]).map(str::to_owned),
        replica_of: throws.maybe(5, &["ap-south-1"]).map(str::to_owned),
        deletion: throws.maybe(5, &[1]),
        current_version: Some("v1".to_owned()),
        pending_version: throws.maybe(10, &["v2"]).map(str::to_owned),
        name,
        ..SecretRecord::default()
    };
    let record =
        if staged { SecretRecord { rotation_enabled: Some(true), rules: Some(plain), ..record } } else { record };
    let tags = throws.maybe(20, &[("aws:cloudformation:stack-name", "s\n#"), ("ManagedBy", "terraform")]);
    TaggedSecret { record, tags: tags.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect() }
}

/// A function as Lambda says it, by what its name means here.
fn function(arn: &str) -> Option<AccountFunction> {
    let name = function_name(arn);
    let tags: &[(&str, &str)] = match name {
        "theirs" => &[("rotator:project", "other")],
        "shared" => {
            &[("rotator:project", "other"), ("rotator:shared", "true"), ("aws:cloudformation:stack-name", "a\nb: c")]
        }
        _ => &[],
    };
    let configuration = Configuration {
        arn: unqualified_function_arn(arn).to_owned(),
        name: name.to_owned(),
        state: if name == "failed" { "Failed" } else { "Active" }.to_owned(),
        state_reason: None,
        last_update_status: "Successful".to_owned(),
        settings: Settings::default(),
        environment: Ok(BTreeMap::new()),
        ipv6_dual_stack: None,
        code_sha256: "hash".to_owned(),
        code_files: None,
        tags: Ok(tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()),
        log_group: None,
        role: None,
        reserved_concurrency: None,
        last_modified: None,
    };
    let permits = Statement {
        sid: "s".to_owned(),
        allows: true,
        denies: false,
        source_account: Some(ACCOUNT.to_owned()),
        source_arn: None,
        other_conditions: false,
    };
    let found = AccountFunction { configuration: Reading::Found(configuration), policy: Reading::Found(vec![permits]) };
    (name != "gone").then_some(found)
}

fn account(region: &str, secrets: Vec<TaggedSecret>) -> Account {
    let mut named = BTreeSet::new();
    let secrets: Vec<TaggedSecret> =
        secrets.into_iter().filter(|secret| named.insert(secret.record.name.clone())).collect();
    let arns = secrets.iter().filter_map(|secret| secret.record.function_arn.as_deref());
    let absent = || AccountFunction { configuration: Reading::Absent, policy: Reading::Absent };
    let functions = arns.map(|arn| (arn.to_owned(), function(arn).unwrap_or_else(absent))).collect();
    let stacks = Err(Unread::Failed { call: None, code: None, message: "no".to_owned(), request_id: None });
    Account {
        account: ACCOUNT.to_owned(),
        region: region.to_owned(),
        partition: "aws".to_owned(),
        secrets,
        functions,
        stacks,
    }
}

/// What a plan would see of an account.
fn live(desired: &Desired, account: &Account) -> Live {
    let arn = |reference: &str| {
        if reference.starts_with("arn:") {
            reference.to_owned()
        } else {
            format!("arn:aws:lambda:{}:{ACCOUNT}:function:{reference}", account.region)
        }
    };
    let functions = desired.functions.iter().map(|(handle, one)| {
        let FunctionSource::Existing { reference } = &one.source else { panic!("nothing is deployed") };
        let found = function(&arn(reference));
        let live = LiveFunction {
            stack: Reading::Absent,
            configuration: found.map_or(Reading::Absent, |found| found.configuration),
            policy: Reading::Found(Vec::new()),
            application: Reading::Absent,
            foreign_secrets: None,
            held_by: None,
            tested: None,
        };
        (handle.clone(), live)
    });
    let secrets = desired.secrets.iter().map(|(handle, secret)| {
        let found = account.secrets.iter().find(|one| one.record.name == secret.name);
        (handle.clone(), found.map_or(Reading::Absent, |found| Reading::Found(live_secret(&found.record))))
    });
    Live {
        account: ACCOUNT.to_owned(),
        region: account.region.clone(),
        partition: "aws".to_owned(),
        functions: functions.collect(),
        secrets: secrets.collect(),
        orphan_stacks: Vec::new(),
        orphan_secrets: Ok(Vec::new()),
        stacks_unread: None,
        listed: None,
    }
}

fn live_secret(record: &SecretRecord) -> LiveSecret {
    LiveSecret {
        arn: record.arn.clone(),
        name: record.name.clone(),
        rotation_enabled: record.rotation_enabled,
        function_arn: record.function_arn.as_deref().map(str::to_owned),
        function_project: None,
        function_shared: false,
        function_unread: None,
        attached: None,
        rules: record.rules.clone(),
        kms_key: None,
        deleted: record.deletion.is_some(),
        replica_of: record.replica_of.clone(),
        owning_service: record.owning_service.clone(),
        current_version: record.current_version.clone(),
        pending_version: record.pending_version.clone(),
        previous_version: None,
        partner_type: record.partner_type.clone(),
        external: rotator::model::External::default(),
        last_accessed: None,
        rotates_within: None,
        unchanged_for: None,
        last_rotated: None,
    }
}

/// What people call a region's target for themselves.
fn env(region: &str) -> &'static str {
    if region == REGIONS[0] { "prod" } else { "staging" }
}

/// What a manifest's variables stand for in a region; those of people only where the root says them.
fn variables(region: &str, has_own: bool) -> BTreeMap<String, String> {
    let texts = [("target", region), ("region", region), ("account", ACCOUNT), ("partition", "aws")];
    let own = has_own.then(|| ("env", env(region)));
    texts.into_iter().chain(own).map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
}

/// Writes a draft, as the command does.
fn write(folder: &Path, draft: &Draft, fresh: Option<&[NewTarget]>, turn: usize) {
    std::fs::create_dir_all(folder.join("imported")).expect("a folder");
    for (number, group) in draft.groups.iter().enumerate() {
        let name = group.handle.as_deref().map_or_else(|| "none".to_owned(), file_name);
        std::fs::write(folder.join(format!("imported/{name}-{turn}-{number}.yaml")), part(group)).expect("a file");
    }
    if let Some(targets) = fresh {
        std::fs::write(folder.join("rotator.yaml"), root("p", "imported/*.yaml", targets, draft)).expect("a file");
    }
}

fn load(folder: &Path) -> Result<Manifest, TestCaseError> {
    let loaded = config::load(&[folder.join("rotator.yaml")]).map_err(|problems| {
        let files = std::fs::read_dir(folder.join("imported")).into_iter().flatten().flatten();
        let texts: String = files.map(|file| std::fs::read_to_string(file.path()).unwrap_or_default()).collect();
        TestCaseError::fail(format!("{problems:#?}\n{texts}"))
    })?;
    Ok(loaded.manifests.into_iter().next().expect("one"))
}

fn managed(manifest: &Manifest, index: usize, region: &str) -> (Desired, Managed) {
    let ambient = Ambient { region: Some(region.to_owned()), account: Some(ACCOUNT.to_owned()) };
    let desired = manifest.resolve(index, &ambient).expect("it was resolved");
    let managed = Managed::of([&desired], Here { partition: "aws", region, account: ACCOUNT });
    (desired, managed)
}

/// A root that people wrote: with defaults of its own, and some of the names taken.
fn standing(folder: &Path, throws: &mut Throws<'_>) -> Manifest {
    let defaults = throws.one_of(&DEFAULTS);
    let targets: String = REGIONS
        .map(|region| {
            format!("  {region}: {{region: {region}, account: '{ACCOUNT}', vars: {{env: {}}}}}\n", env(region))
        })
        .concat();
    let text = format!(
        "version: 1\nproject: p\ninclude: [imported/*.yaml]\ndefaults: {defaults}\ntargets:\n{targets}\
         functions: {{mine: {{existing: mine}}, known: {{existing: one}}}}\n\
         secrets: {{a: {{name: else, function: mine, targets: ['*'], rotation: {{automatically_after_days: 5}}}}}}\n"
    );
    std::fs::create_dir_all(folder.join("imported")).expect("a folder");
    std::fs::write(folder.join("imported/first.yaml"), "secrets: {}\n").expect("a file");
    std::fs::write(folder.join("rotator.yaml"), text).expect("a file");
    load(folder).expect("a root that people wrote")
}

/// How many secrets of a draft have a name with variables.
fn with_variables(draft: &Draft) -> usize {
    let entries = draft.groups.iter().flat_map(|group| &group.secrets);
    entries.filter(|one| one.name.as_ref().is_some_and(|name| name.contains("${"))).count()
}

fn holds(case: &Case, seen: &mut crate::cases::Seen) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut whole = case.whole.throws();
    let half = case.secrets.len() / 2;
    let secrets = |dice: &[Dice], region: &str| dice.iter().map(|one| secret(&mut one.throws(), region)).collect();
    let accounts = [
        account(REGIONS[0], secrets(&case.secrets[..half], REGIONS[0])),
        account(REGIONS[1], secrets(&case.secrets[half..], REGIONS[1])),
    ];
    let root = whole.chance(50).then(|| standing(folder.path(), &mut whole));
    let known: Vec<Managed> = (0..2)
        .map(|index| root.as_ref().map(|root| managed(root, index, REGIONS[index]).1).unwrap_or_default())
        .collect();
    let variables = REGIONS.map(|region| variables(region, root.is_some()));
    let wanted = |root: Option<&Manifest>| Wanted {
        project: "p",
        adopts: false,
        targets: 2,
        root: root.map_or(Root::Fresh, |root| Root::Standing {
            secrets: root.default_fields(Kind::Secret),
            functions: root.default_fields(Kind::Function),
        }),
        taken: root.map(|root| [root.handles(Kind::Function), root.handles(Kind::Secret)]).unwrap_or_default(),
        passes: &|_| true,
        terraform: None,
    };
    let at: Vec<Place<'_>> = accounts
        .iter()
        .zip(&known)
        .zip(REGIONS.iter().zip(&variables))
        .map(|((account, managed), (region, variables))| Place { target: Some(region), account, managed, variables })
        .collect();
    let first = draft(&at, &wanted(root.as_ref()));
    for (account, outcome) in accounts.iter().zip(&first.places) {
        prop_assert_eq!(account.secrets.len(), outcome.managed + outcome.written.len() + outcome.left_out.len());
        seen.add("secrets written", outcome.written.len());
        seen.add("secrets left out", outcome.left_out.len());
        seen.add("entries with variables", with_variables(&first));
    }
    if first.groups.is_empty() {
        return Ok(());
    }
    let targets = REGIONS.map(|region| NewTarget {
        name: region.to_owned(),
        region: region.to_owned(),
        account: ACCOUNT.to_owned(),
    });
    write(folder.path(), &first, root.is_none().then_some(&targets[..]), 1);
    let manifest = load(folder.path())?;
    let mut now = Vec::new();
    for (index, account) in accounts.iter().enumerate() {
        let (desired, managed) = managed(&manifest, index, REGIONS[index]);
        for name in &first.places[index].written {
            let entry = desired.secrets.values().find(|secret| secret.name == *name);
            let record = &account.secrets.iter().find(|one| one.record.name == *name).expect("it is there").record;
            let rotation = entry.map(|entry| (entry.rotation.enabled, entry.rotation.rules.clone()));
            prop_assert_eq!(rotation, Some((Some(true), record.rules.clone())), "{}", name);
        }
        // What people wrote of what isn't there is theirs.
        let mut desired = desired;
        desired.secrets.retain(|_, secret| secret.name != "else" && !secret.name.starts_with("x/"));
        desired.functions.remove("mine");
        let options = PlanOptions { purpose: Purpose::Converge { prune: false }, partial: false };
        let plan = make_plan(&desired, &live(&desired, account), options);
        prop_assert!(plan.changes.is_empty(), "{:#?}", plan.changes);
        let errors: Vec<_> = plan.problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
        prop_assert!(errors.is_empty(), "{errors:#?}");
        seen.add("plans", 1);
        now.push(managed);
    }
    let at: Vec<Place<'_>> = accounts
        .iter()
        .zip(&now)
        .zip(REGIONS.iter().zip(&variables))
        .map(|((account, managed), (region, variables))| Place { target: Some(region), account, managed, variables })
        .collect();
    let second = draft(&at, &wanted(Some(&manifest)));
    prop_assert!(second.groups.is_empty(), "{:#?}", second.groups);
    Ok(())
}

/// Without it, some account's names, schedules or functions would make a manifest that doesn't load, or that changes what it was made of.
#[test]
fn an_import_loads_and_plans_nothing() {
    let strategy =
        (prop::collection::vec(dice(32), 0..14), dice(8)).prop_map(|(secrets, whole)| Case { secrets, whole });
    let expected = ["secrets written", "secrets left out", "entries with variables", "plans"];
    check("an_import_loads_and_plans_nothing", 200, &expected, &strategy, |case| format!("{case:?}"), holds);
}
