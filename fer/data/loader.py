"""From `Samples` to batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ..distributed import rank, world_size
from ..preprocessing import Preprocessing
from .samples import Samples


class CropDataset(Dataset):
    """Item (epoch, i) -> (uint8 [S,S,1 or 3], target float32 [C]).

    Args:
        augment: called with the prepared crop and a seed drawn from (seed, epoch, i), so that an epoch is the same
            whatever the number of workers, and after a resume.
    """

    def __init__(
        self,
        samples: Samples,
        preprocessing: Preprocessing,
        augment: Callable[[np.ndarray, int], np.ndarray] | None = None,
        seed: int = 0,
    ):
        self.samples, self.preprocessing, self.augment, self.seed = samples, preprocessing, augment, seed
        self.targets = torch.from_numpy(samples.targets.astype(np.float32))

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, item: tuple[int, int]) -> tuple[Tensor, Tensor]:
        epoch, i = item
        image = self.preprocessing.prepare(self.samples.read(i))
        if self.augment is not None:
            image = self.augment(image, int(np.random.SeedSequence((self.seed, epoch, i)).generate_state(1)[0]))
        return torch.from_numpy(image), self.targets[i]


class EpochSampler(Sampler):
    """Indices (epoch, i): shuffled by (seed, epoch), or in order; of several processes each takes every size-th.

    Shuffled, all processes get equally many, so that together they see what one would in the same steps; in order, they
    share what there is, and nothing twice.
    """

    def __init__(self, n: int, shuffle: bool, seed: int = 0):
        self.n, self.shuffle, self.seed, self.epoch = n, shuffle, seed, 0

    def __len__(self) -> int:
        return len(self._mine(range(self.n)))

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.n) if self.shuffle else range(self.n)
        return ((self.epoch, int(i)) for i in self._mine(order))

    def _mine(self, order):
        size = world_size()
        if self.shuffle:
            order = order[: self.n // size * size]
        return order[rank() :: size]


def make_loader(
    dataset: CropDataset, batch_size: int, *, shuffle: bool = False, workers: int = 0, device: str = "cpu"
) -> DataLoader:
    """Batches (uint8 [N,S,S,1 or 3], float32 [N,C]). Training (`shuffle`) drops the last, smaller batch.

    Set `loader.sampler.epoch` before each epoch.
    """
    return DataLoader(
        dataset,
        batch_size,
        sampler=EpochSampler(len(dataset), shuffle, dataset.seed),
        num_workers=workers,
        persistent_workers=workers > 0,
        drop_last=shuffle,  # batch normalisation wants full batches
        pin_memory=device.startswith("cuda"),
    )
