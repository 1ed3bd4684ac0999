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
