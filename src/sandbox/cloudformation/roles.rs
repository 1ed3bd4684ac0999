//! What the roles of stacks let their functions do.

use serde_json::Value;

use super::state::State;
use super::template::Place;

const KIND: &str = "AWS::IAM::Role";

/// The statements of a role that one of an account's stacks made, by the role's name; `None` where none did.
pub fn role_statements(stacks: &State, place: Place<'_>, role: &str) -> Option<Vec<Value>> {
    let definition = stacks.owner(KIND, role)?.definition.as_ref()?;
    let mut resources = definition.resources(place).into_iter().filter(|resource| resource.kind == KIND);
    let policies = resources.next()?.properties.remove("Policies")?.value;
    let documents = policies.as_array()?.iter().map(|policy| &policy["PolicyDocument"]["Statement"]);
    Some(documents.filter_map(Value::as_array).flatten().cloned().collect())
}
