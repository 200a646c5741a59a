"""Random parameters for every transform, and what Albumentations 2.0.8 makes of an image and its mask with them.

Ranges are pinned. What is random all the same (where a crop lies, which holes are cut) is read from the transform after it
has run, or recorded from its generator, and handed on as what our transform draws. Used by generate.py for the committed
cases and by interop/test_albumentations.py for many more.
"""

import random
import warnings

import albumentations as A
import cv2
import numpy as np
from albumentations.augmentations.geometric import functional as fgeometric

INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos": cv2.INTER_LANCZOS4,
}
BORDERS = {
    "constant": cv2.BORDER_CONSTANT,
    "replicate": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT,
    "wrap": cv2.BORDER_WRAP,
    "reflect_101": cv2.BORDER_REFLECT_101,
}
CLASSES = {
    "clahe": A.CLAHE,
    "iso_noise": A.ISONoise,
    "rgb_shift": A.RGBShift,
    "random_rotate90": A.RandomRotate90,
}


def class_of(name):
    return CLASSES.get(name) or getattr(A, "".join(part.capitalize() for part in name.split("_")))


def transform_of(name, parameters):
    """The reference's transform of our parameters."""

    def value(key, x):
        if key in ("interpolation", "mask_interpolation"):
            return INTERPOLATIONS[x]
        if key == "border_mode":
            return BORDERS[x]
        if isinstance(x, list):
            return tuple(value(None, y) for y in x)
        if isinstance(x, dict):
            return {k: value(None, v) for k, v in x.items()}
        return x

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return class_of(name)(**{key: value(key, x) for key, x in parameters.items()}, p=1)


class Recorder(random.Random):
    """Remembers what it has drawn uniformly, with the bounds."""

    def __init__(self, seed):
        super().__init__(seed)
        self.drawn = []

    def uniform(self, a, b):
        x = super().uniform(a, b)
        self.drawn.append((a, b, x))
        return x


class Field:
    """A generator that gives one array of noise."""

    def __init__(self, noise):
        self.noise = noise

    def standard_normal(self, size, dtype):
        return self.noise.reshape(size).copy()

    def uniform(self, low, high, size):
        return self.noise.reshape(size).copy()


def pinned(x):
    return [x, x]


def one_of(rng, *items):
    return items[rng.integers(len(items))]


def fill(rng, channels):
    number = float(rng.integers(256))
    return one_of(rng, 0, number, [float(x) for x in rng.integers(0, 256, channels)] if channels == 3 else number)


def geometry(rng, h, w, channels):
    # OpenCV does not return from reflecting at an image of one row or column, nor soon from far outside of it.
    borders = ["constant", "constant", "replicate"] + ["reflect", "wrap", "reflect_101"] * (min(h, w) > 1)
    interpolation = one_of(rng, "linear", "linear", "nearest", "cubic", "area", "lanczos")
    border = one_of(rng, *borders)
    # Not compared: far outside of the image OpenCV's cubic kernel and ours mirror it differently.
    if interpolation == "cubic" and border.startswith("reflect"):
        border = "replicate"
    return {
        "interpolation": interpolation,
        "border_mode": border,
        "fill": fill(rng, channels),
    }


def sides(rng, most=48):
    return int(rng.integers(1, most)), int(rng.integers(1, most))


def crop_drawn(t, _):
    x_min, y_min, x_max, y_max = (int(x) for x in t.params["crop_coords"])
    drawn = {"crop": {"x_min": x_min, "y_min": y_min, "x_max": x_max, "y_max": y_max}}
    if pad := t.params.get("pad_params"):
        drawn["padding"] = {side: int(pad["pad_" + side]) for side in ("top", "bottom", "left", "right")}
    return drawn


def resize(rng, h, w, c):
    height, width = sides(rng, 60)
    parameters = {"height": height, "width": width, "interpolation": one_of(rng, *INTERPOLATIONS)}
    if rng.random() < 0.2:
        parameters["area_for_downscale"] = one_of(rng, "image", "image_mask")
    return parameters, None


