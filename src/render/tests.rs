//! What people read, as snapshots: every action, effect, problem, note and outcome at least once.

use chrono::NaiveDate;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::DESTROY;
use super::command::Route;
use super::ends::Reach;
use super::plan::{Detail, Mode, plan as plan_text};
use super::report::{left_out, report};
use crate::apply::{
    Failure, LeftBehind, Moved, NotFinished, Outcome, Replaced, Report, TestFailed, Unknown, Unverified,
};
use crate::aws::{AwsError, ErrorKind};
use crate::model::external::Doubt;
use crate::model::freeze::{Freeze, Period};
use crate::model::live::{Asked, Unread};
use crate::model::rule::AtMost;
use crate::model::trouble::{Fault, Frame, RotationStep, Trouble};
use crate::model::{
    Address, CodeCheck, CodeFinding, Kind, PackagePart, PartKind, Place, RotationRules, Schedule, Spot,
};
use crate::plan::foreign::{Foreign, ForeignKind};
use crate::plan::freeze::Frozen;
use crate::plan::judge::Breach;
use crate::plan::limits::{Exceeded, Limited};
use crate::plan::problem::LiveFault;
use crate::plan::verdict::{Tries, Unproved};
use crate::plan::{
    Action, Change, Effect, FieldChange, Note, NoteKind, Plan, Problem, ProblemKind, Reason, RotateSecret, Severity,
    Shown, Step, StepKind,
};

/// A text that tries to clear the screen, to set a title, to ring, to reverse and to forge a line.
const EVIL: &str = "x\u{1b}[2J\u{1b}]0;t\u{7}\u{202e}\u{2028}\r\ny";

const REACH: Reach<'_> =
    Reach { region: "eu-west-1", route: Route { endpoint: Some("http://127.0.0.1:4570"), sandbox: None }, words: true };

/// Makes every text of the builders below `EVIL` or harmless.
#[derive(Clone, Copy)]
struct Texts(bool);

impl Texts {
    fn of(self, harmless: &str) -> String {
        if self.0 { EVIL.to_owned() } else { harmless.to_owned() }
    }

    fn address(self, kind: Kind, handle: &str) -> Address {
        Address { target: self.0.then(|| EVIL.to_owned()), kind, handle: self.of(handle) }
    }

    fn text(self, harmless: &str) -> Shown {
        Shown::Text(self.of(harmless))
    }

    fn rules(self) -> RotationRules {
        RotationRules::new(Schedule::Expression(self.of("cron(0 2 ? * SUN *)")), Some(3))
    }

    fn request(self, now: bool) -> RotateSecret {
        RotateSecret {
            token: None,
            secret_arn: self.of("arn:s"),
            function_arn: Some(self.of("arn:f")),
            external: None,
            rules: Some(self.rules()),
            rotate_immediately: now,
        }
    }

    fn unread(self) -> [Unread; 2] {
        [
            Unread::Denied {
                action: self.of("secretsmanager:ListSecrets"),
                resource: self.of("*"),
                code: Some(self.of("AccessDeniedException")),
                message: self.of("no"),
            },
            Unread::Failed {
                call: Some(Asked { action: self.of("lambda:GetPolicy"), resource: self.of("f") }),
                code: Some(self.of("InternalFailure")),
                message: self.of("try later"),
                request_id: Some(self.of("request-1")),
            },
        ]
    }
}

fn change(
    address: Address,
    name: String,
    action: Action,
    reason: Reason,
    effects: &[Effect],
    fields: Vec<FieldChange>,
) -> Change {
    let effects: BTreeSet<Effect> = effects.iter().copied().collect();
    Change { address, name, action, reason, fields, effects, after: Vec::new(), blocked: false, rules: BTreeSet::new() }
}

fn field(path: &str, before: Shown, after: Shown) -> FieldChange {
    FieldChange::new(path, before, after)
}

