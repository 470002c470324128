"""Corruptions of images, each in several strengths, after Hendrycks and Dietterich 2019 (arXiv:1903.12261).

Sizes are relative to the side of a crop, so that a strength means the same for crops of any size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields

import cv2
import numpy as np

from ..data import Samples
from ..faces.alignment import crop_side
from ..io.images import encode_image, read_image

Corrupt = Callable[[np.ndarray, float, int, np.ndarray], np.ndarray]  # image, strength, seed, template -> image


def _blur(image: np.ndarray, strength: float, seed: int, template: np.ndarray) -> np.ndarray:
    sigma = strength * min(image.shape[:2])
    return cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def _noise(image: np.ndarray, strength: float, seed: int, template: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, strength, image.shape[:2])[..., None]  # the same in all colours
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def _jpeg(image: np.ndarray, strength: float, seed: int, template: np.ndarray) -> np.ndarray:
    return read_image(encode_image(image, "jpeg", int(strength)))


def _reduce(image: np.ndarray, strength: float, seed: int, template: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    scale = strength / min(height, width)
    if scale >= 1:
        return image
    small = cv2.resize(
        image, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _darken(image: np.ndarray, strength: float, seed: int, template: np.ndarray) -> np.ndarray:
    return (image * strength).astype(np.uint8)


def _rotate(image: np.ndarray, strength: float, seed: int, template: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    angle = strength if seed % 2 else -strength
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1)
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _cover(image: np.ndarray, points: np.ndarray, strength: float) -> np.ndarray:
    """A gray band over `points` [M,2], fractions of the image, `strength` above and below them and 0.15 aside."""
    (x1, y1), (x2, y2) = points.min(0) - (0.15, strength), points.max(0) + (0.15, strength)
    height, width = image.shape[:2]
    covered = image.copy()
    covered[max(0, round(y1 * height)) : round(y2 * height), max(0, round(x1 * width)) : round(x2 * width)] = 128
    return covered


def _cover_eyes(image: np.ndarray, strength: float, seed: int, template: np.ndarray) -> np.ndarray:
    return _cover(image, template[:2], strength)


def _cover_mouth(image: np.ndarray, strength: float, seed: int, template: np.ndarray) -> np.ndarray:
    return _cover(image, template[3:], strength)


def _drop_color(image: np.ndarray, strength: float, seed: int, template: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


@dataclass(frozen=True)
class Corruption:
    """A way to spoil an image, and how much.

    Args:
        name: of the corruption.
        unit: what the numbers of `strengths` are.
        strengths: mild to strong.
        corrupt: called with an image, RGB uint8 [H,W,3], a strength, a seed and the places of the landmarks [5,2].
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    corrupt: Corrupt

    @property
    def needs_places(self) -> bool:
        """Whether it must know where the landmarks are."""
        return self.corrupt in (_cover_eyes, _cover_mouth)


PIXELS = "pixels"  # the unit of strengths that are sizes
CORRUPTIONS = (
    Corruption("blur", "standard deviation, share of the side", (0.02, 0.04, 0.08), _blur),
    Corruption("noise", "standard deviation, gray values of 255", (10, 25, 50), _noise),
    Corruption("JPEG", "quality", (40, 20, 10), _jpeg),
    Corruption("low resolution", PIXELS, (48, 32, 24, 16), _reduce),
    Corruption("darkness", "share of the light", (0.5, 0.25, 0.1), _darken),
    Corruption("rotation", "degrees", (10, 20, 40), _rotate),
    Corruption("eyes covered", "half height, share of the side", (0.04, 0.08, 0.12), _cover_eyes),
    Corruption("mouth covered", "half height, share of the side", (0.04, 0.08, 0.12), _cover_mouth),
    Corruption("gray", "", (1,), _drop_color),
)


@dataclass(frozen=True)
class CorruptedSamples(Samples):
    """Samples whose images are corrupted when they are read; faces in photos when they are cut out."""

    corruption: Corruption = CORRUPTIONS[0]
    strength: float = 0.0
    places: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))  # of the landmarks in a crop [5,2]
    annotated: bool = False  # boxes are the dataset's own: what is cut out is corrupted, not the photo

    def _corrupt(self, image: np.ndarray, i: int) -> np.ndarray:
        return self.corruption.corrupt(image, self.strength, i, self.places)

    def read(self, i: int) -> np.ndarray:
        image = super().read(i)
        return image if self.annotated else self._corrupt(image, i)

    def crop(self, i: int, template: np.ndarray, size: int) -> np.ndarray:
        crop = super().crop(i, template, size)
        return self._corrupt(crop, i) if self.annotated else crop

    def reduction(self, i: int, template: np.ndarray) -> float:
        """Pixels that are left of a pixel of image i: less than 1 if it is reduced and enlarged again."""
        if self.corruption.unit != PIXELS:
            return 1.0
        image = super().read(i)
        side = crop_side(self.detection(i, image), template) if self.annotated else min(image.shape[:2])
        return min(1.0, self.strength / side)


def corrupt_samples(samples: Samples, corruption: Corruption, strength: float, places: np.ndarray) -> CorruptedSamples:
    """The same samples, corrupted. `places` are those of the landmarks in a crop [5,2], fractions of its side."""
    values = {f.name: getattr(samples, f.name) for f in fields(Samples)}
    return CorruptedSamples(
        **values, corruption=corruption, strength=strength, places=places, annotated=samples.boxes is not None
    )
