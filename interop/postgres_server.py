"""A PostgreSQL server that a test starts and ends."""

import contextlib
import glob
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path


class Postgres:
    """A server of its own, on a free port. It refuses to run as root, so its folder belongs to Debian's user `postgres`."""

    PASSWORD = "secret"

    def __init__(self):
        self.bin = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.folder = Path(tempfile.mkdtemp(prefix="pupila-postgres-"))
        with contextlib.closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
            os.chmod(self.folder, 0o755)
        (self.folder / "password").write_text(self.PASSWORD)
        # Connections over the network have to know the password.
        self.do("initdb", "-D", self.folder / "data", "--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile", self.folder / "password", "-U", "postgres")
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        self.do("pg_ctl", "-D", self.folder / "data", "-o", options, "-l", self.folder / "log", "-w", "start")
        self.databases = 0

    def do(self, program, *arguments):
        user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        command = [f"{self.bin}/{program}", *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **user)

    def database(self, with_password=True):
        self.databases += 1
        self.do("createdb", "-h", self.folder, "-p", self.port, "-U", "postgres", f"d{self.databases}")
        login = f"postgres:{self.PASSWORD}" if with_password else "postgres"
        return f"postgresql://{login}@127.0.0.1:{self.port}/d{self.databases}"

    def stop(self):
        self.do("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop")
        shutil.rmtree(self.folder)
