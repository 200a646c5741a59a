"""Writes the JPEG files of tests/hostile.rs. Run in this folder with Pillow 12 and numpy:  python generate_jpegs.py"""

import numpy as np
from PIL import Image

rng = np.random.default_rng(7)
y, x = np.mgrid[0:37, 0:53]
picture = np.stack([127 + 90 * np.sin(x / (4 + c)) * np.cos(y / 5) for c in range(3)], axis=2)
picture = np.clip(picture + rng.normal(0, 15, picture.shape), 0, 255).astype(np.uint8)
image = Image.fromarray(picture)
image.save("baseline_444.jpg", quality=60, subsampling=0)
image.save("baseline_420.jpg", quality=60, subsampling=2)
image.save("restarts.jpg", quality=60, subsampling=2, restart_marker_rows=1)
image.save("progressive.jpg", quality=60, progressive=True)
image.convert("L").save("gray.jpg", quality=60)
