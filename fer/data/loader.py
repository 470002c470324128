"""Load `Samples` in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ..distributed import rank, world_size
from ..errors import FerError
from ..preprocessing import Preprocessing
from .cache import CropCache
from .samples import Samples


class CropDataset(Dataset):
    """A dataset whose item (epoch, i) is a prepared crop uint8 [S,S,1 or 3] and its target float32 [C].

    With `va`, valence and arousal follow in the target: [C+2], NaN where they are unknown.

    Args:
        template: landmarks [5,2] by which faces are cut out of photos; without effect on images that are crops.
        augment: called with the prepared crop and a seed derived from (seed, epoch, i), so that an epoch does
            not depend on the number of workers or on resuming.
        cache: keep prepared crops, so that each image is decoded only once (see `CropCache`).
        va: the samples must have valence and arousal.
    """

    def __init__(
        self,
        samples: Samples,
        preprocessing: Preprocessing,
        template: np.ndarray | None = None,
        augment: Callable[[np.ndarray, int], np.ndarray] | None = None,
        seed: int = 0,
        cache: bool = False,
        va: bool = False,
    ):
        self.samples, self.preprocessing, self.augment, self.seed = samples, preprocessing, augment, seed
        self.template = np.empty((0, 2)) if template is None else np.asarray(template)
        targets = samples.targets
        if va:
            assert samples.va is not None
            targets = np.hstack([targets, samples.va])
        self.targets = torch.from_numpy(targets.astype(np.float32))
        side = preprocessing.input_size
        self.cache = CropCache((len(samples), side, side, 1 if preprocessing.gray else 3)) if cache else None

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, item: tuple[int, int]) -> tuple[Tensor, Tensor]:
        epoch, i = item
        image = self.cache.get(i, self._prepare) if self.cache else self._prepare(i)
        if self.augment is not None:
            image = self.augment(image, int(np.random.SeedSequence((self.seed, epoch, i)).generate_state(1)[0]))
        return torch.from_numpy(image), self.targets[i]

    def _prepare(self, i: int) -> np.ndarray:
        try:
            crop = self.samples.crop(i, self.template, self.preprocessing.crop_size)
        except ValueError as error:
            raise UnreadableImage(f"{error}; fer check-data finds all such files, fer pack leaves them out") from None
        return self.preprocessing.prepare(crop)


class UnreadableImage(FerError):
    """An image of a dataset is missing or damaged."""

    def __init__(self, message: str):  # a worker process prefixes its traceback
        super().__init__(message.strip().rpartition("UnreadableImage: ")[2])


class EpochSampler(Sampler):
    """Sample indices (epoch, i), shuffled by (seed, epoch) or in order; each process takes every `world_size`-th index.

    With `shuffle`, all processes get the same number of indices, and together see what a single process would
    see. In order, they divide all indices without repetition.

    Args:
        shuffle: random order, each index once; False: in order.
        weights: instead draw N indices with replacement, with these weights [N].
    """

    def __init__(self, n: int, shuffle: bool, seed: int = 0, weights: np.ndarray | None = None):
        self.n, self.shuffle, self.seed, self.epoch, self.weights = n, shuffle, seed, 0, weights

    def __len__(self) -> int:
        return len(self._own_share(range(self.n)))

    def __iter__(self) -> Iterator[tuple[int, int]]:
        rng = np.random.default_rng((self.seed, self.epoch))
        order: Any = range(self.n)
        if self.weights is not None:
            order = rng.choice(self.n, self.n, p=self.weights / self.weights.sum())
        elif self.shuffle:
            order = rng.permutation(self.n)
        return ((self.epoch, int(i)) for i in self._own_share(order))

    def _own_share(self, order):
        size = world_size()
        if self.shuffle:
            order = order[: self.n // size * size]
        return order[rank() :: size]


def inverse_frequency(targets: np.ndarray) -> np.ndarray:
    """Weight of each class [C]: 1 / (its share of the targets [N,C] * number of classes that occur); 0 if absent.

    The mean weight over all targets is 1.
    """
    share = targets.mean(0)
    return np.divide(1 / np.count_nonzero(share), share, out=np.zeros_like(share), where=share > 0)


def draw_weights(samples: Samples, balanced: bool, shares: dict[str, float]) -> np.ndarray | None:
    """Weight of each sample [N] in the draw of an epoch; None takes each once.

    Args:
        balanced: draw by the inverse frequency of the classes.
        shares: of each dataset of joined samples in an epoch, {name in `samples.sources`: share}; empty: as they are.
    """
    if not balanced and not shares:
        return None
    targets = samples.targets
    weights = targets @ inverse_frequency(targets) if balanced else np.ones(len(samples))
    for name, share in shares.items():
        rows = samples.sources == name
        weights[rows] *= share / max(weights[rows].sum(), 1e-12)
    return weights


def make_loader(
    dataset: CropDataset,
    batch_size: int,
    *,
    shuffle: bool = False,
    weights: np.ndarray | None = None,
    workers: int = 0,
    device: str = "cpu",
) -> DataLoader:
    """Load batches (uint8 [N,S,S,1 or 3], float32 [N,C]). Set `loader.sampler.epoch` before each epoch.

    Args:
        shuffle: for training: random order; drop the last, smaller batch.
        weights: draw images with these weights [N], with replacement; see `draw_weights`.
    """
    return DataLoader(
        dataset,
        batch_size,
        sampler=EpochSampler(len(dataset), shuffle, dataset.seed, weights),
        num_workers=workers,
        persistent_workers=workers > 0,
        drop_last=shuffle,  # batch normalisation needs full batches
        pin_memory=device.startswith("cuda"),
        generator=torch.Generator(),  # separate, since the number of its draws depends on the number of workers
    )
