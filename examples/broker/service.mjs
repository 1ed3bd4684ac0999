// A web service with an admin, to try the function with: users with passwords, and two calls.
//
//     node service.mjs [PORT]
//
// listens on loopback, on port 8099 unless told otherwise, and knows two users: `admin`, whose password is `first-of-all`, and `app`,
// whose password is `first`. It forgets everything when it ends.
//
//     POST /login           {"username": ..., "password": ...}: 200, or 401 where they don't fit
//     PUT  /users/NAME      {"password": ..., "like": ...}, with the admin's basic authentication: 204. A user that isn't there is
//                           made, with the rights of the one that `like` names: 404 where there is none

import { writeFileSync } from "node:fs";
import { createServer } from "node:http";

const FIRST = {
  admin: { password: "first-of-all", rights: "all" },
  app: { password: "first", rights: "read" },
};
const LARGEST_BODY = 10_000;

/** The status of an answer, and its body. */
function respond(users, [method, ...path], body, authorization) {
  const find = (name) => (Object.hasOwn(users, name) ? users[name] : undefined);
  const fits = (name, password) => find(name)?.password === password && password !== undefined;
  if (method === "POST" && path.join() === "login") return [fits(body.username, body.password) ? 200 : 401];
  if (method === "PUT" && path.length === 2 && path[0] === "users") {
    const [, user, password] = /^(.*?):(.*)$/s.exec(basic(authorization)) ?? [];
    if (!fits(user, password)) return [401];
    if (find(user).rights !== "all") return [403];
    const like = find(path[1]) ?? find(body.like);
    if (!like) return [404];
    if (!body.password) return [400];
    users[path[1]] = { password: body.password, rights: like.rights };
    return [204];
  }
  return [404];
}

function basic(authorization) {
  return Buffer.from(authorization.replace(/^Basic /, ""), "base64").toString();
}

/** Tells `rotator test` how many credentials the service takes, so that one that is left over is noticed. */
function count(known) {
  const file = process.env.ROTATOR_CREDENTIALS;
  if (file) writeFileSync(file, String(Object.keys(known).length));
}

count(FIRST);
const port = Number(process.argv[2] ?? 8099);

createServer(async (request, response) => {
  let text = "";
  for await (const part of request) {
    text += part;
    if (text.length > LARGEST_BODY) return request.destroy();
  }
  const call = [request.method, ...request.url.replace(/^\/+|\/+$/g, "").split("/").map(decodeURIComponent)];
  const [status, answer] = respond(FIRST, call, text ? JSON.parse(text) : {}, request.headers.authorization ?? "");
  count(FIRST);
  response.writeHead(status).end(answer && JSON.stringify(answer));
}).listen(port, "127.0.0.1", function () {
  console.log(`listening on http://127.0.0.1:${this.address().port}`);
});
