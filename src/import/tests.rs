//! Drafts of small accounts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::*;
use crate::model::account::AccountFunction;
use crate::model::live::{Configuration, LiveStack, Reading, Statement};
use crate::model::record::SecretRecord;
use crate::model::{Desired, PROJECT_TAG, SAR_APPLICATION_TAG, SHARED_TAG, Schedule, Settings};

const ACCOUNT: &str = "111111111111";
const REGION: &str = "eu-west-1";
const GENERIC: &str = "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate";

fn arn(function: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}")
}

fn days(days: u16) -> RotationRules {
    RotationRules::new(Schedule::AutomaticallyAfterDays(days), None)
}

fn secret(name: &str, function: &str, rules: RotationRules) -> TaggedSecret {
    let record = SecretRecord {
        name: name.to_owned(),
        arn: format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-AbCdEf"),
        rotation_enabled: Some(true),
        function_arn: Some(Arc::from(function)),
        rules: Some(rules),
        current_version: Some("v1".to_owned()),
        ..SecretRecord::default()
    };
    TaggedSecret { record, tags: BTreeMap::new() }
}

fn configuration(arn: &str, tags: &[(&str, &str)]) -> Configuration {
    Configuration {
        arn: crate::model::arn::unqualified_function_arn(arn).to_owned(),
        name: crate::model::arn::function_name(arn).to_owned(),
        state: "Active".to_owned(),
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
    }
}

fn function(arn: &str, tags: &[(&str, &str)]) -> (String, AccountFunction) {
    let permits = Statement {
        sid: "s".to_owned(),
        allows: true,
        denies: false,
        source_account: Some(ACCOUNT.to_owned()),
        source_arn: None,
        other_conditions: false,
    };
    let function = AccountFunction {
        configuration: Reading::Found(configuration(arn, tags)),
        policy: Reading::Found(vec![permits]),
    };
    (arn.to_owned(), function)
}

fn account(secrets: Vec<TaggedSecret>, functions: Vec<(String, AccountFunction)>) -> Account {
    Account {
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
        partition: "aws".to_owned(),
        secrets,
        functions: functions.into_iter().collect(),
        stacks: Ok(Vec::new()),
    }
}

fn stack(name: &str, function: &str, tags: &[(&str, &str)]) -> LiveStack {
    LiveStack {
        id: format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/1"),
        name: name.to_owned(),
        status: "CREATE_COMPLETE".to_owned(),
        tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        parameters: BTreeMap::new(),
        capabilities: Vec::new(),
        function: Some(function.to_owned()),
        first_failure: None,
    }
}

fn fresh(targets: usize) -> Wanted<'static> {
    Wanted {
        project: "p",
        adopts: false,
        targets,
        root: Root::Fresh,
        taken: Default::default(),
        passes: &|_| true,
        terraform: None,
    }
}

fn drafted(account: &Account, wanted: &Wanted<'_>) -> Draft {
    let managed = Managed::default();
    draft(&[Place { target: Some(REGION), account, managed: &managed, variables: &BTreeMap::new() }], wanted)
}

fn group<'a>(draft: &'a Draft, handle: &str) -> &'a Group {
    draft.groups.iter().find(|group| group.handle.as_deref() == Some(handle)).expect(handle)
}

/// Without it, a manifest of a thousand secrets would say a thousand times what is the same, or a default would change what AWS has.
#[test]
fn the_commonest_rotation_is_the_default_and_entries_say_the_rest() {
    let cron = RotationRules::new(Schedule::Expression("cron(0 8 ? * * *)".to_owned()), Some(2));
    let windowed = RotationRules::new(Schedule::AutomaticallyAfterDays(30), Some(4));
    let secrets = vec![
        secret("a/1", &arn("one"), windowed.clone()),
        secret("a/2", &arn("one"), windowed.clone()),
        secret("a/3", &arn("one"), windowed.clone()),
        secret("a/4", &arn("one"), days(30)),
        secret("b/1", &arn("two"), cron.clone()),
        secret("b/2", &arn("two"), cron.clone()),
        secret("b/3", &arn("two"), windowed.clone()),
        secret("c/1", &arn("three"), days(7)),
    ];
    let functions = ["one", "two", "three"].map(|name| function(&arn(name), &[])).into();
    let draft = drafted(&account(secrets, functions), &fresh(1));
    assert_eq!(draft.defaults, Some(windowed));
    let said = |handle: &str| -> Vec<Vec<Field>> {
        group(&draft, handle).secrets.iter().map(|secret| secret.rotation.clone()).collect()
    };
    assert_eq!(said("one"), [vec![], vec![], vec![], vec![Field::Duration(None)]]);
    assert_eq!(said("three"), [vec![Field::Days(7), Field::Duration(None)]]);
    let own = group(&draft, "two").defaults.clone();
    assert_eq!(own, [Field::Expression("cron(0 8 ? * * *)".to_owned()), Field::Duration(Some(2))]);
    assert_eq!(said("two"), [vec![], vec![], vec![Field::Days(30), Field::Duration(Some(4))]]);
}

