"""Building blocks of fake dataset folders, and what a test asks of loaded samples."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer.data import Samples
from fer.io.images import ImageSource, write_image


def make_image(path: Path | str, size: tuple[int, int] = (48, 48)) -> np.ndarray:
    """Write an image [*size,3] like no other at `path`; its pixels."""
    image = np.random.default_rng(zlib.crc32(str(path).encode())).integers(0, 256, (*size, 3), np.uint8)
    write_image(path, image)
    return image


def make_files(root: Path, *names: str) -> Path:
    """Empty files; folders where the name ends in a slash."""
    root.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = root / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.touch()
    return root


def write_text(path: Path, *lines: str) -> Path:
    """A text file of these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


class CountedImages(Sequence):
    """Images of which each read adds its number, a line, to the file `log`, whatever the process."""

    def __init__(self, images: Sequence[ImageSource], log: Path):
        self.images, self.log = images, log

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> ImageSource:
        with open(self.log, "a") as file:
            file.write(f"{i}\n")
        return self.images[i]

    def reads(self) -> list[int]:
        return [int(line) for line in self.log.read_text().split()] if self.log.exists() else []


def labels_of(samples: Samples) -> list[str]:
    """The class of each image by its name."""
    return [samples.classes[i] for i in samples.targets.argmax(1)]


def by_name(samples: Samples) -> dict[str, str]:
    """The names of the images -> their classes; no name may occur twice."""
    assert len(set(samples.names)) == len(samples)
    return dict(zip(samples.names, labels_of(samples)))


def drawn(load, root: Path, *splits: str) -> list[Samples]:
    """These splits, after a look that none shares a name with another."""
    loaded = [load(root, split) for split in splits]
    names = [name for samples in loaded for name in samples.names]
    assert len(set(names)) == len(names)
    return loaded


def assert_same(packed: Samples, samples: Samples) -> None:
    """The same classes, names, rule, targets and pixels."""
    assert packed.classes == samples.classes
    assert packed.names == samples.names
    assert packed.rule == samples.rule
    np.testing.assert_allclose(packed.targets, samples.targets, atol=1e-6)
    for i in range(len(samples)):
        np.testing.assert_array_equal(packed.read(i), samples.read(i))
