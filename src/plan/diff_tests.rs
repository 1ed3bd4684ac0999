//! What follows from a change of manifests, on small built states.

use super::*;
use crate::model::{FunctionSource, Rotation, RotationRules, Schedule, Sensitive};
use crate::plan::fixtures::{days, desired, file};

fn of(target: &str) -> Desired {
    let mut desired = desired();
    desired.target.name = Some(target.to_owned());
    desired
}

fn deployment(desired: &mut Desired) -> &mut Deployment {
    match &mut desired.functions.get_mut("f").expect("the function").source {
        FunctionSource::Deployed(deployment) => deployment,
        FunctionSource::Existing { .. } => panic!("it is deployed"),
    }
}

fn secret(desired: &mut Desired) -> &mut Secret {
    desired.secrets.get_mut("s").expect("the secret")
}

/// The difference that changing one state makes.
fn changed(change: impl Fn(&mut Desired)) -> Vec<Difference> {
    let mut after = desired();
    change(&mut after);
    compare(&[desired()], &[after])
}

fn words(differences: &[Difference]) -> Vec<String> {
    let word = |difference: &Difference| {
        let what = match &difference.finding {
            Finding::Added { .. } => "added".to_owned(),
            Finding::Removed { fate } => format!("removed {fate:?}"),
            Finding::Renamed { from } => format!("renamed from {from}"),
            Finding::Changed(change) => format!("{} {:?} -> {:?}", change.attribute, change.before, change.after),
            Finding::Code { files } => format!("code {files:?}"),
            Finding::CodeUnknown { before, reason } => format!("code unknown {before} {reason}"),
        };
        format!("{} {}: {what} {:?}", difference.subject.word(), difference.handle, difference.consequences)
    };
    differences.iter().map(word).collect()
}

/// Without it, a comparison could find something where nothing changed, and no one would read it.
#[test]
fn equal_states_have_no_difference() {
    assert_eq!(compare(&[of("dev"), of("prod")], &[of("dev"), of("prod")]), []);
    assert_eq!(compare(&[], &[]), []);
}

/// Without it, a reviewer wouldn't be told what a new schedule does now, and how much rarer it rotates.
#[test]
fn a_schedule_changes_with_its_gap_and_what_aws_does_now() {
    let differences = changed(|after| secret(after).rotation.rules = Some(days(90)));
    assert_eq!(differences.len(), 1);
    assert_eq!(
        differences[0].consequences,
        [
            Consequence::WorstGap { before: Some(31 * 24), after: Some(91 * 24) },
            Consequence::MayRotateOnOldSchedule,
            Consequence::TestsNow
        ]
    );
    let differences = changed(|after| {
        secret(after).rotation.rules = Some(RotationRules::new(Schedule::Expression("rate(10 days)".into()), None));
        secret(after).rotation.rotate_immediately = Some(true);
    });
    assert!(differences.iter().any(|one| one.consequences.contains(&Consequence::RotatesNow)), "{differences:?}");
    assert!(differences.iter().any(|one| one.consequences == [Consequence::InstructionOnly]), "{differences:?}");
    // A paused secret's schedule changes nothing now.
    let mut before = desired();
    secret(&mut before).rotation.enabled = Some(false);
    let mut after = before.clone();
    secret(&mut after).rotation.rules = Some(days(7));
    let differences = compare(&[before], &[after]);
    assert!(matches!(differences[0].consequences[..], [Consequence::WorstGap { .. }]), "{differences:?}");
}