/// Without it, what can't be managed would be written all the same, and its plan be an error.
#[test]
fn what_cannot_be_managed_is_left_out_with_its_reason() {
    let plain = |name: &str| secret(name, &arn("one"), days(30));
    let with = |name: &str, change: &dyn Fn(&mut SecretRecord)| {
        let mut secret = plain(name);
        change(&mut secret.record);
        secret
    };
    let elsewhere = "arn:aws:lambda:eu-west-1:222222222222:function:theirs";
    let secrets = vec![
        plain("good"),
        with("never", &|one| one.rotation_enabled = None),
        with("off", &|one| one.rotation_enabled = Some(false)),
        with("replica", &|one| one.replica_of = Some("us-east-1".to_owned())),
        with("deleted", &|one| one.deletion = Some(1)),
        with("partner", &|one| {
            one.partner_type = Some("SalesforceClientSecret".to_owned());
            one.rotation_enabled = None;
        }),
        with("owned-off", &|one| {
            one.owning_service = Some("events".to_owned());
            one.rotation_enabled = None;
        }),
        with("owned", &|one| one.owning_service = Some("rds".to_owned())),
        with("schedule", &|one| {
            one.rules = Some(RotationRules::new(Schedule::Expression("rate(1 week)".to_owned()), None));
        }),
        secret("gone", &arn("gone"), days(30)),
        secret("failed", &arn("failed"), days(30)),
        secret("theirs", &arn("theirs"), days(30)),
        secret("shared", &arn("shared"), days(30)),
        secret("elsewhere", elsewhere, days(30)),
        with("na\nme", &|_| ()),
    ];
    let mut failed = function(&arn("failed"), &[]);
    if let Reading::Found(live) = &mut failed.1.configuration {
        "Failed".clone_into(&mut live.state);
    }
    let functions = vec![
        function(&arn("one"), &[]),
        failed,
        function(&arn("theirs"), &[(PROJECT_TAG, "other")]),
        function(&arn("shared"), &[(PROJECT_TAG, "other"), (SHARED_TAG, "true")]),
        function(elsewhere, &[]),
    ];
    let draft = drafted(&account(secrets, functions), &fresh(1));
    let outcome = &draft.places[0];
    let reasons: BTreeMap<&str, &str> =
        outcome.left_out.iter().map(|(name, _, why)| (name.as_str(), why.word())).collect();
    let expected = [
        ("deleted", "scheduled-for-deletion"),
        ("failed", "function-failed"),
        ("gone", "function-gone"),
        ("na\nme", "name"),
        ("never", "never"),
        ("off", "off"),
        ("owned-off", "service"),
        ("partner", "partner"),
        ("replica", "replica"),
        ("schedule", "schedule"),
        ("theirs", "other-project"),
    ];
    assert_eq!(reasons, expected.into());
    assert_eq!(outcome.written, ["elsewhere", "good", "owned", "shared"]);
    assert_eq!(outcome.secrets, 15);
    let remarks = |handle: &str| &group(&draft, handle).function.as_ref().expect("new").remarks;
    let other = Remark::OtherAccount { account: "222222222222".to_owned() };
    assert_eq!(*remarks("theirs"), [(None, other)]);
    assert_eq!(*remarks("shared"), [(None, Remark::SharedBy { project: "other".to_owned() })]);
    let owned = draft.groups.iter().find(|group| group.handle.is_none()).expect("what AWS rotates");
    assert_eq!((&owned.secrets[0].function, &owned.function), (&FunctionWord::Absent, &None));
}

