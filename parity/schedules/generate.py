#!/usr/bin/env python3
"""Writes crates/train/tests/golden/schedules.json: learning rates of torch.optim.lr_scheduler over 50 updates.

    python parity/schedules/generate.py        # needs torch
"""
import json
from pathlib import Path

import torch
from torch.optim import lr_scheduler as s

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
out = Path(__file__).resolve().parents[2] / "crates/train/tests/golden/schedules.json"
out.parent.mkdir(parents=True, exist_ok=True)
document = {
    "torch": torch.__version__, "lr": LR, "epochs": EPOCHS, "steps_per_epoch": STEPS, "metric": METRIC,
    "cases": [{"name": n, "keys": k, "lr": r} for n, k, r in cases],
}
out.write_text(json.dumps(document) + "\n")