fn stack_changes(t: Texts) -> Vec<Change> {
    let (application, version, stack) = (t.of("arn:app"), t.of("1.0.2"), t.of("new"));
    let deploy = |replaces| Action::DeployStack {
        application: application.clone(),
        version: version.clone(),
        stack: stack.clone(),
        replaces,
    };
    let tag = || Action::TagStack { id: t.of("arn:stack") };
    let function = |handle: &str| t.address(Kind::Function, handle);
    let tag_field = || vec![field("tags.rotator:project", Shown::Absent, t.text("p"))];
    let long = t.of(&"long ".repeat(20));
    vec![
        change(
            function("new"),
            t.of("SecretsManager-new"),
            deploy(None),
            Reason::Missing,
            &[],
            vec![field("application.parameters.token", Shown::Absent, Shown::Sensitive)],
        ),
        change(
            function("failed"),
            t.of("failed"),
            deploy(Some(t.of("arn:stack"))),
            Reason::FailedStack { status: t.of("ROLLBACK_COMPLETE") },
            &[Effect::Deletes],
            vec![],
        ),
        change(
            function("gone"),
            t.of("gone"),
            deploy(Some(t.of("arn:stack"))),
            Reason::FunctionGone,
            &[Effect::Deletes],
            vec![],
        ),
        change(
            function("update"),
            t.of("update"),
            Action::UpdateStack { application, version, stack: t.of("update"), id: t.of("arn:stack") },
            Reason::Differs,
            &[],
            vec![
                field("application.version", Shown::Unknown, t.text("1.0.2")),
                field("application.parameters.long", t.text("short"), Shown::Text(long)),
            ],
        ),
        change(function("adopt"), t.of("adopt"), tag(), Reason::Adopt, &[], tag_field()),
        change(function("renamed"), t.of("renamed"), tag(), Reason::Renamed { from: t.of("q") }, &[], tag_field()),
        change(t.address(Kind::OrphanStack, "let-go"), t.of("let-go"), tag(), Reason::Removed, &[], tag_field()),
        change(
            t.address(Kind::OrphanStack, "old"),
            t.of("old"),
            Action::DeleteStack { id: t.of("arn:stack"), function_arn: Some(t.of("arn:old")) },
            Reason::Orphaned,
            &[Effect::Deletes],
            vec![field("stack", t.text("old"), Shown::Absent)],
        ),
    ]
}

fn function_changes(t: Texts) -> Vec<Change> {
    let function = |handle: &str| t.address(Kind::Function, handle);
    let list = |items: &[&str]| Shown::List(items.iter().map(|item| t.of(item)).collect());
    vec![
        change(
            function("drifted"),
            t.of("drifted"),
            Action::UpdateConfiguration,
            Reason::Differs,
            &[],
            vec![
                field("timeout", Shown::text(3), Shown::text(30)),
                field("layers", list(&["one", "two"]), list(&["two", "three"])),
                field(&format!("environment.{}", t.of("URL")), Shown::Sensitive, Shown::Absent),
            ],
        ),
        change(
            function("drifted"),
            t.of("drifted"),
            Action::UpdateCode,
            Reason::Differs,
            &[Effect::ReplacesCode],
            vec![field(&format!("code.files.{}", t.of("main.py")), t.text("aaaa"), t.text("bbbb"))],
        ),
        change(
            function("drifted"),
            t.of("drifted"),
            Action::AddPermission { replace: true },
            Reason::Differs,
            &[Effect::OpensPermission],
            vec![field("permission.source_account", Shown::Absent, t.text("111111111111"))],
        ),
        change(
            function("closed"),
            t.of("closed"),
            Action::AddPermission { replace: false },
            Reason::Missing,
            &[Effect::OpensPermission],
            vec![],
        ),
        change(
            function("new"),
            t.of("SecretsManager-new"),
            Action::AddPermission { replace: false },
            Reason::Deployed,
            &[Effect::OpensPermission],
            vec![],
        ),
    ]
}

fn secret_changes(t: Texts) -> Vec<Change> {
    let secret = |handle: &str| t.address(Kind::Secret, handle);
    let rules = |after: &RotationRules| field("rotation.rules", Shown::Absent, Shown::text(after));
    let off = || vec![field("rotation.enabled", Shown::text(true), Shown::text(false))];
    let mut blocked = change(
        secret("blocked"),
        t.of("blocked"),
        Action::EnableRotation(t.request(true)),
        Reason::Missing,
        &[Effect::RotatesNow],
        vec![],
    );
    blocked.blocked = true;
    vec![
        change(
            secret("on"),
            t.of("prod/on"),
            Action::EnableRotation(t.request(true)),
            Reason::Missing,
            &[Effect::RotatesNow],
            vec![rules(&t.rules())],
        ),
        change(
            secret("tested"),
            t.of("tested"),
            Action::TestFunction(t.request(false)),
            Reason::FunctionChanges,
            &[Effect::TestsNow],
            vec![],
        ),
        change(
            secret("untested"),
            t.of("untested"),
            Action::TestFunction(t.request(false)),
            Reason::Untested,
            &[Effect::TestsNow],
            vec![],
        ),
        change(
            secret("moved"),
            t.of("moved"),
            Action::UpdateRotation(t.request(false)),
            Reason::Differs,
            &[Effect::TestsNow, Effect::MayRotateOnOldSchedule, Effect::TakesOver],
            vec![field("function", t.text("arn:theirs"), t.text("arn:f"))],
        ),
        change(secret("off"), t.of("off"), Action::DisableRotation, Reason::Destroyed, &[Effect::StopsRotation], off()),
        blocked,
    ]
}

