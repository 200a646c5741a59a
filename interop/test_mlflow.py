"""A run on a real MLflow server: read back value by value, with the server killed and restarted while the run goes on."""

import json
import math
import os
import subprocess
import sys
import time

from conftest import PUPILA
from mlflow_server import journal, kill_amid, sent_metrics


def find(client, name):
    experiment = client.get_experiment_by_name("interop")
    runs = client.search_runs([experiment.experiment_id], f"attributes.run_name = '{name}'")
    assert len(runs) == 1
    return runs[0]


def assert_metrics_are_there_once(client, run, folder):
    expected = sent_metrics(folder)
    assert set(run.data.metrics) == set(expected)
    for tag, values in expected.items():
        history = sorted((m.step, m.timestamp, m.value) for m in client.get_metric_history(run.info.run_id, tag))
        # The digits that read back as the same f64.
        assert history == values, tag
    return sum(map(len, expected.values()))


def test_a_run_is_read_back_value_by_value(program, small_png, server, client):
    git = program.folder / ".git"
    git.mkdir()
    (git / "HEAD").write_text("a" * 40)
    trained = program.train(
        small_png, "whole", "--size", 16, "--mlflow", server.uri, "--experiment", "interop", "--set", "tracking.steps_every=2",
        "--set", "tracking.register=skin", "--set", "tracking.alias=candidate", "--set", "tracking.notes=hello",
    )  # fmt: skip
    run = find(client, "whole")
    assert run.info.status == "FINISHED"
    assert assert_metrics_are_there_once(client, run, trained.folder) > 60
    start = journal(trained.folder)[0]
    for key, value in start["recipe"].items():
        assert (run.data.params[key] if isinstance(value, str) else json.loads(run.data.params[key])) == value, key
    for key, value in start["tags"].items():
        assert run.data.tags[key] == value
    assert run.data.tags["mlflow.note.content"] == "hello"
    assert run.data.tags["mlflow.source.git.commit"] == "a" * 40
    inputs = {i.tags[0].value: i.dataset for i in run.inputs.dataset_inputs}
    assert inputs["training"].digest == inputs["validation"].digest == start["data"]["fingerprint"]
    for name in ["summary.json", "recipe.toml", "predictions.csv", "classification_report.txt", "confusion_matrix.png"]:
        local = client.download_artifacts(run.info.run_id, name)
        assert open(local, "rb").read() == (trained.folder / name).read_bytes()
    (model,) = client.search_logged_models([run.info.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'")
    assert model.status == "READY" and run.outputs.model_outputs[0].model_id == model.model_id
    # The model's page shows what it is worth, on what, and how it was made.
    assert model.name == "whole" and model.tags["mlflow.source.git.commit"] == "a" * 40
    result = {tag: values for tag, values in sent_metrics(trained.folder).items() if tag.startswith("best/")}
    assert {m.key: [(m.step, m.timestamp, m.value)] for m in model.metrics} == result
    assert {(m.dataset_name, m.dataset_digest) for m in model.metrics} == {(f"{small_png.name} (val)", start["data"]["fingerprint"])}
    assert model.params == {key: run.data.params[key] for key in start["recipe"]}
    from mlflow.artifacts import download_artifacts

    local = download_artifacts(artifact_uri=f"{model.artifact_location}/best.safetensors")
    assert open(local, "rb").read() == trained.model.read_bytes()
    version = client.get_model_version_by_alias("skin", "candidate")
    assert version.run_id == run.info.run_id
    # Sending it again sends nothing.
    again = json.loads(program("sync", trained.folder, "--mlflow", server.uri, "--experiment", "interop", "--json"))
    assert (again["complete"], again["metrics"], again["files"]) == (True, 0, 0)


def test_numbers_that_are_none_arrive_as_they_are(program, small_png, server, client):
    trained = program.train(small_png, "odd", "--size", 16, "--no-tensorboard")
    path = trained.folder / "metrics.jsonl"
    values = {"odd/nan": "NaN", "odd/inf": "Infinity", "odd/minus": "-Infinity"}
    line = {"event": "scalars", "time": time.time(), "epoch": 2, "step": 16, "values": values}
    path.write_text(path.read_text() + json.dumps(line) + "\n")
    program("sync", trained.folder, "--mlflow", server.uri, "--experiment", "interop")
    metrics = find(client, "odd").data.metrics
    assert math.isnan(metrics["odd/nan"])
    # What the sql store keeps of an infinity is the largest f64.
    assert metrics["odd/inf"] >= sys.float_info.max and metrics["odd/minus"] <= -sys.float_info.max


def test_a_server_that_dies_and_comes_back(program, small_png, server, client):
    environment = os.environ | {
        "PUPILA_CACHE_DIR": str(program.folder / "cache"),
        "PUPILA_STATE_DIR": str(program.folder / "state"),
    }
    command = [PUPILA, "train", small_png, "--name", "shaken", "--size", "16", "--epochs", "300", "--set", "tracking.steps_every=5"]
    command += ["--set", "tracking.wait_s=1", "--mlflow", server.uri, "--experiment", "interop"]
    process = subprocess.Popen(command, cwd=program.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    folder = program.folder / "runs/shaken"
    kill_amid(server, process, folder)
    assert (folder / "summary.json").exists()
    server.start()
    sent = json.loads(program("sync", folder, "--mlflow", server.uri, "--experiment", "interop", "--json"))
    assert sent["complete"] and sent["metrics"] > 1000
    run = find(client, "shaken")
    assert run.info.status == "FINISHED"
    assert assert_metrics_are_there_once(client, run, folder) > 5000
