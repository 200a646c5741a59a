"""The event file in TensorBoard: its own reader returns what was written, its server shows it, and a kill loses nothing."""

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import pytest
from conftest import PUPILA
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util.tensor_util import make_ndarray

# Whatever is due is recorded, however dear it is.
ALL = ["--set", "tracking.budget_frac=1", "--set", "tracking.steps_every=3", "--set", "model.batch_norm=true", "--set", "tracking.notes=**hello**"]

COMPARED = {f"val_best/{name}" for name in ["accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "loss"]}


@pytest.fixture(scope="module")
def run(program, small_png):
    return program.train(small_png, "board", "--size", 16, *ALL)


def accumulator(run):
    reader = EventAccumulator(str(run.folder), size_guidance={"tensors": 0, "scalars": 0})
    reader.Reload()
    return reader


def lines(run):
    return [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]


def test_every_scalar_comes_back(run):
    reader = accumulator(run)
    expected = {}
    for line in lines(run):
        for tag, value in line.get("values", {}).items():
            # Behind the curves: `best` would be the first group to open.
            tag = f"val_{tag}" if tag.startswith("best/") else tag
            # Of the result only what runs are compared by: the rest is in the curves of the validation.
            if line["event"] == "result" and tag not in COMPARED:
                continue
            step = line["sample"] if line["event"] == "system" else line["step"]
            expected.setdefault(tag, []).append((step, float(value), line["time"]))
    assert set(reader.Tags()["scalars"]) == set(expected)
    assert {"train/loss", "val/loss", "val/macro_auc", "lr", "step/loss", "gradient/norm"} | COMPARED <= set(expected)
    compared = 0
    for tag, values in expected.items():
        read = reader.Scalars(tag)
        assert [event.step for event in read] == [step for step, _, _ in values], tag
        for event, (_, value, at) in zip(read, values):
            # TensorBoard's scalars are f32.
            assert event.value == pytest.approx(value, rel=1e-6, nan_ok=True), tag
            assert event.wall_time == pytest.approx(at, abs=1e-5)
            compared += 1
    assert compared > 50


def test_histograms_count_every_parameter_and_gradient(run):
    from safetensors.torch import load_file

    reader = accumulator(run)
    state = {name: tensor for name, tensor in load_file(run.model).items() if "running" not in name}
    for group in ["parameters", "gradients"]:
        for name, tensor in state.items():
            events = reader.Tensors(f"{group}/{name}")
            # The parameters once more, as they were before the first update.
            assert [event.step for event in events][:-2] == ([0] if group == "parameters" else [])
            for event in events:
                rows = make_ndarray(event.tensor_proto)
                # Of a large tensor a part is counted, and stands for all.
                few = tensor.numel() <= 131072
                assert rows[:, 2].sum() == pytest.approx(tensor.numel(), rel=0 if few else 0.01), (group, name)
                assert (rows[:, 0] <= rows[:, 1]).all() and (rows[1:, 0] >= rows[:-1, 1]).all()
    # Behind those of step 0.
    best = run.summary["best_epoch"]
    for name, tensor in state.items():
        rows = make_ndarray(reader.Tensors(f"parameters/{name}")[best].tensor_proto)
        assert rows[0, 0] == tensor.min().item() and rows[-1, 1] == tensor.max().item(), name


def test_curves_agree_with_sklearn(run):
    import numpy as np
    from sklearn.metrics import precision_score, recall_score

    _, labels, _, scores, classes = run.predictions()
    for i, name in enumerate(classes):
        curve = make_ndarray(accumulator(run).Tensors(f"val_best/pr_curve/{name}")[0].tensor_proto)
        truth = np.array([label == name for label in labels])
        # Where no score is near the threshold, so that its rounding decides nothing.
        for at in [20, 37, 50]:
            if np.abs(scores[:, i] - at / 100).min() < 1e-5:
                continue
            positive = scores[:, i] >= at / 100
            assert curve[4, at] == pytest.approx(precision_score(truth, positive, zero_division=0))
            assert curve[5, at] == pytest.approx(recall_score(truth, positive))


def test_the_server_shows_all_of_it(run):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", run.folder, "--port", str(port), "--load_fast", "false"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(path, body=None, **query):
        url = f"http://127.0.0.1:{port}/data/{path}?{urllib.parse.urlencode(query)}"
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"} if data else {})
        return urllib.request.urlopen(request, timeout=20).read()

    def wait_for(condition):
        for _ in range(120):
            try:
                if condition():
                    return
            except OSError:
                pass
            time.sleep(0.5)
        raise AssertionError("TensorBoard shows nothing")

    try:
        # By itself: the columns of hparams are those of whichever run is read first.
        name = "."
        # What is written last is there: so is all before it.
        wait_for(lambda: "val_best/classification_report" in json.loads(ask("plugin/text/tags")).get(name, []))
        losses = json.loads(ask("plugin/scalars/scalars", run=name, tag="val/loss"))
        assert [step for _, step, _ in losses] == [8, 16]
        tags = json.loads(ask("plugin/images/tags"))[name]
        assert {"train/augmented_batch", "val/right", "val/wrong", "val/confusion_matrix", "val_best/confusion_matrix"} <= set(tags)
        assert {"val/grad_cam", "val/input_gradient"} & set(tags)
        meta = json.loads(ask("plugin/images/images", run=name, tag="val/confusion_matrix", sample=0))
        assert ask("plugin/images/individualImage?" + meta[0]["query"] + "&x").startswith(b"\x89PNG")
        text = json.loads(ask("plugin/text/text", run=name, tag="notes"))
        assert "<strong>hello</strong>" in text[0]["text"]
        assert json.loads(ask("plugin/histograms/histograms", run=name, tag="parameters/1.weight"))
        curves = json.loads(ask("plugin/pr_curves/pr_curves", run=name, tag="val_best/pr_curve/nevus"))
        # The plugin leaves out the thresholds that no score reaches.
        assert 10 < len(curves[name][0]["precision"]) <= 101
        layout = json.loads(ask("plugin/custom_scalars/layout"))
        assert layout["category"][0]["chart"][0]["multiline"]["tag"] == ["^train/loss$", "^val/loss$"]
        charted = json.loads(ask("plugin/custom_scalars/scalars", run=name, tag="^val/loss$"))
        assert charted["regex_valid"] and len(charted["tag_to_events"]["val/loss"]) == 2
        graph = ask("plugin/graphs/graph", run=name, large_attrs_key="_too_large_attrs", limit_attr_size=1024)
        assert b"Linear" in graph and b"BatchNorm" in graph
        experiment = json.loads(ask("plugin/hparams/experiment", {"experimentName": ""}))
        names = [info["name"] for info in experiment["hparamInfos"]]
        # These are the columns that it shows before anyone chooses some.
        # What this run has changed is among them; sizes and batches say little of how well a model does.
        assert {"model.name", "optimizer.lr", "model.batch_norm"} <= set(names[:5])
        assert not {"input.size", "train.batch"} & set(names[:5]) and len(names) > 25
        every = {"allowedStatuses": ["STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING", "STATUS_UNKNOWN"]}
        groups = json.loads(ask("plugin/hparams/session_groups", every | {"experimentName": "", "colParams": [], "startIndex": 0, "sliceSize": 100}))
        (session,) = [s for group in groups["sessionGroups"] for s in group["sessions"] if s["name"] == name]
        assert session["status"] == "STATUS_SUCCESS"
        values = {value["name"]["tag"]: value["value"] for value in session["metricValues"]}
        assert values["val_best/accuracy"] == pytest.approx(run.summary["val"]["accuracy"], rel=1e-6)
    finally:
        server.terminate()
        server.wait(20)


def test_a_kill_leaves_what_was_written(program, small_png):
    environment = os.environ | {
        "PUPILA_CACHE_DIR": str(program.folder / "cache"),
        "PUPILA_STATE_DIR": str(program.folder / "state"),
    }
    command = [PUPILA, "train", small_png, "--name", "killed", "--size", "16", "--epochs", "1000000", "--set", "tracking.steps_every=1"]
    process = subprocess.Popen(command, cwd=program.folder, env=environment, stdout=subprocess.DEVNULL)
    time.sleep(3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed = time.time()
    (path,) = (program.folder / "runs/killed").glob("events.out.tfevents.*")
    events = list(EventFileLoader(str(path)).Load())
    assert len(events) > 100 and killed - events[-1].wall_time < 1
    journal = (program.folder / "runs/killed/metrics.jsonl").read_text()
    last = [json.loads(line) for line in journal.splitlines()][-1]
    assert killed - last["time"] < 1
    assert math.isfinite(last["time"])