/// What is wrong with the function that is live, or with the permission for a secret's account.
fn of_live_functions(t: Texts) -> [ProblemKind; 6] {
    [
        ProblemKind::OtherAccount { function: t.of("arn:f"), account: t.of("222222222222") },
        ProblemKind::LiveFunction { function: t.of("arn:f"), fault: LiveFault::Missing },
        ProblemKind::LiveFunction {
            function: t.of("arn:f"),
            fault: LiveFault::Failed { reason: Some(t.of("no subnet")) },
        },
        ProblemKind::LiveFunction { function: t.of("arn:f"), fault: LiveFault::Throttled },
        ProblemKind::LiveFunction { function: t.of("arn:f"), fault: LiveFault::Denied { statement: t.of("no") } },
        ProblemKind::LiveFunction {
            function: t.of("arn:f"),
            fault: LiveFault::NotPermitted { account: t.of("111111111111") },
        },
    ]
}

/// A runtime that AWS refuses, and one that it is going to.
fn stopped_runtimes(t: Texts) -> [ProblemKind; 2] {
    let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).expect("a day");
    [
        ProblemKind::RuntimeStopped {
            runtime: t.of("python3.9"),
            every_change: true,
            from: day(2027, 3, 3),
            over: true,
            successor: Some(t.of("python3.14")),
        },
        ProblemKind::RuntimeStopped {
            runtime: t.of("go1.x"),
            every_change: false,
            from: day(2027, 2, 1),
            over: false,
            successor: None,
        },
    ]
}

#[expect(clippy::too_many_lines, reason = "one list of all kinds")]
fn problems(t: Texts) -> Vec<Problem> {
    let [denied, failed] = t.unread();
    let [refused, ahead] = stopped_runtimes(t);
    let parameter = || t.of("kmsKeyARN");
    let mut kinds = vec![
        ProblemKind::SecretMissing,
        ProblemKind::NoValue,
        ProblemKind::ScheduledForDeletion,
        ProblemKind::Replica { primary: t.of("us-east-1") },
        ProblemKind::OwnedByService { service: t.of("rds") },
        ProblemKind::NoFunction,
        ProblemKind::HeldByPartner { partner: t.of("SnowflakePat") },
        ProblemKind::NotExternal,
        ProblemKind::NoExternalRole { partner: t.of("SnowflakePat") },
        ProblemKind::ExternalDoubt {
            partner: t.of("SnowflakePat"),
            doubt: Doubt::ExpiresFirst { days: 15, gap_hours: 744 },
        },
        ProblemKind::ExternalDoubt {
            partner: t.of("DatadogApiKey"),
            doubt: Doubt::MissingKey { key: t.of("adminSecretArn") },
        },
        ProblemKind::NotRotatedByService { service: t.of("events") },
        ProblemKind::PartialArn { arn: t.of("arn:s-abcdef") },
        ProblemKind::QualifierMissing { qualifier: t.of("live") },
        ProblemKind::NoRepository { region: t.of("eu-central-2") },
        ProblemKind::UnfinishedRotation { version: t.of("v2") },
        ProblemKind::KeyWithoutParameter { key: t.of("arn:key") },
        ProblemKind::TemplateCode,
        ProblemKind::UnreadableEnvironment { code: t.of("AccessDeniedException") },
        ProblemKind::UnscopedPermission { statement: t.of("open"), deployed: true },
        ProblemKind::InvocationDenied { statement: t.of("keepout") },
        ProblemKind::NotPermitted,
        ProblemKind::FunctionMissing,
        refused,
        ahead,
        ProblemKind::FunctionFailed { reason: Some(t.of("no such subnet")) },
        ProblemKind::FunctionFailed { reason: None },
        ProblemKind::NameTaken,
        ProblemKind::NamedOtherwise { live: t.of("other") },
        ProblemKind::OtherProject { project: t.of("q") },
        ProblemKind::StackBusy { status: t.of("UPDATE_IN_PROGRESS") },
        ProblemKind::StackBroken {
            status: t.of("UPDATE_ROLLBACK_FAILED"),
            stack: t.of("serverlessrepo-f"),
            reason: Some(t.of("Role: not authorized")),
            ours: true,
        },
        ProblemKind::StackBroken {
            status: t.of("ROLLBACK_COMPLETE"),
            stack: t.of("serverlessrepo-f"),
            reason: None,
            ours: false,
        },
        ProblemKind::ApplicationMissing { application: t.of("arn:app"), version: Some(t.of("9.9.9")) },
        ProblemKind::UnknownParameter {
            parameter: parameter(),
            version: t.of("1.0.2"),
            declared: vec![t.of("endpoint"), t.of("kmsKeyArn")],
        },
        ProblemKind::UnknownParameter { parameter: parameter(), version: t.of("1.0.2"), declared: vec![t.of("zone")] },
        ProblemKind::MissingParameter { parameter: parameter(), no_echo: true },
        ProblemKind::MissingParameter { parameter: parameter(), no_echo: false },
        ProblemKind::ParameterNotAllowed { parameter: parameter(), allowed: vec![t.of("a"), t.of("b")] },
        ProblemKind::ArchitectureNeedsCode,
        ProblemKind::HandlerFileMissing { handler: t.of("main.handler") },
        ProblemKind::StillUsed { secrets: vec![t.of("s"), t.of("t")] },
        ProblemKind::UseUnknown,
        ProblemKind::HeldByStack { stack: t.of("serverlessrepo-g"), name: t.of("g"), project: None },
        ProblemKind::PruningRefused,
        ProblemKind::NameNotTaken,
        ProblemKind::BlockedBy { address: t.address(Kind::Function, "f") },
        ProblemKind::ReadSecretMissing { secret: t.of("broker/admin") },
        ProblemKind::ReadSecretNotTaken { version: t.of("1.1.500") },
        ProblemKind::Unread { what: "stack".into(), unread: denied },
        ProblemKind::Unread { what: "secret".into(), unread: failed },
        ProblemKind::LimitExceeded(exceeded(t, Limited::Changed, AtMost::Percent(30))),
        ProblemKind::LimitExceeded(exceeded(t, Limited::RotatingNow, AtMost::Count(1))),
        ProblemKind::Frozen(frozen(t, Some("sale"))),
    ];
    kinds.extend(of_live_functions(t));
    let broken = breaches(t).into_iter().map(|breach| ProblemKind::Policy {
        rule: t.of("fresh"),
        at: place(t, Some("max_age_days: 30")),
        declared: Some(place(t, None)),
        breach,
    });
    let one = |(index, kind)| Problem {
        address: t.address(Kind::Secret, &format!("s{index}")),
        name: t.of("name"),
        severity: if index % 5 == 0 { Severity::Warning } else { Severity::Error },
        kind,
    };
    let unknown = ProblemKind::OwnerUnknown { function: t.of("theirs"), unread: t.unread()[0].clone() };
    let throttled =
        ProblemKind::FunctionThrottled { function: t.of("arn:aws:lambda:eu-west-1:111111111111:function:f") };
    let credentials = ProblemKind::CredentialsInPackage { parts: vec![part(t, PartKind::Credentials, ".env", 1)] };
    let held = ProblemKind::HeldByStack { stack: t.of("h"), name: t.of("h"), project: Some(t.of("q")) };
    let spot = Spot { line: 7, column: 12, length: 3, text: None };
    let finding = CodeFinding::error(CodeCheck::Syntax, t.of("`f.py` can't be read by Python 3.9: expected ':'"))
        .of(t.of("f.py"))
        .at(spot)
        .because(t.of("why"))
        .hint(t.of("what to do"));
    let code = ProblemKind::Code { finding };
    kinds.into_iter().chain(broken).chain([unknown, throttled, credentials, held, code]).enumerate().map(one).collect()
}

