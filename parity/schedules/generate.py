#!/usr/bin/env python3
"""Writes two files into crates/train/tests/golden.

    python parity/schedules/generate.py        # needs torch and safetensors; parity/engine/generate.py comes first

schedules.json  learning rates of torch.optim.lr_scheduler over 50 updates
steps.json      the losses of 50 steps of every optimizer under every schedule, in float32 and in float64, on the images, the
                order and the multilayer perceptron of parity/engine; "plateau" watches the mean loss of each epoch
"""
import json
from pathlib import Path

import torch
from safetensors.numpy import load_file
from torch import nn
from torch.optim import lr_scheduler as s

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "crates/train/tests/golden"

EPOCHS, STEPS, LR = 10, 5, 0.1
METRIC = [1.0, 0.8, 0.79999, 0.81, 0.8, 0.7, 0.71, 0.72, 0.73, 0.74]


def run(make, by_step=False, warmup=None):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR)
    schedule, rates = make(optimizer), []
    warm = s.LinearLR(optimizer, start_factor=warmup[1], total_iters=warmup[0]) if warmup else None
    for epoch in range(EPOCHS):
        for _ in range(STEPS):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if warm:
                warm.step()
            if by_step:
                schedule.step()
        if isinstance(schedule, s.ReduceLROnPlateau):
            schedule.step(METRIC[epoch])
        elif not by_step:
            schedule.step()
    return rates


cases = [
    ("constant", {}, run(lambda o: s.ConstantLR(o, 1.0))),
    ("step", {"step_epochs": 3, "gamma": 0.5}, run(lambda o: s.StepLR(o, 3, 0.5))),
    ("exponential", {"gamma": 0.9}, run(lambda o: s.ExponentialLR(o, 0.9))),
    ("cosine", {"min_lr": 0.001}, run(lambda o: s.CosineAnnealingLR(o, EPOCHS, 0.001))),
    ("one_cycle", {}, run(lambda o: s.OneCycleLR(o, LR, total_steps=EPOCHS * STEPS, cycle_momentum=False), True)),
    (
        "one_cycle",
        {"rise_frac": 0.4, "start_divisor": 10.0, "end_divisor": 100.0},
        run(lambda o: s.OneCycleLR(o, LR, total_steps=EPOCHS * STEPS, pct_start=0.4, div_factor=10, final_div_factor=100,
                                   cycle_momentum=False), True),
    ),
    ("plateau", {"gamma": 0.5, "patience": 1}, run(lambda o: s.ReduceLROnPlateau(o, factor=0.5, patience=1))),
    (
        "plateau",
        {"gamma": 0.1, "patience": 0, "min_lr": 0.002},
        run(lambda o: s.ReduceLROnPlateau(o, factor=0.1, patience=0, min_lr=0.002)),
    ),
    ("constant", {"warmup_steps": 7, "warmup_start": 0.25}, run(lambda o: s.ConstantLR(o, 1.0), warmup=(7, 0.25))),
    ("step", {"step_epochs": 1, "gamma": 0.5, "warmup_steps": 12}, run(lambda o: s.StepLR(o, 1, 0.5), warmup=(12, 0.1))),
]
GOLDEN.mkdir(parents=True, exist_ok=True)
document = {
    "torch": torch.__version__, "lr": LR, "epochs": EPOCHS, "steps_per_epoch": STEPS, "metric": METRIC,
    "cases": [{"name": n, "keys": k, "lr": r} for n, k, r in cases],
}
(GOLDEN / "schedules.json").write_text(json.dumps(document) + "\n")

