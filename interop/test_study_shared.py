"""A study that three processes share on one folder, as the tasks of a Slurm array do: one is killed within a run, and every run is made once."""

import json
import os
import signal
import subprocess
import time

import pytest
from conftest import PUPILA, SKIN

STUDY = """
seeds = 4
[crossed]
"model.dropout" = [0.0, 0.3]
"""
RUNS = [f"dropout-{dropout}-seed{seed}" for dropout in ["0.0", "0.3"] for seed in range(4)]


@pytest.fixture
def start(tmp_path):
    """Starts a worker; how many threads it has says afterwards which one has made a run."""
    (tmp_path / "study.toml").write_text(STUDY)
    environment = os.environ | {"PUPILA_CACHE_DIR": str(tmp_path / "cache"), "PUPILA_STATE_DIR": str(tmp_path / "state")}
    workers = []

    def start(threads, *more):
        command = [PUPILA, "study", tmp_path / "study.toml", SKIN, "--runs", tmp_path / "runs", "--name", "s", "--json", "--jobs", "1"]
        command += ["--size", "16", "--epochs", "300", "--threads", threads, "--set", "model.hidden=[8]", "--set", "tracking.report=false", *more]
        worker = subprocess.Popen([*map(str, command)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.kill()
        worker.wait()


def wait_for(is_so, *workers):
    end = time.time() + 120
    while not is_so():
        assert time.time() < end and all(worker.poll() is None for worker in workers), [worker.communicate() for worker in workers if worker.poll() is not None]
        time.sleep(0.02)


def finished(worker):
    out, error = worker.communicate(timeout=300)
    assert worker.returncode == 0, error
    return json.loads(out)


def test_every_run_is_made_once_though_a_worker_is_killed(start, tmp_path):
    folder = tmp_path / "runs/s"
    workers = [start(threads) for threads in [1, 2, 3]]
    held = lambda: {path.name.removesuffix(".claim"): path.read_text().splitlines() for path in folder.glob("*.claim")}  # noqa: E731
    wait_for(lambda: len({lines[0] for lines in held().values() if lines}) == 3, *workers)
    workers[0].send_signal(signal.SIGKILL)
    workers[0].communicate()
    # The others see at once that it is gone, since they are on its machine.
    said = [finished(worker) for worker in workers[1:]]
    runs = [[run for variant in one["variants"] for run in variant["runs"]] for one in said]
    assert runs[0] == runs[1] and sorted(run["run"] for run in runs[0]) == RUNS
    made_by = []
    for name in RUNS:
        summary = json.loads((folder / name / "summary.json").read_text())
        assert summary["status"] == "completed"
        made_by.append(summary["threads"])
        starts = [line for line in (folder / name / "metrics.jsonl").read_text().splitlines() if '"event":"start"' in line]
        assert len(starts) == 1
    assert {2, 3} <= set(made_by)
    assert not list(folder.glob("*.claim*"))
    written = json.loads((folder / "study.json").read_text())["result"]
    assert [run for variant in written["variants"] for run in variant["runs"]] == runs[0]
    own = [json.loads(line)["event"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert own.count("start") == 1 and own.count("end") == 1


def test_another_study_of_that_name_is_refused(start, tmp_path):
    first = start(1)
    wait_for(lambda: list((tmp_path / "runs/s").glob("*.claim")), first)
    other = start(1, "--seeds", "5")
    _, error = other.communicate(timeout=60)
    assert other.returncode == 2 and "another process is running the study" in error
