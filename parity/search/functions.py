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


def levy(x):
    w = 1 + (x - 1) / 4
    middle = np.sum((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(PI * w[:-1] + 1) ** 2))
    return float(np.sin(PI * w[0]) ** 2 + middle + (w[-1] - 1) ** 2 * (1 + np.sin(2 * PI * w[-1]) ** 2))


def styblinski_tang(x):
    return float(np.sum(0.5 * (x**4 - 16 * x**2 + 5 * x) + 39.16616570377142))


def mixed(trial):
    lr = trial.suggest_float("lr", 1e-5, 1.0, log=True)
    momentum = trial.suggest_float("momentum", 0, 0.95, step=0.05)
    layers = abs(trial.suggest_int("layers", 1, 10) - 4)
    width = trial.suggest_int("width", 8, 1024, log=True)
    activation = {"relu": 0.0, "gelu": 0.1, "silu": 0.2, "tanh": 0.3}[trial.suggest_categorical("activation", ["relu", "gelu", "silu", "tanh"])]
    norm = {"none": 0.3, "batch": 0.0, "layer": 0.1}[trial.suggest_categorical("norm", ["none", "batch", "layer"])]
    decay = trial.suggest_float("decay", 1e-6, 1e-1, log=True)
    dropout = abs(trial.suggest_float("dropout", 0, 0.9) - 0.2)
    value = (math.log10(lr) + 2) ** 2 / 4 + 2 * (momentum - 0.8) ** 2 + layers**2 / 20 + (math.log2(width) - 7) ** 2 / 10
    return value + activation + norm + (math.log10(decay) + 4) ** 2 / 10 + dropout**2 + 0.2 * layers * dropout


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
HELD_OUT = {"levy": (levy, -10, 10), "styblinski_tang": (styblinski_tang, -5, 5)}
FUNCTIONS = [f"{name}-{dimensions}" for name in NAMED for dimensions in (2, 5, 10)] + ["conditional"]
# No setting of our sampler was chosen by these.
FUNCTIONS += ["levy-5", "styblinski_tang-5", "mixed"]
SAMPLERS = {
    "default": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "multivariate": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
}


def objective_of(name):
    if name in ("conditional", "mixed"):
        return {"conditional": conditional, "mixed": mixed}[name]
    name, dimensions = name.split("-")
    function, low, high = (NAMED | HELD_OUT)[name]
    return lambda trial: function(np.array([trial.suggest_float(f"x{i}", low, high) for i in range(int(dimensions))]))


def range_of(name):
    """The highest value on the domain, by a fine grid of one coordinate (or a pair) where the function is a sum of such terms."""
    if name == "conditional":
        # lr 3.5 decades off, eight layers, width 1024, dropout 0.9.
        return 3.5**2 / 4 + 0.2 + 1.6 + 1.6 + 0.6
    if name == "mixed":
        # lr 3 decades off, no momentum, ten layers, width 8, the worst choices, decay 3 decades off, dropout 0.9.
        return 9 / 4 + 2 * 0.8**2 + 36 / 20 + 1.6 + 0.6 + 0.9 + 0.49 + 0.2 * 6 * 0.7
    name, dimensions = name.split("-")
    function, low, high = (NAMED | HELD_OUT)[name]
    axis = np.linspace(low, high, 2001)
    if name == "rosenbrock":
        x, y = np.meshgrid(axis, axis)
        # An upper corner: every pair at its highest.
        return float(np.max(100 * (y - x**2) ** 2 + (1 - x) ** 2)) * (int(dimensions) - 1)
    if name == "levy":
        # A lower bound: the middle terms alone, and the last at its corner.
        return float(max(np.max((w - 1) ** 2 * (1 + 10 * np.sin(PI * w + 1) ** 2)) for w in [1 + (axis - 1) / 4]) * (int(dimensions) - 1) + (11 / 4) ** 2)
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
