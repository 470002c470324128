"""What every runtime offers: a network, and what it computes."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np


class NetworkOutput(NamedTuple):
    """What a network computes from N crops; all float32."""

    logits: np.ndarray  # [N,C]
    attention: np.ndarray  # each head's map [N,K,h,w]
    embedding: np.ndarray  # the input of the classifier: the fused heads [N,D]
    va: np.ndarray | None = None  # valence and arousal, -1 to 1 [N,2]; None where the network has no head for them


class Network(Protocol):
    """A network that is ready for inference. Any number of threads may call it at the same time."""

    name: str  # of the runtime
    device: str
    precision: str
    batched: bool  # whether batches of many images are faster than single images in several threads

    def __call__(self, crops: np.ndarray) -> NetworkOutput:
        """The outputs for prepared crops, uint8 [N,S,S,1 or 3]."""

    def for_threads(self, threads: int) -> Network:
        """The same network, tuned for this many calls at the same time, each on one core."""
