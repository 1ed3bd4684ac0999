// A web service that issues keys, to try the function with.
//
//     node service.mjs [PORT]
//
// listens on loopback, on port 8099 unless told otherwise, and knows one key, `first`, with the id `k1`. It forgets everything when it
// ends. Each call needs a key as `Authorization: Bearer KEY`, else it is answered by 401:
//
//     GET    /key         {"id": ...}: which key it is
//     GET    /keys        {"keys": [{"id": ..., "name": ...}]}
//     POST   /keys        {"name": ...}: 201, {"id": ..., "key": ...}; 409 where there are two keys already
//     DELETE /keys/ID     204; 409 for the key that asks

import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";

const FIRST = { k1: { name: "made by hand", key: "first" } };
const LARGEST_BODY = 10_000;
const MOST_KEYS = 2;

/** The status of an answer, and its body. */
function respond(keys, [method, ...path], body, authorization) {
  const [asking] = Object.entries(keys).find(([, one]) => authorization === `Bearer ${one.key}`) ?? [];
  if (!asking) return [401];
  switch (`${method} /${path[0]}`) {
    case "GET /key":
      return [200, { id: asking }];
    case "GET /keys":
      return [200, { keys: Object.entries(keys).map(([id, { name }]) => ({ id, name })) }];
    case "POST /keys": {
      if (Object.keys(keys).length >= MOST_KEYS) return [409];
      const [id, key] = [`k${randomBytes(4).toString("hex")}`, randomBytes(18).toString("base64url")];
      keys[id] = { name: String(body.name), key };
      return [201, { id, key }];
    }
    case "DELETE /keys": {
      if (!Object.hasOwn(keys, path[1])) return [404];
      if (path[1] === asking) return [409];
      delete keys[path[1]];
      return [204];
    }
    default:
      return [404];
  }
}

// part: service
