"""Shards that WebDataset writes are read as the class folders that they were made of."""

import json

import pytest
import webdataset

from conftest import SKIN

CLASSES = sorted(path.name for path in (SKIN / "train").iterdir())


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """The sample photographs in several shards a split, as `ShardWriter` writes them, with the names of the classes beside them."""
    folder = tmp_path_factory.mktemp("shards")
    for split in ("train", "val"):
        files = sorted((SKIN / split).rglob("*.jpg"))
        with webdataset.ShardWriter(str(folder / f"skin-{split}-%06d.tar"), maxcount=50, verbose=0) as sink:
            for number, file in enumerate(files):
                label = CLASSES.index(file.parent.name)
                sink.write({"__key__": f"{number:08d}", "jpg": file.read_bytes(), "cls": label, "json": {"name": file.name}})
    (folder / "classnames.txt").write_text("".join(f"{name}\n" for name in CLASSES))
    return folder


def test_a_run_on_shards_is_the_run_on_folders(program, shards):
    of_shards = program.train(shards, "shards", "--seed", 3)
    of_folders = program.train(SKIN, "folders", "--seed", 3)
    assert of_shards.summary["classes"] == of_folders.summary["classes"] == CLASSES
    _, labels, _, probabilities, _ = of_shards.predictions()
    _, expected, _, of_the_others, _ = of_folders.predictions()
    # The order of the images is that of their keys, and the order of an epoch follows from it: here both are sorted by class.
    assert sorted(labels) == sorted(expected)
    assert probabilities.shape == of_the_others.shape
    judged = json.loads(program("eval", "runs/folders", shards, "--json"))
    assert judged["metrics"]["accuracy"] == of_folders.summary["val"]["accuracy"]


def test_what_we_read_is_what_webdataset_reads(program, shards):
    said = json.loads(program("inspect", shards, "--json", "--no-pictures", "--out", shards.parent / "page.html"))
    counts = {split: sum(1 for _ in webdataset.WebDataset(sorted(map(str, shards.glob(f"skin-{split}-*.tar"))), shardshuffle=False))
              for split in ("train", "val")}
    assert counts == {"train": 240, "val": 60}
    found = said["summary"]["splits"] if "splits" in said["summary"] else said["summary"]
    assert str(counts["train"]) in json.dumps(found) and str(counts["val"]) in json.dumps(found)
