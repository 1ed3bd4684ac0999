// Rotates a user's password of a web service, as that user.
//
// A secret is {"url": ..., "username": ..., "password": ...}; whatever else stands in it is kept. Readers that open a connection
// while the service has the new password and the secret doesn't yet must try again: where they can't, let two users take turns.
//
// Secrets Manager may call each step again, after any end of the one before: so each looks first at what is done already. In
// particular, the service may have the new password while the secret doesn't say so yet.

import {
  DescribeSecretCommand,
  GetRandomPasswordCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";

const TIMEOUT_MILLISECONDS = 5000;

// What is about the service: for another one, replace `logsIn` and `changePassword`, and what only they use.

// What a secret must hold.
const MEMBERS = ["url", "username", "password"];

/** Whether the service takes a login. Only a clear no is a no: a service that is down says nothing of a password. */
async function logsIn({ url, username, password }) {
  try {
    await send(url, "POST", "/login", { body: { username, password } });
    return true;
  } catch (error) {
    if (error.status !== 401) throw error;
    return false;
  }
}

/** Has the service take another password for a login that it knows. */
async function changePassword(login, password) {
  const basic = Buffer.from(`${login.username}:${login.password}`).toString("base64");
  const path = `/users/${encodeURIComponent(login.username)}/password`;
  await send(login.url, "PUT", path, { body: { password }, authorization: `Basic ${basic}` });
}

// part: http

// How the password of one user is rotated.

/** The current value with a new password. */
async function newValue(secret) {
  const current = await needed(secret, "AWSCURRENT");
  const shape = { PasswordLength: 32, ExcludeCharacters: process.env.EXCLUDE_CHARACTERS ?? "" };
  const { RandomPassword: password } = await client.send(new GetRandomPasswordCommand(shape));
  return JSON.stringify({ ...current, password });
}

/** Has the service take the pending password, by the newest one that it still knows. */
async function setSecret(secret, token) {
  const [pending, current] = [await needed(secret, "AWSPENDING", token), await needed(secret, "AWSCURRENT")];
  if (!isSameUser(pending, current)) {
    // A pending value may not send the current password to another service.
    throw new Error("the pending version is of another user, or of another service");
  }
  if (await logsIn(pending)) return;
  for (const known of [current, await previous(secret)]) {
    if (known && isSameUser(known, pending) && (await logsIn(known))) {
      await changePassword(known, pending.password);
      return;
    }
  }
  throw new Error("the service takes neither the pending, the current nor the previous password");
}

/** Logs in as the secret's readers will. */
async function testSecret(secret, token) {
  if (!(await logsIn(await needed(secret, "AWSPENDING", token)))) {
    throw new Error("the service doesn't take the pending password");
  }
}

/** Whether two values differ in nothing but their passwords, as far as the service is concerned. */
function isSameUser(one, other) {
  return MEMBERS.every((name) => name === "password" || one[name] === other[name]);
}

// part: members

// part: previous

// part: contract
