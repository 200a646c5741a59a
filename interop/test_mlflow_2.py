"""The same on a server of MLflow 2.22, which has no logged models: read back with its own client, from an environment of its own."""

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import PUPILA, ROOT
from mlflow_server import Server, journal, kill_amid, sent_metrics

VENV = Path(os.environ.get("PUPILA_VENV_MLFLOW_2", ROOT / "target/interop-venv-mlflow-2"))
PYTHON = VENV / "bin/python"
SAID = "this MLflow server has no logged models (MLflow 3 has): the model is in the run's artifacts, under model/"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("mlflow2"), PYTHON)
    yield server
    server.kill()


def read(server, name, folder, *registered):
    command = [PYTHON, ROOT / "interop/read_mlflow_2.py", server.uri, "interop", name, folder, *registered]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"})
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["client"].startswith("2.22.")
    return answer


def assert_all_is_there_once(answer, folder, artifacts):
    """Every number, parameter, tag, data set and file of a run folder."""
    expected = sent_metrics(folder)
    assert set(answer["metrics"]) == set(expected)
    for tag, values in expected.items():
        assert sorted(map(tuple, answer["metrics"][tag])) == values, tag
    lines = journal(folder)
    start, end = lines[0], next(line for line in lines if line["event"] == "end")
    assert set(answer["params"]) == set(start["recipe"]) | {"parameters"}
    for key, value in (start["recipe"] | {"parameters": start["parameters"]}).items():
        text = answer["params"][key]
        assert (text if isinstance(value, str) else json.loads(text)) == value, key
    for key, value in start["tags"].items():
        assert answer["tags"][key] == value, key
    assert answer["tags"]["pupila.data.fingerprint"] == start["data"]["fingerprint"]
    assert json.loads(answer["tags"]["pupila.classes"]) == start["classes"]
    assert answer["tags"]["pupila.status"] == end["status"] == "completed"
    assert (answer["status"], answer["times"]) == ("FINISHED", [int(line["time"] * 1000) for line in (start, end)])
    inputs = {i["context"]: i for i in answer["inputs"]}
    assert set(inputs) == {"training", "validation"}
    for context, images in [("training", "train_images"), ("validation", "val_images")]:
        assert inputs[context]["digest"] == start["data"]["fingerprint"]
        assert json.loads(inputs[context]["profile"]) == {"images": start[images], "classes": start["classes"]}
    paths = {line["path"]: line["path"] for line in lines if line["event"] == "artifact"}
    paths |= {line["path"]: f"model/{line['path']}" for line in lines if line["event"] == "model"}
    assert {"report.html", "confusion_matrix.png", "best.safetensors"} <= set(paths)
    for path, name in paths.items():
        assert (artifacts / name).read_bytes() == (folder / path).read_bytes(), path
    there = {str(path.relative_to(artifacts)) for path in artifacts.rglob("*") if path.is_file()}
    assert there == set(paths.values()) | {"model/MLmodel"}
    return sum(map(len, expected.values()))


def test_a_run_is_read_back_value_by_value(program, small_png, server, tmp_path):
    command = [PUPILA, "train", small_png, "--name", "whole2", "--size", 16, "--epochs", 3, "--mlflow", server.uri, "--experiment", "interop"]
    for key in ["steps_every=2", "system_every_s=0.1", "register=skin", "alias=candidate", "notes=hello", "wait_s=60"]:
        command += ["--set", f"tracking.{key}"]
    environment = os.environ | {
        "PUPILA_CACHE_DIR": str(program.folder / "cache"),
        "PUPILA_STATE_DIR": str(program.folder / "state"),
    }
    done = subprocess.run(list(map(str, command)), cwd=program.folder, env=environment, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    # What this server lacks is said once, in a line of its own, and counts as nothing unsent.
    assert said.splitlines().count(SAID) == 1 and "has the whole run" in said and "sent" not in said, said
    folder = program.folder / "runs/whole2"
    answer = read(server, "whole2", tmp_path, "skin", "candidate")
    assert assert_all_is_there_once(answer, folder, tmp_path) > 80
    assert answer["tags"]["mlflow.note.content"] == "hello"
    source = answer["artifact_uri"] + "/model"
    assert answer["version"] == {"run_id": answer["run_id"], "source": source, "status": "READY"}
    # Sending it again sends nothing, and makes no second version of the model.
    more = ["--mlflow", server.uri, "--experiment", "interop", "--register", "skin", "--alias", "champion", "--json"]
    again = json.loads(program("sync", folder, *more))
    assert again.pop("page").endswith(f"/runs/{answer['run_id']}")
    assert again == {"complete": True, "metrics": 0, "files": 0, "run_id": answer["run_id"], "model_id": None, "skipped": []}
    (tmp_path / "again").mkdir()
    answer = read(server, "whole2", tmp_path / "again", "skin", "champion")
    assert answer["versions"] == 1 and answer["version"]["run_id"] == answer["run_id"]


def test_numbers_that_are_none_arrive_as_they_are(program, small_png, server, tmp_path):
    folder = program.train(small_png, "odd2", "--size", 16, "--no-tensorboard").folder
    values = {"odd/nan": "NaN", "odd/inf": "Infinity", "odd/minus": "-Infinity"}
    line = {"event": "scalars", "time": time.time(), "epoch": 2, "step": 16, "values": values}
    with open(folder / "metrics.jsonl", "a") as file:
        file.write(json.dumps(line) + "\n")
    program("sync", folder, "--mlflow", server.uri, "--experiment", "interop")
    metrics = {tag: history[0][2] for tag, history in read(server, "odd2", tmp_path)["metrics"].items()}
    assert math.isnan(metrics["odd/nan"])
    # What the sql store keeps of an infinity is the largest f64.
    assert metrics["odd/inf"] >= sys.float_info.max and metrics["odd/minus"] <= -sys.float_info.max


def test_a_server_that_dies_and_comes_back(program, small_png, server, tmp_path):
    environment = os.environ | {
        "PUPILA_CACHE_DIR": str(program.folder / "cache"),
        "PUPILA_STATE_DIR": str(program.folder / "state"),
    }
    command = [PUPILA, "train", small_png, "--name", "shaken2", "--size", "16", "--epochs", "150", "--set", "tracking.steps_every=5"]
    command += ["--set", "tracking.wait_s=1", "--mlflow", server.uri, "--experiment", "interop"]
    folder = program.folder / "runs/shaken2"
    process = subprocess.Popen(command, cwd=program.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    kill_amid(server, process, folder)
    server.start()
    sent = json.loads(program("sync", folder, "--mlflow", server.uri, "--experiment", "interop", "--json"))
    assert sent["complete"] and sent["metrics"] > 500 and sent["skipped"] == []
    assert assert_all_is_there_once(read(server, "shaken2", tmp_path), folder, tmp_path) > 2500