/// Without it, switching rotation on or off could pass a review as an edit like any other.
#[test]
fn on_and_off() {
    let off = changed(|after| secret(after).rotation.enabled = Some(false));
    assert_eq!(off[0].consequences, [Consequence::StopsRotation]);
    for (immediately, now) in [(None, true), (Some(true), true), (Some(false), false)] {
        let mut before = desired();
        secret(&mut before).rotation = Rotation { rotate_immediately: immediately, ..Rotation::default() };
        let mut after = desired();
        secret(&mut after).rotation.rotate_immediately = immediately;
        let on = compare(&[before], &[after]);
        assert_eq!(on[0].consequences, [Consequence::SwitchesOn { now }], "{on:?}");
    }
    let unmanaged = changed(|after| secret(after).rotation = Rotation::default());
    assert!(unmanaged.iter().all(|one| one.consequences == [Consequence::NoLongerManaged]), "{unmanaged:?}");
}

/// Without it, a removed entry would look like a deleted secret, or like nothing.
#[test]
fn what_becomes_of_what_is_removed() {
    let gone = |change: &dyn Fn(&mut Desired, &mut Desired)| {
        let (mut before, mut after) = (desired(), desired());
        after.secrets.clear();
        change(&mut before, &mut after);
        let found = compare(&[before], &[after]);
        let fate = found.iter().find_map(|one| match (one.subject, &one.finding) {
            (Subject::Secret, Finding::Removed { fate }) => Some(*fate),
            _ => None,
        });
        fate.expect("the secret is gone")
    };
    assert_eq!(gone(&|_, _| ()), Fate::Orphan);
    assert_eq!(gone(&|_, after| after.prune = true), Fate::Pruned);
    assert_eq!(gone(&|before, _| secret(before).rotation.enabled = Some(false)), Fate::Unmanaged);
    assert_eq!(gone(&|before, _| deployment(before).shared = true), Fate::Unmanaged);
    let lets_go = |_: &mut Desired, after: &mut Desired| {
        after.removed.insert(Address::new(None, Kind::Secret, "s"));
    };
    assert_eq!(gone(&lets_go), Fate::LetGo);
    // A target that no plan looks at has no orphans: nothing would show them.
    let differences = compare(&[of("dev"), of("prod")], &[of("dev")]);
    let unseen = |one: &Difference| one.finding == Finding::Removed { fate: Fate::Unseen };
    assert_eq!((differences.len(), differences.iter().all(unseen)), (3, true), "{differences:?}");
    assert_eq!(compare(&[of("dev")], &[]).len(), 3);
}

/// Without it, a new handle for the same secret would read as one secret lost and one won.
#[test]
fn the_same_on_aws_under_another_handle_is_renamed() {
    let differences = changed(|after| {
        let secret = after.secrets.remove("s").expect("the secret");
        after.secrets.insert("t".to_owned(), secret);
        let function = after.functions.remove("f").expect("the function");
        after.functions.insert("g".to_owned(), function);
        after.secrets.get_mut("t").expect("there").function = Some("g".to_owned());
    });
    assert_eq!(words(&differences), ["function g: renamed from f []", "secret t: renamed from s []"]);
    let other = changed(|after| secret(after).name = "other".to_owned());
    assert_eq!(other[0].consequences, [Consequence::AnotherSecret(Fate::Orphan)]);
}

/// Without it, a renamed target would read as everything lost in one and won in another.
#[test]
fn targets_are_paired_by_name_then_by_place() {
    let place = |mut desired: Desired| {
        desired.target.account = Some("1".repeat(12));
        desired.target.region = Some("eu-west-1".to_owned());
        desired
    };
    let differences = compare(&[place(of("prod"))], &[place(of("prod-eu"))]);
    assert_eq!(words(&differences), ["target : renamed from prod []"]);
    // A manifest that names its only target.
    let named = compare(&[desired()], &[place(of("prod"))]);
    assert!(named.iter().all(|one| one.subject == Subject::Target), "{named:?}");
    assert_eq!(compare(&[of("dev")], &[of("dev"), of("prod")]).len(), 3, "a target with a function and a secret");
}

