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
