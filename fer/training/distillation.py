"""Teachers: trained networks whose opinion a student learns."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..models.checkpoint import load_checkpoint
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
            model, description = load_checkpoint(name)
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
