"""Several datasets as one: their classes are joined by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from ..io.images import ImageSource
from ..labels import order_classes
from .samples import Images, Samples


class JoinedImages:
    """The images of several datasets, one after another, each read from where it is.

    Args:
        places: for each image its part and its position in it [N,2].
    """

    def __init__(self, parts: Sequence[Images], places: np.ndarray):
        self.parts, self.places = parts, places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, i: int, /) -> ImageSource:
        part, position = self.places[i]
        return self.parts[part][int(position)]

    def __iter__(self) -> Iterator[ImageSource]:
        return (self[i] for i in range(len(self)))

    def take(self, positions: np.ndarray) -> JoinedImages:
        return JoinedImages(self.parts, self.places[positions])


def join_samples(parts: Sequence[Samples], names: Sequence[str] = ()) -> Samples:
    """Join samples: the classes are those of all parts, in the usual order.

    Crops and photos may be mixed. An image whose part lacks a class has the target 0 for it.

    Args:
        names: of the parts, each once, for `sources`; empty: there are no sources.
    """
    if len(parts) == 1 and not names:
        return parts[0]
    classes = order_classes({name for part in parts for name in part.classes})
    return Samples(
        _join_images([part.images for part in parts]),
        np.concatenate([_widen(part, classes) for part in parts]),
        list(chain.from_iterable(part.names for part in parts)),
        classes,
        "; ".join(dict.fromkeys(part.layout for part in parts)),
        "; ".join(dict.fromkeys(part.rule for part in parts)),
        _join([part.boxes for part in parts], parts, (4,)),
        _join([part.landmarks for part in parts], parts, (5, 2)),
        tuple(chain.from_iterable(part.ignored for part in parts)),
        _join_groups(parts),
        np.repeat(np.array(names), [len(part) for part in parts]) if names else None,
        _join([part.va for part in parts], parts, (2,)),
    )


def _join_images(parts: Sequence[Images]) -> Images:
    if all(isinstance(images, list) for images in parts):
        return list(chain.from_iterable(parts))
    return JoinedImages(parts, np.array([(p, i) for p, images in enumerate(parts) for i in range(len(images))]))


def _widen(part: Samples, classes: tuple[str, ...]) -> np.ndarray:
    """The targets over all classes [N,C]."""
    targets = np.zeros((len(part), len(classes)), np.float32)
    targets[:, [classes.index(name) for name in part.classes]] = part.targets
    return targets


def _join(arrays: Sequence[np.ndarray | None], parts: Sequence[Samples], shape: tuple[int, ...]) -> np.ndarray | None:
    """The arrays one after another, with NaN where a part has none; None if no part has one."""
    if all(array is None for array in arrays):
        return None
    filled = [np.full((len(part), *shape), np.nan) if a is None else a for a, part in zip(arrays, parts)]
    return np.concatenate(filled)


def _join_groups(parts: Sequence[Samples]) -> np.ndarray | None:
    """The groups one after another; an image without one is a group of its own."""
    if all(part.groups is None for part in parts):
        return None
    groups = [part.names if part.groups is None else part.groups for part in parts]
    return np.concatenate([np.asarray(group) for group in groups])
