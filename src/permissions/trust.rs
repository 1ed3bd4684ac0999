//! Who may become a role: the jobs of one repository, by the tokens that GitHub and GitLab give them.
//!
//! A token's subject says which repository a job belongs to, and on which branch or for which environment it runs. A policy here names
//! whole subjects: a pattern such as `repo:acme/*` would let every repository of an owner in.
//!
//! <https://docs.github.com/en/actions/reference/security/oidc>,
//! <https://docs.gitlab.com/ci/secrets/id_token_authentication/>

use serde_json::{Value, json};

use super::Place;

/// What tokens are made for, as `aws-actions/configure-aws-credentials` asks for them.
const AUDIENCE: &str = "sts.amazonaws.com";

/// The branch that counts where none is named.
const MAIN: &str = "main";

/// Whose jobs may become a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    forge: Forge,
    /// `OWNER/REPO`, or the path of a GitLab project.
    project: String,
    /// What stands behind it.
    limit: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Forge {
    GitHub,
    /// By its host.
    GitLab(String),
}

impl Trust {
    /// Reads `github:OWNER/REPO[:LIMIT]` or `gitlab[@HOST]:GROUP/PROJECT[:BRANCH]`.
    ///
    /// # Errors
    /// What a form would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        const FORMS: &str =
            "write `github:OWNER/REPO`, `github:OWNER/REPO:ENVIRONMENT` or `gitlab:GROUP/PROJECT:BRANCH`";
        let mut parts = text.splitn(3, ':');
        let (forge, project, limit) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        let forge = match forge.split_once('@') {
            None if forge == "github" => Forge::GitHub,
            None if forge == "gitlab" => Forge::GitLab("gitlab.com".to_owned()),
            Some(("gitlab", host)) if is_made_of(host, ".-") => Forge::GitLab(host.to_owned()),
            _ => return Err(FORMS.to_owned()),
        };
        let project = project.unwrap_or_default();
        if project.contains(['*', '?']) || limit.is_some_and(|limit| limit.contains(['*', '?'])) {
            return Err(
                "a pattern lets in whatever it matches: name one repository, and one environment or branch".to_owned()
            );
        }
        let names: Vec<&str> = project.split('/').collect();
        let two = names.len() == 2 || (names.len() > 2 && forge != Forge::GitHub);
        if !two || !names.iter().all(|name| is_made_of(name, "._-@")) {
            return Err(FORMS.to_owned());
        }
        let printable = |limit: &str| !limit.is_empty() && limit.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        if limit.is_some_and(|limit| !printable(limit) || limit.contains(['"', '\\', '$'])) {
            return Err("an environment's or branch's name is expected behind the second `:`".to_owned());
        }
        Ok(Self { forge, project: project.to_owned(), limit: limit.map(str::to_owned) })
    }

    /// The policy of a role that such jobs may become. `reads`: nothing can be changed with the role.
    pub fn policy(&self, place: &Place, reads: bool) -> Value {
        let provider = match &self.forge {
            Forge::GitHub => "token.actions.githubusercontent.com",
            Forge::GitLab(host) => host,
        };
        let Place { partition, account, .. } = place;
        let (operator, subjects) = self.subjects(reads);
        let mut conditions = json!({"StringEquals": {format!("{provider}:aud"): AUDIENCE}});
        conditions[operator][format!("{provider}:sub")] = match &subjects[..] {
            [one] => json!(one),
            several => json!(several),
        };
        json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Sid": "Pipeline",
                "Effect": "Allow",
                "Principal": {"Federated": format!("arn:{partition}:iam::{account}:oidc-provider/{provider}")},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": conditions,
            }],
        })
    }

    /// The subjects that are let in, and how they are compared. What only reads is for pull requests too.
    fn subjects(&self, reads: bool) -> (&'static str, Vec<String>) {
        let project = &self.project;
        match (&self.forge, self.limit.as_deref()) {
            (Forge::GitHub, Some(limit)) => {
                let as_it_is = limit == "pull_request" || limit.starts_with("ref:refs/");
                let limit = if as_it_is { limit.to_owned() } else { format!("environment:{limit}") };
                ("StringEquals", vec![format!("repo:{project}:{limit}")])
            }
            (Forge::GitHub, None) => {
                let main = format!("repo:{project}:ref:refs/heads/{MAIN}");
                let requests = reads.then(|| format!("repo:{project}:pull_request"));
                ("StringEquals", [Some(main), requests].into_iter().flatten().collect())
            }
            // A merge request's jobs run on its own branch, whatever that is called.
            (Forge::GitLab(_), None) if reads => {
                ("StringLike", vec![format!("project_path:{project}:ref_type:branch:ref:*")])
            }
            (Forge::GitLab(_), limit) => {
                let branch = limit.unwrap_or(MAIN);
                ("StringEquals", vec![format!("project_path:{project}:ref_type:branch:ref:{branch}")])
            }
        }
    }
}

fn is_made_of(text: &str, punctuation: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || punctuation.contains(c))
}
