"""The sample type that all datasets share."""

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

DECODED_BYTES = 2e9  # total file size up to which `duplicates_of` compares pixels


class SplitNotFound(ValueError):
    """The split was not found in any known layout of the dataset."""


class Images(Protocol):
    """The images of a split by index; a list satisfies this protocol."""

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
    rule: str  # which images are kept, and what their targets mean
    boxes: np.ndarray | None = None  # the face in each photo, xyxy pixels [N,4]; NaN, or None for all: it is a crop
    landmarks: np.ndarray | None = None  # with boxes: [N,5,2] pixels, NaN if unknown
    ignored: tuple[str, ...] = ()  # names of files among the images without an image suffix
    groups: np.ndarray | None = None  # the person, film or photo of each image [N]; None: unknown
    sources: np.ndarray | None = None  # of joined datasets: the name of each image's dataset [N]
    va: np.ndarray | None = None  # valence and arousal, -1 to 1 [N,2], NaN where they are unknown

    def __post_init__(self) -> None:
        n, c = len(self.images), len(self.classes)
        if self.targets.shape != (n, c) or len(self.names) != n:
            shape = list(self.targets.shape)
            raise ValueError(
                f"{n} images and {c} classes need targets [{n},{c}] and {n} names; got {shape}, {len(self.names)}"
            )

        if self.va is not None and self.va.shape != (n, 2):
            raise ValueError(f"{n} images need valence and arousal [{n},2]; got {list(self.va.shape)}")

    def __len__(self) -> int:
        return len(self.images)

    def read(self, i: int) -> np.ndarray:
        """Read image i without changes, RGB uint8 [H,W,3]. Raises ValueError if it cannot be read."""
        return read_image(self.images[i])

    def crop(self, i: int, template: np.ndarray, size: int) -> np.ndarray:
        """The face of image i, RGB uint8 [h,w,3]: cut out of a photo by its annotation, or the stored crop.

        Faces are cut out in the same way as in inference.

        Args:
            template, size: see `fer.faces.crop_face`; without effect on images that are already crops.

        Raises:
            ValueError: the image cannot be read.
        """
        image = self.read(i)
        return image if self._box(i) is None else crop_face(image, self.detection(i, image), template, size)

    def detection(self, i: int, image: np.ndarray) -> Detection:
        """The face of image i in pixels of `image`, which is that image. The box of a stored crop is all of it."""
        box = self._box(i)
        box = np.array([0, 0, *image.shape[1::-1]], float) if box is None else box
        landmarks = None if self.landmarks is None or np.isnan(self.landmarks[i]).any() else self.landmarks[i]
        return Detection(box, landmarks, 1.0)

    def _box(self, i: int) -> np.ndarray | None:
        """The box of the face in photo i; None where the image is a crop."""
        return None if self.boxes is None or np.isnan(self.boxes[i]).any() else self.boxes[i]

    @cached_property
    def are_files(self) -> bool:
        """Whether all images are paths of files."""
        return isinstance(self.images, list) and all(isinstance(image, str | Path) for image in self.images)

    @cached_property
    def fingerprints(self) -> np.ndarray:
        """The fingerprint of each image [N]; the first access reads all images."""
        with ThreadPoolExecutor() as pool:
            return np.array(list(pool.map(self._fingerprint, range(len(self)))), dtype="U32")

    def _fingerprint(self, i: int) -> str:
        try:
            return fingerprint(self.read(i), self._box(i))
        except ValueError:
            return uuid.uuid4().hex  # unique; the error is reported when training reads the image

    def subset(self, indices: np.ndarray) -> Samples:
        """Select the samples at `indices` (integers, or a boolean mask)."""
        positions = np.arange(len(self))[indices]
        take = getattr(self.images, "take", lambda indices: [self.images[i] for i in indices])
        optional = ("boxes", "landmarks", "groups", "sources", "va")
        parts = {name: value[positions] for name in optional if (value := getattr(self, name)) is not None}
        names = [self.names[i] for i in positions]
        return replace(self, images=take(positions), targets=self.targets[positions], names=names, **parts)

    def counts(self) -> dict[str, int]:
        """Count the images per class; the class of an image is its largest target."""
        numbers = np.bincount(self.targets.argmax(1), minlength=len(self.classes))
        return dict(zip(self.classes, (int(n) for n in numbers)))


def fingerprint(image: np.ndarray, box: np.ndarray | None = None) -> str:
    """Hash of the pixels and the box: equal for equal images in any file format."""
    location = b"" if box is None else np.asarray(box, np.float64).tobytes()
    return hashlib.blake2b(str(image.shape).encode() + image.tobytes() + location, digest_size=16).hexdigest()


def duplicates_of(samples: Samples, other: Samples) -> np.ndarray:
    """Which of `samples` [N] have the same pixels (and the same box) as an image in `other`.

    If the files are larger than `DECODED_BYTES` in total, their bytes are compared instead, which is minutes
    faster.
    """
    if samples.are_files and other.are_files:
        paths, others = [Path(str(p)) for p in samples.images], [Path(str(p)) for p in other.images]
        sizes, other_sizes = _file_sizes(paths), _file_sizes(others)
        if sizes.sum() + other_sizes.sum() > DECODED_BYTES:
            same_size, other_same_size = np.isin(sizes, other_sizes), np.isin(other_sizes, sizes)
            hashes = np.full(len(samples), "", dtype="U40")
            hashes[same_size] = _hash_files(paths[i] for i in np.flatnonzero(same_size))
            return same_size & np.isin(hashes, _hash_files(others[i] for i in np.flatnonzero(other_same_size)))
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
    """Which of `samples` [N] repeat the pixels (and the box) of an earlier one."""
    _, first = np.unique(samples.fingerprints, return_index=True)
    return ~np.isin(np.arange(len(samples)), first)
