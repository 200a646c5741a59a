"""Writes cases.json: how PyTorch trains a small network of which parts are frozen, join later and learn at rates of their own.

    python parity/transfer/generate.py

Written with PyTorch 2.15.0, in float64 on one thread. The network is the engine's `cnn` with filters 4 and 6, a hidden layer of 5, zero padding and
BatchNorm, on images of 8 x 8 x 3; every step has the same batch. For the first HEAD steps only the last layer learns. Then all parts do but the first, which is
frozen, each at half the rate of the one behind it. What does not learn is in evaluation mode and has no gradient, so the optimizer does not touch it.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

HERE = Path(__file__).parent
STEPS, HEAD, LR = 12, 4, 0.02
PARTS = [[0, 1, 2, 3], [4, 5, 6, 7, 8], [9, 10], [11]]


def network():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(24, 5), nn.ReLU(), nn.Linear(5, 3),
    ).double()


def state(module):
    return {
        name: {"shape": list(t.shape), "data": t.flatten().tolist()}
        for name, t in module.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


OPTIMIZERS = {
    "sgd": ({"name": "sgd", "momentum": 0.9, "weight_decay": 0.01}, lambda groups: torch.optim.SGD(groups, momentum=0.9, weight_decay=0.01)),
    "adam": ({"name": "adam", "weight_decay": 0.01}, lambda groups: torch.optim.Adam(groups, weight_decay=0.01)),
    "adamw": ({"name": "adamw", "weight_decay": 0.1}, lambda groups: torch.optim.AdamW(groups, weight_decay=0.1)),
    "rmsprop": ({"name": "rmsprop", "momentum": 0.5}, lambda groups: torch.optim.RMSprop(groups, momentum=0.5)),
}


def run(first, images, targets, optimizer, frozen_norm):
    module = network()
    module.load_state_dict({k: torch.tensor(v["data"]).reshape(v["shape"]) for k, v in first.items()}, strict=False)
    groups = [
        {"params": [p for i in part for p in module[i].parameters()], "lr": LR * 0.5 ** (len(PARTS) - 1 - index)}
        for index, part in enumerate(PARTS)
    ]
    optimizer = OPTIMIZERS[optimizer][1](groups)
    x = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    losses = []
    for step in range(STEPS):
        for index, part in enumerate(PARTS):
            learns = index == len(PARTS) - 1 or (index > 0 and step >= HEAD)
            for i in part:
                norm = isinstance(module[i], nn.BatchNorm2d)
                module[i].train(learns and not (norm and frozen_norm))
                for p in module[i].parameters():
                    p.requires_grad_(learns and not (norm and frozen_norm))
        loss = nn.CrossEntropyLoss()(module(x), torch.from_numpy(targets).long())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, "state": state(module)}


def main():
    torch.set_num_threads(1)
    torch.manual_seed(3)
    rng = np.random.default_rng(5)
    module = network()
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_(torch.from_numpy(rng.uniform(0.5, 2, tensor.shape)))
            elif name.endswith("running_mean") or name in ("1.bias", "5.bias"):
                tensor.copy_(torch.from_numpy(rng.normal(0, 0.3, tensor.shape)))
            # The engine reads first values in single precision.
            if tensor.is_floating_point():
                tensor.copy_(tensor.float())
    images = rng.normal(0, 1, (5, 8, 8, 3)).astype(np.float32).astype(np.float64)
    targets = np.array([0, 2, 1, 1, 0])
    first = state(module)
    runs = [
        {"optimizer": OPTIMIZERS[name][0], "frozen_norm": frozen, **run(first, images, targets, name, frozen)}
        for name in OPTIMIZERS
        for frozen in (False, True)
    ]
    cases = {"steps": STEPS, "head": HEAD, "lr": LR, "images": images.flatten().tolist(), "targets": targets.tolist(), "first": first, "runs": runs}
    (HERE / "cases.json").write_text(json.dumps(cases) + "\n")


main()
