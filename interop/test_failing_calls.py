"""Calls of the system that fail, by strace: each of those on one file, by its number. What is not needed (a cache) costs time alone, and what is
needed (a search's journal, MLflow's ledger) is told with path and cause, and can be gone on with."""

import csv
import errno
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import PUPILA, SKIN
from mlflow_server import sent_metrics

MESSAGES = {
    "ENOSPC": "No space left on device",
    "EIO": "Input/output error",
    "EACCES": "Permission denied",
    "EMFILE": "Too many open files",
    "ENOMEM": "Cannot allocate memory",
}


@pytest.fixture
def folder(tmp_path):
    assert shutil.which("strace"), "interop/run installs strace"
    return tmp_path.resolve()


def run(folder, arguments, path=None, fault=None):
    """Runs the program, where one call on a path may fail: whether it did, and what the program said."""
    log = folder / "calls"
    log.unlink(missing_ok=True)
    environment = os.environ | {"PUPILA_CACHE_DIR": str(folder / "cache"), "PUPILA_STATE_DIR": str(folder / "state")}
    command = [PUPILA, *arguments]
    if fault:
        command = ["strace", "-f", "-o", log, "-P", path, "-e", f"inject={fault}", *command]
    done = subprocess.run(list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True, errors="replace")
    if fault and not log.exists():
        pytest.skip(f"strace may not look here: {done.stderr.strip()}")
    assert "panicked" not in done.stderr, done.stderr
    return bool(fault) and "(INJECTED)" in log.read_text(errors="replace"), done


