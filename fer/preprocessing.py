"""Preprocessing of crops, the same in training and inference."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

MAX_SIZE = 4096  # pixels; a larger value is a mistake that would fill the memory
_INTERPOLATIONS = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}


@dataclass(frozen=True)
class Preprocessing:
    """How crops become the input of a network. It is stored in the checkpoint.

    A crop is made square by repeating its border. If it is larger than `crop_size`, it is reduced
    to that: the resolution of the training images, so that photos are not sharper than what the
    network has learnt. Then it is resized to `input_size`.
    """

    crop_size: int = 48  # pixels of the stored training crops
    input_size: int = 112  # pixels of the network's input
    gray: bool = True  # the network is trained on gray images
    mean: float | tuple[float, float, float] = 127.5  # of the pixel values, 0 to 255; one, or one per channel
    std: float | tuple[float, float, float] = 128.0
    interpolation: str = "cubic"  # from crop_size to input_size

    def __post_init__(self) -> None:
        for name in ("crop_size", "input_size"):
            value = getattr(self, name)
            if type(value) is not int or not 16 <= value <= MAX_SIZE:
                raise ValueError(f"{name} must be a whole number of 16 to {MAX_SIZE}, not {value!r}")
        if type(self.gray) is not bool:
            raise ValueError(f"gray must be true or false, not {self.gray!r}")
        if not isinstance(self.interpolation, str) or self.interpolation not in _INTERPOLATIONS:
            raise ValueError(f"interpolation must be one of {list(_INTERPOLATIONS)}, not {self.interpolation!r}")
        for name, least, most in (("mean", 0, 255), ("std", 0.001, 1e6)):
            value = getattr(self, name)
            each = list(value) if isinstance(value, (list, tuple)) and len(value) == 3 else [value]
            if not all(type(v) in (int, float) and least <= v <= most for v in each):  # also false for NaN
                raise ValueError(f"{name} must be a number of {least} to {most:g}, or three, not {value!r}")
            if len(each) == 3:  # JSON gives lists
                object.__setattr__(self, name, tuple(map(float, each)))

    def convert_colors(self, image: np.ndarray) -> np.ndarray:
        """Convert an image, uint8 RGB [H,W,3] or gray [H,W], to the kind that the network takes."""
        if self.gray and image.ndim == 3:
            return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if not self.gray and image.ndim == 2:
            return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
        return image

    def to_crop_size(self, crop: np.ndarray) -> np.ndarray:
        """Reduce or enlarge a crop, uint8 [H,W,3] or [H,W], to a square of `crop_size`."""
        crop, size = self.reduce(crop), self.crop_size
        return crop if crop.shape[0] >= size else cv2.resize(crop, (size, size), interpolation=cv2.INTER_CUBIC)

    def reduce(self, crop: np.ndarray) -> np.ndarray:
        """The first half of `prepare`: the colours, the square, and at most `crop_size` -> uint8 [S,S] or [S,S,3]."""
        crop = self.convert_colors(crop)
        h, w = crop.shape[:2]
        if h != w:
            top, left = max(0, w - h) // 2, max(0, h - w) // 2
            bottom, right = max(0, w - h) - top, max(0, h - w) - left
            crop = cv2.copyMakeBorder(crop, top, bottom, left, right, cv2.BORDER_REPLICATE)
        if max(h, w) > self.crop_size:
            crop = cv2.resize(crop, (self.crop_size, self.crop_size), interpolation=cv2.INTER_AREA)
        return crop

    def prepare(self, crop: np.ndarray) -> np.ndarray:
        """Prepare a crop, uint8 [H,W,3] or gray [H,W] -> uint8 [input_size,input_size,1 or 3]."""
        crop = self.reduce(crop)
        size = (self.input_size, self.input_size)
        crop = cv2.resize(crop, size, interpolation=_INTERPOLATIONS[self.interpolation])
        return crop[..., None] if crop.ndim == 2 else crop  # [S,S,1 or 3]
