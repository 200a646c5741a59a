"""A search and a study on a real MLflow server: one parent with its runs below it, and one child for a run that was killed and made anew."""

import json
import os
import signal
import subprocess
import time

import pytest
from conftest import PUPILA, SKIN
from mlflow_server import sent_metrics

SPACE = """
[space]
"optimizer.lr" = { float = [1e-4, 1e-1], log = true }
"""
STUDY = """
seeds = 2
[crossed]
"model.dropout" = [0.0, 0.3]
"""


def start(tmp_path, server, experiment, *command):
    environment = os.environ | {"PUPILA_CACHE_DIR": str(tmp_path / "cache"), "PUPILA_STATE_DIR": str(tmp_path / "state")}
    small = ["--size", "16", "--set", "model.hidden=[8]", "--set", "tracking.report=false"]
    command = [PUPILA, *command, "--runs", tmp_path / "runs", "--name", "s", "--json", *small, "--mlflow", server.uri, "--experiment", experiment]
    return subprocess.Popen([*map(str, command)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process):
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    return json.loads(out), error


def family(client, experiment, view=1):
    """The parent and its children by name, as the server's pages show them (1), or what is in its trash (2)."""
    experiment = client.get_experiment_by_name(experiment)
    runs = client.search_runs([experiment.experiment_id], run_view_type=view)
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    return parents, children


def test_a_search_is_a_parent_with_its_trials(tmp_path, server, client):
    space = tmp_path / "space.toml"
    space.write_text(SPACE)
    found, error = finished(start(tmp_path, server, "search", "search", SKIN, "--space", space, "--trials", "4", "--epochs", "2", "--seeds", "0"))
    assert "warning" not in error
    (parent,), children = family(client, "search")
    assert parent.info.run_name == "s" and parent.info.status == "FINISHED"
    assert parent.data.metrics == {"best_value": found["best"]["value"]}
    assert parent.data.params["search.parameters"] == "optimizer.lr"
    files = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert {"search.html", "trials.csv", "search.json", "best.toml"} <= files
    assert sorted(run.info.run_name for run in children) == [f"trial-{number:04}" for number in range(4)]
    for run in children:
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id and run.info.status == "FINISHED"
        assert run.data.tags["pupila.study"] == "s"
        assert set(run.data.metrics) == set(sent_metrics(tmp_path / "runs/s" / run.info.run_name))
    lr = {run.info.run_name: float(run.data.params["optimizer.lr"]) for run in children}
    assert lr[f"trial-{found['best']['number']:04}"] == pytest.approx(found["best"]["params"]["optimizer.lr"], rel=1e-6)


def under_way(study):
    """The folder of a run that has not ended, and of which the server has something."""
    for folder in sorted(study.glob("*-seed*")):
        sent = [json.loads(path.read_text())["acknowledged"] for path in folder.glob("mlflow/*.json")]
        if not (folder / "summary.json").exists() and any(sent):
            return folder
    return None


def test_a_run_that_was_killed_and_made_anew_is_one_child(tmp_path, server, client):
    file = tmp_path / "study.toml"
    file.write_text(STUDY)
    command = ["study", file, SKIN, "--epochs", "600", "--jobs", "1", "--threads", "1"]
    first = start(tmp_path, server, "study", *command)
    # A run that has not ended, and of which the server has something. It is looked at again while the process stands still, since a run may end
    # between the look and the kill.
    killed = None
    while killed is None:
        assert first.poll() is None, first.communicate()
        if under_way(tmp_path / "runs/s"):
            first.send_signal(signal.SIGSTOP)
            killed = under_way(tmp_path / "runs/s")
            first.send_signal(signal.SIGCONT if killed is None else signal.SIGKILL)
        time.sleep(0.02)
    first.communicate()
    finished(start(tmp_path, server, "study", *command))
    (parent,), children = family(client, "study")
    assert parent.info.status == "FINISHED"
    assert sorted(run.info.run_name for run in children) == [f"dropout-{dropout}-seed{seed}" for dropout in ["0.0", "0.3"] for seed in [0, 1]]
    assert all(run.info.status == "FINISHED" and run.data.tags["mlflow.parentRunId"] == parent.info.run_id for run in children)
    assert [run.info.run_name for run in family(client, "study", view=2)[1]] == [killed.name]
