"""A study's folder in the real tools: what TensorBoard's table shows before anyone chooses, and the runs below one run on servers of
MLflow 3 and 2."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from browser import Browser
from conftest import PUPILA, ROOT, TARGET
from mlflow_server import Server, sent_metrics

MLFLOW_2 = Path(os.environ.get("PUPILA_VENV_MLFLOW_2", ROOT / "target/interop-venv-mlflow-2")) / "bin/python"
RUNS = {"baseline-seed0": "baseline", "dropout-seed0": "dropout", "dropout-seed1": "dropout"}
RESULTS = [f"val_best/{name}" for name in ["accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "loss"]]

# The names of the columns of the table that a page of TensorBoard shows, which are in shadow trees, and whether it has rows.
COLUMNS = """(() => {
    const found = [];
    const walk = node => {
        if (node.classList && node.classList.contains("table-header")) found.push(node.textContent.trim());
        for (const child of [...(node.shadowRoot ? node.shadowRoot.children : []), ...(node.children || [])]) walk(child);
    };
    walk(document.body);
    return found;
})()"""


def write_study(folder, *varied):
    subprocess.run([TARGET / "release/examples/study_folder", folder, *varied], check=True)
    return folder


def ask(url, body=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"} if data else {})
    return json.loads(urllib.request.urlopen(request, timeout=20).read())


@pytest.fixture
def board():
    """TensorBoard on a folder, as its address."""
    servers = []

    def start(folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "tensorboard.main", "--logdir", folder, "--port", str(port), "--load_fast", "false"]
        servers.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return f"http://127.0.0.1:{port}"

    yield start
    for server in servers:
        server.terminate()
        server.wait(20)


def table(uri):
    """The experiment and the groups of sessions, once all runs are read to their end."""
    statuses = ["STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING", "STATUS_UNKNOWN"]
    query = {"experimentName": "", "allowedStatuses": statuses, "colParams": [], "startIndex": 0, "sliceSize": 100}
    for _ in range(120):
        try:
            groups = ask(uri + "/data/plugin/hparams/session_groups", query).get("sessionGroups", [])
            if [s["status"] for group in groups for s in group["sessions"]] == ["STATUS_SUCCESS"] * 3:
                return ask(uri + "/data/plugin/hparams/experiment", {"experimentName": ""}), groups
        except OSError:
            pass
        time.sleep(0.5)
    raise AssertionError("TensorBoard shows nothing")


def shown_columns(uri):
    browser = Browser(uri + "/#hparams")
    try:
        for _ in range(120):
            columns = browser.evaluate(COLUMNS)
            if len(columns) > 2:
                return columns
            time.sleep(0.25)
        raise AssertionError("there is no table")
    finally:
        browser.close()


def test_tensorboard_shows_what_was_varied_and_nothing_else(board, tmp_path):
    uri = board(write_study(tmp_path / "study", "train.seed"))
    experiment, groups = table(uri)
    columns = ["model.dropout", "train.seed", "variant"]
    assert {info["name"]: info["differs"] for info in experiment["hparamInfos"]} == dict.fromkeys(columns, True)
    # Every run is a row with all of its recipe, though its column is not there.
    assert {group["name"]: group["hparams"]["variant"] for group in groups} == {f"study/{run}": RUNS[run] for run in RUNS}
    assert all(len(group["sessions"]) == 1 and group["hparams"]["model.name"] == "mlp" for group in groups)
    assert shown_columns(uri) == ["Trial ID", "Show Metrics", *columns, *RESULTS]


def test_tensorboard_shows_five_columns_of_much_that_was_varied(board, tmp_path):
    uri = board(write_study(tmp_path / "study", "optimizer.lr", "data.cache", "train.batch", "schedule.name"))
    experiment, _ = table(uri)
    columns = ["data.cache", "model.dropout", "optimizer.lr", "train.seed", "variant"]
    # The rest is there to be chosen.
    assert [info["name"] for info in experiment["hparamInfos"] if info["differs"]] == columns
    assert len(experiment["hparamInfos"]) == 16
    assert shown_columns(uri) == ["Trial ID", "Show Metrics", *columns, *RESULTS]


@pytest.fixture(scope="module", params=[3, 2])
def server(request, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp(f"mlflow{request.param}"), sys.executable if request.param == 3 else MLFLOW_2)
    server.major = request.param
    yield server
    server.kill()


class Study:
    """A study's folder that is sent to an experiment of its own."""

    def __init__(self, server, folder):
        self.server, self.folder = server, write_study(folder / "study")
        self.experiment = str(folder)
        self.record = (self.folder / "metrics.jsonl").read_text()
        # It has just begun.
        (self.folder / "metrics.jsonl").write_text(self.record.splitlines(keepends=True)[0])

    def end(self):
        (self.folder / "metrics.jsonl").write_text(self.record)

    def command(self, *path, wait=60):
        target = ["--mlflow", self.server.uri, "--experiment", self.experiment]
        return [PUPILA, "sync", self.folder.joinpath(*path), *target, "--wait", str(wait), "--json"]

    def sync(self, *path):
        done = subprocess.run(self.command(*path), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def sync_at_once(self, wait=60):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return [subprocess.Popen(self.command(run, wait=wait), **pipes) for run in RUNS]

    def api(self, path, body=None):
        return ask(f"{self.server.uri}/api/2.0/mlflow/{path}", body)

    def experiment_id(self):
        name = urllib.parse.quote(self.experiment, safe="")
        return self.api(f"experiments/get-by-name?experiment_name={name}")["experiment"]["experiment_id"]

    def runs(self):
        """By name; each is there once."""
        runs = self.api("runs/search", {"experiment_ids": [self.experiment_id()], "max_results": 100})["runs"]
        names = [run["info"]["run_name"] for run in runs]
        assert sorted(names) == sorted({*RUNS, "study"})
        return dict(zip(names, runs))

    def assert_nested(self, status):
        runs = self.runs()
        parent = runs.pop("study")["info"]
        assert parent["status"] == status
        for name, run in runs.items():
            tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
            assert (tags["mlflow.parentRunId"], tags["mlflow.runName"]) == (parent["run_id"], name)
            assert (tags["pupila.study"], tags["pupila.variant"]) == ("study", RUNS[name])
            assert run["info"]["status"] == "FINISHED"
            self.assert_metrics_are_there_once(run, self.folder / name)
        return parent["run_id"]

    def assert_metrics_are_there_once(self, run, folder):
        expected = sent_metrics(folder)
        assert {metric["key"] for metric in run["data"]["metrics"]} == set(expected)
        for tag, values in expected.items():
            query = urllib.parse.urlencode({"run_id": run["info"]["run_id"], "metric_key": tag})
            history = self.api(f"metrics/get-history?{query}")["metrics"]
            assert sorted((int(m.get("step", 0)), int(m["timestamp"]), m["value"]) for m in history) == values, tag

    def assert_parent_is_whole(self, run_id):
        run = self.api(f"runs/get?run_id={run_id}")["run"]
        self.assert_metrics_are_there_once(run, self.folder)
        assert not any(tag["key"] == "mlflow.parentRunId" for tag in run["data"]["tags"])
        files = self.api(f"artifacts/list?run_id={run_id}")["files"]
        sizes = {file["path"]: int(file["file_size"]) for file in files}
        assert sizes == {name: (self.folder / name).stat().st_size for name in ["study.html", "study.json", "results.csv"]}
        if self.server.major == 3:
            models = self.api("logged-models/search", {"experiment_ids": [self.experiment_id()]})["models"]
            assert sorted(model["info"]["name"] for model in models) == sorted(RUNS)


def test_runs_that_are_sent_at_once_stand_below_one_parent(server, tmp_path):
    study = Study(server, tmp_path)
    for process in study.sync_at_once():
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    parent = study.assert_nested("RUNNING")
    study.end()
    sent = study.sync()
    assert (sent["complete"], sent["run_id"], sent["metrics"], sent["files"]) == (True, parent, 2, 3)
    assert [(run["name"], run["metrics"]) for run in sent["runs"]] == [(name, 0) for name in RUNS]
    assert study.assert_nested("FINISHED") == parent
    study.assert_parent_is_whole(parent)
    again = study.sync()
    assert (again["complete"], again["metrics"], again["files"]) == (True, 0, 0)
    assert study.assert_nested("FINISHED") == parent


def test_a_sender_that_is_killed_and_a_server_that_dies_leave_one_parent(server, tmp_path):
    study = Study(server, tmp_path)
    # The ledger of the study's folder is written just before the parent is made.
    process = subprocess.Popen(study.command("dropout-seed0"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list((study.folder / "mlflow").glob("*.json")) and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    # On a machine that is very busy it may have come to its end.
    assert process.wait() in (-signal.SIGKILL, 0)
    # All others begin, and the server dies amid that.
    processes = study.sync_at_once(wait=0)
    others = [study.folder / run / "mlflow" for run in ["baseline-seed0", "dropout-seed1"]]
    while not any(map(Path.is_dir, others)) and any(process.poll() is None for process in processes):
        time.sleep(0.001)
    server.kill()
    for process in processes:
        process.communicate(timeout=120)
    server.start()
    for process in study.sync_at_once():
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    parent = study.assert_nested("RUNNING")
    study.end()
    study.sync()
    assert study.assert_nested("FINISHED") == parent
    study.assert_parent_is_whole(parent)


def test_a_study_sends_itself_and_goes_on_below_the_same_parent(server, tmp_path):
    """`pupila study` itself, first with two seeds, then with three."""
    experiment = str(tmp_path)
    small = ["--size", "8", "--epochs", "2", "--no-tensorboard", "--set", "tracking.report=false"]
    command = [PUPILA, "study", "grayscale", ROOT / "samples/skin", *small, "--runs", tmp_path, "--name", "gray", "--mlflow", server.uri,
               "--experiment", experiment]
    parents = []
    for seeds in (2, 3):
        done = subprocess.run([*command, "--seeds", str(seeds)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "has the study, its runs below it" in done.stdout
        name = urllib.parse.quote(experiment, safe="")
        found = ask(f"{server.uri}/api/2.0/mlflow/experiments/get-by-name?experiment_name={name}")["experiment"]["experiment_id"]
        runs = ask(f"{server.uri}/api/2.0/mlflow/runs/search", {"experiment_ids": [found], "max_results": 100})["runs"]
        runs = {run["info"]["run_name"]: run for run in runs}
        assert sorted(runs) == sorted(["gray", *(f"{variant}-seed{seed}" for variant in ("color", "gray") for seed in range(seeds))])
        parent = runs.pop("gray")
        assert parent["info"]["status"] == "FINISHED"
        parents.append(parent["info"]["run_id"])
        metrics = {metric["key"]: metric["value"] for metric in parent["data"]["metrics"]}
        file = json.loads((tmp_path / "gray/study.json").read_text())
        for variant, said in zip(file["variants"], file["result"]["variants"]):
            assert metrics[f"{variant['folder']}/accuracy_mean"] == pytest.approx(said["mean"], rel=1e-12)
        for run in runs.values():
            tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
            assert tags["mlflow.parentRunId"] == parents[0]
    assert parents[0] == parents[1]