def max_size(rng, h, w, c):
    parameters = {"interpolation": one_of(rng, *INTERPOLATIONS)}
    if rng.random() < 0.5:
        parameters["max_size"] = sides(rng)[0]
    else:
        parameters["max_size_hw"] = list(sides(rng))
    return parameters, None


def crop(rng, h, w, c):
    pad = bool(rng.random() < 0.5)
    height, width = sides(rng) if pad else (int(rng.integers(1, h + 1)), int(rng.integers(1, w + 1)))
    positions = ["center", "top_left", "top_right", "bottom_left", "bottom_right", "random"]
    return {
        "height": height,
        "width": width,
        "pad_if_needed": pad,
        "pad_position": one_of(rng, *positions),
        "border_mode": one_of(rng, *BORDERS),
        "fill": fill(rng, c),
    }, crop_drawn


def random_resized_crop(rng, h, w, c):
    def drawn(t, _):
        return crop_drawn(t, None) | {"size": parameters["size"]}

    parameters = {"size": list(sides(rng)), "interpolation": one_of(rng, *INTERPOLATIONS)}
    if rng.random() < 0.2:
        parameters["area_for_downscale"] = one_of(rng, "image", "image_mask")
    return parameters, drawn


def pad_if_needed(rng, h, w, c):
    def drawn(t, _):
        return {side: int(t.params["pad_" + side]) for side in ("top", "bottom", "left", "right")}

    height, width = sides(rng)
    parameters = {"border_mode": one_of(rng, *BORDERS), "fill": fill(rng, c)}
    parameters["position"] = one_of(rng, "center", "top_left", "top_right", "bottom_left", "bottom_right", "random")
    if rng.random() < 0.3:
        parameters |= {"min_height": None, "pad_height_divisor": height, "min_width": None, "pad_width_divisor": width}
    else:
        parameters |= {"min_height": height, "min_width": width}
    return parameters, drawn


def rotate(rng, h, w, c):
    # Not 45 degrees, where every other position is half way between pixels and the last bit decides.
    angle = float(one_of(rng, rng.uniform(-180, 180), 0, 90, -30))
    # The reference refuses to crop where nothing is left.
    crop_border = bool(rng.random() < 0.3 and min(h, w) > 5 and max(h, w) < 4 * min(h, w))
    return {"limit": pinned(angle), "crop_border": crop_border, **geometry(rng, h, w, c)}, None


def shift_scale_rotate(rng, h, w, c):
    return {
        "shift_limit_x": pinned(float(rng.uniform(-0.5, 0.5))),
        "shift_limit_y": pinned(float(rng.uniform(-0.5, 0.5))),
        "scale_limit": pinned(float(rng.uniform(-0.5, 1))),
        "rotate_limit": pinned(float(rng.uniform(-180, 180))),
        **geometry(rng, h, w, c),
    }, None


def affine(rng, h, w, c):
    def axes(low, high):
        x, y = (float(v) for v in rng.uniform(low, high, 2))
        return one_of(rng, {"x": pinned(x), "y": pinned(y)}, pinned(x), {"x": x, "y": y}, {"x": x})

    parameters = {"scale": axes(0.5, 2), "rotate": pinned(float(rng.uniform(-180, 180))), "shear": axes(-30, 30)}
    if rng.random() < 0.5:
        parameters["translate_percent"] = axes(-0.4, 0.4)
    else:
        x, y = (int(v) for v in rng.integers(-9, 10, 2))
        parameters["translate_px"] = {"x": pinned(x), "y": pinned(y)}
    parameters["fit_output"] = bool(rng.random() < 0.3)
    return parameters | geometry(rng, h, w, c), None


