"""Writes cases.json and tensors.safetensors: networks with their values, and what PyTorch makes of them.

    python parity/engine/generate.py

Written with PyTorch 2.15.0 on one thread, NumPy 2.4.6 and safetensors 0.8.0. Everything is computed in float32, as
users run it, and again in float64, which shows how far rounding alone moves a result; the program prints by how much.

Images are stored as the engine reads them, [batch, height, width, channels]; PyTorch sees their transpose.

passes  one network and one batch: logits in evaluation mode; the loss, the gradients and BatchNorm's running
        statistics of one pass in training mode.
runs    50 steps of an optimizer over a small data set in a given order: the loss of every step, and the logits of
        the first batch in evaluation mode afterwards.
"""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

HERE = Path(__file__).parent
ACTIVATIONS = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": nn.LeakyReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}
SAMPLES, BATCH, STEPS = 75, 32, 50


def network(model, size, classes):
    """The nn.Sequential that a `[model]` section stands for, in float64."""
    convolutional = model.get("name") == "cnn"
    layers, (height, width, channels) = [], size
    if convolutional:
        for filters in model["filters"]:
            layers.append(nn.Conv2d(channels, filters, 3, padding=1, padding_mode=model["padding"]))
            if model.get("batch_norm"):
                layers.append(nn.BatchNorm2d(filters))
            layers += [ACTIVATIONS[model["activation"]](), nn.MaxPool2d(2)]
            height, width, channels = height // 2, width // 2, filters
    layers.append(nn.Flatten())
    width *= height * channels
    for hidden in model["hidden"]:
        layers.append(nn.Linear(width, hidden))
        if model.get("batch_norm") and not convolutional:
            layers.append(nn.BatchNorm1d(hidden))
        layers.append(ACTIVATIONS[model["activation"]]())
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, classes)).double()


def fill(module, rng, gain):
    """Values that leave no tensor at its default; all of them are float32."""
    for name, tensor in module.state_dict().items():
        kind = name.split(".")[1]
        if kind == "num_batches_tracked":
            continue
        norm = isinstance(module[int(name.split(".")[0])], (nn.BatchNorm1d, nn.BatchNorm2d))
        if kind == "weight" and not norm:
            values = rng.normal(0, gain / np.sqrt(np.prod(tensor.shape[1:])), tensor.shape)
        elif kind == "running_var" or kind == "weight":
            values = rng.uniform(0.3, 3, tensor.shape)
        else:
            values = rng.normal(0, 0.5, tensor.shape)
        tensor.copy_(torch.from_numpy(values.astype(np.float32)))


def state(module):
    """The state dict in float32 without the counter, which the engine does not keep."""
    tensors = module.state_dict().items()
    return {name: t.float().numpy().copy() for name, t in tensors if not name.endswith("num_batches_tracked")}


def load(module, tensors):
    missing, unexpected = module.load_state_dict({k: torch.from_numpy(v) for k, v in tensors.items()}, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing)
    return module


def to_torch(images, dtype):
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).to(dtype)


def passes():
    """(name, model, [height, width, channels], classes, batch, label smoothing)"""
    for activation in ACTIVATIONS:
        yield f"{activation}", {"hidden": [33], "activation": activation}, [5, 4, 3], 3, 6, 0.0
    for activation in ["relu", "leaky_relu", "gelu"]:
        model = {"hidden": [33, 70], "activation": activation, "batch_norm": True}
        yield f"batch_norm_{activation}", model, [4, 3, 3], 4, 9, 0.1
    yield "gray", {"hidden": [70, 33], "activation": "tanh"}, [6, 7, 1], 10, 7, 0.0
    yield "gray_batch_norm", {"hidden": [70], "activation": "relu", "batch_norm": True}, [6, 7, 1], 2, 33, 0.0
    yield "batch_of_one", {"hidden": [33, 5], "activation": "silu"}, [3, 5, 3], 3, 1, 0.1
    yield "no_hidden_layer", {"hidden": [], "activation": "relu"}, [9, 5, 3], 35, 4, 0.1
    cnn = {"name": "cnn", "hidden": [7], "activation": "relu", "padding": "reflect"}
    yield "cnn", cnn | {"filters": [5, 33]}, [9, 10, 3], 3, 4, 0.0
    yield "cnn_zeros", cnn | {"filters": [34], "padding": "zeros"}, [6, 5, 1], 3, 3, 0.1
    yield "cnn_batch_norm", cnn | {"filters": [4, 6, 8], "batch_norm": True, "activation": "silu"}, [17, 16, 3], 4, 5, 0.0
    yield "cnn_batch_of_one", cnn | {"filters": [3], "activation": "tanh", "hidden": []}, [7, 4, 3], 2, 1, 0.0
    yield "one_pixel", {"hidden": [1, 2], "activation": "tanh"}, [1, 1, 3], 2, 3, 0.0


