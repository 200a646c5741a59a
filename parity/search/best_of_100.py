"""Best values of Optuna's TPE: `python parity/search/best_of_100.py > parity/search/best_of_100.json`. Needs optuna 4.9; takes some minutes.

For each named function its range, its value somewhere, which shows that it is the same function here and there, and the best of 100 trials of each of 20 seeds, by the default and the multivariate sampler.
crates/search/tests/quality.rs holds our sampler against them.
"""

import json
import sys

import optuna
from functions import FUNCTIONS, SAMPLERS, all_best, objective_of, range_of

SEEDS, TRIALS = 20, 100


def main():
    rows = [list(row) for row in all_best(SEEDS, TRIALS)]
    functions = {}
    for name in FUNCTIONS:
        found = {sampler: [value for *key, value in rows if key[:2] == [name, sampler]] for sampler in ("default", "multivariate")}
        trial = optuna.create_study(sampler=SAMPLERS["random"](1)).ask()
        value = objective_of(name)(trial)
        somewhere = {"params": trial.params, "value": value}
        functions[name] = {"range": range_of(name), "somewhere": somewhere, **found}
    json.dump({"generator": f"parity/search/best_of_100.py with optuna {optuna.__version__}", "functions": functions}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
