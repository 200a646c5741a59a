"""The lines of Python that a refusal says to type make of other programs' files what is read."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.io
from conftest import PUPILA, SKIN

NETWORK = ["--size", 16, "--set", "model.hidden=[8]"]


def refused(folder, data):
    done = subprocess.run([PUPILA, "train", data, *map(str, NETWORK)], cwd=folder, capture_output=True, text=True)
    assert done.returncode != 0, done.stdout
    return done.stderr


def run_line(text):
    """Runs the line of Python as a shell does, with this Python, and gives what is to be named then."""
    line = next(line.strip() for line in text.splitlines() if line.strip().startswith("python3 -c"))
    done = subprocess.run(line.replace("python3", f"'{sys.executable}'", 1), shell=True, capture_output=True, text=True)
    assert done.returncode == 0, f"{line}\n{done.stderr}"


def pictures(count, *shape):
    generator = np.random.default_rng(3)
    return generator.integers(0, 256, (count, *shape), dtype=np.uint8)


def test_cifar_for_python(program, tmp_path):
    folder = tmp_path / "it's cifar-10-batches-py"
    folder.mkdir()
    images = pictures(24, 3072)
    labels = [i % 3 for i in range(8)]
    for at, name in enumerate(["data_batch_1", "data_batch_2", "test_batch"]):
        content = {b"data": images[8 * at:8 * at + 8], b"labels": labels}
        (folder / name).write_bytes(pickle.dumps(content))
    run_line(refused(tmp_path, folder))
    arrays = np.load(tmp_path / "it's cifar-10-batches-py.npz")
    assert np.array_equal(arrays["x_train"], images[:16].reshape(-1, 3, 32, 32))
    run = program.train(tmp_path / "it's cifar-10-batches-py.npz", tmp_path.name, *NETWORK)
    assert run.summary["classes"] == ["0", "1", "2"]


def test_svhn_of_matlab(program, tmp_path):
    images = pictures(12, 32, 32, 3)
    labels = np.array([[1 + i % 3] for i in range(12)], dtype=np.uint8)
    scipy.io.savemat(tmp_path / "train_32x32.mat", {"X": np.moveaxis(images, 0, -1), "y": labels})
    run_line(refused(tmp_path, tmp_path / "train_32x32.mat"))
    assert np.array_equal(np.load(tmp_path / "train_32x32.npz")["X"], images)
    assert program.train(tmp_path / "train_32x32.npz", tmp_path.name, *NETWORK).summary["classes"] == ["1", "2", "3"]


def test_flowers(program, tmp_path):
    (tmp_path / "jpg").mkdir()
    photographs = sorted((SKIN / "train").rglob("*.jpg"))[:12]
    for at, photograph in enumerate(photographs, 1):
        (tmp_path / "jpg" / f"image_{at:05}.jpg").write_bytes(photograph.read_bytes())
    scipy.io.savemat(tmp_path / "imagelabels.mat", {"labels": np.array([[1 + i % 2 for i in range(12)]])})
    parts = {"trnid": [[1, 2, 3, 4]], "valid": [[5, 6, 7, 8]], "tstid": [[9, 10, 11, 12]]}
    scipy.io.savemat(tmp_path / "setid.mat", {name: np.array(ids) for name, ids in parts.items()})
    run_line(refused(tmp_path, tmp_path))
    run = program.train(tmp_path / "labels.csv", tmp_path.name, *NETWORK)
    assert run.summary["classes"] == ["1", "2"]


def test_cifar_100_for_python(program, tmp_path):
    images = pictures(16, 3072)
    for at, name in enumerate(["train", "test"]):
        content = {b"data": images[8 * at:8 * at + 8], b"fine_labels": [i % 4 for i in range(8)], b"coarse_labels": [i % 2 for i in range(8)]}
        (tmp_path / name).write_bytes(pickle.dumps(content))
    (tmp_path / "meta").write_bytes(pickle.dumps({b"fine_label_names": [b"a", b"b", b"c", b"d"]}))
    run_line(refused(tmp_path, tmp_path))
    run = program.train(tmp_path.with_suffix(".npz"), tmp_path.name, *NETWORK)
    assert run.summary["classes"] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("make", ["dict", "pair"])
def test_a_pickle(program, tmp_path, make):
    images, labels = pictures(12, 8, 8), [i % 2 for i in range(12)]
    content = {"images": images, "labels": labels} if make == "dict" else (images, labels)
    (tmp_path / "data.pkl").write_bytes(pickle.dumps(content))
    run_line(refused(tmp_path, tmp_path / "data.pkl"))
    assert program.train(tmp_path / "data.npz", tmp_path.name, *NETWORK).summary["classes"] == ["0", "1"]


@pytest.mark.parametrize("low, high, kind", [(0, 4000, "uint16"), (0, 65535, "uint16"), (-1024, 3071, "float32"), (-1, 1, "float32")])
@pytest.mark.parametrize("one_file", [True, False])
def test_arrays_of_another_range(program, tmp_path, low, high, kind, one_file):
    folder = tmp_path / "it's my arrays"
    folder.mkdir()
    images = np.linspace(low, high, 12 * 64).reshape(12, 8, 8).astype(kind)
    labels = np.arange(12) % 2
    if one_file:
        path, scaled = folder / "all.npz", folder / "all.8bit.npz"
        np.savez(path, images=images, labels=labels)
    else:
        path, scaled = folder, folder / "8bit"
        np.save(folder / "x.npy", images)
        np.save(folder / "y.npy", labels)
    run_line(refused(tmp_path, path))
    values = np.load(scaled)["images"] if one_file else np.load(scaled / "x.npy")
    assert values.dtype == np.uint8 and values.min() == 0 and values.max() >= 249 and len(np.unique(values)) >= 249
    program.train(scaled, tmp_path.name, *NETWORK)
