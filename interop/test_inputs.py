"""Images of their own size become the inputs that torchvision's and timm's standard pipelines make of them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import timm.data
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from conftest import SKIN

PHOTOGRAPHS = 200


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Parts of the sample photographs in many shapes, as PNG, so that resizing alone is compared."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(3)
    files = sorted(SKIN.rglob("*.jpg"))[:PHOTOGRAPHS]
    assert len(files) == PHOTOGRAPHS
    paths = []
    for number, file in enumerate(files):
        picture = Image.open(file).convert("RGB")
        # Larger than any photograph of the samples, smaller, and long ones.
        width, height = rng.integers(40, 257, 2)
        part = picture.crop((0, 0, int(width), int(height)))
        if number % 3 == 0:
            part = part.resize((part.width * 3 + 1, part.height * 2 + 1), Image.Resampling.BICUBIC)
        paths.append(folder / f"{number}.png")
        part.save(paths[-1])
    return paths


def inputs(program, photographs, folder, *keys):
    def of(path):
        out = folder / path.name
        sets = [word for key in keys for word in ("--set", key)]
        program("augment", path, "--single", "--out", out, "--set", "augment.transforms=[]", *sets)
        return np.asarray(Image.open(out).convert("RGB"))

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(of, photographs))


@pytest.mark.parametrize("interpolation, mode", [("linear", InterpolationMode.BILINEAR), ("cubic", InterpolationMode.BICUBIC)])
def test_resize_256_and_crop_224_are_torchvisions_to_the_bit(program, photographs, tmp_path, interpolation, mode):
    standard = transforms.Compose([transforms.Resize(256, mode), transforms.CenterCrop(224)])
    got = inputs(program, photographs, tmp_path, "input.size=224", "input.fit=crop", "input.keep=whole",
                 f"input.interpolation={interpolation}", "input.antialias=true")
    for path, ours in zip(photographs, got, strict=True):
        assert np.array_equal(ours, np.asarray(standard(Image.open(path)))), path.name


@pytest.mark.parametrize("crop_pct, size", [(0.9, 160), (0.95, 224), (1.0, 128)])
def test_crops_are_timms_to_the_bit(program, photographs, tmp_path, crop_pct, size):
    standard = timm.data.create_transform(
        (3, size, size), interpolation="bicubic", crop_pct=crop_pct, mean=(0, 0, 0), std=(1, 1, 1)
    )
    got = inputs(program, photographs[:60], tmp_path, f"input.size={size}", "input.fit=crop", f"input.crop_frac={crop_pct}",
                 "input.keep=whole", "input.interpolation=cubic", "input.antialias=true")
    for path, ours in zip(photographs, got):
        theirs = (standard(Image.open(path)) * 255).round().permute(1, 2, 0).numpy().astype(np.uint8)
        assert np.array_equal(ours, theirs), path.name