/// Without it, private values would stand in a public comment.
#[test]
fn private_values_differ_without_being_shown() {
    let differences = changed(|after| {
        let deployment = deployment(after);
        deployment.environment.insert("URL".into(), Some(Sensitive::new("https://private")));
        deployment.environment.insert("OLD".into(), None);
        deployment.application.parameters.insert("password".into(), Sensitive::new("private"));
    });
    let text = words(&differences).join("\n");
    assert!(!text.contains("private"), "{text}");
    assert!(text.contains("environment.URL Sensitive -> Sensitive"), "{text}");
    assert!(text.contains("[DeletesVariable]"), "{text}");
    let groups = format!("{:?}", group(differences));
    assert!(!groups.contains("private"), "{groups}");
}

/// Without it, new code could pass a review of YAML unseen.
#[test]
fn code_is_compared_file_by_file() {
    let differences = changed(|after| {
        let package = deployment(after).code.as_mut().and_then(|code| code.package.as_mut()).expect("a package");
        package.sha256 = "other".to_owned();
        package.files = vec![file("lambda_function.py", "2"), file("new.py", "1")];
    });
    let Finding::Code { files } = &differences[0].finding else { panic!("{differences:?}") };
    let files: Vec<(&str, FileChange)> = files.iter().map(|file| (file.path.as_str(), file.change)).collect();
    assert_eq!(files, [("lambda_function.py", FileChange::Edited), ("new.py", FileChange::Added)]);
    assert_eq!(differences[0].consequences, [Consequence::ReplacesCode]);
    let broken = changed(|after| deployment(after).code.as_mut().expect("code").unusable = Some("empty".to_owned()));
    assert!(matches!(&broken[0].finding, Finding::CodeUnknown { before: false, .. }), "{broken:?}");
}

/// Without it, a reviewer wouldn't see that a pull request brings a `.env` into a package, or takes files out of it.
#[test]
fn what_of_a_folder_is_packaged_is_compared() {
    let differences = changed(|after| {
        let CodeSource::Path { selection, .. } = &mut deployment(after).code.as_mut().expect("code").source else {
            panic!("it is a path");
        };
        selection.exclude = vec!["tests/".to_owned()];
        selection.include = vec![".env".to_owned()];
    });
    assert_eq!(
        words(&differences),
        [
            r#"function f: code.exclude Absent -> List(["tests/"]) []"#,
            r#"function f: code.include Absent -> List([".env"]) []"#
        ]
    );
}

/// Without it, what a plan refuses, and what deploys a new stack, would look like a change of a name.
#[test]
fn names_of_functions_and_stacks() {
    let named = changed(|after| after.functions.get_mut("f").expect("there").name = "g".to_owned());
    assert_eq!(named[0].consequences, [Consequence::NameRefused]);
    let moved = changed(|after| deployment(after).stack = "g".to_owned());
    assert_eq!(moved[0].consequences, [Consequence::AnotherStack(Fate::Orphan)]);
    let existing = changed(|after| {
        after.functions.get_mut("f").expect("there").source = FunctionSource::Existing { reference: "f".to_owned() };
    });
    assert!(existing.iter().any(|one| one.consequences == [Consequence::LeavesStack(Fate::Orphan)]), "{existing:?}");
    let stays = changed(|after| deployment(after).settings.timeout = None);
    assert_eq!(stays[0].consequences, [Consequence::NoLongerManaged]);
    let project = changed(|after| after.project = "q".to_owned());
    assert_eq!(project[0].consequences, [Consequence::AnotherProject]);
}