fn part(t: Texts, kind: PartKind, name: &str, count: usize) -> PackagePart {
    PackagePart { kind, name: t.of(name), count }
}

fn place(t: Texts, text: Option<&str>) -> Place {
    Place { file: t.of("security.yaml"), line: 5, column: 3, length: 12, text: text.map(|text| t.of(text)) }
}

fn frozen(t: Texts, reason: Option<&str>) -> Frozen {
    let day = |month, day| chrono::NaiveDate::from_ymd_opt(2026, month, day).expect("a date");
    let days = Period { from: day(12, 20), to: day(12, 27) };
    let freeze = Freeze { days, reason: reason.map(|reason| t.of(reason)), at: place(t, None) };
    Frozen { freeze, held: BTreeMap::from([(Effect::RotatesNow, 1), (Effect::ReplacesCode, 2)]) }
}

fn exceeded(t: Texts, what: Limited, at_most: AtMost) -> Exceeded {
    Exceeded { what, count: 4, of: 7, at_most, allowed: at_most.of(7), at: place(t, None), targets: 1 }
}

/// Every way in which a rule is broken.
fn breaches(t: Texts) -> Vec<Breach> {
    let [denied, failed] = t.unread();
    let days = RotationRules::new(Schedule::AutomaticallyAfterDays(30), None);
    let (until, secrets) =
        (chrono::NaiveDate::from_ymd_opt(2026, 1, 31).expect("a date"), vec![t.of("legacy/*"), t.of("old")]);
    let outside = |day: Option<&str>| Breach::WindowOutside {
        day: day.map(|day| t.of(day)),
        hour: 8,
        length: 1,
        bounds: t.of("on SAT"),
    };
    vec![
        Breach::Off,
        Breach::NoSchedule,
        Breach::UnknownSchedule { rules: t.rules() },
        Breach::Age { rules: days, hours: 31 * 24, days: 30 },
        Breach::Age { rules: t.rules(), hours: 750, days: 1 },
        Breach::Interval { rules: t.rules(), hours: 36, days: 1 },
        Breach::NotRotated { days: 91, allowed: 90 },
        Breach::WindowLength { hours: 24, allowed: 1 },
        outside(None),
        outside(Some("MON")),
        Breach::Label { label: t.of("owner"), blank: false },
        Breach::Label { label: t.of("owner"), blank: true },
        Breach::NoCode,
        Breach::NoAccount,
        Breach::Effect { effect: t.of("stops-rotation") },
        Breach::Unread { unread: denied },
        Breach::Unlisted { unread: failed },
        Breach::ExemptionOver { secrets: secrets.clone(), until },
        Breach::ExemptionEnds { secrets, until },
        Breach::CodeElsewhere { function: None },
        Breach::CodeElsewhere { function: Some(t.of("arn:theirs")) },
        Breach::NotListed { list: t.of("existing"), name: t.of("arn:theirs") },
        Breach::NotListed { list: t.of("applications"), name: t.of("arn:app") },
        Breach::NotListed { list: t.of("layers"), name: t.of("arn:layer") },
        Breach::NotListed { list: t.of("roles"), name: t.of("arn:role") },
        Breach::FunctionUnread { unread: t.unread()[0].clone() },
    ]
}

