"""One sample type for every dataset."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..images import ImageSource, read_image


class SplitNotFound(ValueError):
    """No known layout of the dataset holds the split."""


@dataclass(frozen=True)
class Samples:
    """The images of one split and their targets.

    `targets` [N,C] are probability vectors over `classes`: one-hot for a label, a distribution for votes.
    """

    images: list[ImageSource]
    targets: np.ndarray
    names: list[str]
    classes: tuple[str, ...]
    layout: str  # which layout of the dataset was found
    rule: str  # which images were kept, and what their targets mean

    def __post_init__(self) -> None:
        n, c = len(self.images), len(self.classes)
        if self.targets.shape != (n, c) or len(self.names) != n:
            shape = list(self.targets.shape)
            raise ValueError(
                f"{n} images and {c} classes need targets [{n},{c}] and {n} names; got {shape}, {len(self.names)}"
            )

    def __len__(self) -> int:
        return len(self.images)

    def read(self, i: int) -> np.ndarray:
        """Image i, RGB uint8 [H,W,3]. Raises ValueError where it cannot be read."""
        return read_image(self.images[i])

    @cached_property
    def fingerprints(self) -> np.ndarray:
        """The fingerprint of each image [N]; reads them all, once."""
        return np.array([fingerprint(self.read(i)) for i in range(len(self))], dtype="U32")

    def subset(self, indices: np.ndarray) -> Samples:
        """The samples at `indices` (or where a boolean mask is true)."""
        positions = np.arange(len(self))[indices]
        return replace(
            self,
            images=[self.images[i] for i in positions],
            targets=self.targets[positions],
            names=[self.names[i] for i in positions],
        )

    def counts(self) -> dict[str, int]:
        """Images per class by the largest target."""
        numbers = np.bincount(self.targets.argmax(1), minlength=len(self.classes))
        return dict(zip(self.classes, (int(n) for n in numbers)))


def fingerprint(image: np.ndarray) -> str:
    """Equal for images with equal pixels, whatever their file format."""
    return hashlib.blake2b(str(image.shape).encode() + image.tobytes(), digest_size=16).hexdigest()


def duplicates_of(samples: Samples, other: Samples) -> np.ndarray:
    """Which of `samples` [N] have exactly the pixels of an image in `other`."""
    return np.isin(samples.fingerprints, other.fingerprints)


def redundant_copies(samples: Samples) -> np.ndarray:
    """Which of `samples` [N] repeat the pixels of an earlier one."""
    _, first = np.unique(samples.fingerprints, return_index=True)
    return ~np.isin(np.arange(len(samples)), first)
