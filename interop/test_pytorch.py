"""The model file in PyTorch: its tensors in the equivalent nn.Sequential give the run's own probabilities."""

import json
import subprocess

import albumentations
import cv2
import numpy as np
import pytest
import torch
import torchvision
from conftest import SKIN, TARGET
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU, "silu": nn.SiLU}


TORCHVISION = {
    "resnet18": torchvision.models.resnet18,
    "resnet34": torchvision.models.resnet34,
    "mobilenet_v2": torchvision.models.mobilenet_v2,
}


def card(run):
    with safe_open(run.model, "pt") as file:
        return json.loads(file.metadata()["pupila"])


def network(card):
    """The nn.Sequential that the file's description stands for."""
    model, side, channels = card["model"], card["input"]["size"], card["input"]["channels"]
    activation = ACTIVATIONS[model["activation"]]
    dropout = [nn.Dropout(model["dropout"])] if model["dropout"] else []
    if model["name"] in TORCHVISION:
        module = TORCHVISION[model["name"]](num_classes=len(card["classes"]))
        if channels == 1:
            module.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
        return module
    layers = []
    if model["name"] == "cnn":
        for filters in model.get("filters", [16, 32, 64]):
            layers.append(nn.Conv2d(channels, filters, 3, padding=1, padding_mode=model["padding"]))
            layers += [nn.BatchNorm2d(filters)] if model["batch_norm"] else []
            layers += [activation(), *dropout, nn.MaxPool2d(2)]
            channels, side = filters, side // 2
    layers.append(nn.Flatten())
    width = side * side * channels
    for hidden in model.get("hidden", [128] if model["name"] == "cnn" else [512, 128]):
        layers.append(nn.Linear(width, hidden))
        if model["name"] == "mlp":
            layers += [nn.BatchNorm1d(hidden)] if model["batch_norm"] else []
            layers += [activation(), *dropout]
        else:
            layers.append(activation())
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, len(card["classes"])))


def probabilities(run, paths, views=(lambda x: x,)):
    described = card(run)
    module = network(described)
    state = load_file(run.model)
    # BatchNorm's count of batches has no influence at a fixed momentum; the file leaves it out.
    counters = {name: tensor for name, tensor in module.state_dict().items() if name.endswith("num_batches_tracked")}
    module.load_state_dict(counters | state, strict=True)
    module.eval()
    size, norm = described["input"]["size"], described["normalization"]
    mode = "L" if described["input"]["channels"] == 1 else "RGB"
    images = []
    for path in paths:
        image = cv2.resize(np.array(Image.open(path).convert(mode)), (size, size), interpolation=cv2.INTER_AREA)
        image = image.reshape(size, size, -1)
        if "per_image" in norm:
            images.append(albumentations.Normalize(normalization=norm["per_image"])(image=image)["image"].astype(np.float32))
            continue
        image = image.astype(np.float32) / norm["max_pixel_value"]
        images.append((image - np.float32(norm["mean"])) / np.float32(norm["std"]))
    images = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
    with torch.no_grad():
        return sum(module(view(images).contiguous()).softmax(1) for view in views).numpy() / len(views)


CASES = {
    "mlp": [],
    "mlp_regularised": ["--set", "model.batch_norm=true", "--set", "model.dropout=0.3", "--set", "model.activation=gelu"],
    "cnn": ["--model", "cnn"],
    "cnn_zeros": ["--model", "cnn", "--set", "model.padding=zeros", "--set", "model.batch_norm=true", "--set", "model.dropout=0.1"],
    "resnet18": ["--model", "resnet18"],
    "resnet34_gray": ["--model", "resnet34", "--set", "input.channels=1"],
    "mobilenet_v2": ["--model", "mobilenet_v2"],
    "gray": ["--set", "input.channels=1", "--set", "model.hidden=[33]"],
    "measured": ["--set", "data.normalize=data"],
    "by_image": ["--set", "data.normalize=image"],
    "by_image_gray": ["--set", "data.normalize=image", "--set", "input.channels=1"],
    "by_image_per_channel": ["--set", "data.normalize=image_per_channel"],
    "min_max": ["--set", "data.normalize=min_max"],
    "min_max_per_channel": ["--set", "data.normalize=min_max_per_channel"],
    "mixed": ["--set", "augment.mixup=0.2", "--set", "augment.cutmix=1.0", "--set", "data.sampler=oversample"],
}


@pytest.mark.parametrize("name", CASES)
def test_probabilities_agree(program, small_png, name):
    run = program.train(small_png, name, "--size", 32, *CASES[name])
    paths, _, _, ours, classes = run.predictions()
    assert classes == card(run)["classes"] == sorted(p.name for p in (small_png / "train").iterdir())
    # Rounding of f32 over a few thousand terms, and of two orders of normalising.
    np.testing.assert_allclose(probabilities(run, paths), ours, atol=1e-4)


