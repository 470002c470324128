"""What to evaluate, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class EvaluationRequest:
    """The network to evaluate, the images, and the options.

    Args:
        weights: the name of shipped weights, a checkpoint, or an ONNX file of `fer export`.
        dataset, data, split, rule: the images, see `load_samples`.
        duplicates_of: folder of the dataset that has the train split; None: `data`. Images that also occur in training,
            and test images that occur in validation, are left out of `accuracy_without_duplicates`. Training and
            validation images are selected by the rules of the checkpoint's training.
        flip: average the logits with those of the mirrored image.
        detector: "none" takes the images of the dataset as they are. "yunet" (with `detector_weights`) detects the
            largest face in each image and crops it, as inference does with photos. Photos whose faces the dataset
            annotates are always cropped by their annotation.
        end_to_end: an image without a detected face counts as wrong; implies yunet. Otherwise it is used whole.
        device, runtime, precision: see `load_network`.
        batch_size: images in one pass of the network.
        prior: mix of the classes to expect, see `parse_prior`.
    """

    weights: str | Path
    dataset: str
    data: str | Path
    split: str = "test"
    rule: str = ""
    duplicates_of: str | Path | None = None
    flip: bool = False
    detector: str = "none"
    detector_weights: str | Path | None = None
    end_to_end: bool = False
    device: str = "auto"
    runtime: str = "auto"
    precision: str = "auto"
    batch_size: int = 16
    prior: str = "trained"
