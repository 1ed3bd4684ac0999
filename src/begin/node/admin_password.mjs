// Rotates a user's password of a web service, as an admin, and lets two users take turns: no login ends while it is read.
//
// A secret is {"url": ..., "username": ..., "password": ..., "masterarn": ...}; whatever else stands in it is kept. `masterarn`
// names the admin's secret, {"url": ..., "username": ..., "password": ...}, which the function's role must be allowed to read.
// `app` and `app_clone` alternate: each rotation gives a new password to the one that isn't current. Readers may go on with the
// login that they have until the next rotation.
//
// Secrets Manager may call each step again, after any end of the one before: so each looks first at what is done already.

import {
  DescribeSecretCommand,
  GetRandomPasswordCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";

const TIMEOUT_MILLISECONDS = 5000;

// What is about the service: for another one, replace `logsIn` and `saveLogin`, and what only they use.

// What an admin's secret must hold, and what the user's.
const LOGIN = ["url", "username", "password"];
const MEMBERS = [...LOGIN, "masterarn"];

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

/** As the admin, gives a user the login's password; one that isn't there yet is made, with the rights of the user `like`. */
async function saveLogin(admin, login, like) {
  const basic = Buffer.from(`${admin.username}:${admin.password}`).toString("base64");
  const path = `/users/${encodeURIComponent(login.username)}`;
  await send(admin.url, "PUT", path, { body: { password: login.password, like }, authorization: `Basic ${basic}` });
}

// part: http

// How two users take turns.

const CLONE = "_clone";

/** The current value with the other user, and a new password. */
async function newValue(secret) {
  const current = await needed(secret, "AWSCURRENT");
  const shape = { PasswordLength: 32, ExcludeCharacters: process.env.EXCLUDE_CHARACTERS ?? "" };
  const { RandomPassword: password } = await client.send(new GetRandomPasswordCommand(shape));
  return JSON.stringify({ ...current, username: other(current.username), password });
}

/** Has the service take the pending login, which nothing reads yet. */
async function setSecret(secret, token) {
  const [pending, current] = [await needed(secret, "AWSPENDING", token), await needed(secret, "AWSCURRENT")];
  if (pending.username !== other(current.username) || !isSameService(pending, current)) {
    throw new Error("the pending version isn't of the other user, or is of another service");
  }
  if (await logsIn(pending)) return;
  const { SecretString: text } = await client.send(new GetSecretValueCommand({ SecretId: current.masterarn }));
  const admin = read(text, LOGIN);
  // Who may change the secret could else have the admin's password sent anywhere.
  if (!isSameService(admin, pending)) throw new Error("the admin's secret is of another service");
  await saveLogin(admin, pending, current.username);
}

/** Logs in as the secret's readers will. */
async function testSecret(secret, token) {
  if (!(await logsIn(await needed(secret, "AWSPENDING", token)))) {
    throw new Error("the service doesn't take the pending login");
  }
}

/** Whether two logins differ in nothing but whose they are. */
function isSameService(one, other) {
  return LOGIN.every((name) => name === "username" || name === "password" || one[name] === other[name]);
}

/** The user that takes the turn after this one, as AWS's own functions call it. */
function other(username) {
  return username.endsWith(CLONE) ? username.slice(0, -CLONE.length) : username + CLONE;
}

// part: members

// part: contract
