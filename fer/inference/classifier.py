"""From the crops of a face to its emotions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..description import Description
from ..faces import Detection, crop_face, is_upright
from ..faces.quality import Quality, measure_quality
from ..prior import parse_prior
from ..results.types import Face
from ..runtimes.types import Network
from .trust import why_unsure


class CropOutputs(NamedTuple):
    """What the network says about N crops."""

    logits: np.ndarray  # float32 [N,C]
    attention: list[np.ndarray]  # of each crop [K,h,w]
    embedding: np.ndarray  # float32 [N,D]; see `NetworkOutput`
    va: np.ndarray  # valence and arousal, float32 [N,2]; NaN where the network does not give them


class FaceClassifier:
    """Cuts out faces, runs the network on their crops, and turns its outputs into faces with emotions.

    Args:
        network: see `load_network`.
        description: of the network's checkpoint.
        batch_size: crops in one pass of the network.
        prior: mix of the classes to expect, see `parse_prior`.
    """

    def __init__(self, network: Network, description: Description, batch_size: int = 16, prior: str = "auto"):
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        self.network, self.description, self.batch_size = network, description, batch_size
        self.preprocessing = description.preprocessing
        self.adjustment = parse_prior(prior, description)  # [C]
        self.template = np.asarray(description.template, float).reshape(-1, 2)  # [5,2], or [0,2]: without alignment

    @property
    def classes(self) -> tuple[str, ...]:
        return self.description.classes

    @cached_property
    def embedding_size(self) -> int:
        """The number of values of an embedding."""
        side = self.preprocessing.input_size
        blank = np.zeros((side, side, 1 if self.preprocessing.gray else 3), np.uint8)
        return self.run([blank]).embedding.shape[1]

    def framings(self, face: Detection) -> tuple[Detection, ...]:
        """What `crop_face` takes for each crop of a face.

        One framing, or two where the checkpoint asks for a second crop and the landmarks show an upright face: the face
        itself, which is aligned, and the face without its landmarks, whose crop is the square around the box.
        """
        both = self.description.second_crop and face.landmarks is not None and is_upright(face.landmarks)
        return (face, replace(face, landmarks=None)) if both else (face,)

    def cut(self, image: np.ndarray, face: Detection) -> list[np.ndarray]:
        """The crops of a face, from uint8 [H,W,3] (RGB) or [H,W]; each [crop_size,crop_size,...].

        The outputs of a face are the means over its crops; its attention is that of the first crop.
        """
        size = self.preprocessing.crop_size
        return [crop_face(image, framing, self.template, size) for framing in self.framings(face)]

    def classify(self, crops: Sequence[np.ndarray]) -> CropOutputs:
        """Run the network on crops of any size, uint8 [H,W,3] (RGB) or [H,W] (gray).

        Raises:
            ValueError: one array instead of a list, or a crop of another shape or type.
        """
        _check_crops(crops)
        return self.run([self.preprocessing.prepare(crop) for crop in crops])

    def run(self, inputs: Sequence[np.ndarray]) -> CropOutputs:
        """Run the network on prepared crops, uint8 [S,S,1 or 3] each, in batches."""
        if not inputs:
            logits, embedding, va = (np.empty((0, n), np.float32) for n in (len(self.classes), 0, 2))
            return CropOutputs(logits, [], embedding, va)
        starts = range(0, len(inputs), self.batch_size)
        outputs = [self.network(np.stack(inputs[start : start + self.batch_size])) for start in starts]
        unknown = np.full((self.batch_size, 2), np.nan, np.float32)
        return CropOutputs(
            np.concatenate([o.logits for o in outputs]),
            [maps for o in outputs for maps in o.attention],
            np.concatenate([o.embedding for o in outputs]),
            np.concatenate([unknown[: len(o.logits)] if o.va is None else o.va for o in outputs]),
        )

    def run_faces(self, faces: Sequence[Sequence[np.ndarray]]) -> CropOutputs:
        """As `run`, for the prepared crops of each face: the means over its crops, and the attention of its first."""
        logits, attention, embedding, va = self.run([crop for crops in faces for crop in crops])
        counts = np.array([len(crops) for crops in faces], int)
        first = np.cumsum(counts) - counts
        mean_logits, mean_embedding, mean_va = (
            np.add.reduceat(values, first) / counts[:, None].astype(np.float32) for values in (logits, embedding, va)
        )
        return CropOutputs(mean_logits, [attention[i] for i in first], mean_embedding, mean_va)

    def to_probs(self, logits: np.ndarray) -> np.ndarray:
        """Logits [N,C] -> calibrated probabilities [N,C]: the softmax of the logits divided by the temperature.

        Another prior than that of the training is added before the softmax.
        """
        scaled = logits / self.description.temperature + self.adjustment
        powers = np.exp(scaled - scaled.max(1, keepdims=True, initial=-np.inf))
        return powers / powers.sum(1, keepdims=True)

    def measure(self, crop: np.ndarray, face: Detection, factor: float = 1.0) -> Quality:
        """The quality of a face, see `measure_quality`. The crop is the first of `cut`, or an image that is one."""
        return measure_quality(self.preprocessing.to_crop_size(crop), face, factor)

    def to_face(
        self,
        detection: Detection,
        logits: np.ndarray,
        attention: np.ndarray | None = None,
        embedding: np.ndarray | None = None,
        va: np.ndarray | None = None,
        quality: Quality | None = None,
    ) -> Face:
        """The face of a detection whose crops have the mean logits [C], embedding [D], and valence and arousal [2]."""
        valence, arousal = (None, None) if va is None or np.isnan(va).any() else map(float, va)
        probs = self.to_probs(logits[None])[0]
        return Face(
            detection.box,
            detection.landmarks,
            detection.detection_score,
            probs={name: float(p) for name, p in zip(self.classes, probs)},
            unsure=why_unsure(float(probs.max()), quality, self.description),
            aligned=detection.landmarks is not None and len(self.template) > 0,
            attention=attention,
            quality=quality,
            embedding=embedding,
            valence=valence,
            arousal=arousal,
        )


def _check_crops(crops: Sequence[np.ndarray]) -> None:
    if isinstance(crops, np.ndarray) and (crops.ndim < 3 or (crops.ndim == 3 and crops.shape[2] == 3)):
        raise ValueError(f"expected a list of crops; got one array {list(crops.shape)}: put it into a list, [crop]")
    for crop in crops:
        is_array = isinstance(crop, np.ndarray)
        if not is_array or crop.dtype != np.uint8 or crop.shape[2:] not in ((), (3,)) or 0 in crop.shape:
            came = f"{crop.dtype} {list(crop.shape)}" if is_array else type(crop).__name__
            raise ValueError(f"a crop is uint8 [H,W,3] (RGB) or [H,W] (gray); got {came}")
