"""An MLflow server that can be killed and comes back as it was, and what it should have been sent of a run."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request


class Server:
    def __init__(self, folder, python=sys.executable):
        self.folder, self.python = folder, python
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        command = [self.python, "-m", "mlflow", "server", "--port", str(self.port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db", "--artifacts-destination", str(self.folder / "artifacts")]
        log = open(self.folder / "log", "a")
        # A group of its own, since the server has children.
        self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, start_new_session=True)
        for _ in range(240):
            try:
                if urllib.request.urlopen(self.uri + "/health", timeout=2).read() == b"OK":
                    return
            except OSError:
                time.sleep(0.25)
        raise AssertionError((self.folder / "log").read_text()[-3000:])

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def journal(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def sent_metrics(folder):
    """By key, sorted: step, time in milliseconds and value of every number in a run's journal."""
    expected = {}
    for line in journal(folder):
        # A result is no point of a curve; MLflow draws what is at step 0 alone as bars.
        step = {"system": line.get("sample"), "result": 0}.get(line["event"], line.get("step"))
        for tag, value in line.get("values", {}).items():
            expected.setdefault(tag, []).append((step, int(line["time"] * 1000), float(value)))
    return {tag: sorted(values) for tag, values in expected.items()}


def kill_amid(server, process, folder):
    """Kills the server when some of a run has arrived and the rest has not, and waits for the end of the run, which is well."""

    def acknowledged():
        ledgers = list((folder / "mlflow").glob("*.json"))
        return json.loads(ledgers[0].read_text())["acknowledged"] if ledgers else 0

    end = time.time() + 60
    while acknowledged() < 5000 and time.time() < end:
        time.sleep(0.02)
    assert process.poll() is None, "the run has to be longer than that"
    server.kill()
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "pupila sync" in said and 5000 <= acknowledged() < (folder / "metrics.jsonl").stat().st_size
