"""Small files of PyTorch's, with the values that PyTorch reads from them: `python parity/weights/generate.py`.

Each holds views that are not contiguous, several types, tied tensors and a counter. `values.json` has for each file the tensors' shapes and the bits of
their values as float32.
"""

import json
from collections import OrderedDict
from pathlib import Path

import torch

HERE = Path(__file__).parent


def state():
    torch.manual_seed(25)
    base = torch.randn(4, 6)
    tensors = OrderedDict()
    tensors["conv.weight"] = torch.randn(2, 3, 2, 2).permute(3, 0, 1, 2)
    tensors["fc.weight"] = torch.randn(3, 5).t()
    tensors["fc.bias"] = torch.randn(5)
    tensors["fc.tied"] = tensors["fc.bias"]
    tensors["part"] = base[1:4:2, 2:5]
    tensors["row"] = base[3]
    tensors["half"] = torch.randn(3).half()
    tensors["brain"] = torch.randn(3).bfloat16()
    tensors["double"] = torch.randn(3).double()
    tensors["scalar"] = torch.tensor(2.5)
    tensors["empty"] = torch.zeros(0, 2)
    tensors["bn.num_batches_tracked"] = torch.tensor(7)
    return tensors


def wrapped():
    """A checkpoint as nn.DataParallel and an optimizer make it: the optimizer's storages come first."""
    inner = OrderedDict((f"module.{name}", tensor) for name, tensor in state().items())
    moments = {"state": {0: {"step": torch.tensor(3), "exp_avg": torch.randn(4).double()}}, "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999)}]}
    return {"optimizer": moments, "epoch": 3, "best": 0.5, "big": 2**70, "state_dict": inner}


def main():
    values = {}
    for name, what in [("plain", state()), ("wrapped", wrapped()), ("parameters", {"w": torch.nn.Parameter(torch.randn(2, 3).t())})]:
        for form, zipped in [("zip", True), ("legacy", False)]:
            file = HERE / f"{name}.{form}.pt"
            torch.save(what, file, _use_new_zipfile_serialization=zipped)
            read = torch.load(file, weights_only=True)
            read = read.get("state_dict", read)
            values[file.name] = {
                key.removeprefix("module."): {
                    "shape": list(tensor.shape),
                    "bits": tensor.detach().float().contiguous().view(-1).view(torch.int32).tolist(),
                }
                for key, tensor in read.items()
                if tensor.is_floating_point()
            }
    (HERE / "values.json").write_text(json.dumps(values, indent=0) + "\n")


main()
