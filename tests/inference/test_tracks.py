"""A face keeps its track from frame to frame; its emotions are smoothed over time."""

import numpy as np
import pytest

from fer.inference.recognizer import EmotionRecognizer
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
            assert found.unsure == (mean.max() < recognizer.description.unsure_below)
    assert found.track is not None
