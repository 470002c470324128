"""Results for the library supervision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .types import Face

if TYPE_CHECKING:
    import supervision


def to_detections(faces: Sequence[Face]) -> supervision.Detections:
    """Faces as `supervision.Detections`, in the same order, for its annotators, zones, metrics and writers.

    `confidence` is the probability of the label, and `class_id` its place among the checkpoint's classes. `tracker_id`
    is the track (-1: none yet), or None if no face has one. `data` holds `class_name`, `probs` [N,C], `unsure` (the
    reason, or "") and `detection_score`; without faces it is empty.

    Args:
        faces: of a recogniser, or of one of its results.

    Raises:
        ModuleNotFoundError: supervision is not installed (extra `video`).

    Examples:
        >>> from fer import EmotionRecognizer, to_detections
        >>> detections = to_detections(EmotionRecognizer.from_pretrained()("samples/astronaut.jpg"))
        >>> detections.class_id, detections.data["class_name"]
        (array([1]), array(['happiness'], dtype='<U9'))
    """
    try:
        import supervision
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "to_detections needs supervision: pip install 'dan-fer[video]'", name="supervision"
        ) from None

    if not faces:
        return supervision.Detections.empty()
    tracks = [face.track for face in faces]
    return supervision.Detections(
        xyxy=np.array([face.box for face in faces], np.float32),
        confidence=np.array([face.confidence for face in faces], np.float32),
        class_id=np.array([list(face.probs).index(face.label) for face in faces]),
        tracker_id=None if set(tracks) == {None} else np.array([-1 if track is None else track for track in tracks]),
        data={
            "class_name": np.array([face.label for face in faces]),
            "probs": np.array([list(face.probs.values()) for face in faces], np.float32),
            "unsure": np.array([face.unsure for face in faces]),
            "detection_score": np.array([face.detection_score for face in faces], np.float32),
        },
    )
