"""Writes cases.json and tensors.safetensors: every op by itself, and what PyTorch makes of it forward and backward.

    python parity/ops/generate.py

Written with PyTorch 2.15.0, NumPy 2.4.6 and safetensors 0.8.0, in float64, rounded to float32 at the end, so that the values hold
no rounding of PyTorch's own.

A case is a small network: a 1x1 convolution and tanh, so that the gradient by the op's input shows in a weight; the op, or a few
where one alone makes no sense; flatten and a linear map to three logits. Images are stored [batch, height, width, channels].
"""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

HERE = Path(__file__).parent
STEM, CLASSES = 6, 3


class Add(nn.Module):
    """The residual sum of a chain and its input."""

    def __init__(self, *chain):
        super().__init__()
        self.chain = nn.Sequential(*chain)

    def forward(self, x):
        return self.chain(x) + x


class Same(nn.Module):
    """TensorFlow's SAME padding before a module without any: as many windows as strides fit, the surplus behind."""

    def __init__(self, module, filling=0.0):
        super().__init__()
        self.module, self.filling = module, filling

    def forward(self, x):
        pads = []
        for side in (x.shape[3], x.shape[2]):
            kernel, stride = (np.ravel(s)[0].item() for s in (self.module.kernel_size, self.module.stride))
            total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            pads += [total // 2, total - total // 2]
        return self.module(nn.functional.pad(x, pads, value=self.filling))


class SqueezeExcitation(nn.Module):
    def __init__(self, channels, squeezed):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)

    def forward(self, x):
        return x * self.fc2(self.fc1(x.mean((2, 3), keepdim=True)).relu()).sigmoid()