def perspective(rng, h, w, c):
    points = np.mod(np.abs(rng.normal(0, rng.uniform(0.02, 0.2), (4, 2))), 0.32)
    points[1, 0] = 1 - points[1, 0]
    points[2] = 1 - points[2]
    points[3, 1] = 1 - points[3, 1]
    points *= [w, h]

    def drawn(t, _):
        return {"corners": points.tolist()}

    parameters = {"keep_size": bool(rng.random() < 0.7), "fit_output": bool(rng.random() < 0.3), **geometry(rng, h, w, c)}
    return parameters, drawn, {"points": points}


def elastic_transform(rng, h, w, c):
    same, uniform = bool(rng.random() < 0.3), bool(rng.random() < 0.3)
    shape = (1 if same else 2, h, w)
    noise = rng.uniform(-1, 1, shape) if uniform else rng.standard_normal(shape)
    noise = noise.astype(np.float32)
    sigma = float(rng.uniform(1, 20))
    return {
        "alpha": float(rng.uniform(0, 20) * sigma),
        "sigma": sigma,
        "approximate": bool(rng.random() < 0.3),
        "same_dxdy": same,
        "noise_distribution": "uniform" if uniform else "gaussian",
        **geometry(rng, h, w, c),
    }, lambda t, _: {"noise": noise.ravel().tolist()}, {"noise": noise}


def grid_distortion(rng, h, w, c):
    steps = int(rng.integers(1, min(h, w, 8) + 1))
    limit = float(rng.uniform(0, 0.9))

    def drawn(t, _):
        values = [1 + x for _, _, x in t.py_random.drawn[-2 * (steps + 1) :]]
        return {"steps_x": values[: steps + 1], "steps_y": values[steps + 1 :]}

    return {
        "num_steps": steps,
        "distort_limit": [-limit, limit],
        "normalized": bool(rng.random() < 0.6),
        **geometry(rng, h, w, c),
    }, drawn


def optical_distortion(rng, h, w, c):
    return {
        "distort_limit": pinned(float(rng.uniform(-0.9, 0.9))),
        "mode": one_of(rng, "camera", "fisheye"),
        **geometry(rng, h, w, c),
    }, None


def random_brightness_contrast(rng, h, w, c):
    return {
        "brightness_limit": pinned(float(rng.uniform(-1, 1))),
        "contrast_limit": pinned(float(rng.uniform(-1, 1))),
        "brightness_by_max": bool(rng.random() < 0.5),
        "ensure_safe_range": bool(rng.random() < 0.5),
    }, None


def color_jitter(rng, h, w, c):
    def drawn(t, _):
        values = {k: float(t.params[k]) for k in ("brightness", "contrast", "saturation", "hue")}
        return values | {"order": [int(i) for i in t.params["order"]]}

    factors = {k: pinned(float(one_of(rng, rng.uniform(0, 2), rng.uniform(0.8, 1.2)))) for k in ("brightness", "contrast", "saturation")}
    return factors | {"hue": pinned(float(rng.uniform(-0.5, 0.5)))}, drawn


def hue_saturation_value(rng, h, w, c):
    shift = lambda most: pinned(float(one_of(rng, 0, rng.uniform(-most, most), rng.integers(-most, most))))
    return {"hue_shift_limit": shift(180), "sat_shift_limit": shift(200), "val_shift_limit": shift(200)}, None


def rgb_shift(rng, h, w, c):
    shift = lambda: pinned(float(one_of(rng, rng.uniform(-1, 1), rng.uniform(-200, 200), rng.integers(-200, 200))))
    return {"r_shift_limit": shift(), "g_shift_limit": shift(), "b_shift_limit": shift()}, None


def posterize(rng, h, w, c):
    bits = lambda: int(rng.integers(1, 8))
    return {"num_bits": pinned(bits()) if c == 1 or rng.random() < 0.5 else [pinned(bits()) for _ in range(3)]}, None


def gaussian_blur(rng, h, w, c):
    return {"blur_limit": pinned(int(one_of(rng, 0, rng.integers(3, 16)))), "sigma_limit": pinned(float(rng.uniform(0.2, 5)))}, None


