#!/usr/bin/env python3
"""Writes crates/engine/tests/golden/loss.json: torch's cross-entropy with class weights and label smoothing, in f64; and
loss_mixed.json, the same for targets that are shares of two classes.

    python parity/loss/generate.py        # needs torch
"""
import json
from pathlib import Path

import torch

torch.manual_seed(5)
cases = []
for classes, batch in [(2, 1), (3, 5), (10, 4)]:
    logits = torch.randn(batch, classes, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(classes, (batch,))
    for weights in (None, torch.rand(classes, dtype=torch.float64) + 0.2):
        for smoothing in (0.0, 0.1):
            loss = torch.nn.functional.cross_entropy(logits, targets, weight=weights, label_smoothing=smoothing)
            (gradient,) = torch.autograd.grad(loss, logits)
            cases.append({
                "classes": classes, "smoothing": smoothing, "weights": [] if weights is None else weights.tolist(),
                "logits": logits.flatten().tolist(), "targets": targets.tolist(),
                "loss": loss.item(), "gradient": gradient.flatten().tolist(),
            })
out = Path(__file__).resolve().parents[2] / "crates/engine/tests/golden/loss.json"
out.parent.mkdir(parents=True, exist_ok=True)
out.write_text(json.dumps({"torch": torch.__version__, "cases": cases}) + "\n")

torch.manual_seed(6)
mixed = []
for classes, batch in [(2, 1), (3, 5), (10, 4)]:
    logits = torch.randn(batch, classes, dtype=torch.float64, requires_grad=True)
    targets, partners = torch.randint(classes, (2, batch))
    shares = torch.rand(batch, dtype=torch.float64)
    shares[-1] = 1.0 if batch == 4 else shares[-1]
    hot = [torch.nn.functional.one_hot(t, classes).double() for t in (targets, partners)]
    soft = shares[:, None] * hot[0] + (1 - shares[:, None]) * hot[1]
    for weights in (None, torch.rand(classes, dtype=torch.float64) + 0.2):
        for smoothing in (0.0, 0.1):
            # The sum, since torch's mean is by the number of targets here, even with class weights.
            loss = torch.nn.functional.cross_entropy(logits, soft, weight=weights, label_smoothing=smoothing, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, logits)
            mixed.append({
                "classes": classes, "smoothing": smoothing, "weights": [] if weights is None else weights.tolist(),
                "logits": logits.flatten().tolist(), "targets": targets.tolist(), "partners": partners.tolist(),
                "shares": shares.tolist(), "loss_sum": loss.item(), "gradient_sum": gradient.flatten().tolist(),
            })
out = out.with_name("loss_mixed.json")
out.write_text(json.dumps({"torch": torch.__version__, "cases": mixed}) + "\n")
