//! The words of effects: what people fear about a plan, in a sentence.

use crate::model::Address;
use crate::plan::Effect;

use super::count;

/// The sentence that stands for an effect on some resources.
pub fn effect_on<'a>(effect: Effect, addresses: impl Iterator<Item = &'a Address>) -> String {
    let (functions, others): (Vec<&Address>, Vec<&Address>) =
        addresses.partition(|address| crate::plan::is_function(address));
    let (of_functions, of_others) = match effect {
        // What is taken from another project is a stack; what is taken from another function, a secret.
        Effect::TakesOver => {
            let is = if functions.len() == 1 { "stack is" } else { "stacks are" };
            let stacks = format!("{} {is} taken over from another project", functions.len());
            (stacks, effect_words(effect, others.len()))
        }
        // A function gets other code, or a secret another function.
        Effect::ReplacesCode => {
            let verb = if others.len() == 1 { "moves" } else { "move" };
            let moved = format!("{} {verb} to another function, which has its own code", count(others.len(), "secret"));
            (effect_words(effect, functions.len()), moved)
        }
        _ => return effect_words(effect, functions.len() + others.len()),
    };
    match (functions.is_empty(), others.is_empty()) {
        (false, true) => of_functions,
        (true, _) => of_others,
        (false, false) => format!("{of_functions}; {of_others}"),
    }
}

/// The sentence that stands for an effect on a number of resources, each of the kind that it is usual for.
pub fn effect_words(effect: Effect, number: usize) -> String {
    let (secrets, verb) = (count(number, "secret"), if number == 1 { "s" } else { "" });
    match effect {
        Effect::RotatesNow => format!("{secrets} rotate{verb} now"),
        Effect::TestsNow => format!("{secrets}: the function's testSecret step runs now"),
        Effect::MayRotateOnOldSchedule => format!("{secrets} may still rotate once on the old schedule"),
        Effect::ReplacesCode => format!("{} run{verb} other code", count(number, "function")),
        Effect::RotatesLessOften => format!("{secrets} rotate{verb} less often, at worst"),
        Effect::StopsRotation => format!("rotation stops for {secrets}"),
        Effect::TakesOver => {
            let is = if number == 1 { "is" } else { "are" };
            format!("{secrets} {is} taken over from functions that this manifest doesn't deploy")
        }
        Effect::OverridesFreeze => {
            let verb = if number == 1 { "overrides" } else { "override" };
            format!("{} {verb} a freeze", count(number, "change"))
        }
        Effect::DropsPending => format!("the pending version of {secrets} is given up"),
        Effect::StartsRotation => format!("rotation is switched on for {secrets}"),
        Effect::OpensPermission => format!("Secrets Manager is let in to invoke {}", count(number, "function")),
        Effect::Deletes => {
            format!("{} deleted", if number == 1 { "1 stack is".to_owned() } else { format!("{number} stacks are") })
        }
    }
}