/// Without it, one changed default would be as many lines as there are secrets, and the last would never be read.
#[test]
fn identical_differences_are_one_group() {
    let fleet = |target: &str, rules: RotationRules| {
        let mut desired = of(target);
        let template = desired.secrets["s"].clone();
        desired.secrets = (0..40)
            .map(|number| {
                let mut secret = template.clone();
                secret.name = format!("{target}/s{number:02}");
                secret.rotation.rules = Some(rules.clone());
                (format!("s{number:02}"), secret)
            })
            .collect();
        desired
    };
    let mut after = [fleet("prod-eu", days(30)), fleet("prod-us", days(30))];
    // One of them is off: it is in the same group, and what happens now isn't true of it.
    for side in &mut after {
        side.secrets.get_mut("s00").expect("there").rotation.enabled = Some(false);
    }
    let mut before = after.clone();
    for side in &mut before {
        side.secrets.values_mut().for_each(|secret| secret.rotation.rules = Some(days(60)));
    }
    let groups = group(compare(&before, &after));
    assert_eq!(groups.len(), 1, "{groups:?}");
    assert_eq!(groups[0].members.len(), 80);
    assert_eq!(groups[0].targets(), [(Some("prod-eu"), 40), (Some("prod-us"), 40)]);
    let counts: Vec<usize> = groups[0].consequences.iter().map(|(_, number)| *number).collect();
    assert_eq!(counts, [80, 78, 78]);
    // Names are another value in each: one group, in which each has its own.
    let renamed = |mut desired: Desired| {
        desired.secrets.values_mut().for_each(|secret| secret.name.push_str("-new"));
        desired
    };
    let groups = group(compare(&after, &after.clone().map(renamed)));
    assert_eq!((groups.len(), groups[0].members.len()), (1, 80));
    assert!(groups[0].members.iter().all(|member| member.own.is_some()));
}

/// Without it, a fleet could be divided into targets of one account, each of which switches a secret off, and read as new entries.
#[test]
fn a_secret_that_moves_to_another_target_of_the_place_is_the_same() {
    let (before, mut rest, mut other) = (of("a"), of("a"), of("b"));
    rest.secrets.remove("s");
    other.functions.clear();
    secret(&mut other).rotation = Rotation { enabled: Some(false), ..Rotation::default() };
    secret(&mut other).function = None;
    let found = |before: &Desired, other: &Desired| {
        let all = compare(std::slice::from_ref(before), &[rest.clone(), other.clone()]);
        let of_secrets: Vec<Difference> = all.into_iter().filter(|one| one.subject == Subject::Secret).collect();
        words(&of_secrets)
    };
    let moved = found(&before, &other);
    assert_eq!(moved[0], "secret s: renamed from a/secret.s []");
    assert!(moved.iter().any(|one| one.ends_with("[StopsRotation]")), "{moved:?}");
    assert!(!moved.iter().any(|one| one.contains("removed") || one.contains("added")), "{moved:?}");
    // The target itself may go, or begin to be named.
    let all = compare(std::slice::from_ref(&before), std::slice::from_ref(&other));
    assert!(words(&all).iter().any(|one| one.ends_with("[StopsRotation]")), "{:?}", words(&all));
    let all = words(&compare(&[desired()], &[rest.clone(), other.clone()]));
    assert!(all.iter().any(|one| one.ends_with("[StopsRotation]")), "{all:?}");
    // In another place it is another secret.
    let mut elsewhere = other.clone();
    elsewhere.target.region = Some("eu-west-1".to_owned());
    let mut here = before.clone();
    here.target.region = Some("us-east-1".to_owned());
    assert_eq!(found(&here, &elsewhere).len(), 2);
    let role = |account: &str| Some(format!("arn:aws:iam::{account}:role/r"));
    let (mut here, mut elsewhere) = (before.clone(), other.clone());
    (here.target.role, elsewhere.target.role) = (role("111111111111"), role("222222222222"));
    assert_eq!(found(&here, &elsewhere).len(), 2);
}

/// Without it, a secret could be given to other code by a second function, and only a test be announced.
#[test]
fn a_secret_that_moves_to_another_function_runs_other_code() {
    let differences = changed(|after| {
        let other = after.functions["f"].clone();
        after.functions.insert("g".to_owned(), Function { name: "g".to_owned(), ..other });
        secret(after).function = Some("g".to_owned());
    });
    let of_secret = differences.iter().find(|one| one.subject == Subject::Secret).expect("it moves");
    assert_eq!(of_secret.consequences, [Consequence::TestsNow, Consequence::AnotherFunction]);
}