def run_pass(case, images, targets, tensors, dtype):
    module = load(network(case["model"], case["input"], case["classes"]), tensors).to(dtype)
    x, y = to_torch(images, dtype), torch.from_numpy(targets).long()
    with torch.no_grad():
        logits = module.eval()(x).numpy()
    loss = nn.CrossEntropyLoss(label_smoothing=case["label_smoothing"])(module.train()(x), y)
    loss.backward()
    gradients = {name: p.grad.numpy() for name, p in module.named_parameters()}
    running = {name: t for name, t in state(module).items() if "running" in name}
    return logits, loss.item(), gradients, running


def photographs(rng):
    """Smooth colour patterns whose phase tells the class, with noise: [samples, 16, 16, 3] uint8, and the targets."""
    targets = np.arange(SAMPLES) % 3
    y, x = np.mgrid[0:16, 0:16] / 16
    images = np.empty((SAMPLES, 16, 16, 3))
    for i, target in enumerate(targets):
        angle = target * np.pi / 3 + rng.normal(0, 0.25)
        wave = np.sin(2 * np.pi * (1.5 * (x * np.cos(angle) + y * np.sin(angle)) + rng.uniform()))
        images[i] = 128 + 50 * wave[:, :, None] * rng.uniform(0.3, 1, 3) + rng.normal(0, 25, (16, 16, 3))
    return np.clip(images.round(), 0, 255).astype(np.uint8), targets.astype(np.int32)


def runs():
    """(model, optimizer, learning rate, label smoothing)"""
    optimizers = [
        ("adam", {"name": "adam"}),
        ("adam_l2", {"name": "adam", "weight_decay": 1e-2}),
        ("adamw", {"name": "adamw", "weight_decay": 1e-2}),
    ]
    for model in ["plain", "batch_norm"]:
        for name, optimizer in optimizers:
            for smoothing in [0.0, 0.1]:
                yield f"{model}_{name}_smoothing_{smoothing}", model, optimizer, 1e-3, smoothing
    other = {"name": "adam", "betas": [0.8, 0.95], "eps": 1e-4}
    yield "plain_other_betas_and_eps", "plain", other, 1e-3, 0.0
    for name, lr, optimizer in [
        ("sgd", 1e-2, {"name": "sgd"}),
        ("sgd_momentum_l2", 1e-2, {"name": "sgd", "momentum": 0.9, "weight_decay": 1e-2}),
        ("sgd_nesterov", 1e-2, {"name": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}),
        ("rmsprop", 1e-3, {"name": "rmsprop"}),
        ("rmsprop_momentum_l2", 1e-4, {"name": "rmsprop", "momentum": 0.9, "alpha": 0.9, "weight_decay": 1e-2}),
    ]:
        yield f"plain_{name}", "plain", optimizer, lr, 0.0


