"""What `pupila study` says of its runs, worked out once more by SciPy, NumPy and pandas from results.csv and predictions.csv."""

import json
import os
import subprocess

import numpy as np
import pandas as pd
import pytest
from conftest import PUPILA, ROOT
from scipy import stats

SMALL = ["--size", "8", "--epochs", "3", "--no-tensorboard", "--set", "tracking.report=false", "--set", "tracking.system_every_s=0"]
STUDY = """
baseline = "hidden=[8]"
[set]
"optimizer.lr" = 0.01
[crossed]
"model.hidden" = [[8], [32], [8, 8], [2]]
"""


@pytest.fixture(scope="module", params=["val/accuracy", "val/loss", "val/macro_auc"])
def study(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    (folder / "hidden.toml").write_text(STUDY)
    command = [PUPILA, "study", folder / "hidden.toml", ROOT / "samples/skin", *SMALL, "--seeds", "6", "--runs", folder, "--name", "s"]
    # Another test may have named a server that is gone.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    command += ["--metric", request.param, "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    return folder / "s", json.loads(done.stdout)


def table(folder, result):
    """The metric of the best epoch, variants in rows and seeds in columns."""
    rows = pd.read_csv(folder / "results.csv")
    assert len(rows) == 4 * 6 * 3
    best = rows[rows.best == 1].pivot(index="variant", columns="seed", values=result["metric"])
    return best.loc[[variant["name"] for variant in result["variants"]]].to_numpy()


def test_means_and_their_intervals(study):
    folder, result = study
    values = table(folder, result)
    for row, variant in zip(values, result["variants"]):
        assert variant["mean"] == pytest.approx(row.mean(), rel=1e-12)
        assert variant["sd"] == pytest.approx(row.std(ddof=1), rel=1e-9)
        interval = stats.t.interval(0.95, len(row) - 1, row.mean(), stats.sem(row))
        assert variant["interval"] == pytest.approx(interval, rel=1e-8)


def test_differences_are_those_of_a_randomised_block_design(study):
    folder, result = study
    values = table(folder, result)
    k, n = values.shape
    residual = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    pooled, pooled_df = 2 * (residual**2).sum() / ((k - 1) * (n - 1)), (k - 1) * (n - 1)
    for row, variant in zip(values[1:], result["variants"][1:]):
        difference = row - values[0]
        own = difference.var(ddof=1)
        share = min(1.0, pooled / own) ** 4
        variance, df = (pooled, pooled_df) if pooled >= own else (own, share * pooled_df + (1 - share) * (n - 1))
        error = np.sqrt(variance / n)
        p = 2 * stats.t.sf(abs(difference.mean() / error), df)
        half = stats.t.isf((1 - 0.95 ** (1 / (k - 1))) / 2, df) * error
        said = variant["difference"]
        assert said["mean"] == pytest.approx(difference.mean(), rel=1e-9)
        assert said["p_value"] == pytest.approx(1 - (1 - p) ** (k - 1), rel=1e-6, abs=1e-12)
        assert said["interval"] == pytest.approx([difference.mean() - half, difference.mean() + half], rel=1e-7, abs=1e-12)
        both = said["interval_seeds_and_images"]
        assert both[0] <= said["interval"][0] + 1e-12 and both[1] >= said["interval"][1] - 1e-12


def test_the_wider_interval_is_that_of_crossed_seeds_and_images(study):
    folder, result = study
    if result["metric"] != "val/accuracy":
        pytest.skip("pseudo-values are right and wrong for accuracy alone")
    k = len(result["variants"])

    def right(variant):
        runs = [pd.read_csv(folder / run["run"] / "predictions.csv") for run in variant["runs"]]
        return np.stack([run.correct.to_numpy(float) for run in runs])

    base = right(result["variants"][0])
    n, images = base.shape
    for variant in result["variants"][1:]:
        cells = right(variant) - base
        seeds, columns, mean = cells.mean(1), cells.mean(0), cells.mean()
        of_images = n * ((columns - mean) ** 2).sum() / (images - 1)
        rest = ((cells - seeds[:, None] - columns + mean) ** 2).sum() / ((n - 1) * (images - 1))
        by_images = max(0.0, (of_images - rest) / (n * images))
        low, high = variant["difference"]["interval"]
        values = table(folder, result)
        # The seeds' part is what the interval over seeds is made of.
        level = (1 - 0.95 ** (1 / (k - 1))) / 2
        residual = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
        pooled, pooled_df = 2 * (residual**2).sum() / ((k - 1) * (n - 1)), (k - 1) * (n - 1)
        own = seeds.var(ddof=1)
        share = min(1.0, pooled / own) ** 4
        variance, df = (pooled, pooled_df) if pooled >= own else (own, share * pooled_df + (1 - share) * (n - 1))
        by_seeds = variance / n
        # Satterthwaite's, of both mean squares that the images' part is made of.
        squares = (of_images**2 / (images - 1) + rest**2 / ((n - 1) * (images - 1))) / (n * images) ** 2
        total_df = (by_seeds + by_images) ** 2 / (by_seeds**2 / df + squares)
        # The images alone, of which one is the least step.
        alone = stats.t.isf(level, images - 1) * max(np.sqrt(of_images / (n * images)), 1 / images)
        half = max(stats.t.isf(level, total_df) * np.sqrt(by_seeds + by_images), (high - low) / 2, alone)
        assert variant["difference"]["interval_seeds_and_images"] == pytest.approx([mean - half, mean + half], rel=1e-6, abs=1e-10)


def test_recall_of_each_class(study):
    folder, result = study
    for variant in result["variants"]:
        runs = [pd.read_csv(folder / run["run"] / "predictions.csv") for run in variant["runs"]]
        recalls = [run.groupby("label").correct.mean().sort_index().to_numpy() for run in runs]
        assert variant["recall"] == pytest.approx(np.mean(recalls, 0), rel=1e-9)