fn notes(t: Texts) -> Vec<Note> {
    let [denied, failed] = t.unread();
    let kinds = vec![
        NoteKind::NotVerified,
        NoteKind::TestUnknown,
        NoteKind::MeetsRotations { secrets: 2 },
        NoteKind::OrphanSecret { function: t.of("arn:old") },
        NoteKind::OrphanStack { rotating: None },
        NoteKind::OrphanStack { rotating: Some(1) },
        NoteKind::OrphanStack { rotating: Some(2) },
        NoteKind::OrphansNotChecked { unread: Some(denied) },
        NoteKind::OrphansNotChecked { unread: Some(failed) },
        NoteKind::OrphansNotChecked { unread: None },
        NoteKind::NotManaged { live: Some(t.rules()), on: true },
        NoteKind::NotManaged { live: None, on: false },
        NoteKind::Late { secrets: 1 },
        NoteKind::Late { secrets: 2 },
        NoteKind::KeepsReference,
        NoteKind::SharedWith { secrets: 2 },
        NoteKind::NewerVersion { version: t.of("1.0.2"), newest: t.of("1.1.0") },
        NoteKind::NotOurs { function: t.of("arn:theirs") },
        NoteKind::StackStays,
        NoteKind::UnscopedPermission { statement: t.of("open") },
        NoteKind::Exempted {
            secrets: vec![t.of("legacy/*")],
            reason: t.of("SEC-17"),
            until: chrono::NaiveDate::from_ymd_opt(2026, 12, 31).expect("a date"),
            at: place(t, None),
        },
        NoteKind::LimitOverridden(exceeded(t, Limited::Stopped, AtMost::Count(1))),
        NoteKind::FreezeOverridden(frozen(t, Some("sale"))),
        NoteKind::FreezeHoldsNothing(Frozen { held: BTreeMap::new(), ..frozen(t, None) }),
        NoteKind::FreezeLeftOver(frozen(t, Some("last year's")).freeze),
        NoteKind::Foreign(Foreign {
            kind: ForeignKind::Layer,
            name: t.of("arn:layer"),
            account: Some(t.of("666666666666")),
        }),
        NoteKind::Foreign(Foreign { kind: ForeignKind::Bucket, name: t.of("packages"), account: None }),
        NoteKind::LeftOut {
            parts: vec![
                part(t, PartKind::Credentials, "conf/.env", 1),
                part(t, PartKind::Credentials, "*.pem", 2),
                part(t, PartKind::VersionControl, ".git/", 1),
                part(t, PartKind::VirtualEnvironment, ".venv/", 1),
                part(t, PartKind::Installer, "*.dist-info/RECORD", 3),
                part(t, PartKind::Cache, "__pycache__/", 12),
                part(t, PartKind::Editor, ".idea/", 1),
            ],
        },
        NoteKind::LeftOut {
            parts: vec![part(t, PartKind::Excluded, "tests/", 1), part(t, PartKind::State, ".rotator/", 1)],
        },
        NoteKind::KeepsCode,
        NoteKind::NotExecutable { files: vec![t.of("bin/pg_tool")] },
        NoteKind::DeployedBefore { stack: t.of("serverlessrepo-f") },
    ];
    let one = |(index, kind)| Note { address: (index % 4 != 0).then(|| t.address(Kind::Secret, "s")), kind };
    kinds.into_iter().enumerate().map(one).collect()
}

fn whole_plan(t: Texts) -> Plan {
    let mut changes = stack_changes(t);
    changes.extend(function_changes(t));
    changes.extend(secret_changes(t));
    Plan {
        project: t.of("p"),
        target: Some(t.of("prod")),
        account: t.of("111111111111"),
        region: t.of("eu-west-1"),
        endpoint: None,
        sandbox: None,
        partial: true,
        functions: 9,
        secrets: 4,
        selected: std::collections::BTreeMap::new(),
        changes,
        problems: problems(t),
        notes: notes(t),
    }
}