class ChannelsLast(nn.LayerNorm):
    """LayerNorm over the channels of a map."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class LayerScale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return x * self.gamma[:, None, None]


def convolution(inputs, outputs, kernel, stride=1, padding=0, mode="zeros", groups=1, bias=True):
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=bias, padding_mode=mode)


def conv_case(inputs, outputs, kernel, stride, padding, mode, groups=1, bias=True):
    name = f"conv2d {inputs} to {outputs}, {kernel}x{kernel}, stride {stride}, padding {padding} {mode}, groups {groups}"
    spec = {"op": "conv2d", "outputs": outputs, "kernel": kernel, "stride": stride, "padding": padding, "mode": mode,
            "groups": groups, "bias": bias}
    return name, [spec], inputs, [convolution(inputs, outputs, kernel, stride, padding, mode, groups, bias)]


def pool_case(kind, kernel, stride, padding):
    module = (nn.MaxPool2d if kind == "max_pool" else nn.AvgPool2d)(kernel, stride, padding)
    spec = {"op": kind, "kernel": kernel, "stride": stride, "padding": padding}
    return f"{kind} {kernel}x{kernel}, stride {stride}, padding {padding}", [spec], STEM, [module]


def same_case(inputs, outputs, kernel, stride, groups=1):
    name, [spec], _, [module] = conv_case(inputs, outputs, kernel, stride, 0, "zeros", groups)
    return name.replace("padding 0 zeros", "padding same"), [spec | {"padding": "same"}], inputs, [Same(module)]


def cases():
    """Name, description for the engine, channels before the op, modules."""
    for kernel, stride, padding in [(1, 1, 0), (1, 2, 0), (3, 1, 0), (3, 1, 1), (3, 2, 1), (5, 1, 2), (5, 3, 2), (7, 2, 3)]:
        for mode in ("zeros", "reflect"):
            if padding or mode == "zeros":
                yield conv_case(STEM, 5, kernel, stride, padding, mode)
                if kernel == 3 and padding:
                    yield conv_case(13, 34, kernel, stride, padding, mode, bias=False)
    for outputs, groups in [(4, 2), (6, 6), (12, 6)]:
        for mode in ("zeros", "reflect"):
            yield conv_case(STEM, outputs, 3, 1, 1, mode, groups)
            yield conv_case(STEM, outputs, 3, 2, 1, mode, groups, bias=False)
    for inputs, outputs in [(16, 16), (16, 48), (48, 32)]:
        for mode in ("zeros", "reflect"):
            yield conv_case(inputs, outputs, 3, 1, 1, mode)
    for kind in ("max_pool", "avg_pool"):
        for window in [(2, 2, 0), (3, 2, 1), (3, 1, 1), (2, 3, 0)]:
            yield pool_case(kind, *window)
    yield "global_avg_pool", [{"op": "global_avg_pool"}], STEM, [nn.AdaptiveAvgPool2d(1)]
    yield "batch_norm 2d", [{"op": "batch_norm"}], STEM, [nn.BatchNorm2d(STEM)]
    yield ("batch_norm 1d", [{"op": "flatten"}, {"op": "linear", "outputs": 9}, {"op": "batch_norm"}], STEM,
           [nn.Flatten(), nn.LazyLinear(9), nn.BatchNorm1d(9)])
    yield "linear", [{"op": "flatten"}, {"op": "linear", "outputs": 37}], STEM, [nn.Flatten(), nn.LazyLinear(37)]
    for name, module in [("relu", nn.ReLU()), ("relu6", nn.ReLU6()), ("leaky_relu", nn.LeakyReLU()), ("sigmoid", nn.Sigmoid()),
                         ("tanh", nn.Tanh()), ("gelu", nn.GELU()), ("silu", nn.SiLU()), ("hardswish", nn.Hardswish()),
                         ("hardsigmoid", nn.Hardsigmoid())]:
        # Times a scale, so that ReLU6 meets its upper bound.
        yield (name, [{"op": "batch_norm"}, {"op": "activation", "name": name}], STEM, [nn.BatchNorm2d(STEM), module])
    yield "dropout", [{"op": "dropout"}], STEM, [nn.Dropout(0.0)]
    chain = [convolution(STEM, STEM, 3, 1, 1), nn.BatchNorm2d(STEM)]
    yield ("add", [{"op": "residual", "chain": [conv_case(STEM, STEM, 3, 1, 1, "zeros")[1][0], {"op": "batch_norm"}]}], STEM,
           [Add(*chain)])
    for kernel in (5, 7):
        for stride in (1, 2):
            yield conv_case(STEM, STEM, kernel, stride, kernel // 2, "zeros", STEM, bias=kernel == 7)
    for kernel, stride in [(1, 2), (2, 2), (3, 1), (3, 2), (5, 2), (5, 3)]:
        yield same_case(STEM, 5, kernel, stride)
        yield same_case(13, 34, kernel, stride)
        yield same_case(STEM, STEM, kernel, stride, STEM)
    yield same_case(16, 16, 3, 1)
    for kind, filling in (("max_pool", -torch.inf), ("avg_pool", 0.0)):
        for kernel, stride in [(2, 2), (3, 2)]:
            name, [spec], channels, [module] = pool_case(kind, kernel, stride, 0)
            yield name.replace("padding 0", "padding same"), [spec | {"padding": "same"}], channels, [Same(module, filling)]
    yield "layer_norm", [{"op": "layer_norm"}], STEM, [ChannelsLast(STEM, eps=1e-6)]
    yield "layer_norm of many channels", [{"op": "layer_norm"}], 37, [ChannelsLast(37, eps=1e-6)]
    yield ("layer_norm of a vector", [{"op": "flatten"}, {"op": "linear", "outputs": 9}, {"op": "layer_norm"}], STEM,
           [nn.Flatten(), nn.LazyLinear(9), nn.LayerNorm(9, eps=1e-6)])
    yield "layer_scale", [{"op": "layer_scale"}], STEM, [LayerScale(STEM)]
    chain = [conv_case(STEM, STEM, 1, 1, 0, "zeros"), ("", [{"op": "layer_scale"}], STEM, [LayerScale(STEM)])]
    yield ("add behind a layer_scale", [{"op": "residual", "chain": [spec for part in chain for spec in part[1]]}], STEM,
           [Add(*(module for part in chain for module in part[3]))])
    yield ("squeeze and excitation", [{"op": "squeeze_excitation", "squeezed": 4}, {"op": "activation", "name": "tanh"}], STEM,
           [SqueezeExcitation(STEM, 4), nn.Tanh()])
    yield "squeeze and excitation of many channels", [{"op": "squeeze_excitation", "squeezed": 9}], 37, [SqueezeExcitation(37, 9)]


def fill(module, rng):
    for name, tensor in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        if name.endswith("running_var") or (name.endswith("weight") and tensor.dim() == 1):
            values = rng.uniform(0.5, 4, tensor.shape)
        elif name.endswith("weight"):
            values = rng.normal(0, 1.5 / np.sqrt(np.prod(tensor.shape[1:])), tensor.shape)
        else:
            values = rng.normal(0, 0.5, tensor.shape)
        tensor.copy_(torch.from_numpy(values.astype(np.float32)))


def main():
    torch.set_default_dtype(torch.float64)
    rng = np.random.default_rng(3)
    listed, tensors = [], {}
    for index, (name, ops, channels, modules) in enumerate(cases()):
        # A norm over a few values alone magnifies every rounding before it.
        vector_norm = any(isinstance(m, nn.BatchNorm1d) for m in modules)
        for batch, height, width in [(16, 3, 2)] if vector_norm else [(1, 5, 7), (3, 6, 4)]:
            stem = [nn.Conv2d(2, channels, 1), nn.Tanh()]
            network = nn.Sequential(*stem, *modules, *([] if any(op["op"] == "flatten" for op in ops) else [nn.Flatten()]))
            images = rng.normal(0, 1, (batch, height, width, 2)).astype(np.float32)
            x = torch.from_numpy(images).double().permute(0, 3, 1, 2)
            if any(isinstance(m, nn.LazyLinear) for m in modules):
                lazy = [nn.Linear(channels * height * width, m.out_features) if isinstance(m, nn.LazyLinear) else m for m in modules]
                network = nn.Sequential(*stem, *lazy)
            with torch.no_grad():
                network.eval()
                features = network(x).shape[1]
            network.append(nn.Linear(features, CLASSES))
            with torch.no_grad():
                fill(network, rng)
            state = {k: v.clone() for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
            targets = torch.arange(batch) % CLASSES
            network.eval()
            with torch.no_grad():
                logits = network(x)
            network.train()
            network.zero_grad()
            loss = nn.functional.cross_entropy(network(x), targets)
            loss.backward()
            key = f"{index}-{batch}"
            listed.append({"name": name, "key": key, "input": [height, width, 2], "batch": batch, "channels": channels, "ops": ops,
                           "loss": loss.item()})
            save = {"images": images, "logits": logits.numpy()}
            save |= {f"state/{k}": v.numpy() for k, v in state.items()}
            save |= {f"gradient/{k}": v.grad.numpy() for k, v in network.named_parameters()}
            tensors |= {f"{key}/{k}": np.ascontiguousarray(v, dtype=np.float32) for k, v in save.items()}
    save_file(tensors, HERE / "tensors.safetensors")
    (HERE / "cases.json").write_text(json.dumps(listed, indent=0) + "\n")
    print(f"{len(listed)} cases, {sum(t.nbytes for t in tensors.values()) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
