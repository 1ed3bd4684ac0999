//! What tells several plans of one run apart, in words.

use std::collections::BTreeSet;

use crate::plan::Plan;

use super::safe;

/// The names that tell a plan from those that are applied with it, beside its target's: its project, where there are several, and where
/// neither is enough its account and region. Empty where it is alone.
fn names<'p>(plan: &'p Plan, all: &[&'p Plan]) -> (Option<&'p str>, Vec<&'p str>) {
    if all.len() < 2 {
        return (None, Vec::new());
    }
    let projects: BTreeSet<&str> = all.iter().map(|other| other.project.as_str()).collect();
    let alike = |other: &&&Plan| other.project == plan.project && other.target == plan.target;
    let place =
        if all.iter().filter(alike).count() > 1 { vec![&plan.account[..], &plan.region[..]] } else { Vec::new() };
    ((projects.len() > 1).then_some(plan.project.as_str()), place)
}

/// What stands before an address of one plan among several, which begins with its target: nothing, where that is enough.
pub fn before_addresses(plan: &Plan, all: &[&Plan]) -> String {
    let (project, place) = names(plan, all);
    let mut names: Vec<_> = project.into_iter().chain(place).map(safe).collect();
    if !names.is_empty() {
        names.push("".into());
    }
    names.join("/")
}

/// What one plan among several is called, as `--target` takes it: `prod-eu`. `None` where it is alone.
pub fn place(plan: &Plan, all: &[&Plan]) -> Option<String> {
    if all.len() < 2 {
        return None;
    }
    let (project, place) = names(plan, all);
    let names: Vec<&str> = project.into_iter().chain(plan.target.as_deref()).chain(place).collect();
    (!names.is_empty()).then(|| safe(&names.join("/")).into_owned())
}

/// How a report about one plan begins: by its target, where it has a name, and by whatever else tells it from others.
pub fn heading(plan: &Plan, all: &[&Plan]) -> String {
    match (&plan.target, place(plan, all)) {
        (Some(_), Some(place)) => format!("Target {place}: "),
        (Some(target), None) => format!("Target {}: ", safe(target)),
        (None, Some(place)) if place.starts_with(&*safe(&plan.project)) => format!("Project {place}: "),
        (None, Some(place)) => format!("Account {place}: "),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures::{desired, empty_live};
    use crate::plan::{PlanOptions, Purpose, make_plan};

    /// Without it, what is said of targets that are applied side by side couldn't be told apart, or one that is alone would be numbered.
    #[test]
    fn plans_are_told_apart_by_what_differs() {
        let options = PlanOptions { purpose: Purpose::Destroy, partial: false };
        let made = |project: &str, target: Option<&str>, region: &str| Plan {
            project: project.to_owned(),
            target: target.map(str::to_owned),
            region: region.to_owned(),
            account: "1".to_owned(),
            ..make_plan(&desired(), &empty_live(), options)
        };
        let headings = |plans: &[Plan]| -> Vec<String> {
            let all: Vec<&Plan> = plans.iter().collect();
            all.iter().map(|plan| heading(plan, &all)).collect()
        };
        assert_eq!(headings(&[made("p", None, "a")]), [""]);
        assert_eq!(headings(&[made("p", Some("dev"), "a")]), ["Target dev: "]);
        let two = [made("p", Some("dev"), "a"), made("p", Some("prod"), "a")];
        assert_eq!(headings(&two), ["Target dev: ", "Target prod: "]);
        let projects = [made("p", Some("dev"), "a"), made("q", Some("dev"), "a"), made("r", None, "a")];
        assert_eq!(headings(&projects), ["Target p/dev: ", "Target q/dev: ", "Project r: "]);
        // An address has its target already.
        let all: Vec<&Plan> = projects.iter().collect();
        assert_eq!(all.iter().map(|plan| before_addresses(plan, &all)).collect::<Vec<_>>(), ["p/", "q/", "r/"]);
        assert_eq!(before_addresses(&two[0], &[&two[0], &two[1]]), "");
        let regions = [made("p", None, "a"), made("p", None, "b")];
        assert_eq!(before_addresses(&regions[1], &[&regions[0], &regions[1]]), "1/b/");
        assert_eq!(headings(&regions), ["Account 1/a: ", "Account 1/b: "]);
    }
}