def model(folder, name):
    return hashlib.sha256((folder / "runs" / name / "best.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize("held", ["memory", "cache"])
def test_a_cache_that_cannot_be_read_costs_time_alone(folder, held):
    train = ["train", SKIN, "--epochs", 1, "--set", "train.batch_size=64", "--size", 16, "--set", f"data.hold={held}"]
    run(folder, [*train, "--name", "first"])
    _, done = run(folder, [*train, "--name", "warm"])
    assert done.returncode == 0, done.stderr
    expected = model(folder, "warm")
    assert expected == model(folder, "first")
    kept = folder / "kept"
    shutil.copytree(folder / "cache", kept)
    failed = []
    for path in sorted(path for path in (folder / "cache").rglob("*") if path.is_file()):
        for call, error in [("openat", "EACCES"), ("openat", "EMFILE"), ("statx", "EIO"), ("read", "EIO"), ("pread64", "EIO"), ("mmap", "ENOMEM"), ("mmap", "EACCES")]:
            for at in (1, 2, 3, 4, 60, 200):
                # As it was: a file that was found damaged is made anew.
                shutil.rmtree(folder / "cache")
                shutil.copytree(kept, folder / "cache")
                shutil.rmtree(folder / "runs/again", ignore_errors=True)
                has_failed, done = run(folder, [*train, "--name", "again"], path, f"{call}:error={error}:when={at}")
                if not has_failed:
                    break
                failed.append(call)
                assert done.returncode == 0, (path, call, error, at, done.stderr)
                assert model(folder, "again") == expected, (path, call, error, at)
                assert done.stderr.count("the cache cannot use") <= 1, done.stderr
    assert len(failed) >= 12, failed
    # What is read as it is needed is announced through a map of the file.
    assert ("mmap" in failed) == (held == "cache"), failed


def test_a_search_whose_journal_fails_says_so_and_can_be_gone_on_with(folder):
    (folder / "space.toml").write_text('[space]\n"optimizer.lr" = { float = [1e-4, 1e-2], log = true }\n')
    search = ["search", SKIN, "--space", "space.toml", "--trials", 2, "--epochs", 1, "--size", 16, "--set", "model.hidden=[4]", "--seeds", 0]
    _, done = run(folder, [*search, "--name", "whole"])
    assert done.returncode == 0, done.stderr
    with open(folder / "runs/whole/trials.csv", newline="") as file:
        expected = [(row["number"], row["state"], row["value"]) for row in csv.DictReader(file)]
    failed = 0
    for call, error in [("write", "ENOSPC"), ("write", "EIO"), ("fsync", "EIO"), ("openat", "EACCES"), ("openat", "EMFILE"), ("read", "EIO")]:
        for at in range(1, 40, 1 if call in ("write", "fsync") else 5):
            shutil.rmtree(folder / "runs/s", ignore_errors=True)
            journal = folder / "runs/s/trials.journal"
            has_failed, done = run(folder, [*search, "--name", "s"], journal, f"{call}:error={error}:when={at}")
            if not has_failed:
                break
            failed += 1
            said = done.stdout + done.stderr
            assert "trials.journal" in said and MESSAGES[error] in said, (call, error, at, said)
            _, again = run(folder, [*search, "--name", "s"])
            assert again.returncode == 0, (call, error, at, again.stderr)
            with open(folder / "runs/s/trials.csv", newline="") as file:
                rows = [(row["number"], row["state"], row["value"]) for row in csv.DictReader(file)]
            assert rows == expected, (call, error, at)
    assert failed >= 20, failed


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """A library that makes one call fail: strace 6.1 counts calls by thread, and knows no part of a path."""
    library = tmp_path_factory.mktemp("shim") / "failing_calls.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, Path(__file__).with_name("failing_calls.c"), "-ldl"], check=True)
    return library


def run_failing(folder, shim, arguments, call, part, at, error):
    """Runs the program with the `at`-th call on a path with this part made to fail: whether there was such a call, and what the program said."""
    happened = folder / "happened"
    happened.unlink(missing_ok=True)
    faults = {"LD_PRELOAD": shim, "FAIL_CALL": call, "FAIL_PATH": part, "FAIL_AT": at, "FAIL_ERROR": getattr(errno, error), "FAIL_DONE": happened}
    places = {"PUPILA_CACHE_DIR": folder / "cache", "PUPILA_STATE_DIR": folder / "state"}
    environment = os.environ | {name: str(value) for name, value in (faults | places).items()}
    done = subprocess.run(list(map(str, [PUPILA, *arguments])), cwd=folder, env=environment, capture_output=True, text=True)
    assert "panicked" not in done.stderr, done.stderr
    return happened.exists(), done


@pytest.mark.parametrize("held", ["memory", "cache"])
def test_a_cache_that_cannot_be_written_costs_time_alone(folder, shim, held):
    data = folder / "data"
    for split in ["train", "val"]:
        for of_class in ["nevus", "melanoma"]:
            (data / split / of_class).mkdir(parents=True)
            for file in sorted((SKIN / split / of_class).iterdir())[:3]:
                shutil.copy(file, data / split / of_class)
    train = ["train", data, "--epochs", 1, "--set", "train.batch=4", "--size", 16, "--set", f"data.hold={held}", "--name"]
    _, done = run(folder, [*train, "tiny"])
    assert done.returncode == 0, done.stderr
    expected = model(folder, "tiny")
    failed = set()
    errors = ["ENOSPC", "EIO", "EACCES"]
    for number, call in enumerate(["create", "write", "rename", "mkdir"]):
        for at in range(1, 40):
            error = errors[(number + at) % len(errors)]
            for name in ["cache", "runs"]:
                shutil.rmtree(folder / name, ignore_errors=True)
            has_failed, done = run_failing(folder, shim, [*train, "tiny"], call, "/cache", at, error)
            if not has_failed:
                break
            failed.add((call, at))
            assert done.returncode == 0, (call, error, at, done.stderr)
            assert model(folder, "tiny") == expected, (call, error, at)
            said = [line for line in (done.stdout + done.stderr).splitlines() if "the cache cannot use" in line]
            assert len(said) == 1 and MESSAGES[error] in said[0], (call, error, at, done.stdout, done.stderr)
            assert not list(folder.glob("cache/**/*.tmp")), (call, error, at)
            # What was written is whole: the next run has the same model by it.
            _, done = run(folder, [*train, "again"])
            assert done.returncode == 0 and model(folder, "again") == expected, (call, error, at, done.stderr)
    assert {call for call, _ in failed} == {"create", "write", "rename", "mkdir"} and len(failed) >= 8, failed


def test_a_ledger_that_cannot_be_written_is_told_and_nothing_is_sent_twice(folder, shim, server, client):
    train = ["train", SKIN, "--epochs", 1, "--set", "train.batch=64", "--size", 16, "--set", "model.hidden=[4]", "--name"]
    failed = set()
    for call, error in [("create", "EMFILE"), ("write", "ENOSPC"), ("rename", "EIO")]:
        for at in range(1, 40):
            name = f"{call}-{error}-{at}"
            _, done = run(folder, [*train, name])
            assert done.returncode == 0, done.stderr
            sync = ["sync", f"runs/{name}", "--mlflow", server.uri, "--experiment", "ledgers"]
            has_failed, done = run_failing(folder, shim, sync, call, f"runs/{name}/mlflow/", at, error)
            if not has_failed:
                break
            failed.add((call, at))
            said = done.stdout + done.stderr
            assert done.returncode == 1 and MESSAGES[error] in said and f"runs/{name}/mlflow" in said, (name, done.returncode, said)
            _, again = run(folder, sync)
            assert again.returncode == 0, (name, again.stderr)
            experiment = client.get_experiment_by_name("ledgers")
            runs = client.search_runs([experiment.experiment_id], f"attributes.run_name = '{name}'")
            assert len(runs) == 1, (name, len(runs))
            for tag, values in sent_metrics(folder / "runs" / name).items():
                history = sorted((m.step, m.timestamp, m.value) for m in client.get_metric_history(runs[0].info.run_id, tag))
                assert history == values, (name, tag)
    assert {call for call, _ in failed} == {"create", "write", "rename"} and len(failed) >= 8, failed