/// Without it, a second import would write a second time what the first one wrote, or what people wrote in other ways.
#[test]
fn what_the_root_names_is_left_alone() {
    let secrets = vec![
        secret("by-name", &arn("one"), days(30)),
        secret("by-arn", &arn("one"), days(30)),
        secret("by-partial-arn", &arn("one"), days(30)),
        secret("let-go", &arn("one"), days(30)),
        secret("new", &arn("one"), days(30)),
        secret("of-two", &arn("two"), days(30)),
    ];
    let account = account(secrets, vec![function(&arn("one"), &[]), function(&arn("two"), &[])]);
    let secret_of = |name: String| crate::model::Secret {
        name,
        external: None,
        function: None,
        rotation: crate::model::Rotation::default(),
        labels: crate::model::Shared::default(),
    };
    let prefix = format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:");
    let named = ["by-name".to_owned(), format!("{prefix}by-arn-AbCdEf"), format!("{prefix}by-partial-arn")];
    let secrets: BTreeMap<String, crate::model::Secret> =
        named.into_iter().enumerate().map(|(at, name)| (format!("s{at}"), secret_of(name))).collect();
    let source = crate::model::FunctionSource::Existing { reference: "one".to_owned() };
    let known = crate::model::Function { name: "one".to_owned(), source, labels: BTreeMap::new() };
    let desired = Desired {
        functions: [("db".to_owned(), known)].into(),
        secrets: secrets.into(),
        removed: [crate::model::Address::new(None, crate::model::Kind::Secret, "let-go")].into(),
        ..Desired::default()
    };
    let managed = Managed::of([&desired], Here { partition: "aws", region: REGION, account: ACCOUNT });
    let fields: BTreeSet<String> = ["name", "rotation.duration"].map(str::to_owned).into();
    let wanted = Wanted {
        root: Root::Standing { secrets: fields, functions: BTreeSet::new() },
        taken: [["db".to_owned(), "two".to_owned()].into(), ["new".to_owned()].into()],
        ..fresh(0)
    };
    let draft =
        draft(&[Place { target: None, account: &account, managed: &managed, variables: &BTreeMap::new() }], &wanted);
    assert_eq!((draft.places[0].managed, draft.defaults.clone()), (3, None));
    assert_eq!(draft.places[0].left_out, [("let-go".to_owned(), format!("{prefix}let-go-AbCdEf"), LeftOut::Released)]);
    let known = group(&draft, "db");
    assert_eq!((known.function.as_ref(), known.secrets[0].handle.as_str()), (None, "new-2"));
    // What the root's defaults could change is said in each entry.
    assert_eq!(known.secrets[0].name.as_deref(), Some("new"));
    assert_eq!(known.secrets[0].rotation, [Field::Days(30), Field::Duration(None)]);
    assert_eq!(
        group(&draft, "two-2").function.as_ref().map(|one| &one.source),
        Some(&Source::Existing("two".to_owned()))
    );
}

/// Without it, two regions would need two manifests, or one region's rotation be planned in the other.
#[test]
fn several_places_become_one_manifest() {
    let west = account(
        vec![
            secret("both", &arn("one"), days(30)),
            secret("other-rules", &arn("one"), days(30)),
            secret("west", &arn("one"), days(30)),
        ],
        vec![function(&arn("one"), &[("aws:cloudformation:stack-name", "s")])],
    );
    let east_arn = |name: &str| arn(name).replace(REGION, "us-east-1");
    let mut east = account(
        vec![secret("both", &east_arn("one"), days(30)), secret("other-rules", &east_arn("one"), days(7))],
        vec![function(&east_arn("one"), &[])],
    );
    "us-east-1".clone_into(&mut east.region);
    let managed = Managed::default();
    let places = [
        Place { target: Some("west"), account: &west, managed: &managed, variables: &BTreeMap::new() },
        Place { target: Some("east"), account: &east, managed: &managed, variables: &BTreeMap::new() },
    ];
    let draft = draft(&places, &fresh(2));
    let group = group(&draft, "one");
    let entries: Vec<(&str, Option<&str>, Vec<&str>)> = group
        .secrets
        .iter()
        .map(|one| (one.handle.as_str(), one.name.as_deref(), one.targets.iter().map(String::as_str).collect()))
        .collect();
    assert_eq!(
        entries,
        [
            ("both", None, vec![]),
            ("other-rules", None, vec!["west"]),
            ("other-rules-east", Some("other-rules"), vec!["east"]),
            ("west", None, vec!["west"]),
        ]
    );
    let function = group.function.as_ref().expect("new");
    let remark = Remark::OfStack { stack: "s".to_owned() };
    assert_eq!((&function.targets, &function.remarks[..]), (&vec![], &[(Some("west".to_owned()), remark)][..]));
}

