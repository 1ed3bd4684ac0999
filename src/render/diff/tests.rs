//! Comparisons as people read them.

use crate::plan::diff::{CodeFile, Consequence, Difference, Fate, FileChange, Finding, Subject, group};
use crate::plan::{FieldChange, Shown};

use super::*;

/// A text that tries to clear the screen, to break out of code, to mention, to link, and to write a row of its own.
const EVIL: &str = "x\u{1b}[2J``` @org/all\n\n# [a](http://b) <img src=c> | d";

fn one(subject: Subject, target: &str, handle: &str, finding: Finding) -> Difference {
    Difference {
        subject,
        target: Some(target.to_owned()),
        handle: handle.to_owned(),
        name: format!("{target}/{handle}"),
        finding,
        consequences: Vec::new(),
    }
}

fn field(path: &str, before: &str, after: &str) -> Finding {
    Finding::Changed(FieldChange::new(path, Shown::text(before), Shown::text(after)))
}

fn with(mut difference: Difference, consequences: &[Consequence]) -> Difference {
    difference.consequences = consequences.to_vec();
    difference
}

fn differences() -> Vec<Difference> {
    let mut all = Vec::new();
    let gap = Consequence::WorstGap { before: Some(60 * 24 + 4), after: Some(31 * 24) };
    let rules = || field("rotation.rules", "every 60 days, window 4h", "every 30 days");
    for target in ["prod-eu", "prod-us"] {
        for number in 0..40 {
            let changed = one(Subject::Secret, target, &format!("payments/key-{number:02}"), rules());
            all.push(with(changed, &[gap.clone(), Consequence::MayRotateOnOldSchedule, Consequence::TestsNow]));
        }
        all.push(with(one(Subject::Secret, target, "payments/paused", rules()), std::slice::from_ref(&gap)));
        all.push(with(
            one(
                Subject::Secret,
                target,
                "payments/new",
                Finding::Added { values: vec![FieldChange::new("function", Shown::Absent, Shown::text("stripe"))] },
            ),
            &[Consequence::SwitchesOn { now: true }],
        ));
        let files = vec![
            CodeFile { path: "handler.py".to_owned(), change: FileChange::Edited },
            CodeFile { path: "lib/new.py".to_owned(), change: FileChange::Added },
        ];
        all.push(with(one(Subject::Function, target, "stripe", Finding::Code { files }), &[Consequence::ReplacesCode]));
        all.push(one(Subject::Function, target, "stripe", field("timeout", "60", "30")));
        let sensitive = FieldChange::new("environment.URL", Shown::Sensitive, Shown::Sensitive);
        all.push(one(Subject::Function, target, "stripe", Finding::Changed(sensitive)));
        all.push(with(
            one(
                Subject::Secret,
                target,
                "payments/named",
                field("name", &format!("{target}/a"), &format!("{target}/b")),
            ),
            &[Consequence::AnotherSecret(Fate::Orphan)],
        ));
    }
    all.push(one(Subject::Secret, "prod-eu", "payments/old", Finding::Removed { fate: Fate::Orphan }));
    all.push(one(Subject::Secret, "prod-us", "payments/b", Finding::Renamed { from: "payments/a".to_owned() }));
    all.push(one(Subject::Target, "dev", "", Finding::Removed { fate: Fate::Unseen }));
    all
}

fn comparison(differences: Vec<Difference>) -> Comparison {
    Comparison {
        before: "main".to_owned(),
        after: "working tree".to_owned(),
        files: vec![ChangedFile { path: "rotator.yaml".to_owned(), lines: 1 }],
        manifests: vec![ComparedManifest {
            path: "rotator.yaml".to_owned(),
            project: "payments".to_owned(),
            presence: Presence::Both,
            guards: Vec::new(),
            groups: group(differences),
        }],
        conversions: Vec::new(),
        ambiguous: Vec::new(),
        placeholders: None,
    }
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// Without it, what a reviewer reads could change without anyone reading it.
#[test]
fn as_text() {
    insta::assert_snapshot!(plain(&text(&comparison(differences()))));
}

/// Without it, a comment on a pull request could change without anyone reading it.
#[test]
fn as_markdown() {
    insta::assert_snapshot!(markdown(&comparison(differences())));
}

/// Without it, programs that read the published format would break unseen.
#[test]
fn as_json() {
    let few: Vec<Difference> =
        differences().into_iter().filter(|one| !one.handle.starts_with("payments/key-")).collect();
    insta::assert_snapshot!(json(&comparison(few)));
}

/// Without it, a file that only lost a comment would look like an error.
#[test]
fn nothing_differs() {
    let mut none = comparison(Vec::new());
    none.manifests.clear();
    assert_eq!(
        plain(&text(&none)),
        "main -> working tree: 1 line in rotator.yaml\n\nNo difference. The manifests mean the same.\n"
    );
    assert!(markdown(&none).contains("mean the same"));
}

/// Without it, anyone who may open a pull request could steer a terminal, or mention and link in a comment of the pipeline's.
#[test]
fn names_from_outside_stay_names() {
    let files = vec![CodeFile { path: EVIL.to_owned(), change: FileChange::Edited }];
    let values = vec![FieldChange::new(EVIL, Shown::Absent, Shown::List(vec![EVIL.to_owned()]))];
    let mut evil = vec![
        one(Subject::Secret, EVIL, EVIL, field(EVIL, EVIL, "y")),
        one(Subject::Secret, EVIL, "b", field(EVIL, EVIL, "y")),
        one(Subject::Secret, EVIL, EVIL, Finding::Renamed { from: EVIL.to_owned() }),
        one(Subject::Secret, EVIL, "c", field("name", EVIL, "y")),
        one(Subject::Function, EVIL, EVIL, Finding::Code { files }),
        one(Subject::Function, EVIL, EVIL, Finding::Added { values }),
        one(Subject::Function, EVIL, EVIL, Finding::CodeUnknown { before: false, reason: EVIL.to_owned() }),
    ];
    evil.push(one(Subject::Target, EVIL, "", Finding::Renamed { from: EVIL.to_owned() }));
    let mut evil = comparison(evil);
    evil.before = EVIL.to_owned();
    evil.files[0].path = EVIL.to_owned();
    evil.manifests[0].project = EVIL.to_owned();
    evil.manifests[0].path = EVIL.to_owned();
    evil.manifests[0].presence = Presence::Moved { from: EVIL.to_owned() };
    evil.placeholders = Some((EVIL.to_owned(), EVIL.to_owned()));
    let shown = plain(&text(&evil));
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    assert!(!shown.lines().any(|line| line.starts_with('#')), "{shown}");
    // Outside of code spans, nothing of it is left.
    let markdown = markdown(&evil);
    for line in markdown.lines() {
        let outside: String = line.split("````").step_by(2).collect();
        for harmful in ["@org", "](", "<img", "| d"] {
            assert!(!outside.contains(harmful), "`{harmful}` in {outside:?} of {line:?}");
        }
    }
}

/// Without it, a change of a whole fleet couldn't be commented at all, and what is missing wouldn't be known.
#[test]
fn a_huge_comment_is_cut_and_says_so() {
    let many = (0..3000).map(|number| {
        let handle = format!("payments/{}-{number}", "x".repeat(60));
        one(Subject::Secret, "prod", &handle, field("rotation.rules", &format!("every {number} days"), "every day"))
    });
    let text = markdown(&comparison(many.collect()));
    assert!(text.chars().count() < 65_536, "{}", text.chars().count());
    assert!(text.contains("more differences are left out"), "{}", &text[text.len() - 400..]);
}