#[expect(clippy::too_many_lines, reason = "a table of all outcomes")]
fn outcomes(t: Texts) -> Vec<(StepKind, Outcome)> {
    let rest = |waited, interrupted| {
        Outcome::NotFinished(NotFinished {
            version: t.of("v2"),
            function: Some(t.of("f")),
            log_group: Some(t.of("/aws/lambda/f")),
            waited,
            interrupted,
            tries: Err(Unknown::NotWaited),
            goes_on: true,
            silent: false,
        })
    };
    let aws = AwsError {
        kind: ErrorKind::Denied,
        action: "lambda:AddPermission",
        resource: t.of("f"),
        code: Some(t.of("AccessDeniedException")),
        message: t.of("not authorized"),
        request_id: Some(t.of("request-2")),
    };
    let left = LeftBehind { change_set: t.of("arn:change-set"), error: aws.clone() };
    let failures = vec![
        Failure::Aws(aws.clone()),
        Failure::ChangeSet { reason: t.of("no such parameter"), causes: Vec::new(), unread: None, left: None },
        Failure::ChangeSet {
            reason: t.of("validation failed"),
            causes: vec![t.of("Role: it exists"), t.of("Function: it exists")],
            unread: None,
            left: Some(Box::new(left.clone())),
        },
        Failure::ChangeSet {
            reason: t.of("validation failed"),
            causes: Vec::new(),
            unread: Some(Box::new(aws.clone())),
            left: None,
        },
        Failure::WouldReplace { resource: t.of("f"), action: "replace".to_owned(), left: None },
        Failure::WouldReplace { resource: t.of("f"), action: "set back".to_owned(), left: None },
        Failure::OtherStack { planned: t.of("arn:old"), made: t.of("arn:new"), left: None },
        Failure::OtherStack { planned: t.of("arn:old"), made: t.of("arn:new"), left: Some(Box::new(left)) },
        Failure::Stack { stack: t.of("arn:stack"), status: t.of("ROLLBACK_COMPLETE"), reason: Some(t.of("Role: no")) },
        Failure::Stack {
            stack: t.of("arn:aws:cloudformation:eu-west-1:111111111111:stack/f/1"),
            status: t.of("UPDATE_ROLLBACK_FAILED"),
            reason: None,
        },
        Failure::NotPermitted {
            function: t.of("arn:aws:lambda:eu-west-1:111111111111:function:f"),
            account: t.of("111111111111"),
            denied_by: None,
        },
        Failure::NotPermitted { function: t.of("f"), account: t.of("111111111111"), denied_by: Some(t.of("no-one")) },
        Failure::WrittenWhole {
            function: t.of("arn:aws:lambda:eu-west-1:111111111111:function:f"),
            account: t.of("111111111111"),
            refused: None,
        },
        Failure::WrittenWhole {
            function: t.of("arn:aws:lambda:eu-west-1:111111111111:function:f"),
            account: t.of("111111111111"),
            refused: Some(Box::new(aws.clone())),
        },
        Failure::Function { function: t.of("f"), state: t.of("State Failed"), reason: None },
        Failure::FunctionMissing { function: t.of("f") },
        Failure::SecretMissing,
        Failure::ChangedSincePlan {
            moved: vec![
                FieldChange::new("timeout", Shown::text(30), Shown::text(45)),
                FieldChange::new(t.of("rotation.rules"), Shown::Absent, Shown::Text(t.of("every 30 days"))),
            ],
        },
        Failure::StackMissing { stack: t.of("arn:stack") },
        Failure::StackBusy { stack: t.of("arn:stack"), status: t.of("UPDATE_IN_PROGRESS") },
        Failure::Overtaken { stack: t.of("arn:stack") },
        Failure::UnfinishedRotation { version: t.of("v9") },
        Failure::StillUsed { secret: t.of("s") },
        Failure::UnreadableEnvironment { code: t.of("AccessDeniedException") },
        Failure::CodeDiffers { sent: t.of("aaa"), live: t.of("bbb") },
        Failure::KeepsChanging { function: t.of("f"), last: None },
        Failure::TimedOut {
            what: "the stack".to_owned(),
            after: Duration::from_secs(3725),
            status: t.of("CREATE_IN_PROGRESS"),
        },
        Failure::Internal("a step has no change"),
    ];
    let mut outcomes = vec![
        (StepKind::Stack, Outcome::Applied { requests: vec![t.of("request-1")] }),
        (StepKind::Configuration, Outcome::Unchanged),
        (StepKind::Watch, rest(Some(Duration::from_secs(605)), false)),
        (StepKind::Watch, rest(Some(Duration::from_secs(5)), true)),
        (StepKind::Watch, rest(None, false)),
        (StepKind::Watch, failing(t, rest(Some(Duration::from_secs(605)), false), true)),
        (StepKind::Watch, silent(rest(Some(Duration::from_mins(5)), false))),
        (StepKind::Watch, failing(t, rest(Some(Duration::from_secs(45)), false), false)),
        (StepKind::WatchTest, Outcome::TestFailed(test_failed(t))),
        (StepKind::WatchTest, replaced(t, None, None, None)),
        (StepKind::WatchTest, replaced(t, Some("old="), None, None)),
        (StepKind::WatchTest, replaced(t, Some("old="), Some("functions/f"), None)),
        (StepKind::WatchTest, replaced(t, Some("old="), Some("functions/f"), Some("0123456789ab"))),
        (StepKind::Rotation, Outcome::NotAttempted { because: Some(6) }),
        (StepKind::Rotation, Outcome::NotAttempted { because: None }),
    ];
    outcomes.extend(unverified(t, &aws).into_iter().map(|test| (StepKind::WatchTest, Outcome::Unverified(test))));
    outcomes.extend(failures.into_iter().map(|failure| (StepKind::Code, Outcome::Failed(failure))));
    outcomes
}

