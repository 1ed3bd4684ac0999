"""Services whose passwords are rotated: database servers of the machine's own packages, and the example's web service."""

import contextlib
import importlib.util
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path

from conftest import REPOSITORY, until

# Where `prepare` puts what pip brings: in the environment that the suites run in.
FUNCTIONS = Path(sys.prefix) / "functions"


def free_port():
    """A port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def find_program(name, *folders):
    """A program of the machine: on the path, or in folders that packages put servers into, the newest first."""
    found = [path for pattern in folders for path in sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)]
    on_path = shutil.which(name)
    return str(found[0]) if found else on_path


class Server:
    """A server process with a folder of its own, run by a user that isn't root: database servers refuse root."""

    def __init__(self):
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="rotator-service-"))
        self.user = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        self.process = None

    def run(self, *command, **more):
        """A program that ends, as the server's user."""
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, env=self.environment(), **self.user, **more
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder), "LC_ALL": "C.UTF-8"}

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o644)
        return str(path)

    def serve(self, *command):
        """Starts the server itself, and waits until `is_up`."""
        log = open(self.folder / "server.log", "ab")
        with log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, env=self.environment(), **self.user
            )
        until("the server to accept connections", lambda: self.is_up() or self.died())

    def is_up(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
            return True
        return False

    def died(self):
        assert self.process.poll() is None, (self.folder / "server.log").read_text()

    def stop(self):
        """Ends the server; it can be started again."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=60)
        self.process = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class PostgreSQL(Server):
    """One database, `shop`, and roles that are no superusers; passwords by SCRAM only."""

    binaries = "/usr/lib/postgresql/*/bin/"
    initdb = find_program("initdb", binaries + "initdb")
    server = find_program("postgres", binaries + "postgres")
    psql = find_program("psql", binaries + "psql")
    missing = None if initdb and server and psql else "this machine has no PostgreSQL server"

    def __init__(self):
        super().__init__()
        password = self.write("superuser", "the superuser's own")
        self.run(
            *(self.initdb, "--pgdata", "data", "--username", "postgres", "--pwfile", password),
            *("--auth", "scram-sha-256", "--no-sync", "--encoding", "UTF8", "--no-locale"),
        )
        self.start()
        self.administer("CREATE DATABASE shop", database="postgres")

    def start(self):
        self.serve(
            *(self.server, "-D", "data", "-p", str(self.port), "-h", "127.0.0.1", "-F"),
            *("-c", "unix_socket_directories=", "-c", "max_connections=20", "-c", "shared_buffers=16MB"),
        )

    def is_up(self):
        # The port is open before the server answers questions.
        return super().is_up() and "starting up" not in self.query("nobody", "x", "SELECT 1").stderr

    def query(self, user, password, statement, database="shop"):
        """PostgreSQL's own client, with one statement."""
        connection = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": user, "PGDATABASE": database}
        return subprocess.run(
            [self.psql, "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-c", statement],
            env=self.environment() | connection | {"PGPASSWORD": password, "PGCONNECT_TIMEOUT": "30"},
            capture_output=True,
            text=True,
        )

    def administer(self, statement, database="shop"):
        done = self.query("postgres", "the superuser's own", statement, database)
        assert done.returncode == 0, done.stderr

    def add(self, user, password):
        self.administer(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")

    def logs_in(self, user, password):
        done = self.query(user, password, "SELECT current_user")
        assert done.returncode == 0 or "password authentication failed" in done.stderr, done.stderr
        return done.stdout.strip() == user

    def secret(self, user, password):
        return database_secret("postgres", self.port, user, password)


class MariaDB(Server):
    """One database, `shop`, and users: what a function for MySQL is at home with."""

    server = find_program("mariadbd", "/usr/sbin/mariadbd")
    install = find_program("mariadb-install-db")
    client = find_program("mariadb")
    missing = None if server and install and client else "this machine has no MariaDB server and client"

    def __init__(self):
        super().__init__()
        self.run(
            *(self.install, "--no-defaults", f"--datadir={self.folder}/data", "--skip-test-db"),
            "--auth-root-authentication-method=normal",
        )
        setup = [
            # The anonymous user of a new server would come before every other one.
            "DELETE FROM mysql.global_priv WHERE User = ''",
            "FLUSH PRIVILEGES",
            "CREATE DATABASE shop",
            "CREATE USER administrator@'%' IDENTIFIED BY 'its own'",
            "GRANT ALL ON *.* TO administrator@'%' WITH GRANT OPTION",
        ]
        script = "".join(f"{statement};\n" for statement in setup)
        self.start(f"--init-file={self.write('setup.sql', script)}")

    def start(self, *options):
        self.serve(
            *(self.server, "--no-defaults", f"--datadir={self.folder}/data", f"--port={self.port}"),
            *("--bind-address=127.0.0.1", f"--socket={self.folder}/socket", "--innodb-flush-log-at-trx-commit=0"),
            *("--innodb-buffer-pool-size=16M", *options),
        )

    def query(self, user, password, statement):
        """MariaDB's own client, with one statement."""
        connection = ("--protocol=tcp", "--host=127.0.0.1", f"--port={self.port}", f"--user={user}")
        return subprocess.run(
            [self.client, "--no-defaults", *connection, "--skip-column-names", "--batch", "-e", statement, "shop"],
            env=self.environment() | {"MYSQL_PWD": password},
            capture_output=True,
            text=True,
        )

    def add(self, user, password):
        create = f"CREATE USER {user}@'%' IDENTIFIED BY '{password}'; GRANT ALL ON shop.* TO {user}@'%'"
        done = self.query("administrator", "its own", create)
        assert done.returncode == 0, done.stderr

    def logs_in(self, user, password):
        done = self.query(user, password, "SELECT current_user()")
        assert done.returncode == 0 or "Access denied" in done.stderr, done.stderr
        return done.stdout.strip() == f"{user}@%"

    def secret(self, user, password):
        return database_secret("mysql", self.port, user, password)


def database_secret(engine, port, user, password):
    """The form that AWS documents for the databases it knows."""
    connection = {"engine": engine, "host": "127.0.0.1", "port": port, "dbname": "shop"}
    return connection | {"username": user, "password": password}


class HttpLogin:
    """The web service of the example, on a thread of the test's."""

    missing = None

    def __init__(self):
        path = REPOSITORY / "examples/http-login/service.py"
        specification = importlib.util.spec_from_file_location("http_login_service", path)
        self.module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(self.module)
        self.module.Handler.log_message = lambda *_: None
        self.users = {}
        self.port = 0
        self.start()

    def start(self):
        self.server = self.module.Server(("127.0.0.1", self.port), self.users)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def stop(self):
        """Ends it: connections are refused until it starts again."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def is_up(self):
        return self.thread.is_alive()

    def remove(self):
        if self.is_up():
            self.stop()

    def add(self, user, password):
        self.users[user] = password

    def logs_in(self, user, password):
        body = json.dumps({"username": user, "password": password}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/login", data=body)
        try:
            urllib.request.urlopen(request).close()
        except urllib.error.HTTPError as error:
            assert error.code == 401, error
            return False
        return True

    def secret(self, user, password):
        return {"url": f"http://127.0.0.1:{self.port}", "username": user, "password": password}
