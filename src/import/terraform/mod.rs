//! What Terraform's state says of rotation, and what of it moves to a manifest.

mod address;
mod moves;
mod part;
mod read;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use address::Address;
pub use moves::{Moves, Stays, moves};
pub use read::{Wrong, read};

use crate::model::SAR_STACK_PREFIXES;
use crate::model::arn::{Arn, unqualified_function_arn};

/// What Terraform manages that has to do with rotation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Terraform's version, as the document says it.
    pub version: Option<String>,
    /// Its rotations.
    rotations: Vec<Rotation>,
    /// Secrets whose own block says that they rotate, as providers before version 5 have it: their ARNs, and the blocks' addresses.
    in_secrets: BTreeMap<String, String>,
    /// The addresses of functions, by ARN.
    functions: BTreeMap<String, String>,
    /// Stacks of the Serverless Application Repository.
    stacks: Vec<Stack>,
    /// How many secrets it manages.
    secrets: usize,
    /// How many resources were taken.
    taken: usize,
}

/// A rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rotation {
    /// Its address; or what stands in its place.
    address: Result<Address, String>,
    /// The secret's ARN, where it is one.
    secret: Option<Arn>,
}

/// A stack.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stack {
    address: Address,
    region: String,
    account: String,
    /// Its name, without the repository's prefix.
    name: String,
}

/// An instance of a resource, as far as it is read.
#[derive(Debug, Clone, Default)]
struct Resource {
    address: Option<String>,
    arn: Option<String>,
    id: Option<String>,
    secret_id: Option<String>,
    rotation_lambda_arn: Option<String>,
}

const SECRET: &str = "aws_secretsmanager_secret";
const ROTATION: &str = "aws_secretsmanager_secret_rotation";
const FUNCTION: &str = "aws_lambda_function";
const STACK: &str = "aws_serverlessapplicationrepository_cloudformation_stack";

impl Resource {
    /// The types that are read.
    const TYPES: [&'static str; 4] = [SECRET, ROTATION, FUNCTION, STACK];
}

impl State {
    /// Takes a resource; returns how many there are by now.
    fn take(&mut self, kind: &str, resource: Resource) -> usize {
        let written = resource.address.unwrap_or_default();
        let address: Result<Address, String> = written.parse().map_err(|_| written);
        let is_secret = |arn: &Arn| arn.service == "secretsmanager" && arn.resource.starts_with("secret:");
        let arn = |text: Option<&String>| text.and_then(|text| text.parse::<Arn>().ok());
        match kind {
            ROTATION => {
                let secret = [resource.id.as_ref(), resource.secret_id.as_ref()].into_iter().find_map(arn);
                self.rotations.push(Rotation { address, secret: secret.filter(is_secret) });
            }
            SECRET => {
                self.secrets += 1;
                let rotates = resource.rotation_lambda_arn.is_some_and(|function| !function.is_empty());
                if let (true, Some(arn), Ok(address)) = (rotates, arn(resource.arn.as_ref()), address) {
                    self.in_secrets.insert(arn.to_string(), address.block().to_owned());
                }
            }
            FUNCTION => {
                if let (Some(arn), Ok(address)) = (resource.arn, address) {
                    self.functions.insert(arn, address.text().to_owned());
                }
            }
            _ => self.stacks.extend(arn(resource.id.as_ref()).zip(address.ok()).and_then(|(arn, address)| {
                let name = arn.resource.strip_prefix("stack/")?.split('/').next()?;
                let name = SAR_STACK_PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
                Some(Stack { address, region: arn.region, account: arn.account, name: name.to_owned() })
            })),
        }
        self.taken += 1;
        self.taken
    }

    /// How many rotations it has.
    pub fn rotations(&self) -> usize {
        self.rotations.len() + self.only_in_secrets().count()
    }

    /// How many secrets it manages.
    pub fn secrets(&self) -> usize {
        self.secrets
    }

    /// The secrets whose rotation it manages.
    pub fn rotating(&self) -> BTreeSet<String> {
        let own = self.rotations.iter().filter_map(|rotation| rotation.secret.as_ref().map(Arn::to_string));
        own.chain(self.in_secrets.keys().cloned()).collect()
    }

    /// The accounts and regions of those secrets.
    pub fn places(&self) -> BTreeSet<(String, String)> {
        let arns = self.rotating();
        let arns = arns.iter().filter_map(|arn| arn.parse::<Arn>().ok());
        arns.map(|arn| (arn.account, arn.region)).collect()
    }

    /// The address of a function, by the ARN that secrets name.
    pub fn function(&self, arn: &str) -> Option<&String> {
        self.functions.get(unqualified_function_arn(arn))
    }

    /// Secrets with a rotation that no resource of its own has: providers before version 5 say it of every secret that rotates.
    fn only_in_secrets(&self) -> impl Iterator<Item = (&String, &String)> {
        let own: BTreeSet<String> =
            self.rotations.iter().filter_map(|one| one.secret.as_ref().map(Arn::to_string)).collect();
        self.in_secrets.iter().filter(move |(arn, _)| !own.contains(*arn))
    }
}
