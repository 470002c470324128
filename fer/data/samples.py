"""One sample type for every dataset."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from ..faces import Detection, crop_face
from ..io.images import ImageSource, read_image

DECODED_BYTES = 2e9


class SplitNotFound(ValueError):
    """No known layout of the dataset holds the split."""


class Images(Protocol):
    """The images of a split by their index; a list is one."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int, /) -> ImageSource: ...

    def __iter__(self) -> Iterator[ImageSource]: ...


@dataclass(frozen=True)
class Samples:
    """The faces of one split and their targets.

    `targets` [N,C] are probability vectors over `classes`: one-hot for a label, a distribution for votes.
    """

    images: Images
    targets: np.ndarray
    names: list[str]
    classes: tuple[str, ...]
    layout: str  # which layout of the dataset was found
    rule: str  # which images were kept, and what their targets mean
    boxes: np.ndarray | None = None  # the face in each photo, xyxy pixels [N,4]; None: the images are crops
    landmarks: np.ndarray | None = None  # with boxes: [N,5,2] pixels, NaN where they are not known
    ignored: tuple[str, ...] = ()  # files that lie among the images and are none

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
        """Image i as it is stored, RGB uint8 [H,W,3]. Raises ValueError where it cannot be read."""
        return read_image(self.images[i])

    def crop(self, i: int, template: np.ndarray, size: int) -> np.ndarray:
        """The face of image i, RGB uint8 [h,w,3]: cut out by its annotation as inference cuts out faces, or as stored.

        Args:
            template, size: see `fer.faces.crop_face`; without effect on images that are crops.

        Raises:
            ValueError: the image cannot be read.
        """
        image = self.read(i)
        if self.boxes is None:
            return image
        landmarks = None if self.landmarks is None or np.isnan(self.landmarks[i]).any() else self.landmarks[i]
        return crop_face(image, Detection(self.boxes[i], landmarks, 1.0), template, size)

    @cached_property
    def are_files(self) -> bool:
        """All images are paths of files."""
        return isinstance(self.images, list) and all(isinstance(image, str | Path) for image in self.images)

    @cached_property
    def fingerprints(self) -> np.ndarray:
        """The fingerprint of each image [N]; reads them all, once."""
        with ThreadPoolExecutor() as pool:
            return np.array(list(pool.map(self._fingerprint, range(len(self)))), dtype="U32")

    def _fingerprint(self, i: int) -> str:
        try:
            return fingerprint(self.read(i), None if self.boxes is None else self.boxes[i])
        except ValueError:
            return uuid.uuid4().hex  # like no other; training on it will say what is wrong

    def subset(self, indices: np.ndarray) -> Samples:
        """The samples at `indices` (or where a boolean mask is true)."""
        positions = np.arange(len(self))[indices]
        take = getattr(self.images, "take", lambda at: [self.images[i] for i in at])
        return replace(
            self,
            images=take(positions),
            targets=self.targets[positions],
            names=[self.names[i] for i in positions],
            boxes=None if self.boxes is None else self.boxes[positions],
            landmarks=None if self.landmarks is None else self.landmarks[positions],
        )

    def counts(self) -> dict[str, int]:
        """Images per class by the largest target."""
        numbers = np.bincount(self.targets.argmax(1), minlength=len(self.classes))
        return dict(zip(self.classes, (int(n) for n in numbers)))


def fingerprint(image: np.ndarray, box: np.ndarray | None = None) -> str:
    """Equal for images with equal pixels (and the same face in them), whatever their file format."""
    place = b"" if box is None else np.asarray(box, np.float64).tobytes()
    return hashlib.blake2b(str(image.shape).encode() + image.tobytes() + place, digest_size=16).hexdigest()


def duplicates_of(samples: Samples, other: Samples) -> np.ndarray:
    """Which of `samples` [N] have exactly the pixels of an image in `other` (and the same face in it).

    Files of more than `DECODED_BYTES` together are compared by their bytes instead, which takes minutes less.
    """
    if samples.are_files and other.are_files:
        paths, others = [Path(str(p)) for p in samples.images], [Path(str(p)) for p in other.images]
        sizes, other_sizes = _file_sizes(paths), _file_sizes(others)
        if sizes.sum() + other_sizes.sum() > DECODED_BYTES:
            near, other_near = np.isin(sizes, other_sizes), np.isin(other_sizes, sizes)  # the others cannot be equal
            hashes = np.full(len(samples), "", dtype="U40")
            hashes[near] = _hash_files(paths[i] for i in np.flatnonzero(near))
            return near & np.isin(hashes, _hash_files(others[i] for i in np.flatnonzero(other_near)))
    return np.isin(samples.fingerprints, other.fingerprints)


def _file_sizes(paths: Sequence[Path]) -> np.ndarray:
    with ThreadPoolExecutor() as pool:
        return np.array(list(pool.map(_file_size, paths)), dtype=np.int64)


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _hash_files(paths: Iterable[Path]) -> list[str]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(_hash_file, paths))


def _hash_file(path: Path) -> str:
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    except OSError:
        return uuid.uuid4().hex


def redundant_copies(samples: Samples) -> np.ndarray:
    """Which of `samples` [N] repeat the pixels (and the face in them) of an earlier one."""
    _, first = np.unique(samples.fingerprints, return_index=True)
    return ~np.isin(np.arange(len(samples)), first)
