"""A DAN run by PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..preprocessing import Preprocessing

if TYPE_CHECKING:
    from ..models.dan import DAN
    from .types import NetworkOutput


class TorchNetwork:
    """A DAN that PyTorch computes.

    Args:
        model: it is set to eval mode. `DAN.fold` makes it faster.
        device: auto, cpu, cuda, cuda:N or mps.
        precision: float32, or bfloat16, which is used unless the device only emulates it.

    Raises:
        ValueError: the device is not available.
    """

    name, batched = "torch", True

    def __init__(self, model: DAN, preprocessing: Preprocessing, device: str = "auto", precision: str = "float32"):
        import torch

        from ..device import choose_device, has_bfloat16

        self.device, self.preprocessing = choose_device(device), preprocessing
        self.precision = precision if has_bfloat16(self.device) else "float32"
        self.model = model.eval().to(self.device).to(memory_format=torch.channels_last)

    def __call__(self, crops: np.ndarray) -> NetworkOutput:
        import torch

        from ..device import autocast
        from ..models.inputs import normalize
        from .types import NetworkOutput

        with torch.inference_mode(), autocast(self.device, self.precision == "bfloat16"):
            output = self.model(normalize(torch.from_numpy(crops).to(self.device), self.preprocessing))
            parts = (output.logits, output.attention, output.embedding)
            logits, attention, embedding = (part.float().cpu().numpy() for part in parts)
            va = None if output.va is None else output.va.float().cpu().numpy()
            return NetworkOutput(logits, attention, embedding, va)

    def for_threads(self, threads: int) -> TorchNetwork:
        return self