def test_measured_statistics_are_those_of_the_training_images(program, small_png):
    run = program.train(small_png, "statistics", "--size", 32, "--set", "data.normalize=data")
    pixels = np.stack([np.array(Image.open(path)) for path in sorted(small_png.glob("train/*/*.png"))]) / 255
    norm = card(run)["normalization"]
    np.testing.assert_allclose(norm["mean"], pixels.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(norm["std"], pixels.std((0, 1, 2)), rtol=1e-6)


VIEWS = {
    "flips": [lambda x: x, lambda x: x.flip(3)],
    "dihedral": [lambda x, k=k, f=f: torch.rot90(x.flip(3) if f else x, k, (2, 3)) for k in range(4) for f in (False, True)],
}


@pytest.mark.parametrize("name", VIEWS)
def test_probabilities_of_several_views_agree(program, small_png, name):
    run = program.train(small_png, name, "--size", 32, "--set", "model.padding=zeros", "--model", "cnn")
    several = run.folder.parent.parent / f"{name}.csv"
    program("eval", run.folder, "--tta", name, "--csv", several)
    paths, _, _, ours, _ = run.predictions(several)
    np.testing.assert_allclose(probabilities(run, paths, VIEWS[name]), ours, atol=1e-4)


def test_photographs_agree_within_what_decoders_differ(program):
    run = program.train(SKIN, "photographs")
    paths, _, _, ours, _ = run.predictions()
    # JPEG decoders differ by a level or two of 255 at single pixels.
    np.testing.assert_allclose(probabilities(run, paths), ours, atol=2e-2)


def test_shrinking_by_whole_factors_is_opencvs(program, tmp_path):
    """256 to 64 px: the mean of 16 samples falls on a half often, and every half is to be rounded as OpenCV does."""
    rng = np.random.default_rng(64)
    for split, images in (("train", 8), ("val", 6)):
        for name, level in (("dark", 90), ("light", 160)):
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for i in range(images):
                pixels = np.clip(rng.normal(level, 50, (256, 256, 3)), 0, 255).astype(np.uint8)
                assert cv2.imwrite(str(folder / f"{i}.png"), pixels)
    run = program.train(tmp_path / "data", "whole_factors", "--size", 64)
    paths, _, _, ours, _ = run.predictions()
    np.testing.assert_allclose(probabilities(run, paths), ours, atol=1e-4)


def grad_cam(module, target, images, classes):
    """Selvaraju et al. 2017, equations 1 and 2, at the output of a module."""
    kept = {}

    def keep(_, __, output):
        output.retain_grad()
        kept["map"] = output

    handle = target.register_forward_hook(keep)
    logits = module(images)
    handle.remove()
    logits[torch.arange(len(classes)), classes].sum().backward()
    weights = kept["map"].grad.mean(dim=(2, 3), keepdim=True)
    return torch.relu((weights * kept["map"]).sum(dim=1)).detach().numpy(), logits.detach().numpy()


def input_gradient(module, images, classes):
    """Simonyan et al. 2014: the largest magnitude over the channels."""
    images = images.clone().requires_grad_()
    logits = module(images)
    logits[torch.arange(len(classes)), classes].sum().backward()
    return images.grad.abs().amax(dim=1).numpy(), logits.detach().numpy()


@pytest.mark.parametrize(
    "model, settings",
    [
        ("mlp", []),
        ("mlp", ["model.batch_norm=true", "model.dropout=0.3", "model.activation=tanh"]),
        ("cnn", []),
        ("cnn", ["model.batch_norm=true", "model.dropout=0.2", "model.activation=gelu"]),
        ("resnet18", []),
        ("mobilenet_v2", []),
    ],
)
def test_explanations(program, small_png, model, settings):
    """Maps to 1e-3 of the largest of each: both sum in float32, in another order, and through up to 50 layers."""
    name = f"explained-{model}-{len(settings)}"
    options = [option for setting in settings for option in ("--set", setting)]
    run = program.train(small_png, name, "--size", 32, "--model", model, *options)
    paths = sorted(small_png.glob("val/*/*.png"))[::9]
    printed = subprocess.run([TARGET / "release/examples/explain_json", run.model, *paths], capture_output=True, text=True)
    assert printed.returncode == 0, printed.stderr
    ours = json.loads(printed.stdout)
    maps = np.array(ours["maps"]).reshape(len(paths), ours["height"], ours["width"])

    described = card(run)
    module = network(described)
    state = load_file(run.model)
    module.load_state_dict(state, strict=False)
    module.eval()
    norm = described["normalization"]
    images = [np.array(Image.open(path).convert("RGB")).astype(np.float32) / norm["max_pixel_value"] for path in paths]
    images = torch.from_numpy((np.stack(images) - np.float32(norm["mean"])) / np.float32(norm["std"]))
    images = images.permute(0, 3, 1, 2).contiguous()
    classes = torch.tensor(ours["classes"])
    if model == "mlp":
        assert ours["grad_cam_layer"] == ""
        expected, logits = input_gradient(module, images, classes)
    else:
        layer = ours["grad_cam_layer"]
        target = {"resnet18": lambda: module.layer4, "mobilenet_v2": lambda: module.features[-1]}.get(
            model, lambda: module[int(layer)]
        )()
        expected, logits = grad_cam(module, target, images, classes)
    np.testing.assert_allclose(np.array(ours["logits"]).reshape(logits.shape), logits, rtol=1e-4, atol=1e-4)
    assert (expected.max(axis=(1, 2)) > 0).any()
    for got, map_ in zip(maps, expected):
        assert np.abs(got - map_).max() <= 1e-3 * max(map_.max(), 1e-6)
