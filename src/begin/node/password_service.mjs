// A web service with logins, to try the function with: users with passwords, and two calls.
//
//     node service.mjs [PORT]
//
// listens on loopback, on port 8099 unless told otherwise, and knows one user, `app`, whose password is `first`. It forgets
// everything when it ends.
//
//     POST /login                   {"username": ..., "password": ...}: 200, or 401 where they don't fit
//     PUT  /users/NAME/password     {"password": ...}, with that user's basic authentication: 204

import { writeFileSync } from "node:fs";
import { createServer } from "node:http";

const FIRST = { app: "first" };
const LARGEST_BODY = 10_000;

/** The status of an answer, and its body. */
function respond(users, [method, ...path], body, authorization) {
  const fits = (name, password) => Object.hasOwn(users, name) && users[name] === password;
  if (method === "POST" && path.join() === "login") return [fits(body.username, body.password) ? 200 : 401];
  if (method === "PUT" && path.length === 3 && path[0] === "users" && path[2] === "password") {
    const [, user, password] = /^(.*?):(.*)$/s.exec(basic(authorization)) ?? [];
    if (!fits(user, password)) return [401];
    if (user !== path[1]) return [403];
    if (!body.password) return [400];
    users[user] = body.password;
    return [204];
  }
  return [404];
}

function basic(authorization) {
  return Buffer.from(authorization.replace(/^Basic /, ""), "base64").toString();
}

// part: service
