"""The functions of crates/search/examples/quality/functions.rs, and studies of them with Optuna's samplers."""

import math
import multiprocessing
import warnings

import numpy as np
import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore")

PI = math.pi


def sphere(x):
    return float(np.sum(x * x))


def rosenbrock(x):
    return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


def rastrigin(x):
    return float(np.sum(10 + x * x - 10 * np.cos(2 * PI * x)))


def ackley(x):
    return float(20 + math.e - 20 * np.exp(-0.2 * np.sqrt(np.mean(x * x))) - np.exp(np.mean(np.cos(2 * PI * x))))


def conditional(trial):
    model = trial.suggest_categorical("model", ["mlp", "cnn"])
    lr = (math.log10(trial.suggest_float("lr", 1e-6, 1.0, log=True)) + 2.5) ** 2 / 4
    if model == "mlp":
        layers = trial.suggest_int("layers", 1, 8)
        width = (math.log2(trial.suggest_int("width", 8, 1024, log=True)) - 6) ** 2 / 10
        dropout = abs(trial.suggest_float("dropout", 0, 0.9, step=0.1) - 0.3) if layers >= 4 else 0
        return lr + 0.2 + (layers - 4) ** 2 / 10 + width + dropout
    channels = {16: 0.4, 32: 0.0, 64: 0.2}[trial.suggest_categorical("channels", [16, 32, 64])]
    kernel = {3: 0.1, 5: 0.0, 7: 0.3}[trial.suggest_categorical("kernel", [3, 5, 7])]
    return lr + channels + kernel


# Function, lowest and highest coordinate.
NAMED = {"sphere": (sphere, -3, 7), "rosenbrock": (rosenbrock, -5, 10), "rastrigin": (rastrigin, -3, 7), "ackley": (ackley, -20, 45)}
FUNCTIONS = [f"{name}-{dimensions}" for name in NAMED for dimensions in (2, 5, 10)] + ["conditional"]
SAMPLERS = {
    "default": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "multivariate": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
}


def objective_of(name):
    if name == "conditional":
        return conditional
    name, dimensions = name.split("-")
    function, low, high = NAMED[name]
    return lambda trial: function(np.array([trial.suggest_float(f"x{i}", low, high) for i in range(int(dimensions))]))


def range_of(name):
    """The highest value on the domain, by a fine grid of one coordinate (or a pair) where the function is a sum of such terms."""
    if name == "conditional":
        # lr 3.5 decades off, eight layers, width 1024, dropout 0.9.
        return 3.5**2 / 4 + 0.2 + 1.6 + 1.6 + 0.6
    name, dimensions = name.split("-")
    function, low, high = NAMED[name]
    axis = np.linspace(low, high, 2001)
    if name == "rosenbrock":
        x, y = np.meshgrid(axis, axis)
        # An upper corner: every pair at its highest.
        return float(np.max(100 * (y - x**2) ** 2 + (1 - x) ** 2)) * (int(dimensions) - 1)
    if name == "ackley":
        return max(ackley(np.array([x])) for x in axis)
    return max(function(np.array([x])) for x in axis) * int(dimensions)


def best(job):
    name, sampler, seed, trials = job
    study = optuna.create_study(sampler=SAMPLERS[sampler](seed))
    study.optimize(objective_of(name), n_trials=trials)
    return name, sampler, seed, study.best_value


def all_best(seeds, trials):
    """[function, sampler, seed, best value] of every study, on all cores."""
    jobs = [(name, sampler, seed, trials) for name in FUNCTIONS for sampler in SAMPLERS for seed in range(seeds)]
    with multiprocessing.Pool() as pool:
        return pool.map(best, jobs, chunksize=4)