# Every optimizer under every schedule.
UPDATES, BATCH = 50, 32
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
tensors = load_file(ROOT / "parity/engine/tensors.safetensors")
order, targets = tensors["runs.order"], torch.from_numpy(tensors["runs.targets"]).long()
samples = len(targets)
epochs, steps = len(order), -(-samples // BATCH)

OPTIMIZERS = [
    ({"name": "sgd", "lr": 1e-2, "momentum": 0.9}, lambda p: torch.optim.SGD(p, 1e-2, momentum=0.9)),
    ({"name": "adam", "lr": 1e-3}, lambda p: torch.optim.Adam(p, 1e-3)),
    ({"name": "adamw", "lr": 1e-3, "weight_decay": 1e-2}, lambda p: torch.optim.AdamW(p, 1e-3, weight_decay=1e-2)),
    ({"name": "rmsprop", "lr": 1e-3}, lambda p: torch.optim.RMSprop(p, 1e-3)),
]
SCHEDULES = [
    ({"name": "constant"}, lambda o, lr: s.ConstantLR(o, 1.0)),
    ({"name": "constant", "warmup_steps": 9, "warmup_start": 0.1}, lambda o, lr: s.ConstantLR(o, 1.0)),
    ({"name": "step", "step_epochs": 4, "gamma": 0.3}, lambda o, lr: s.StepLR(o, 4, 0.3)),
    ({"name": "exponential", "gamma": 0.8}, lambda o, lr: s.ExponentialLR(o, 0.8)),
    ({"name": "cosine", "min_lr": 1e-5}, lambda o, lr: s.CosineAnnealingLR(o, epochs, 1e-5)),
    ({"name": "one_cycle"}, lambda o, lr: s.OneCycleLR(o, lr, total_steps=epochs * steps, cycle_momentum=False)),
    (
        {"name": "plateau", "gamma": 0.2, "patience": 1, "threshold": 0.15},
        lambda o, lr: s.ReduceLROnPlateau(o, factor=0.2, patience=1, threshold=0.15),
    ),
]


def train(make_optimizer, keys, make_schedule, lr, dtype):
    """The losses and the learning rates of all updates."""
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(768, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 3)
    )
    names = [name.removeprefix("runs.plain.state.") for name in tensors if name.startswith("runs.plain.state.")]
    model.load_state_dict({name: torch.from_numpy(tensors[f"runs.plain.state.{name}"]) for name in names})
    model = model.to(dtype).train()
    # [samples, 16, 16, 3], as parity/engine has it: PyTorch sees the transpose.
    x = torch.from_numpy((tensors["runs.images"].astype("float32") - 127.5) / 64).to(dtype).permute(0, 3, 1, 2)
    optimizer = make_optimizer(model.parameters())
    schedule, warm = make_schedule(optimizer, lr), None
    if "warmup_steps" in keys:
        warm = s.LinearLR(optimizer, start_factor=keys["warmup_start"], total_iters=keys["warmup_steps"])
    losses, rates = [], []
    for epoch in order:
        of_epoch = []
        for at in range(0, samples, BATCH):
            batch = torch.from_numpy(epoch[at : at + BATCH]).long()
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[batch]), targets[batch])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            of_epoch.append((loss.item(), len(batch)))
            if warm:
                warm.step()
            if keys["name"] == "one_cycle" and len(rates) < epochs * steps:
                schedule.step()
        if isinstance(schedule, s.ReduceLROnPlateau):
            schedule.step(sum(loss * count for loss, count in of_epoch) / samples)
        elif keys["name"] != "one_cycle":
            schedule.step()
    return losses[:UPDATES], rates[:UPDATES]


written, apart = [], 0.0
for optimizer, make_optimizer in OPTIMIZERS:
    for keys, make_schedule in SCHEDULES:
        single, rates = train(make_optimizer, keys, make_schedule, optimizer["lr"], torch.float32)
        double, rates_64 = train(make_optimizer, keys, make_schedule, optimizer["lr"], torch.float64)
        # Rounding must not decide when the plateau ends.
        assert max(abs(a - b) for a, b in zip(rates, rates_64)) < 1e-12, (optimizer, keys)
        apart = max(apart, max(abs(a - b) / b for a, b in zip(single, double)))
        written.append({"optimizer": optimizer, "schedule": keys, "losses": single, "losses_f64": double, "last_lr": rates[-1]})
print(f"float32 against float64 in PyTorch: losses at most {apart:.1e} apart, relative")
document = {"torch": torch.__version__, "epochs": epochs, "steps_per_epoch": steps, "batch": BATCH, "cases": written}
(GOLDEN / "steps.json").write_text(json.dumps(document) + "\n")
