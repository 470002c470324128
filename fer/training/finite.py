"""A run ends where its numbers are no longer finite."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..errors import FerError

_ADVICE = "lower --lr, raise --warmup-epochs, or try --no-amp"


class NonFiniteLoss(FerError):
    """A term of the loss is NaN or infinite."""


class NonFiniteNetwork(FerError):
    """What was learnt, or what the network says, is NaN or infinite."""


def check_finite(names: list[str], values: Tensor) -> dict[str, float]:
    """Loss terms of some steps [steps, terms] -> those of the last step.

    Raises:
        NonFiniteLoss: naming the term that was NaN or infinite first.
    """
    for row in values.tolist():
        for name, value in zip(names, row):
            if not np.isfinite(value):
                raise NonFiniteLoss(f"the loss term {name} is {value}; {_ADVICE}")
    return dict(zip(names, row))


def check_network(state: dict[str, Tensor], epoch: int) -> None:
    """Raises NonFiniteNetwork naming the first weight or statistic in `state` that is not finite."""
    if not state:
        return
    finite = torch.stack([tensor.isfinite().all() for tensor in state.values()]).tolist()  # waits for the device once
    for name, is_finite in zip(state, finite):
        if not is_finite:
            raise NonFiniteNetwork(f"{name} is not finite after epoch {epoch}; {_ADVICE}")


def check_logits(logits: np.ndarray, epoch: int) -> None:
    """Raises NonFiniteNetwork where validation logits [N,C] are not finite."""
    if wrong := int((~np.isfinite(logits).all(1)).sum()):
        raise NonFiniteNetwork(
            f"the logits of {wrong} of {len(logits)} validation images are not finite after epoch {epoch}; {_ADVICE}"
        )
