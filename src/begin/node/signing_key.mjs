// Rotates a signing key: a secret that only its readers know.
//
// The application reads AWSCURRENT to sign, and AWSPREVIOUS too to verify, so that cookies that were signed before a rotation
// stay valid until the next one. No service keeps a copy, so there is nothing to tell one in `setSecret`.
//
// Secrets Manager calls the four steps in order and may call each again, so each looks first at what is done already.

import { createHmac, timingSafeEqual } from "node:crypto";
import {
  DescribeSecretCommand,
  GetRandomPasswordCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";

// What is about the key: for one of another form, replace `newKey` and `signs`, and what only they use.

/** A key, as text. */
async function newKey() {
  const shape = { PasswordLength: Number(process.env.KEY_LENGTH ?? "64"), ExcludePunctuation: true };
  return (await client.send(new GetRandomPasswordCommand(shape))).RandomPassword;
}

/** Whether a key can be signed with: it is no word that can be guessed, and what it has signed, and that alone, it verifies. */
function signs(key) {
  if (new Set(key).size < 10) return false;
  const signature = sign(key, "cookie");
  return timingSafeEqual(signature, sign(key, "cookie")) && !timingSafeEqual(signature, sign(key, "other"));
}

function sign(key, message) {
  return createHmac("sha256", key).update(message).digest();
}

// How a key is rotated that no service keeps a copy of.

/** A new key. */
async function newValue() {
  return newKey();
}

/** The key's readers fetch it by themselves. */
async function setSecret() {}

/** Signs and verifies with the pending key. */
async function testSecret(secret, token) {
  const pending = await value(secret, "AWSPENDING", token);
  if (pending === undefined || !signs(pending)) {
    throw new Error("the pending version is no key that can be signed with");
  }
}

/** The value is the key itself. */
function read(text) {
  return text;
}

// part: contract
