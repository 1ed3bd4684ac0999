//! What moves from Terraform to a manifest, and by what Terraform lets go of it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{LeftOut, Outcome, Place, TaggedSecret};
use super::{Address, State};
use crate::model::arn::Arn;

/// The first version of Terraform that knows `removed`.
const REMOVED: (u64, u64) = (1, 7);

/// What moves, and what doesn't.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moves {
    /// Blocks of which all instances move, as `removed` takes them, with those instances.
    pub removed: BTreeMap<String, BTreeSet<String>>,
    /// Instances that move where others of their block stay, or where Terraform doesn't know `removed`.
    pub forgotten: BTreeSet<String>,
    /// How many rotations move.
    pub moved: usize,
    /// Blocks of secrets that say the rotation themselves: their arguments go, and they stay.
    pub arguments: BTreeSet<String>,
    /// Rotations that stay with Terraform, by address.
    pub stays: BTreeMap<String, Stays>,
    /// The functions that stay with Terraform, and rotate what moves.
    pub functions: BTreeSet<String>,
    /// Whether Terraform is too old for `removed`.
    pub is_old: bool,
}

/// Why a rotation stays with Terraform.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stays {
    /// The manifest can't have it.
    LeftOut(LeftOut),
    /// AWS doesn't have the secret.
    NotThere,
    /// The filters leave it out.
    Filtered,
    /// No target is in its account and region.
    Elsewhere {
        /// The account.
        account: String,
        /// The region.
        region: String,
    },
    /// Terraform's document doesn't say which secret it is, or has no address for it.
    Unclear,
}

/// What moves of a state, by what came of the places; `passes`: whether a secret passes the filters.
pub fn moves(
    state: &State,
    places: &[Place<'_>],
    outcomes: &[Outcome],
    passes: &dyn Fn(&TaggedSecret) -> bool,
) -> Moves {
    let here = Here::of(places, outcomes, passes);
    let mut moves = Moves { is_old: is_old(state.version.as_deref()), ..Moves::default() };
    let mut going: Vec<&Address> = Vec::new();
    let mut staying: BTreeSet<&str> = BTreeSet::new();
    for rotation in &state.rotations {
        let (address, ends) = match (&rotation.address, &rotation.secret) {
            (Ok(address), Some(secret)) => (address, here.judge(secret)),
            (Ok(address), None) => (address, Some(Stays::Unclear)),
            (Err(written), _) => {
                moves.stays.insert(written.clone(), Stays::Unclear);
                continue;
            }
        };
        match ends {
            None => {
                moves.moved += 1;
                going.push(address);
            }
            Some(why) => {
                staying.insert(address.block());
                moves.stays.insert(address.text().to_owned(), why);
            }
        }
    }
    for (arn, address) in state.only_in_secrets() {
        let Ok(secret) = arn.parse::<Arn>() else { continue };
        match here.judge(&secret) {
            None => {
                moves.moved += 1;
                moves.arguments.insert(address.clone());
            }
            Some(why) => drop(moves.stays.insert(address.clone(), why)),
        }
    }
    for stack in &state.stacks {
        let is_here = |(place, outcome): (&Place<'_>, &Outcome)| {
            place.account.account == stack.account
                && place.account.region == stack.region
                && (outcome.adopted.contains(&stack.name) || place.managed.deploys(&stack.name))
        };
        if places.iter().zip(outcomes).any(is_here) {
            going.push(&stack.address);
        } else {
            staying.insert(stack.address.block());
        }
    }
    for address in going {
        if moves.is_old || staying.contains(address.block()) {
            moves.forgotten.insert(address.text().to_owned());
        } else {
            moves.removed.entry(address.block().to_owned()).or_default().insert(address.text().to_owned());
        }
    }
    moves.functions = here.functions().filter_map(|arn| state.function(arn)).cloned().collect();
    moves
}

/// Whether a version of Terraform doesn't know `removed`. One that isn't said is taken for a newer one.
fn is_old(version: Option<&str>) -> bool {
    let mut numbers = version.unwrap_or_default().split('.').map(str::parse::<u64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < REMOVED,
        _ => false,
    }
}

/// All places, by account and region.
struct Here<'a> {
    places: BTreeMap<(&'a str, &'a str), OnePlace<'a>>,
}

struct OnePlace<'a> {
    /// The secrets, and whether each passes the filters.
    secrets: BTreeMap<&'a str, (&'a TaggedSecret, bool)>,
    left_out: BTreeMap<&'a str, &'a LeftOut>,
}

impl<'a> Here<'a> {
    fn of(places: &[Place<'a>], outcomes: &'a [Outcome], passes: &dyn Fn(&TaggedSecret) -> bool) -> Self {
        let one = |(place, outcome): (&Place<'a>, &'a Outcome)| {
            let account = place.account;
            let secrets = account.secrets.iter().map(|one| (one.record.arn.as_str(), (one, passes(one)))).collect();
            let left_out = outcome.left_out.iter().map(|(_, arn, why)| (arn.as_str(), why)).collect();
            ((account.account.as_str(), account.region.as_str()), OnePlace { secrets, left_out })
        };
        Self { places: places.iter().zip(outcomes).map(one).collect() }
    }

    /// Why a secret's rotation stays; `None`: it moves.
    fn judge(&self, secret: &Arn) -> Option<Stays> {
        let Some(place) = self.places.get(&(secret.account.as_str(), secret.region.as_str())) else {
            return Some(Stays::Elsewhere { account: secret.account.clone(), region: secret.region.clone() });
        };
        let arn = secret.to_string();
        match (place.left_out.get(arn.as_str()), place.secrets.get(arn.as_str())) {
            (Some(why), _) => Some(Stays::LeftOut((*why).clone())),
            (None, Some((_, true))) => None,
            (None, Some((_, false))) => Some(Stays::Filtered),
            (None, None) => Some(Stays::NotThere),
        }
    }

    /// The functions of the secrets that are the manifest's.
    fn functions(&self) -> impl Iterator<Item = &str> {
        let is_moved = |place: &&OnePlace<'_>, arn: &str, passes: bool| passes && !place.left_out.contains_key(arn);
        self.places.values().flat_map(move |place| {
            let moved = place.secrets.iter().filter(move |(arn, (_, passes))| is_moved(&place, arn, *passes));
            moved.filter_map(|(_, (secret, _))| secret.record.function_arn.as_deref())
        })
    }
}
