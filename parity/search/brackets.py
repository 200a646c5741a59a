"""Which trials Optuna's samplers see beside Hyperband: `python parity/search/brackets.py > parity/search/brackets.json`. Needs optuna 4.9.

A sampler is handed the study as `optuna.pruners._filter_study` cuts it for a trial. crates/search/tests/brackets.rs compares.
"""

import json
import sys

import optuna
from optuna.pruners import HyperbandPruner, _filter_study

optuna.logging.set_verbosity(optuna.logging.ERROR)
TRIALS = 60
PRUNERS = [{"max_resource": 27}, {"max_resource": 20, "reduction_factor": 2}, {"min_resource": 2, "max_resource": 30}, {"max_resource": 1}]

cases = []
for place, arguments in enumerate(PRUNERS):
    study = optuna.create_study(study_name=f"study-{place}", pruner=HyperbandPruner(**arguments))
    for _ in range(TRIALS):
        trial = study.ask()
        # Brackets are made at the first question.
        trial.report(0.0, 0)
        trial.should_prune()
        study.tell(trial, 0.0)
    trials = study.get_trials(deepcopy=False)
    peers = [[other.number for other in _filter_study(study, trial).get_trials(deepcopy=False)] for trial in trials]
    cases.append({"study": study.study_name, "arguments": arguments, "peers": peers})
json.dump({"optuna": optuna.__version__, "trials": TRIALS, "cases": cases}, sys.stdout, separators=(",", ":"))
print()
