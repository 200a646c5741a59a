"""Searches shared with the real Optuna, 4.9 and 5, in a journal, in SQLite and on a PostgreSQL server: both begin, both go on, workers are killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, TARGET
from postgres_server import Postgres

WORKER = TARGET / "release/examples/storage_worker"
OPTUNA = {"4.9": Path(sys.executable), "5": Path(os.environ.get("PUPILA_VENV_OPTUNA_5", ROOT / "target/interop-venv-optuna-5")) / "bin/python"}
SPACE = {"x", "lr", "n", "kind"}
# Workers that measure time run it this many times as fast: 120 s of silence pass in 6.
FAST = {"WORKER_FAST": "20"}


@pytest.fixture(scope="module")
def postgres():
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(params=["journal", "sqlite", "postgresql"])
def address(request, tmp_path):
    """A storage that is not there yet; on the server, an empty database."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgres").database()
    return {"journal": str(tmp_path / "study.log"), "sqlite": f"sqlite:///{tmp_path}/study.db"}[request.param]


@pytest.fixture(params=["4.9", "5"])
def optuna(request):
    def run(address, *arguments):
        command = [OPTUNA[request.param], ROOT / "interop/optuna_worker.py", address, "s", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout.splitlines()[-1])
        assert answer["version"].startswith(request.param) and answer["direction"] == "MINIMIZE"
        return answer["trials"]

    return run


def start(address, completions, **environment):
    command = [WORKER, address, "s", str(completions)]
    return subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def work(address, completions, **environment):
    """The values that a worker printed, by the numbers of their trials."""
    return values(finish(start(address, completions, **environment)))


def finish(worker):
    out, error = worker.communicate()
    assert worker.returncode == 0, error
    return out.splitlines()


def values(lines):
    pairs = [line.split() for line in lines if line[0].isdigit()]
    assert len({number for number, _ in pairs}) == len(pairs)
    return {int(number): float(value) for number, value in pairs}


def completed(trials):
    assert [trial["number"] for trial in trials] == list(range(len(trials)))
    return {trial["number"]: trial["values"][0] for trial in trials if trial["state"] == "COMPLETE"}


def test_our_own_suite_on_a_real_server(postgres):
    command = ["cargo", "test", "--release", "--locked", "--quiet", "--package", "pupila-search", "--features", "sqlite,postgres", "--test", "storage"]
    environment = os.environ | {"PUPILA_TEST_POSTGRES": postgres.database()}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_optuna_goes_on_with_ours(address, optuna):
    ours = work(address, 12)
    trials = optuna(address, "read")
    assert completed(trials) == ours and len(ours) == 12
    for trial in trials:
        assert set(trial["params"]) == SPACE and trial["took"] >= 0
        assert trial["intermediate"] == [[0, trial["values"][0]], [1, trial["values"][0] / 2]]
        assert trial["distributions"]["lr"] == {"name": "FloatDistribution", "attributes": {"step": None, "low": 1e-4, "high": 1.0, "log": True}}
        assert trial["distributions"]["kind"] == {"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b", 3]}}
    optuna(address, "optimize", 4)
    optuna(address, "enqueue", '{"x": 2.5, "kind": 3, "other": "ignored"}')
    optuna(address, "enqueue", '{"n": 4}')
    more = work(address, 20)
    assert set(more) == {16, 17, 18, 19}
    trials = optuna(address, "read")
    assert set(completed(trials)) == set(range(20))
    assert (trials[16]["params"]["x"], trials[16]["params"]["kind"], trials[17]["params"]["n"]) == (2.5, 3, 4)
    assert trials[15]["user_attrs"] == {"by": "optuna"} and "worker" in trials[16]["user_attrs"]


def test_we_go_on_with_what_optuna_began(address, optuna):
    begun = optuna(address, "begin", 12)
    optuna(address, "enqueue", '{"x": -1.5}')
    ours = work(address, 16)
    assert set(ours) == {12, 13, 14, 15}
    trials = optuna(address, "read")
    assert trials[:12] == begun
    assert trials[12]["params"]["x"] == -1.5
    assert trials[0]["intermediate"] == [[0, "nan"], [1, "inf"]]
    assert completed(optuna(address, "optimize", 1)).keys() == set(range(17))


def test_killed_workers_lose_and_repeat_nothing(address):
    """Four workers whose clocks are up to two minutes apart; two are killed, one of them within a trial. There are 200 completions all the same."""
    hanging = start(address, 200, WORKER_HANGS="1", WORKER_AHEAD_S="60", **FAST)
    word, held = hanging.stdout.readline().split()
    assert word == "hangs"
    hanging.send_signal(signal.SIGKILL)
    hanging.communicate()
    workers = [start(address, 200, WORKER_AHEAD_S=ahead, **FAST) for ahead in ["-60", "0", "60", "0"]]
    # Wherever it is when it is killed, after a few trials, if it had the chance.
    lines = [line.strip() for line, _ in zip(workers[3].stdout, range(5))]
    workers[3].send_signal(signal.SIGKILL)
    lines += workers[3].communicate()[0].splitlines()
    lines += [line for worker in workers[:3] for line in finish(worker)]
    ours = values(lines)
    # Whoever found it has said so, if it was not killed before it could.
    assert [line for line in lines if line.startswith("stale")].count(f"stale {held}") <= 1
    stale = [line.split()[1] for line in lines if line.startswith("stale")]
    assert len(stale) == len(set(stale))
    for python in OPTUNA.values():
        command = [python, ROOT / "interop/optuna_worker.py", address, "s", "read"]
        trials = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["trials"]
        there = completed(trials)
        # What the killed worker completed last, it may not have printed.
        assert ours.items() <= there.items() and len(there) - len(ours) <= 1
        assert len(there) == 200
        # On a fast machine all is done before anybody can take it for dead; that it is then failed once is tested with a clock of its own.
        # Nothing is lost: who was failed waited, and was run.
        assert trials[int(held)]["state"] in ("FAIL", "RUNNING")
        assert {trial["state"] for trial in trials} <= {"COMPLETE", "FAIL", "RUNNING"}


def test_a_torn_line(optuna, tmp_path):
    path = tmp_path / "study.log"
    work(str(path), 3)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code":4,"worker_id":"x","study_id":0,"datetime_st')
    work(str(path), 5)
    assert path.read_bytes().startswith(whole)
    assert len(completed(optuna(str(path), "optimize", 1))) == 6


def test_a_lock_whose_holder_is_gone(optuna, tmp_path):
    path = tmp_path / "study.log"
    lock = tmp_path / "study.log.lock"
    work(str(path), 1)
    lock.symlink_to(path)
    work(str(path), 2, **FAST)
    # And Optuna gets past a lock as we make it.
    lock.symlink_to(path)
    assert len(completed(optuna(str(path), "break-lock", 1))) == 3
    assert [file.name for file in tmp_path.iterdir()] == ["study.log"]


def test_two_workers_of_both_kinds_at_once(address, optuna):
    work(address, 1)
    worker = start(address, 41)
    optuna(address, "optimize", 10)
    ours = values(finish(worker))
    there = completed(optuna(address, "read"))
    assert ours.items() <= there.items() and len(there) >= 41
