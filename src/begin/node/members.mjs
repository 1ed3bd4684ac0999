/** What isn't a value for this function. */
class WrongForm extends Error {}

/** The members of a value; one that lacks any of them is no value for this function. */
function read(text, members = MEMBERS) {
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    // The parser's own words quote what it has read.
    throw new WrongForm("the secret is no JSON");
  }
  const missing = members.filter((name) => !found?.[name]);
  if (missing.length) throw new WrongForm(`the secret has no ${missing.join(" and no ")}`);
  return found;
}

/** A value that must be there. */
async function needed(secret, stage, token) {
  const found = await value(secret, stage, token);
  if (found === undefined) throw new Error(`the ${stage} version of ${secret} has no value`);
  return found;
}