fn trouble(t: Texts, error: (&str, &str)) -> Trouble {
    let place = Frame { file: t.of("keys.py"), line: 40, function: Some(t.of("set_secret")), own: true };
    Trouble {
        at: 0,
        step: Some(RotationStep::Set),
        error: Some(Fault { name: t.of(error.0), words: Some(t.of(error.1)) }),
        place: Some(place),
        lines: Vec::new(),
    }
}

/// A rotation whose tries fail.
fn failing(t: Texts, outcome: Outcome, goes_on: bool) -> Outcome {
    let Outcome::NotFinished(rest) = outcome else { return outcome };
    let (first, last) = (trouble(t, ("URLError", "no route")), trouble(t, ("HTTPError", "401")));
    let (first, last) = (Some(Box::new(first)), Some(Box::new(last)));
    let tries = Tries { all: 5, failed: 4, first, last, certain: goes_on, rests: true };
    Outcome::NotFinished(NotFinished { tries: Ok(tries), goes_on, ..rest })
}

/// A rotation of which a try was asked for that hasn't come.
fn silent(outcome: Outcome) -> Outcome {
    let Outcome::NotFinished(rest) = outcome else { return outcome };
    Outcome::NotFinished(NotFinished { tries: Ok(Tries::default()), goes_on: false, silent: true, ..rest })
}

fn test_failed(t: Texts) -> TestFailed {
    let trouble = Box::new(trouble(t, ("RuntimeError", "the API said 401")));
    TestFailed { version: t.of("v3"), function: t.of("f"), log_group: t.of("/aws/lambda/f"), trouble, replaced: None }
}

/// A test that failed after its function had changed.
fn replaced(t: Texts, code: Option<&str>, path: Option<&str>, commit: Option<&str>) -> Outcome {
    let of = |text: Option<&str>| text.map(|text| t.of(text));
    let address = t.address(Kind::Function, "f");
    let replaced =
        Replaced { handle: t.of("f"), address, code: of(code), path: of(path), commit: of(commit), kept: None };
    Outcome::TestFailed(TestFailed { replaced: Some(Box::new(replaced)), ..test_failed(t) })
}

/// A test for each reason why nothing says how it ended.
fn unverified(t: Texts, aws: &AwsError) -> Vec<Unverified> {
    let unproved = [
        Unproved::Silent,
        Unproved::NoEnd,
        Unproved::Several(2),
        Unproved::Format,
        Unproved::SharedGroup,
        Unproved::Simulated,
        Unproved::Silent,
    ];
    let others = [Unknown::Unread(Box::new(aws.clone())), Unknown::Elsewhere, Unknown::NotWaited, Unknown::NoFunction];
    let all = unproved.into_iter().map(Unknown::Unproved).chain(others);
    let test = |why| Unverified {
        version: t.of("v3"),
        function: Some(t.of("f")),
        log_group: Some(t.of("/aws/lambda/f")),
        why,
    };
    all.map(test).collect()
}

