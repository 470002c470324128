"""Teachers: trained networks whose opinion a student learns, as it trains or beforehand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import ConcatDataset
from tqdm import tqdm

from ..data import Samples, load_samples
from ..data.loader import CropDataset, make_loader
from ..data.pack import Packed, PackOptions, pack_split
from ..device import choose_device
from ..evaluation.evaluate import load_aligned
from ..models.checkpoint import find_checkpoint, load_checkpoint
from ..preprocessing import Preprocessing


class Teachers(nn.Module):
    """The mean probabilities of one or several checkpoints.

    Args:
        names: shipped weights or files.
        classes: the student's classes.
        preprocessing: the student's; teachers see the same input.
        temperature: the logits are divided by it.

    Raises:
        ValueError: a teacher with other classes or another input.
    """

    def __init__(self, names: list[str], classes: tuple[str, ...], preprocessing: Preprocessing, temperature: float):
        super().__init__()
        self.temperature = temperature
        self.models = nn.ModuleList()
        for name in names:
            model, description = load_checkpoint(find_checkpoint(name))
            if (description.classes, description.preprocessing) != (classes, preprocessing):
                raise ValueError(
                    f"--teachers {name}: it knows {description.classes} from {description.preprocessing}; the student "
                    f"learns {classes} from {preprocessing}; they must be the same"
                )
            self.models.append(model.fold())

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """x [N,3,H,W], normalised -> probabilities [N,C], float32."""
        logits = torch.stack([model(x).logits.float() for model in self.models])  # [T,N,C]
        return (logits / self.temperature).softmax(2).mean(0)


def distill_dataset(
    dataset: str,
    data: str | Path,
    aligned: str | Path,
    out: str | Path,
    teachers: list[str],
    share: float = 0.7,
    device: str = "auto",
    batch_size: int = 64,
) -> dict[str, Packed]:
    """Write a copy of a dataset whose training targets hold what teachers see in both crops of a face, loose and aligned.

    Every training face is there twice, by its crop as it is and by the aligned one, with the same target: its own, mixed with
    the mean probabilities of all teachers on both crops. Validation is as it was. A network that learns from it sees one crop
    at inference, and aims at what two would have given.

    Args:
        dataset, data: of crops.
        aligned: the folder of the same dataset that `fer pack --align` wrote.
        out: the folder for the Parquet shards `train` and `val`.
        teachers: shipped weights or files; see `Teachers`.
        share: of the teachers in the targets, 0 to 1.

    Raises:
        ValueError: see `load_samples`, `load_aligned`, `load_checkpoint`, `Teachers` and `pack_split`; photos instead of
            crops; teachers with other classes than the dataset.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"--distill {share}: expected 0 to 1")
    if found := sorted(Path(out).glob("*.parquet")):
        raise ValueError(f"{found[0]} is there already; remove it, or choose another folder")
    device, (_, description) = choose_device(device), load_checkpoint(find_checkpoint(teachers[0]))
    loose = load_samples(dataset, data, "train")
    if loose.boxes is not None:
        raise ValueError(f"{data} holds photos; cut them to crops first by fer pack, and take --dataset parquet")
    both = [loose, load_aligned(aligned, "train", loose)]
    panel = Teachers(teachers, loose.classes, description.preprocessing, 1.0).to(
        device, memory_format=torch.channels_last
    )
    template = np.reshape(description.template, (-1, 2))
    crops = (CropDataset(samples, description.preprocessing, template) for samples in both)
    loaders = [make_loader(crop, batch_size, device=device) for crop in crops]
    with tqdm(total=2 * len(loose), desc="teachers", unit="crop", dynamic_ncols=True) as bar:
        seen = np.mean([_ask(panel, loader, device, bar) for loader in loaders], 0)
    train = _both(*both, (1 - share) * loose.targets + share * seen)
    val = load_samples(dataset, data, "val")
    return {split: pack_split(s, out, dataset, split, PackOptions()) for split, s in (("train", train), ("val", val))}


def _ask(teachers: Teachers, loader: torch.utils.data.DataLoader, device: str, bar: tqdm) -> np.ndarray:
    """What the teachers say of the crops of a loader -> [N,C]."""
    seen = []
    for images, _ in loader:
        with torch.autocast(device, torch.bfloat16):
            seen.append(teachers(loader.dataset.preprocessing.normalize(images.to(device))).cpu())
        bar.update(len(images))
    return torch.cat(seen).numpy()


def _both(loose: Samples, aligned: Samples, targets: np.ndarray) -> Samples:
    """Two crops of the same faces as samples of one split."""
    return replace(
        loose,
        images=ConcatDataset([loose.images, aligned.images]),
        targets=np.concatenate([targets, targets]).astype(np.float32),
        names=[*loose.names, *(f"{name} (aligned)" for name in aligned.names)],
    )
