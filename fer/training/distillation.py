"""Knowledge distillation: the teachers are trained networks whose probabilities the student learns."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..models.checkpoint import load_checkpoint
from ..preprocessing import Preprocessing


class Teachers(nn.Module):
    """One or more teachers; gives the mean of their probabilities.

    Args:
        names: paths of checkpoints, or names of shipped weights.
        classes: classes of the student; those of the teachers must be the same.
        preprocessing: preprocessing of the student; that of the teachers must be the same.
        temperature: the logits are divided by it.

    Raises:
        ValueError: see `load_checkpoint`; or a teacher with other classes or another preprocessing.
    """

    def __init__(self, names: list[str], classes: tuple[str, ...], preprocessing: Preprocessing, temperature: float):
        super().__init__()
        self.temperature = temperature
        self.models = nn.ModuleList()
        for name in names:
            model, description = load_checkpoint(name)
            if (description.classes, description.preprocessing) != (classes, preprocessing):
                raise ValueError(
                    f"--teachers {name}: it has the classes {description.classes} and {description.preprocessing}; "
                    f"the student has {classes} and {preprocessing}; they must be the same"
                )
            self.models.append(model.fold())

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Normalised images [N,3,H,W] -> mean probabilities [N,C], float32."""
        logits = torch.stack([model(x).logits.float() for model in self.models])  # [T,N,C]
        return (logits / self.temperature).softmax(2).mean(0)
