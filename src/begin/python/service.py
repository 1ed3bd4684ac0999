class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address, known):
        """`known`: what the service knows, which is changed in place."""
        super().__init__(address, Handler)
        self.known = known
        self.lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    def respond(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if 0 < length <= LARGEST_BODY else {}
        call = [self.command, *(urllib.parse.unquote(part) for part in self.path.strip("/").split("/"))]
        with self.server.lock:
            status, answer = respond(self.server.known, call, body, self.headers.get("Authorization") or "")
            count(self.server.known)
        text = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = respond

    def log_message(self, *_):
        """Requests aren't worth a line each."""


def count(known):
    """Tells `rotator test` how many credentials the service takes, so that one that is left over is noticed."""
    if file := os.environ.get("ROTATOR_CREDENTIALS"):
        with open(file, "w") as lines:
            lines.write(str(len(known)))


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8099
    count(FIRST)
    with Server(("127.0.0.1", port), FIRST) as server:
        print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass
