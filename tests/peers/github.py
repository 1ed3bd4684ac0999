"""A GitHub for the pipelines of `examples/gitops`: its REST calls, its tokens for roles, and a runner for its workflows.

The runner takes the workflow files as they stand. It knows what those use, and refuses the rest: an unknown action, context or
function is an error of the test. Jobs get a token with exactly the permissions that they ask for.
"""

import base64
import datetime
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import threading
import urllib.parse
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

BOT = "github-actions[bot]"
REPOSITORY = "acme/rotation"


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class GitHub:
    """What is on GitHub: pull requests, comments, issues, artifacts."""

    def __init__(self):
        self.pulls = {}
        self.comments = {}
        self.issues = {}
        self.artifacts = {}
        self.numbers = itertools.count(1)
        self.tokens = {}
        self.roles_asked = 0
        github = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                fields = json.loads(self.rfile.read(length)) if length else {}
                try:
                    found = github.route(self.command, self.path, fields, self.headers.get("Authorization", ""))
                    status, link = 200, None
                    if isinstance(found, tuple):
                        found, link = found
                    body = found if isinstance(found, bytes) else json.dumps(found).encode()
                except Refused as refused:
                    status, link, body = refused.status, None, str(refused).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                if link:
                    self.send_header("Link", link)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PATCH = answer

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def token(self, permissions):
        token = f"ghs_{next(self.numbers)}"
        self.tokens[token] = permissions
        return token

    def route(self, method, path, fields, authorization):
        path, _, query = path.partition("?")
        query = dict(urllib.parse.parse_qsl(query))
        scheme, _, token = authorization.partition(" ")
        permissions = self.tokens.get(token)
        if permissions is None:
            raise Refused(401, "Bad credentials")

        def needs(*wanted):
            rank = {None: 0, "none": 0, "read": 1, "write": 2}
            if not any(rank[permissions.get(name)] >= rank[level] for name, level in wanted):
                raise Refused(403, f"Resource not accessible by integration: {method} {path} needs {wanted}")

        if path == "/_oidc":
            needs(("id-token", "write"))
            if scheme != "bearer" or query.get("audience") != "sts.amazonaws.com":
                raise Refused(400, "a token for AWS needs AWS's audience")
            self.roles_asked += 1
            return {"value": base64.b64encode(b"a token that names the repository and its event").decode()}
        path = path.removeprefix(f"/repos/{REPOSITORY}/")
        parts = path.split("/")
        match (method, parts):
            case ("GET", ["commits", commit, "pulls"]):
                needs(("pull-requests", "read"))
                return [pull for pull in self.pulls.values() if pull["merge_commit_sha"] == commit]
            case ("GET", ["issues", number, "comments"]):
                needs(("issues", "read"), ("pull-requests", "read"))
                return self.page([one for one in self.comments.values() if one["issue"] == int(number)], path, query)
            case ("POST", ["issues", number, "comments"]):
                needs(("issues", "write") if int(number) in self.issues else ("pull-requests", "write"))
                return self.comment(int(number), BOT, fields["body"])
            case ("PATCH", ["issues", "comments", comment]):
                needs(("issues", "write"), ("pull-requests", "write"))
                self.comments[int(comment)]["body"] = fields["body"]
                return self.comments[int(comment)]
            case ("GET", ["issues"]):
                needs(("issues", "read"))
                found = [*self.issues.values(), *({**pull, "pull_request": {}} for pull in self.pulls.values())]
                chosen = [
                    one
                    for one in found
                    if one["state"] == query["state"] and one["user"]["login"] == query.get("creator", one["user"]["login"])
                ]
                return self.page(chosen, path, query)
            case ("POST", ["issues"]):
                needs(("issues", "write"))
                number = next(self.numbers)
                self.issues[number] = {"number": number, "state": "open", "user": {"login": BOT}, **fields}
                return self.issues[number]
            case ("PATCH", ["issues", number]):
                needs(("issues", "write"))
                self.issues[int(number)].update(fields)
                return self.issues[int(number)]
            case ("GET", ["actions", "artifacts"]):
                needs(("actions", "read"))
                hidden = ("zip", "name")
                found = [one for one in self.artifacts.values() if one["name"] == query["name"]]
                return {"artifacts": [{key: one[key] for key in one if key not in hidden} for one in found]}
            case ("GET", ["actions", "artifacts", artifact, "zip"]):
                needs(("actions", "read"))
                return self.artifacts[int(artifact)]["zip"]
        raise Refused(404, f"Not Found: {method} {path}")

    def page(self, found, path, query):
        size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
        link = None
        if page * size < len(found):
            following = urllib.parse.urlencode({**query, "page": page + 1})
            link = f'<{self.url}/repos/{REPOSITORY}/{path}?{following}>; rel="next"'
        return found[(page - 1) * size : page * size], link

    def comment(self, number, login, body):
        assert len(body) <= 65_536, "GitHub takes no longer comment"
        comment = {"id": next(self.numbers), "issue": number, "user": {"login": login}, "body": body}
        self.comments[comment["id"]] = comment
        return comment

    def comments_of(self, number, login=BOT):
        return [one["body"] for one in self.comments.values() if one["issue"] == number and one["user"]["login"] == login]

    def open_issues(self):
        return [issue for issue in self.issues.values() if issue["state"] == "open"]

    def save(self, name, content, head):
        number = next(self.numbers)
        self.artifacts[number] = {
            "id": number,
            "name": name,
            "expired": False,
            "created_at": datetime.datetime.now(datetime.timezone.utc).isoformat(),
            "workflow_run": {"head_sha": head},
            "zip": content,
        }


class Job:
    """What became of a job."""

    def __init__(self, result, log, summary="", outputs=None):
        self.result, self.log, self.summary, self.outputs = result, log, summary, outputs or {}

    def __repr__(self):
        return f"{self.result}\n{self.log}"


class Runner:
    """Runs workflows of a repository on a machine with an environment."""

    def __init__(self, github, origin, folder, environment, variables):
        self.github, self.origin, self.folder = github, Path(origin), Path(folder)
        self.environment, self.variables = environment, variables
        self.runs = itertools.count(1)

    def run(self, workflow, event, sha, payload=None, head=None, fork=False):
        """Runs a workflow file for an event on a commit; `head` is what artifacts are kept for. Returns jobs by name."""
        checkout = self.folder / f"workflow-{next(self.runs)}"
        git(self.folder, "clone", "--quiet", "--no-hardlinks", str(self.origin), str(checkout))
        git(checkout, "checkout", "--quiet", sha)
        text = (checkout / ".github/workflows" / workflow).read_text()
        plan = yaml.safe_load(text)
        on = plan.get("on", plan.get(True))
        assert event in (on if isinstance(on, (dict, list)) else [on]), f"{workflow} doesn't run on {event}"
        assert plan["permissions"] == {}, "a job that forgets its permissions would get them all"
        github = {"event_name": event, "repository": REPOSITORY, "sha": sha, "event": payload or {}}
        github["base_ref"] = "main" if event == "pull_request" else ""
        known = (on.get("workflow_dispatch") or {}).get("inputs", {}) if isinstance(on, dict) else {}
        inputs = {key: one["default"] for key, one in known.items()} | (payload or {}).get("inputs", {})
        assert inputs.keys() == known.keys(), f"{workflow} has other inputs"
        done = {}
        for name, job in plan["jobs"].items():
            needed = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
            needs = {other: {"result": done[other].result, "outputs": done[other].outputs} for other in needed}
            asked = job.get("strategy", {}).get("matrix", {})
            for matrix in expand({key: fill(values, {"needs": needs}) for key, values in asked.items()}):
                contexts = {"github": github, "vars": self.variables, "matrix": matrix, "steps": {}, "env": {}}
                contexts |= {"needs": needs, "inputs": inputs}
                status = "success" if all(done[other].result == "success" for other in needed) else "skipped"
                label = "/".join([name, *map(str, matrix.values())])
                if not condition(job.get("if"), contexts, status):
                    done[label] = Job("skipped", "")
                    continue
                done[label] = self.job(plan, job, contexts, sha, head or sha, fork)
        return done

    def job(self, workflow, job, contexts, sha, head, fork):
        home = self.folder / f"job-{next(self.runs)}"
        workspace, temporary = home / "workspace", home / "temp"
        workspace.mkdir(parents=True)
        temporary.mkdir()
        permissions = dict(job["permissions"])
        if fork:
            permissions = {name: "read" for name in permissions if name != "id-token"}
        contexts["github"] = {**contexts["github"], "token": self.github.token(permissions)}
        files = {name: home / name for name in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
        for file in files.values():
            file.touch()
        environment = {
            **self.environment,
            **{name: str(file) for name, file in files.items()},
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": contexts["github"]["event_name"],
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ID": str(next(self.runs)),
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_SHA": sha,
            "RUNNER_TEMP": str(temporary),
        }
        if permissions.get("id-token") == "write":
            environment["ACTIONS_ID_TOKEN_REQUEST_URL"] = f"{self.github.url}/_oidc?api-version=2.0"
            environment["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = contexts["github"]["token"]
        for part in (workflow, job):
            environment.update({name: str(fill(value, contexts)) for name, value in part.get("env", {}).items()})
        status, log = "success", []
        for step in job["steps"]:
            outcome = "skipped"
            if condition(step.get("if"), contexts, status):
                environment.update(line.split("=", 1) for line in files["GITHUB_ENV"].read_text().splitlines())
                ended, said = self.step(step, contexts, environment, workspace, sha, head)
                log.append(said)
                outcome = "success" if ended == 0 else "failure"
            if outcome == "failure":
                status = "failure"
            if "id" in step:
                outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
                contexts["steps"][step["id"]] = {"outcome": outcome, "outputs": outputs}
        outputs = {key: fill(value, contexts) for key, value in job.get("outputs", {}).items()} if status == "success" else {}
        return Job(status, "\n".join(log), files["GITHUB_STEP_SUMMARY"].read_text(), outputs)

    def step(self, step, contexts, environment, workspace, sha, head):
        options = {name: fill(value, contexts) for name, value in step.get("with", {}).items()}
        if "uses" in step:
            action, _, revision = step["uses"].partition("@")
            assert re.fullmatch("[0-9a-f]{40}", revision), f"{action} isn't pinned by commit"
            if action == "actions/checkout":
                assert options["persist-credentials"] is False
                git(workspace, "clone", "--quiet", "--no-hardlinks", str(self.origin), ".")
                git(workspace, "checkout", "--quiet", sha)
                return 0, f"checked out {sha}"
            assert action == "actions/upload-artifact", f"the runner doesn't know {action}"
            files = [workspace / line for line in options["path"].split()]
            missing = [str(file) for file in files if not file.exists()]
            if missing:
                return 1, f"no files found: {missing}"
            content = io.BytesIO()
            root = os.path.commonpath([file.parent for file in files])
            with zipfile.ZipFile(content, "w") as archive:
                for file in files:
                    archive.write(file, file.relative_to(root))
            self.github.save(options["name"], content.getvalue(), head)
            return 0, f"saved {options['name']}"
        script = fill(step["run"], contexts)
        assert script == step["run"], "an expression in a shell's text could be a command"
        own = {name: str(fill(value, contexts)) for name, value in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=workspace,
            env=environment | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, f"$ {script}\n{done.stdout}(exit code {done.returncode})"


def git(folder, *arguments):
    who = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    for role in ("AUTHOR", "COMMITTER"):
        who |= {f"GIT_{role}_NAME": "Ada", f"GIT_{role}_EMAIL": "ada@acme.example"}
    command = [shutil.which("git"), *arguments]
    done = subprocess.run(command, cwd=folder, env={"PATH": os.environ["PATH"], **who}, capture_output=True, text=True)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def expand(matrix):
    return [dict(zip(matrix, values)) for values in itertools.product(*matrix.values())]


def fill(value, contexts):
    """Replaces `${{ … }}`; a value that is nothing else keeps its type."""
    if not isinstance(value, str):
        return value
    whole = re.fullmatch(r"\$\{\{(.*?)\}\}", value, re.S)
    if whole:
        return evaluate(whole.group(1), contexts, "success")
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(evaluate(found.group(1), contexts, "success")), value, flags=re.S)


def condition(text, contexts, status):
    """Whether a job or step runs: without a function of the status, only after success."""
    if text is None:
        return status == "success"
    said = re.sub(r"^\$\{\{(.*)\}\}$", r"\1", str(text))
    asks = re.search(r"\b(always|cancelled|failure|success)\(\)", said)
    return bool(evaluate(said, contexts, status)) and (bool(asks) or status == "success")


TOKEN = re.compile(r"\s+|'[^']*'|&&|\|\||[!=]=|!|[()]|[A-Za-z_][\w.-]*")
FUNCTIONS = {
    "always": lambda status: True,
    "cancelled": lambda status: False,
    "failure": lambda status: status == "failure",
    "success": lambda status: status == "success",
}


def evaluate(text, contexts, status):
    """An expression of GitHub's, of the few forms that the workflows use."""
    words, at, names = [], 0, {}
    while at < len(text):
        found = TOKEN.match(text, at)
        assert found, f"the runner doesn't know this expression: {text}"
        at, token = found.end(), found.group()
        if re.match("[A-Za-z_]", token):
            name = f"name_{len(names)}"
            if token == "fromJSON":
                names[name] = json.loads
            elif text[at : at + 1] == "(":
                names[name] = lambda function=token: FUNCTIONS[function](status)
            else:
                names[name] = look(token, contexts)
            token = name
        words.append({"&&": " and ", "||": " or ", "!": " not "}.get(token, token))
    return eval("".join(words).strip(), {"__builtins__": {}}, names)  # noqa: S307: of tokens that are known, from our own files


def look(name, contexts):
    value = contexts
    for part in name.split("."):
        assert part in value, f"the runner doesn't know `{name}`"
        value = value[part]
    return value
