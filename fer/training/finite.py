"""Checks that stop a run as soon as a loss, a weight or a logit is no longer finite."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..errors import FerError

_ADVICE = "lower --lr, raise --warmup-epochs, or try --no-amp"


class NonFiniteLoss(FerError):
    """A term of the loss is NaN or infinite."""


class NonFiniteNetwork(FerError):
    """A weight, a batch statistic or a logit of the network is NaN or infinite."""


def check_finite(names: list[str], values: Tensor) -> dict[str, float]:
    """Check the loss terms of some steps, [steps, terms]; returns those of the last step, {name: value}.

    Raises:
        NonFiniteLoss: names the first term that is NaN or infinite.
    """
    for row in values.tolist():
        for name, value in zip(names, row):
            if not np.isfinite(value):
                raise NonFiniteLoss(f"the loss term {name} is {value}; {_ADVICE}")
    return dict(zip(names, row))


def check_network(state: dict[str, Tensor], epoch: int) -> None:
    """Raise NonFiniteNetwork, naming the first weight or statistic in `state` that is not finite."""
    if not state:
        return
    finite = torch.stack([tensor.isfinite().all() for tensor in state.values()]).tolist()  # one wait for the device
    for name, is_finite in zip(state, finite):
        if not is_finite:
            raise NonFiniteNetwork(f"{name} is not finite after epoch {epoch}; {_ADVICE}")


def check_logits(logits: np.ndarray, epoch: int) -> None:
    """Raise NonFiniteNetwork if validation logits [N,C] are not finite."""
    if bad := int((~np.isfinite(logits).all(1)).sum()):
        raise NonFiniteNetwork(
            f"the logits of {bad} of {len(logits)} validation images are not finite after epoch {epoch}; {_ADVICE}"
        )