/// Without it, an account for each stage would need an entry for each, which a person writes once.
#[test]
fn what_differs_by_a_target_s_variables_is_one_entry() {
    let place = |stage: &str, account: &str, days_of_other: u16| {
        let arn = |name: &str| format!("arn:aws:lambda:{REGION}:{account}:function:{name}");
        let central = format!("arn:aws:lambda:{REGION}:999999999999:function:central-{stage}");
        let own = arn(&format!("rotate-{stage}"));
        let secrets = vec![
            secret(&format!("{stage}/app/db"), &own, days(30)),
            secret(&format!("app-{stage}"), &central, days(30)),
            secret(&format!("{stage}/other"), &own, days(days_of_other)),
            secret("same", &own, days(30)),
            secret("prod/of-prod", &own, days(30)),
        ];
        let mut account_read = self::account(secrets, vec![function(&own, &[]), function(&central, &[])]);
        account.clone_into(&mut account_read.account);
        account_read
    };
    let (prod, staging) = (place("prod", ACCOUNT, 30), place("staging", "222222222222", 7));
    let variables = ["prod", "staging"].map(|stage| BTreeMap::from([("target".to_owned(), stage.to_owned())]));
    let managed = Managed::default();
    let places = [
        Place { target: Some("prod"), account: &prod, managed: &managed, variables: &variables[0] },
        Place { target: Some("staging"), account: &staging, managed: &managed, variables: &variables[1] },
    ];
    let draft = draft(&places, &fresh(2));
    let handles: Vec<Option<&str>> = draft.groups.iter().map(|group| group.handle.as_deref()).collect();
    assert_eq!(handles, [Some("central"), Some("rotate")]);
    let source = |handle: &str| group(&draft, handle).function.as_ref().expect("new").source.clone();
    let central = format!("arn:aws:lambda:{REGION}:999999999999:function:central-${{target}}");
    assert_eq!(source("central"), Source::Existing(central));
    assert_eq!(source("rotate"), Source::Existing("rotate-${target}".to_owned()));
    let entries: Vec<(&str, Option<&str>, usize, usize)> = draft
        .groups
        .iter()
        .flat_map(|group| &group.secrets)
        .map(|one| (one.handle.as_str(), one.name.as_deref(), one.targets.len(), one.means.0.len()))
        .collect();
    assert_eq!(
        entries,
        [
            ("app", Some("app-${target}"), 0, 2),
            ("app/db", Some("${target}/app/db"), 0, 2),
            ("prod/of-prod", None, 0, 2),
            ("prod/other", None, 1, 1),
            ("same", None, 0, 2),
            ("staging/other", None, 1, 1),
        ]
    );
}

/// Without it, versions of one function, or functions of one name, would be taken for one, and all but one of them left out.
#[test]
fn versions_and_other_accounts_have_functions_of_their_own() {
    let (live, other) = (arn("one:live"), "arn:aws:lambda:eu-west-1:222222222222:function:one".to_owned());
    let secrets = vec![
        secret("a", &live, days(30)),
        secret("b", &live, days(30)),
        secret("c", &arn("one"), days(30)),
        secret("d", &other, days(30)),
    ];
    let functions = vec![function(&live, &[]), function(&arn("one"), &[]), function(&other, &[])];
    let draft = drafted(&account(secrets, functions), &fresh(1));
    assert_eq!(group(&draft, "one-live").secrets.len(), 2);
    assert_eq!((draft.groups.len(), &draft.places[0].left_out[..]), (3, &[][..]));
}

/// Without it, what AWS rotates at a partner's would be left out, though a manifest can say it.
#[test]
fn what_aws_rotates_has_no_function() {
    let mut partner = secret("partner", "", days(30));
    partner.record.function_arn = None;
    partner.record.partner_type = Some("SalesforceClientSecret".to_owned());
    let mut service = secret("rds!db-1", "", days(7));
    service.record.function_arn = None;
    service.record.owning_service = Some("rds".to_owned());
    let draft = drafted(&account(vec![partner, service], Vec::new()), &fresh(1));
    assert_eq!(draft.groups.len(), 1);
    assert_eq!((draft.groups[0].handle.as_ref(), draft.groups[0].secrets.len()), (None, 2));
}