def run_steps(case, model, images, targets, order, tensors, dtype):
    module = load(network(model, [16, 16, 3], 3), tensors).to(dtype)
    options = {key: value for key, value in case["optimizer"].items() if key != "name"}
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    kinds |= {"sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop}
    kind = kinds[case["optimizer"]["name"]]
    # AdamW decays by 0.01 when nothing is said; every AdamW here says it.
    optimizer = kind(module.parameters(), lr=case["lr"], **options)
    criterion = nn.CrossEntropyLoss(label_smoothing=case["label_smoothing"])
    batches = [epoch[at : at + BATCH] for epoch in order for at in range(0, SAMPLES, BATCH)][:STEPS]
    # A power of two and a half: exact in float32.
    x, y = to_torch((images.astype(np.float32) - 127.5) / 64, dtype), torch.from_numpy(targets).long()
    losses = []
    for batch in batches:
        batch = torch.from_numpy(batch).long()
        optimizer.zero_grad()
        loss = criterion(module.train()(x[batch]), y[batch])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        return losses, module.eval()(x[:BATCH]).numpy()


def relative(a, b):
    """The largest difference, relative to the largest value."""
    return float(np.abs(np.asarray(a, float) - b).max() / np.abs(b).max())


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng(20250301)
    tensors, written = {}, {"passes": [], "runs": [], "models": {}}
    print("float32 against float64 in PyTorch, relative to the largest value")

    worst = {"logits": 0.0, "gradients": 0.0}
    for name, model, size, classes, batch, smoothing in passes():
        case = {"name": name, "model": model, "input": size, "classes": classes, "label_smoothing": smoothing}
        module = network(model, size, classes)
        fill(module, rng, 1.5)
        images = rng.normal(0, 1, (batch, *size)).astype(np.float32)
        targets = rng.integers(0, classes, batch).astype(np.int32)
        values = state(module)
        logits, loss, gradients, running = run_pass(case, images, targets, values, torch.float32)
        logits64, loss64, gradients64, _ = run_pass(case, images, targets, values, torch.float64)
        case |= {"loss": loss, "loss_f64": loss64}
        written["passes"].append(case)
        tensors |= {f"{name}.images": images, f"{name}.targets": targets}
        tensors |= {f"{name}.logits": logits, f"{name}.logits_f64": logits64}
        for kind, group in [("state", values), ("gradient", gradients), ("running", running)]:
            tensors |= {f"{name}.{kind}.{key}": value for key, value in group.items()}
        worst["logits"] = max(worst["logits"], relative(logits, logits64))
        largest = max(np.abs(g).max() for g in gradients64.values())
        for key, g in gradients64.items():
            off = np.abs(gradients[key] - g).max() / (np.abs(g).max() if np.abs(g).max() > 1e-6 * largest else largest)
            worst["gradients"] = max(worst["gradients"], float(off))
    print(f"  passes: {worst}")

    images, targets = photographs(rng)
    order = np.stack([rng.permutation(SAMPLES) for _ in range(-(-STEPS // -(-SAMPLES // BATCH)))]).astype(np.int32)
    tensors |= {"runs.images": images, "runs.targets": targets, "runs.order": order}
    for model in ["plain", "batch_norm"]:
        section = {"hidden": [64, 32], "activation": "relu", "batch_norm": model == "batch_norm"}
        torch.manual_seed(1)
        module = network(section, [16, 16, 3], 3)
        written["models"][model] = section
        tensors |= {f"runs.{model}.state.{key}": value for key, value in state(module).items()}
    for name, model, optimizer, lr, smoothing in runs():
        case = {"name": name, "model": model, "optimizer": optimizer, "lr": lr, "label_smoothing": smoothing}
        prefix = f"runs.{model}.state."
        values = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        known = written["models"][model]
        losses, logits = run_steps(case, known, images, targets, order, values, torch.float32)
        losses64, logits64 = run_steps(case, known, images, targets, order, values, torch.float64)
        case |= {"losses": losses, "losses_f64": losses64}
        written["runs"].append(case)
        tensors |= {f"{name}.logits": logits, f"{name}.logits_f64": logits64}
        apart = max(abs(a - b) / b for a, b in zip(losses, losses64))
        print(f"  {name}: loss {losses[0]:.3f} to {losses[-1]:.4f}, apart {apart:.1e}; "
              f"logits afterwards {relative(logits, logits64):.1e}")

    save_file(tensors, HERE / "tensors.safetensors")
    (HERE / "tensors.safetensors").chmod(0o644)
    (HERE / "cases.json").write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()
