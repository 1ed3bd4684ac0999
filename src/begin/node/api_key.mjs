// Rotates an API key: the service issues another one, which it is asked for with the current key.
//
// A secret is {"url": ..., "key_id": ..., "api_key": ...}; whatever else stands in it is kept. Readers may go on with the key
// that they have until the next rotation: only that revokes it.
//
// Secrets Manager may call each step again, after any end of the one before: so each looks first at what is done already. In
// particular, the service may have issued a key that no version of the secret holds.

import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";

const TIMEOUT_MILLISECONDS = 5000;

// What is about the service: for another one, replace `issueKey` and `takesKey`, and what only they use.

// What a secret must hold.
const MEMBERS = ["url", "key_id", "api_key"];

/**
 * Has the service issue a key of this name. The answer is what the secret is to hold of it.
 *
 * Before that, keys are revoked that nothing reads any more: that of `before`, what the secret held before the current value (or
 * undefined), and all of this name but the current one. Those are of rotations that ended before the secret had the key.
 */
async function issueKey(current, name, before) {
  const authorization = bearer(current);
  const old = before?.url === current.url ? before.key_id : undefined;
  for (const key of (await send(current.url, "GET", "/keys", { authorization })).keys) {
    if (key.id !== current.key_id && (key.id === old || key.name === name)) {
      await send(current.url, "DELETE", `/keys/${key.id}`, { authorization });
    }
  }
  const issued = await send(current.url, "POST", "/keys", { body: { name }, authorization });
  return { key_id: issued.id, api_key: issued.key };
}

/** Whether the service takes the secret's key. Only a clear no is a no: a service that is down says nothing of a key. */
async function takesKey(secret) {
  try {
    return (await send(secret.url, "GET", "/key", { authorization: bearer(secret) })).id === secret.key_id;
  } catch (error) {
    if (error.status !== 401) throw error;
    return false;
  }
}

function bearer(secret) {
  return `Bearer ${secret.api_key}`;
}

// part: http

// How a key that the service issues is rotated.

/** The current value with a new key, which has the secret's ARN for a name: no other secret's keys are ever touched. */
async function newValue(secret) {
  const current = await needed(secret, "AWSCURRENT");
  return JSON.stringify({ ...current, ...(await issueKey(current, secret, await previous(secret))) });
}

/** The service knows the key: it has issued it. */
async function setSecret() {}

/** Uses the pending key as the secret's readers will. */
async function testSecret(secret, token) {
  if (!(await takesKey(await needed(secret, "AWSPENDING", token)))) {
    throw new Error("the service doesn't take the pending key");
  }
}

// part: members

// part: previous

// part: contract
