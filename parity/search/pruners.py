"""Golden answers of Optuna's pruners: `python parity/search/pruners.py > parity/search/pruners.json`. Needs optuna 4.9.

Random histories of trials side by side: events [trial, step, value, whether Optuna would end it then, the trial's state after that]. Some trials go on though they
should end, as those of a caller who does not ask. crates/search/tests/pruners.rs plays them again.
"""

import json
import math
import random
import sys
import warnings

import optuna
from optuna.pruners import HyperbandPruner, MedianPruner, PercentilePruner, SuccessiveHalvingPruner
from optuna.trial import TrialState

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore")

# Pruner, its arguments, and how many steps a trial has: a number where the pruner looks at the length of complete ones.
PRUNERS = [
    (MedianPruner, {}, None),
    (MedianPruner, {"n_startup_trials": 2, "n_warmup_steps": 3, "interval_steps": 4, "n_min_trials": 3}, None),
    (MedianPruner, {"n_startup_trials": 0}, None),
    (PercentilePruner, {"percentile": 25.0, "n_startup_trials": 1}, None),
    (PercentilePruner, {"percentile": 80.0, "n_startup_trials": 3, "interval_steps": 2}, None),
    (SuccessiveHalvingPruner, {"min_resource": 1}, None),
    (SuccessiveHalvingPruner, {"min_resource": 1, "reduction_factor": 2}, None),
    (SuccessiveHalvingPruner, {"min_resource": 2, "reduction_factor": 3, "min_early_stopping_rate": 1}, None),
    (SuccessiveHalvingPruner, {"min_resource": 1, "reduction_factor": 2, "bootstrap_count": 3}, None),
    (SuccessiveHalvingPruner, {"reduction_factor": 2}, 210),
    (HyperbandPruner, {"max_resource": 27}, None),
    (HyperbandPruner, {"max_resource": 20, "reduction_factor": 2}, None),
    (HyperbandPruner, {"min_resource": 2, "max_resource": 30, "reduction_factor": 3, "bootstrap_count": 2}, None),
    (HyperbandPruner, {}, 12),
]


def number(value):
    """JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else str(value)


def history(make, arguments, length, direction, seed):
    draw = random.Random(seed)
    # Few levels give ties; NaN and infinity are what a run that diverges reports.
    special = [math.nan, math.inf, -math.inf] if seed % 3 == 2 else []

    def value():
        if special and draw.random() < 0.1:
            return draw.choice(special)
        return draw.randrange(8) / 4 if seed % 3 == 1 else round(draw.gauss(0, 1), 3)

    name = f"study-{seed}"
    study = optuna.create_study(direction=direction, pruner=make(**arguments), study_name=name)
    events, running, begun = [], [], 0
    while len(events) < (110 if length is None else 3 * length + 60):
        if begun < 60 and (not running or draw.random() < 0.15 and len(running) < (2 if length else 12)):
            running.append([study.ask(), draw.randrange(2), 0])
            begun += 1
        if not running:
            break
        place = draw.randrange(len(running))
        trial, step, reports = running[place]
        reported = value()
        trial.report(reported, step)
        is_pruned = bool(trial.should_prune())
        then = "running"
        is_over = reports >= length if length else draw.random() < 0.08
        if is_pruned and draw.random() < 0.8:
            study.tell(trial, state=TrialState.PRUNED)
            then = "pruned"
        elif is_over:
            if draw.random() < 0.15 and not length:
                study.tell(trial, state=TrialState.FAIL)
                then = "fail"
            else:
                study.tell(trial, 0.0)
                then = "complete"
        events.append([trial.number, step, number(reported), is_pruned, then])
        if then != "running":
            running.pop(place)
        else:
            # Steps may be left out.
            running[place] = [trial, step + (1 if length else draw.choice([1, 1, 1, 1, 1, 3])), reports + 1]
    return {"pruner": make.__name__, "arguments": arguments, "direction": direction, "study": name, "events": events}


def main():
    cases = []
    for place, (make, arguments, length) in enumerate(PRUNERS):
        for direction in ("minimize", "maximize"):
            for repetition in range(3):
                seed = (place * 2 + (direction == "maximize")) * 3 + repetition
                cases.append(history(make, arguments, length, direction, seed))
    json.dump({"generator": f"parity/search/pruners.py with optuna {optuna.__version__}", "cases": cases}, sys.stdout, separators=(",", ":"))
    print()


if __name__ == "__main__":
    main()