def motion_blur(rng, h, w, c):
    size = int(rng.integers(1, 8)) * 2 + 1
    angle, direction = float(rng.uniform(0, 360)), float(one_of(rng, 0, rng.uniform(-1, 1)))
    shifted = bool(rng.random() < 0.5)

    def drawn(t, _):
        shift = [x for _, _, x in t.py_random.drawn[-2:]] if shifted else [0.0, 0.0]
        return {"size": size, "angle": angle, "direction": direction, "shift": shift}

    return {
        "blur_limit": pinned(size),
        "angle_range": pinned(angle),
        "direction_range": pinned(direction),
        "allow_shifted": shifted,
    }, drawn


def gauss_noise(rng, h, w, c):
    std, mean = float(rng.uniform(0.01, 0.5)), float(rng.uniform(-0.2, 0.2))

    def drawn(t, _):
        return {"std": std, "mean": mean, "noise": ((t.params["noise_map"] / 255 - mean) / std).ravel().tolist()}

    return {"std_range": pinned(std), "mean_range": pinned(mean)}, drawn


def iso_noise(rng, h, w, c):
    color, intensity = float(rng.uniform(0, 1)), float(rng.uniform(0.1, 3))

    def drawn(t, image):
        hls = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2HLS)
        deviation = cv2.meanStdDev(hls)[1][1]
        generator = np.random.default_rng(t.params["random_seed"])
        light = generator.poisson(deviation * intensity, size=(h, w))
        hue = generator.normal(0, color * intensity, size=(h, w))
        return {
            "color_shift": color,
            "intensity": intensity,
            "light": light.ravel().tolist(),
            "hue": (hue / max(color * intensity, 1e-30)).ravel().tolist(),
        }

    return {"color_shift": pinned(color), "intensity": pinned(intensity)}, drawn


def sharpen(rng, h, w, c):
    return {
        "alpha": pinned(float(rng.uniform(0, 1))),
        "lightness": pinned(float(rng.uniform(0, 2))),
        "method": one_of(rng, "kernel", "gaussian"),
        "kernel_size": int(rng.integers(1, 5)) * 2 + 1,
        "sigma": float(rng.uniform(0.5, 3)),
    }, None


def holes_drawn(t, _):
    return {"holes": np.asarray(t.params["holes"]).tolist()}


def coarse_dropout(rng, h, w, c):
    return {
        "num_holes_range": pinned(int(rng.integers(1, 5))),
        "hole_height_range": [0.1, 0.6],
        "hole_width_range": [0.1, 0.6],
        "fill": fill(rng, c),
        "fill_mask": one_of(rng, None, 7.0),
    }, holes_drawn


def grid_dropout(rng, h, w, c):
    return {
        "ratio": float(rng.uniform(0.1, 0.9)),
        "random_offset": bool(rng.random() < 0.5),
        "shift_xy": [int(x) for x in rng.integers(0, 5, 2)],
        "fill": fill(rng, c),
        "fill_mask": one_of(rng, None, 7.0),
    }, holes_drawn