fn whole_report(t: Texts) -> Report {
    let (steps, outcomes) = outcomes(t)
        .into_iter()
        .enumerate()
        .map(|(index, (kind, outcome))| {
            let address = t.address(Kind::Function, &format!("r{index}"));
            (Step { address, name: t.of("name"), kind, change: None, after: Vec::new() }, outcome)
        })
        .unzip();
    let moved = BTreeMap::from([(3, Moved { before: 1_800_000_000, after: 1_800_604_800 })]);
    Report { steps, outcomes, interrupted: true, moved, ..Report::default() }
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// Without it a word, a symbol or a count could change unseen, and a new kind be left without words.
#[test]
fn a_plan_with_everything() {
    insta::assert_snapshot!("plan", plain(&plan_text(&whole_plan(Texts(false)), Mode::Plan, Detail::Grouped)));
}

/// Without it a compact plan would list what an apply leaves out as if it were done; or a deletion look like any other change.
#[test]
fn what_is_left_out_or_ends_stands_out() {
    let mut plan = Plan { changes: secret_changes(Texts(false)), ..Plan::default() };
    let said = |plan: &Plan| plain(&plan_text(plan, Mode::Plan, Detail::Compact));
    for change in &mut plan.changes {
        change.blocked = false;
    }
    assert!(!said(&plan).contains("left out of an apply)"), "{}", said(&plan));
    for change in &mut plan.changes {
        change.blocked = true;
    }
    assert!(said(&plan).contains(" (left out of an apply)"), "{}", said(&plan));
    for change in &mut plan.changes {
        change.blocked = false;
    }
    for (effect, red) in [(Effect::Deletes, true), (Effect::StopsRotation, true), (Effect::RotatesNow, false)] {
        for change in &mut plan.changes {
            change.effects = BTreeSet::from([effect]);
        }
        let text = plan_text(&plan, Mode::Plan, Detail::Compact);
        let line = text.lines().find(|line| plain(line).starts_with("  ! ")).expect("the effect's line");
        assert_eq!(line.contains(&DESTROY.bold().render().to_string()), red, "{line:?}");
    }
}

/// Without it the last thing that people read of an apply could change unseen.
#[test]
fn a_report_with_everything() {
    insta::assert_snapshot!("report", plain(&report(&whole_report(Texts(false)), 2, Mode::Apply, REACH)));
}

/// Without it an apply that left out what can't even be compared would call itself complete.
#[test]
fn what_has_an_error_counts_as_left_out() {
    let t = Texts(false);
    let mut plan = Plan { problems: problems(t), ..Plan::default() };
    plan.problems.truncate(2);
    assert_eq!(left_out(&plan), 1, "the first is a warning");
    plan.changes = secret_changes(t);
    assert_eq!(left_out(&plan), 2);
}

/// Without it a name on AWS could clear the screen, hide a line of a plan, or forge one.
#[test]
fn control_characters_never_get_through() {
    let t = Texts(true);
    for mode in [Mode::Plan, Mode::Apply, Mode::Destroy] {
        for detail in [Detail::Compact, Detail::Grouped, Detail::Full] {
            assert_harmless(&plan_text(&whole_plan(t), mode, detail));
        }
    }
    assert_harmless(&report(
        &whole_report(t),
        2,
        Mode::Rotate,
        Reach { region: EVIL, route: Route { endpoint: Some(EVIL), sandbox: None }, words: true },
    ));
    let row = |windows| super::schedule::Row {
        address: EVIL.to_owned(),
        rules: Some(t.rules()),
        off: false,
        windows,
        freezes: Vec::new(),
    };
    assert_harmless(&super::schedule::table(&[row(Vec::new())]));
}

/// Only line ends, and the styles that we put there ourselves.
fn assert_harmless(text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        let style = &rest[at + 1..];
        let end = style.find('m').expect("a style ends");
        assert!(style[1..end].chars().all(|c| c.is_ascii_digit() || c == ';') && style.starts_with('['), "{style:.40}");
        rest = &style[end..];
    }
    let harmful = |c: char| (c.is_control() && c != '\n' && c != '\u{1b}') || matches!(c, '\u{202e}' | '\u{2028}');
    assert_eq!(text.find(harmful), None);
    assert!(!text.lines().any(|line| line.starts_with('y')), "a line was forged");
}

/// Without it, a plan of a whole fleet would be thousands of lines in which the one different change is lost.
#[test]
fn a_plan_of_five_hundred_changes_stays_readable() {
    let t = Texts(false);
    let mut plan = Plan { project: "payments".to_owned(), secrets: 500, ..Plan::default() };
    for number in 0..500 {
        let days = |days: &str| Shown::text(days);
        let odd = number == 250;
        plan.changes.push(Change {
            address: t.address(Kind::Secret, &format!("s{number:03}")),
            name: format!("prod/s{number:03}"),
            action: Action::UpdateRotation(t.request(odd)),
            reason: Reason::Differs,
            fields: vec![FieldChange::new("rotation.rules", days("every 60 days"), days("every 30 days"))],
            effects: BTreeSet::from([if odd { Effect::RotatesNow } else { Effect::TestsNow }]),
            after: Vec::new(),
            blocked: false,
            rules: BTreeSet::new(),
        });
    }
    let text = |detail| plain(&plan_text(&plan, Mode::Plan, detail));
    insta::assert_snapshot!("many-grouped", text(Detail::Grouped));
    insta::assert_snapshot!("many-compact", text(Detail::Compact));
    assert!(text(Detail::Full).lines().count() > 2000);
}
