"""Golden importances of Optuna: `python parity/search/importance.py > parity/search/importance.json`. Needs optuna 4.9.

Random studies of few and many trials, with every kind of range, constant parameters, equal values, infinite values, trials that failed or were
pruned, conditional parameters and a range that changes. crates/search/tests/importance.rs computes the same.
"""

import json
import math
import random
import sys
import warnings

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution, distribution_to_json
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState, create_trial

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore")

RANGES = {
    "float": FloatDistribution(-2.0, 3.0),
    "log": FloatDistribution(1e-5, 1e-1, log=True),
    "stepped": FloatDistribution(0.0, 1.0, step=0.1),
    "fine": FloatDistribution(0.0, 2.0, step=0.01),
    "int": IntDistribution(1, 9),
    "even": IntDistribution(0, 40, step=4),
    "wide": IntDistribution(-500, 500),
    "int_log": IntDistribution(1, 1000, log=True),
    "two": CategoricalDistribution((True, False)),
    "four": CategoricalDistribution(("a", "b", None, 3)),
    "constant": FloatDistribution(0.5, 0.5),
    "one": CategoricalDistribution(("only",)),
    "one_int": IntDistribution(7, 7),
}
CHANGED = FloatDistribution(-2.0, 5.0)

# Trials, what is special, the evaluator's settings, parameters that are asked for.
STUDIES = [
    (100, "", {}, None),
    (40, "", {}, None),
    (13, "", {}, None),
    (5, "", {}, None),
    (3, "", {}, None),
    (2, "", {}, None),
    (60, "ties", {}, None),
    (60, "equal", {}, None),
    (60, "others", {}, None),
    (60, "conditional", {}, None),
    (60, "conditional", {}, ["log", "extra"]),
    (60, "changed", {}, None),
    (50, "constant", {}, None),
    (80, "", {"target_quantile": 0.25, "region_quantile": 0.5}, None),
    (80, "ties", {"target_quantile": 0.3, "region_quantile": 0.31}, None),
    (80, "", {"evaluate_on_local": False}, None),
    (300, "", {}, ["int", "two"]),
]


def number(value):
    """JSON has no infinity."""
    return value if math.isfinite(value) else str(value)


def value_of(draw, name, distribution):
    if isinstance(distribution, CategoricalDistribution):
        return draw.choice(distribution.choices)
    low, high, step = distribution.low, distribution.high, distribution.step
    if distribution.log:
        value = math.exp(draw.uniform(math.log(low), math.log(high)))
        return min(max(round(value), low), high) if name == "int_log" else min(max(value, low), high)
    if step is None:
        return draw.uniform(low, high)
    return low + draw.randrange(round((high - low) / step) + 1) * step


def objective(params, draw, special):
    if special == "equal":
        return 1.0
    value = (params.get("float", 0.0) - 1) ** 2 + math.log10(params.get("log", 1e-3)) + 0.3 * params.get("int", 0)
    value += {"a": 0.0, "b": 1.0}.get(params.get("four"), 2.0) + draw.gauss(0, 0.5)
    return float(round(value)) if special == "ties" else value


def study_of(place, count, special, settings, asked):
    draw = random.Random(place)
    direction = "maximize" if place % 2 else "minimize"
    study = optuna.create_study(direction=direction)
    distributions, rows = [], []
    names = ["constant", "one", "one_int"] if special == "constant" else list(RANGES)
    for i in range(count):
        ranges = {name: RANGES[name] for name in names}
        if special == "conditional" and draw.random() < 0.5:
            ranges["extra"] = IntDistribution(1, 5)
        if special == "changed" and i > count // 2:
            ranges["float"] = CHANGED
        params = {name: value_of(draw, name, distribution) for name, distribution in ranges.items()}
        value, state = objective(params, draw, special), TrialState.COMPLETE
        if special == "others":
            state = draw.choice([TrialState.COMPLETE] * 6 + [TrialState.PRUNED, TrialState.FAIL])
            if draw.random() < 0.1:
                value = draw.choice([math.inf, -math.inf])
        has_value = state == TrialState.COMPLETE
        study.add_trial(create_trial(state=state, value=value if has_value else None, params=params, distributions=ranges))
        row = {}
        for name, distribution in ranges.items():
            if distribution not in distributions:
                distributions.append(distribution)
            row[name] = [distributions.index(distribution), distribution.to_internal_repr(params[name])]
        rows.append([state.name.lower(), number(value) if has_value else None, row])
    evaluator = PedAnovaImportanceEvaluator(**settings)
    plain = get_param_importances(study, evaluator=evaluator, params=asked, normalize=False)
    shares = get_param_importances(study, evaluator=evaluator, params=asked)
    return {
        "direction": direction,
        "special": special,
        "settings": settings,
        "asked": asked,
        "distributions": [distribution_to_json(distribution) for distribution in distributions],
        "trials": rows,
        "importances": list(plain.items()),
        "normalised": list(shares.items()),
    }


def main():
    studies = [study_of(place, *study) for place, study in enumerate(STUDIES)]
    json.dump({"generator": f"parity/search/importance.py with optuna {optuna.__version__}", "studies": studies}, sys.stdout, separators=(",", ":"))
    print()


if __name__ == "__main__":
    main()
