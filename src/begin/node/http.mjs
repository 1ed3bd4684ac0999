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
