"""A face keeps its track from frame to frame; its emotions are smoothed over time."""

from dataclasses import replace

import numpy as np
import pytest

from fer.faces.quality import Quality
from fer.inference.recognizer import EmotionRecognizer
from fer.inference.tracks import Tracks
from fer.results.types import Face, ImageResult
from fer.runtimes.networks import load_network
from videos import MovingFaces, make_video


@pytest.fixture
def recognizer(tiny_checkpoint) -> EmotionRecognizer:
    return EmotionRecognizer(*load_network(tiny_checkpoint, "cpu"), MovingFaces(), batch_size=4)


def test_a_face_keeps_its_track(recognizer, tmp_path):
    results = list(recognizer.predict_video(make_video(tmp_path / "x.mp4"), workers=0))
    tracks = {}
    for r in results[4:]:
        for face in r.faces:
            tracks.setdefault(face.track, set()).add(face.box[0])
    assert tracks == {0: {10.0}, 1: {70.0}} or tracks == {0: {70.0}, 1: {10.0}}


def test_emotions_are_smoothed_over_time(recognizer, tmp_path):
    """By hand: an exponential mean over the seconds since the frame before."""
    path = make_video(tmp_path / "x.mp4")
    raw = [r for r in recognizer.predict_video(path, workers=0, smoothing=0) if r.faces]
    smooth = [r for r in recognizer.predict_video(path, workers=0, smoothing=0.2) if r.faces]
    keep = np.exp(-1 / 15 / 0.2)
    mean = None
    for a, b in zip(raw, smooth):
        values = {face.box[0]: np.array(list(face.probs.values())) for face in a.faces}[10.0]
        mean = values if mean is None else keep * mean + (1 - keep) * values
        (found,) = (face for face in b.faces if face.box[0] == 10.0)
        if found.track is not None:
            np.testing.assert_allclose(list(found.probs.values()), mean, atol=1e-4)
            assert bool(found.unsure) == (mean.max() < recognizer.description.unsure_below)
    assert found.track is not None


def test_a_tracked_face_has_the_quality_of_its_frame(recognizer):
    """The confidence is smoothed, the quality is not; both decide."""
    recognizer.description.limits = {"size": 40}
    small, large = Quality(39, 2, 0.5, 0, 0, 0), Quality(41, 2, 0.5, 0, 0, 0)
    first = Face(np.array([10.0, 10, 60, 60]), None, 0.9, {"a": 0.9, "b": 0.1, "c": 0.0}, "blurred", False)
    doubtful = replace(first, probs={"a": 0.45, "b": 0.1, "c": 0.45})
    faces = [replace(first, quality=q) for q in (large, large, small)] + [replace(doubtful, quality=large), doubtful]
    tracks = Tracks(10, recognizer.description)
    followed = [tracks.follow(ImageResult("", [face], time=k / 10)).faces[0] for k, face in enumerate(faces)]
    assert [face.track for face in followed[1:]] == [0] * 4
    assert [face.unsure for face in followed[1:]] == ["", "too small", "", ""]
    assert [face.quality for face in followed] == [large, large, small, large, None]


def test_valence_and_arousal_are_smoothed_like_the_emotions(recognizer):
    first = Face(np.array([10.0, 10, 60, 60]), None, 0.9, {"a": 1.0}, "", False, valence=1.0, arousal=-0.5)
    faces = [first, first, replace(first, valence=-1.0, arousal=0.5), first]
    tracks, keep = Tracks(10, recognizer.description, smoothing=0.5), np.exp(-0.1 / 0.5)
    followed = [tracks.follow(ImageResult("", [face], time=k / 10)).faces[0] for k, face in enumerate(faces)]
    assert followed[0].valence == 1.0  # no track yet
    means = [1.0, keep - (1 - keep)]
    means.append(keep * means[1] + (1 - keep))
    assert [face.valence for face in followed[1:]] == pytest.approx(means)
    assert [face.arousal for face in followed[1:]] == pytest.approx([-mean / 2 for mean in means])
    assert followed[-1].probs == {"a": pytest.approx(1.0)}
