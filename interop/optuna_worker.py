"""Optuna itself on a storage, of whichever version runs this.

    python interop/optuna_worker.py ADDRESS STUDY begin N      a new study, and N trials of it
    python interop/optuna_worker.py ADDRESS STUDY optimize N   N trials more
    python interop/optuna_worker.py ADDRESS STUDY enqueue JSON a trial with these values waits
    python interop/optuna_worker.py ADDRESS STUDY break-lock   N trials more, past a lock whose holder is gone
    python interop/optuna_worker.py ADDRESS STUDY read         all trials, as JSON
"""

import json
import math
import sys

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

address, study_name, action, *arguments = sys.argv[1:]
optuna.logging.set_verbosity(optuna.logging.ERROR)
if "://" in address:
    storage = address
else:
    grace = 3 if action == "break-lock" else 30
    storage = JournalStorage(JournalFileBackend(address, lock_obj=JournalFileSymlinkLock(address, grace_period=grace)))


def objective(trial):
    """That of `crates/search/examples/storage_worker.rs`."""
    x, lr = trial.suggest_float("x", -5, 5), trial.suggest_float("lr", 1e-4, 1, log=True)
    trial.suggest_int("n", 1, 5)
    kind = ["a", "b", 3].index(trial.suggest_categorical("kind", ["a", "b", 3]))
    trial.report(math.nan, 0)
    trial.report(math.inf, 1)
    trial.set_user_attr("by", "optuna")
    return (x - 1) ** 2 + abs(math.log(lr)) + kind


create = optuna.create_study if action == "begin" else optuna.load_study
study = create(storage=storage, study_name=study_name, sampler=optuna.samplers.TPESampler(seed=0))
if action in ["begin", "optimize", "break-lock"]:
    study.optimize(objective, n_trials=int(arguments[0]))
if action == "enqueue":
    study.enqueue_trial(json.loads(arguments[0]))


def plain(value):
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


def as_json(trial):
    return {
        "number": trial.number,
        "state": trial.state.name,
        "values": trial.values,
        "params": trial.params,
        "distributions": {name: json.loads(optuna.distributions.distribution_to_json(d)) for name, d in trial.distributions.items()},
        "intermediate": [[step, plain(value)] for step, value in sorted(trial.intermediate_values.items())],
        "user_attrs": trial.user_attrs,
        "system_attrs": trial.system_attrs,
        "took": trial.duration and trial.duration.total_seconds(),
    }


print(json.dumps({"version": optuna.__version__, "direction": study.direction.name, "trials": list(map(as_json, study.trials))}))