NONE = lambda rng, h, w, c: ({}, None)
PARAMETERS = {
    "horizontal_flip": NONE,
    "vertical_flip": NONE,
    "transpose": NONE,
    "random_rotate90": lambda rng, h, w, c: ({}, lambda t, _: {"factor": t.params["factor"]}),
    "resize": resize,
    "smallest_max_size": max_size,
    "longest_max_size": max_size,
    "center_crop": crop,
    "random_crop": crop,
    "random_resized_crop": random_resized_crop,
    "pad_if_needed": pad_if_needed,
    "rotate": rotate,
    "shift_scale_rotate": shift_scale_rotate,
    "affine": affine,
    "perspective": perspective,
    "elastic_transform": elastic_transform,
    "grid_distortion": grid_distortion,
    "optical_distortion": optical_distortion,
    "random_brightness_contrast": random_brightness_contrast,
    "color_jitter": color_jitter,
    "hue_saturation_value": hue_saturation_value,
    "rgb_shift": rgb_shift,
    "random_gamma": lambda rng, h, w, c: ({"gamma_limit": pinned(float(rng.uniform(10, 400)))}, None),
    "clahe": lambda rng, h, w, c: ({"clip_limit": pinned(float(rng.uniform(1, 8))), "tile_grid_size": list(sides(rng, 12))}, None),
    "to_gray": lambda rng, h, w, c: (
        {
            "method": one_of(rng, "weighted_average", "from_lab", "desaturation", "average", "max"),
            "num_output_channels": one_of(rng, 1, 3),
        },
        None,
    ),
    "channel_shuffle": lambda rng, h, w, c: ({}, lambda t, _: {"order": t.params["channels_shuffled"] or [0, 1, 2]}),
    "invert_img": NONE,
    "posterize": posterize,
    "solarize": lambda rng, h, w, c: ({"threshold_range": pinned(float(rng.uniform(0, 1)))}, None),
    "equalize": lambda rng, h, w, c: ({"mode": one_of(rng, "cv", "pil"), "by_channels": bool(rng.random() < 0.5)}, None),
    "gaussian_blur": gaussian_blur,
    "motion_blur": motion_blur,
    "median_blur": lambda rng, h, w, c: ({"blur_limit": pinned(int(one_of(rng, 3, 5, 7, 9)))}, None),
    "gauss_noise": gauss_noise,
    "iso_noise": iso_noise,
    "image_compression": lambda rng, h, w, c: ({"quality_range": pinned(int(rng.integers(1, 101)))}, None),
    "sharpen": sharpen,
    "coarse_dropout": coarse_dropout,
    "grid_dropout": grid_dropout,
}
COLOR_ONLY = {"iso_noise"}
# Smaller images the reference refuses (grid_dropout), or gives back in another shape (to_gray).
LEAST_SIDE = {"grid_dropout": 4, "to_gray": 2}


def picture(rng, h, w, c):
    """Gradients with edges and some noise; sometimes noise alone."""
    if rng.random() < 0.3:
        pixels = rng.integers(0, 256, (h, w, c))
    else:
        y, x = np.mgrid[0:h, 0:w]
        waves = [127 + 100 * np.sin(x / rng.uniform(2, 9) + i) * np.cos(y / rng.uniform(2, 9)) for i in range(c)]
        pixels = np.stack(waves, 2) + rng.normal(0, 12, (h, w, c))
        pixels[(x // 5 + y // 7) % 5 == 0] = rng.integers(0, 256, c)
    pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    return pixels if c == 3 else pixels[:, :, 0]


def case(name, rng, shape=None):
    """(parameters, drawn, image, mask, image after, mask after)"""
    c = 3 if name in COLOR_ONLY else int(one_of(rng, 1, 3))
    h, w = shape or (int(rng.integers(1, 41)), int(rng.integers(1, 41)))
    h, w = (max(side, LEAST_SIDE.get(name, 1)) for side in (h, w))
    parameters, drawn, *rest = PARAMETERS[name](rng, h, w, c)
    image, mask = picture(rng, h, w, c), picture(rng, h, w, 1)
    transform = transform_of(name, parameters)
    seed = int(rng.integers(1 << 30))
    field = Field(rest[0]["noise"]) if rest and "noise" in rest[0] else np.random.default_rng(seed)
    transform.set_random_state(field, Recorder(seed))
    original = fgeometric.generate_perspective_points
    if rest and "points" in rest[0]:
        fgeometric.generate_perspective_points = lambda *_: rest[0]["points"].copy()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            after = transform(image=image.copy(), mask=mask.copy())
    finally:
        fgeometric.generate_perspective_points = original
    given = {key: value for key, value in parameters.items() if value is not None or key.startswith("min_")}
    return given, drawn(transform, image) if drawn else None, image, mask, after["image"], after["mask"]
