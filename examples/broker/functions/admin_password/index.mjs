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

/** What a service answers that isn't a success. */
class HttpError extends Error {
  constructor(method, path, status) {
    super(`${method} ${path} was answered by ${status}`);
    this.status = status;
  }
}

/** One request, and what the service answers it with, if anything. What isn't a success throws. */
async function send(url, method, path, { body, authorization } = {}) {
  let answer, text;
  try {
    answer = await fetch(url.replace(/\/+$/, "") + path, {
      method,
      headers: { "Content-Type": "application/json", ...(authorization && { Authorization: authorization }) },
      body: body && JSON.stringify(body),
      // What a request carries is for the one service that it was meant for.
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
    });
    text = await answer.text();
  } catch (error) {
    throw new Error(`${url} can't be reached: ${error.cause?.code ?? error.name}`);
  }
  if (!answer.ok) throw new HttpError(method, path, answer.status);
  return text ? JSON.parse(text) : undefined;
}

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

// The contract of the four steps. Nothing below is about the service, and nothing needs to be changed for another one.

const client = new SecretsManagerClient({
  endpoint: process.env.SECRETS_MANAGER_ENDPOINT,
  maxAttempts: 3,
  // Well below the function's own timeout: a network without a way to AWS is then an error that says so.
  requestHandler: { connectionTimeout: 3000, requestTimeout: 5000, throwOnRequestTimeout: true },
});

const STEPS = { createSecret, setSecret, testSecret, finishSecret };

/** One step of a rotation. Secrets Manager calls them in order, and may call each again. */
export async function handler({ SecretId: secret, ClientRequestToken: token, Step: step }) {
  const described = await client.send(new DescribeSecretCommand({ SecretId: secret }));
  if (!described.RotationEnabled) throw new Error(`rotation of ${secret} is off`);
  const stages = described.VersionIdsToStages?.[token];
  if (!stages) throw new Error(`version ${token} is not a version of ${secret}`);
  if (stages.includes("AWSCURRENT")) {
    console.log(`version ${token} is current already`);
    return;
  }
  if (!stages.includes("AWSPENDING")) throw new Error(`version ${token} of ${secret} is not pending`);
  if (!Object.hasOwn(STEPS, step)) throw new Error(`${step} is no step of a rotation`);
  await STEPS[step](secret, token);
  console.log(`${step}: done for version ${token}`);
}

/** Puts a new value into the pending version, unless an earlier call has: the service may know that one by now. */
async function createSecret(secret, token) {
  if ((await value(secret, "AWSPENDING", token)) !== undefined) return;
  const made = await newValue(secret);
  await client.send(
    new PutSecretValueCommand({
      SecretId: secret,
      ClientRequestToken: token,
      SecretString: made,
      VersionStages: ["AWSPENDING"],
    }),
  );
}

/** Makes the pending version the current one. */
async function finishSecret(secret, token) {
  const { VersionIdsToStages: versions } = await client.send(new DescribeSecretCommand({ SecretId: secret }));
  const [current] = Object.entries(versions).find(([, stages]) => stages.includes("AWSCURRENT")) ?? [];
  if (current === token) return;
  await client.send(
    new UpdateSecretVersionStageCommand({
      SecretId: secret,
      VersionStage: "AWSCURRENT",
      MoveToVersionId: token,
      RemoveFromVersionId: current,
    }),
  );
}

/** What a version holds, or undefined where it has no value yet, or no version has the label. */
async function value(secret, stage, token) {
  let answer;
  try {
    answer = await client.send(new GetSecretValueCommand({ SecretId: secret, VersionStage: stage, VersionId: token }));
  } catch (error) {
    if (error.name === "ResourceNotFoundException") return undefined;
    throw error;
  }
  return read(answer.SecretString);
}
