"""A search's journal in the real Optuna: opened, gone on with, enqueued into; and a study that Python began, gone on with here."""

import json
import subprocess

import optuna
import pytest
from conftest import PUPILA, SKIN
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

SPACE = """
[space]
"optimizer.lr" = { float = [1e-4, 1e-1], log = true }
"train.batch" = { categorical = [16, 32] }
"model.hidden" = { categorical = [[8], [16, 8]] }
"model.dropout" = { float = [0.0, 0.5], step = 0.1 }
"""


def search(folder, *more):
    space = folder / "space.toml"
    space.write_text(SPACE)
    command = [PUPILA, "search", SKIN, "--space", space, "--runs", folder / "runs", "--size", "16", "--epochs", "2", "--json", "--seeds", "0"]
    done = subprocess.run([*command, *more], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def storage(path):
    return JournalStorage(JournalFileBackend(str(path)))


@pytest.fixture
def searched(tmp_path):
    return tmp_path, search(tmp_path, "--trials", "6"), tmp_path / "runs/search-skin/trials.journal"


def test_optuna_sees_what_was_searched(searched):
    _, object, journal = searched
    study = optuna.load_study(study_name="search-skin", storage=storage(journal))
    states = [trial.state.name for trial in study.trials]
    assert states.count("COMPLETE") == object["trials"]["complete"] and states.count("PRUNED") == object["trials"]["pruned"]
    assert study.best_trial.number == object["best"]["number"] and study.best_value == object["best"]["value"]
    params = object["best"]["params"]
    assert study.best_params["optimizer.lr"] == params["optimizer.lr"]
    assert json.loads(study.best_params["model.hidden"]) == params["model.hidden"]
    assert all(len(trial.intermediate_values) == 2 for trial in study.trials if trial.state.name == "COMPLETE")
    importances = optuna.importance.get_param_importances(study, evaluator=optuna.importance.PedAnovaImportanceEvaluator())
    assert importances == pytest.approx(object["importance"], abs=1e-9)
    assert len(study.trials) == 6


def test_what_optuna_enqueues_and_adds_is_taken(searched):
    folder, _, journal = searched
    study = optuna.load_study(study_name="search-skin", storage=storage(journal))
    study.enqueue_trial({"optimizer.lr": 0.0125, "train.batch": 16, "model.hidden": "[8]", "model.dropout": 0.3})

    def objective(trial):
        lr = trial.suggest_float("optimizer.lr", 1e-4, 1e-1, log=True)
        trial.suggest_categorical("train.batch", [16, 32])
        trial.suggest_categorical("model.hidden", ["[8]", "[16,8]"])
        trial.suggest_float("model.dropout", 0.0, 0.5, step=0.1)
        return 0.01 + lr

    # Optuna takes what was enqueued first; another waits for us.
    study.optimize(objective, n_trials=2)
    study.enqueue_trial({"optimizer.lr": 0.0375, "train.batch": 32, "model.hidden": "[16,8]", "model.dropout": 0.1})
    object = search(folder, "--trials", "10", "--pruner", "none")
    trials = optuna.load_study(study_name="search-skin", storage=storage(journal)).trials
    assert object["trials"]["complete"] + object["trials"]["pruned"] == 10
    given = [trial for trial in trials if trial.params.get("optimizer.lr") == 0.0375]
    assert len(given) == 1 and given[0].user_attrs["pupila:run"] == f"trial-{given[0].number:04}"
    assert given[0].params["model.hidden"] == "[16,8]"
    # What Python found best counts.
    assert object["best"]["value"] < 0.2


def test_a_study_that_python_began_is_gone_on_with(tmp_path):
    journal = tmp_path / "mine.log"
    study = optuna.create_study(study_name="mine", storage=storage(journal), direction="minimize")
    study.optimize(lambda trial: trial.suggest_float("optimizer.lr", 1e-4, 1e-1, log=True), n_trials=3)
    object = search(tmp_path, "--storage", str(journal), "--study", "mine", "--trials", "5")
    assert object["trials"]["complete"] + object["trials"]["pruned"] == 5
    assert len(optuna.load_study(study_name="mine", storage=storage(journal)).trials) == 5
