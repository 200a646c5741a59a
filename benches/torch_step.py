#!/usr/bin/env python3
"""Times training steps and forward passes of one network in PyTorch on noise in memory, and prints one JSON object.

Called by compare_steps.py; stands alone so that each measurement has a process of its own, with its own peak memory.
"""

import argparse
import json
import os
import resource
import statistics
import time

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

import torch
from torch import nn


ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


def mlp(size, classes, act):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(3 * size * size, 512), act(), nn.Linear(512, 256), act(), nn.Linear(256, classes)
    )


def cnn(size, classes, act):
    layers, channels = [], 3
    for filters in (32, 64, 128):
        layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.BatchNorm2d(filters), act(), nn.MaxPool2d(2)]
        channels = filters
    side = size // 8
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(channels * side * side, 256), act(), nn.Linear(256, classes)
    )


def of_torchvision(name):
    def model(size, classes, _):
        import torchvision

        return getattr(torchvision.models, name)(num_classes=classes)

    return model


def of_timm(name):
    def model(size, classes, _):
        import timm

        return timm.create_model(name, num_classes=classes)

    return model


MODELS = {"mlp": mlp, "cnn": cnn}
MODELS |= {
    name: of_torchvision(name)
    for name in ("resnet18", "resnet50", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "efficientnet_b0")
}
MODELS |= {f"efficientnet_lite{i}": of_timm(f"tf_efficientnet_lite{i}") for i in range(5)}
MODELS |= {"convnext_atto": of_timm("convnext_atto")}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=MODELS, required=True)
    parser.add_argument("--activation", choices=ACTIVATIONS, default="relu", help="of mlp and cnn")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--forward", action="store_true", help="time the forward pass in eval mode, not the step")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    model = MODELS[arguments.model](arguments.size, arguments.classes, ACTIVATIONS[arguments.activation])
    images = torch.randn(arguments.batch, 3, arguments.size, arguments.size)
    targets = torch.arange(arguments.batch) % arguments.classes
    if arguments.channels_last:
        model, images = model.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    run = torch.compile(model) if arguments.compile else model
    loss = nn.CrossEntropyLoss()

    if arguments.forward:
        model.eval()

        def once():
            with torch.inference_mode():
                run(images)
    else:
        model.train()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

        def once():
            optimizer.zero_grad(set_to_none=True)
            loss(run(images), targets).backward()
            optimizer.step()

    for _ in range(5):
        once()
    times = []
    for _ in range(arguments.steps):
        started = time.perf_counter()
        once()
        times.append(1e3 * (time.perf_counter() - started))
    print(
        json.dumps(
            {
                "ms_median": statistics.median(times),
                "ms_min": min(times),
                "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "parameters": sum(p.numel() for p in model.parameters()),
            }
        )
    )


if __name__ == "__main__":
    main()
