"""The faces of a labelled folder of photos, with their embeddings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..data import Samples, load_samples
from ..data.persons import find_persons
from ..inference.recognizer import EmotionRecognizer
from ..terminal import progress


@dataclass(frozen=True, eq=False)
class LabelledFaces:
    """The largest face of each photo in a folder."""

    samples: Samples  # the N photos with a face, and where it is; names are relative to the folder
    embeddings: np.ndarray  # float32 [N,D]
    probs: np.ndarray  # of the network as it is [N, its classes]
    groups: np.ndarray  # the person in each photo [N], or its number where persons are unknown
    without_face: list[str]
    unreadable: dict[str, str]  # name of the photo: reason

    @property
    def names(self) -> list[str]:
        """The names of the photos."""
        return self.samples.names

    @property
    def classes(self) -> tuple[str, ...]:
        return self.samples.classes

    @property
    def labels(self) -> np.ndarray:
        """Index of the class [N]."""
        return self.samples.targets.argmax(1)


def find_labelled_faces(recognizer: EmotionRecognizer, folder: str | Path, person: str = "") -> LabelledFaces:
    """Find the largest face of each photo in `folder`, which has a subfolder for each class.

    Args:
        person: see `find_persons`; empty where persons are unknown.

    Raises:
        ValueError: see `load_samples` and `find_persons`.
    """
    samples = load_samples("folder", folder, "all")
    persons = find_persons(samples.names, person) if person else np.arange(len(samples))
    faces, kept, without_face, unreadable = [], [], [], {}
    results = recognizer.predict_paths(samples.images)
    for i, result in enumerate(progress(results, total=len(samples), desc="faces", unit="photo", leave=False)):
        if result.error:
            unreadable[samples.names[i]] = result.error
        elif not result.faces:
            without_face.append(samples.names[i])
        else:
            faces.append(result.faces[0])  # the largest
            kept.append(i)
    kept_samples = samples.subset(np.array(kept, int))
    if recognizer.detector.name != "none":
        points = [np.full((5, 2), np.nan) if face.landmarks is None else face.landmarks for face in faces]
        boxes = np.reshape([face.box for face in faces], (-1, 4))
        kept_samples = replace(kept_samples, boxes=boxes, landmarks=np.reshape(points, (-1, 5, 2)))
    return LabelledFaces(
        kept_samples,
        np.array([face.embedding for face in faces], np.float32),
        np.array([list(face.probs.values()) for face in faces], np.float32),
        persons[kept],
        without_face,
        unreadable,
    )
