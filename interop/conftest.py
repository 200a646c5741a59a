"""Runs of the real program, shared by all tests."""

import csv
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PUPILA = Path(os.environ.get("PUPILA", TARGET / "release/pupila"))
SKIN = ROOT / "samples/skin"


@dataclass
class Run:
    folder: Path
    summary: dict

    @property
    def model(self):
        return self.folder / "best.safetensors"

    def predictions(self, file=None):
        """Paths, labels and predicted classes, and probabilities [N, K], of the run's own file or of another."""
        with open(file or self.folder / "predictions.csv", newline="") as file:
            header, *rows = csv.reader(file)
        paths, labels, predicted = zip(*(row[:3] for row in rows))
        return list(paths), list(labels), list(predicted), np.array([[float(p) for p in row[4:]] for row in rows]), header[4:]


class Program:
    def __init__(self, folder):
        self.folder = folder

    def __call__(self, *arguments):
        environment = os.environ | {
            "PUPILA_CACHE_DIR": str(self.folder / "cache"),
            "PUPILA_STATE_DIR": str(self.folder / "state"),
        }
        done = subprocess.run([PUPILA, *map(str, arguments)], cwd=self.folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def train(self, data, name, *arguments):
        out = self("train", data, "--name", name, "--epochs", 2, "--json", *arguments)
        return Run(self.folder / "runs" / name, json.loads(out))


@pytest.fixture(autouse=True)
def no_server_of_other_tests(monkeypatch):
    """MLflow's library names its server in the environment, where every program that a later test starts would find one that is gone."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return Program(tmp_path_factory.mktemp("pupila"))


@pytest.fixture(scope="session")
def small_png(tmp_path_factory):
    """The sample photographs as PNG of 32 px: no decoder and no resizing stands between two programs."""
    import cv2

    root = tmp_path_factory.mktemp("png")
    for path in sorted(SKIN.glob("*/*/*.jpg")):
        to = root / path.relative_to(SKIN).with_suffix(".png")
        to.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(to), cv2.resize(cv2.imread(str(path)), (32, 32), interpolation=cv2.INTER_AREA))
    return root


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A real MLflow server."""
    from mlflow_server import Server

    server = Server(tmp_path_factory.mktemp("mlflow"))
    yield server
    server.kill()


@pytest.fixture(scope="module")
def client(server):
    """What MLflow's own client sees of it."""
    import mlflow

    mlflow.set_tracking_uri(server.uri)
    return mlflow.MlflowClient()