/// Without it, adopting would take what isn't the repository's, what somebody else owns, or what the plan would change more of.
#[test]
fn only_functions_of_the_generic_template_are_adopted() {
    let tags = [(SAR_APPLICATION_TAG, GENERIC)];
    let adopted = |change: &dyn Fn(&mut Account)| {
        let mut account = account(vec![secret("a", &arn("One_F"), days(30))], vec![function(&arn("One_F"), &tags)]);
        account.stacks = Ok(vec![stack("serverlessrepo-keys", "One_F", &tags)]);
        change(&mut account);
        let draft = drafted(&account, &Wanted { adopts: true, ..fresh(1) });
        draft.groups[0].function.clone().expect("new")
    };
    let stacks = |account: &mut Account, change: &dyn Fn(&mut LiveStack)| {
        account.stacks.iter_mut().flatten().for_each(change);
    };
    let plain = adopted(&|_| ());
    let source = Source::Adopted { name: "One_F".to_owned(), stack: "keys".to_owned(), code: None };
    assert_eq!((plain.source, plain.handle.as_str()), (source, "One_F"));
    let existing = Source::Existing("One_F".to_owned());
    let strange = "arn:aws:serverlessrepo:us-east-1:1:applications/SecretsManagerRotationTemplate";
    let tag = |name: &'static str, value: &'static str| {
        move |stack: &mut LiveStack| drop(stack.tags.insert(name.to_owned(), value.to_owned()))
    };
    let of_stack: [&dyn Fn(&mut LiveStack); 3] =
        [&tag(SAR_APPLICATION_TAG, strange), &tag(PROJECT_TAG, "other"), &|stack| {
            "UPDATE_FAILED".clone_into(&mut stack.status);
        }];
    for change in of_stack {
        assert_eq!(adopted(&|account| stacks(account, change)).source, existing);
    }
    let unread = || Unread::Failed { call: None, code: None, message: "no".to_owned(), request_id: None };
    assert_eq!(adopted(&|account| account.stacks = Err(unread())).source, existing);
    let close = |account: &mut Account| {
        account.functions.values_mut().for_each(|one| one.policy = Reading::Found(Vec::new()));
    };
    assert_eq!(adopted(&close).source, existing);
    // What is the project's own by its tag is written so without being asked.
    let own = [(SAR_APPLICATION_TAG, GENERIC), (PROJECT_TAG, "p")];
    let mut account = account(vec![secret("a", &arn("f"), days(30))], vec![function(&arn("f"), &own)]);
    account.stacks = Ok(vec![stack("serverlessrepo-f", "f", &own)]);
    let draft = drafted(&account, &fresh(1));
    assert!(matches!(draft.groups[0].function.as_ref().expect("new").source, Source::Adopted { .. }));
}

/// Without it, handles would be as long as what AWS makes up, or two functions have one.
#[test]
fn handles_are_short_and_unique() {
    let first = |reference: &str| handles::of_function(reference).remove(0);
    assert_eq!(first("rotate-db"), "rotate-db");
    assert_eq!(first("app-Rotation1A2B3C4D-Zx9Yw8Vu7Ts6"), "app-Rotation1A2B3C4D");
    assert_eq!(first("arn:aws:lambda:eu-west-1:222222222222:function:f:live"), "f-live");
    assert_eq!(first("f:$LATEST"), "f-LATEST");
    assert_eq!(first("rotate-production"), "rotate-production", "a word is nothing that AWS makes up");
    let mut taken = BTreeSet::new();
    let choices = || ["a".to_owned(), "b".to_owned()];
    let all: Vec<String> = (0..4).map(|_| handles::take(choices(), &mut taken)).collect();
    assert_eq!(all, ["a", "b", "b-2", "b-3"]);
    for (handle, file) in [("a/b", "a-b"), ("../../etc", "etc"), ("", "imported"), ("..", "imported"), (".git", "git")]
    {
        assert_eq!(file_name(handle), file);
    }
    assert_eq!(file_name(&"x".repeat(300)).len(), 60);
}
