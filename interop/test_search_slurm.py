"""The Slurm script of docs/cluster.md, run: an array of four tasks on one PostgreSQL that wants a password."""

import json
import os
import stat

import optuna
import pytest
from conftest import PUPILA, ROOT, SKIN
from postgres_server import Postgres
from slurm_cluster import Slurm

SCRIPT = ROOT / "docs/cluster/search.sbatch"
TRIALS = 12
SPACE = """
[space]
"optimizer.lr" = { float = [1e-4, 1e-1], log = true }
"model.hidden" = { categorical = [[8], [16, 8]] }
"""


@pytest.fixture
def postgres():
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture
def slurm():
    cluster = Slurm(tasks=4)
    yield cluster
    cluster.stop()


def test_an_array_of_workers_shares_one_search(slurm, postgres, tmp_path):
    assert PUPILA.name == "pupila", "the script calls it by this name"
    address = postgres.database(with_password=False)
    password, space = tmp_path / "password", tmp_path / "space.toml"
    password.write_text(postgres.PASSWORD + "\n")
    password.chmod(stat.S_IRUSR)
    space.write_text(SPACE)
    environment = {
        "PATH": f"{PUPILA.parent}:{os.environ['PATH']}",
        "DATA": str(SKIN),
        "SPACE": str(space),
        "RUNS": str(tmp_path / "runs"),
        "STORAGE": address,
        "TRIALS": str(TRIALS),
        "PASSWORD_FILE": str(password),
        "PUPILA_CACHE_DIR": str(tmp_path / "cache"),
        "PUPILA_STATE_DIR": str(tmp_path / "state"),
    }
    # Each node has what the script asks for; this one has little.
    small = ["--wait", "--cpus-per-task=1", "--mem=0"]
    recipe = ["--size", "16", "--epochs", "2", "--pruner", "none"]
    slurm.do("sbatch", *small, "--array=0-3", SCRIPT, *recipe, **environment)
    logs = sorted(slurm.folder.glob("pupila-search-*_*.log"))
    assert len(logs) == 4
    storage = address.replace("postgres@", f"postgres:{postgres.PASSWORD}@")
    study = optuna.load_study(study_name="search", storage=storage.replace("postgresql://", "postgresql+psycopg://"))
    assert [trial.number for trial in study.trials] == list(range(TRIALS)), slurm.logs()
    assert all(trial.state.name == "COMPLETE" for trial in study.trials), slurm.logs()
    assert len({trial.params["optimizer.lr"] for trial in study.trials}) == TRIALS
    folder = tmp_path / "runs/search"
    runs = sorted(folder.glob("trial-*"))
    assert [run.name for run in runs] == [trial.user_attrs["pupila:run"] for trial in study.trials]
    # More than one worker has trained: the environment of each run names its process.
    starts = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["event"] for line in starts].count("start") == 1
    secret = postgres.PASSWORD
    assert not any(secret in path.read_text(errors="replace") for path in folder.rglob("*.json*"))
    assert not any(secret in log.read_text() for log in logs)

    # Then the honest score, by one worker of the same script.
    slurm.do("sbatch", *small, "--array=0", SCRIPT, *recipe, SEEDS="2", **environment)
    found = json.loads((folder / "search.json").read_text())
    assert found["trials"] == {"complete": TRIALS, "pruned": 0, "failed": 0}
    assert found["best"]["value"] == study.best_value and len(found["honest"]["seeds"]) == 2, slurm.logs()
    assert len(optuna.load_study(study_name="search", storage=storage.replace("postgresql://", "postgresql+psycopg://")).trials) == TRIALS
