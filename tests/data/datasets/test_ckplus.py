"""CK+: sequences with labels, with and without landmarks."""

import numpy as np
import pytest

from fer.data import load_samples
from fer.data.datasets.affectnet import five_of_68
from fer.data.datasets.ckplus import load_ckplus
from fer.labels import EMOTIONS
from trees import by_name, drawn, labels_of, make_files, make_image, write_text

LABELS = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")  # 0 to 7
SUBJECTS = [f"S{i:03d}" for i in (5, 10, 11, 14, 22, 26, 28, 29, 32, 34, 35, 37, 42, 44, 45, 46, 50, 51, 52, 53)]


def points_of(frame: str) -> np.ndarray:
    """The landmarks [68,2] that are written for a frame."""
    return np.random.default_rng(int(frame[1:4]) + int(frame[-2:])).uniform(5, 60, (68, 2)).round(3)


def make_ckplus(root, landmarks: str = "", images: str = "cohn-kanade-images", labels: str = "Emotion"):
    """Per subject a sequence of three frames for each of the labels 1 to 7, and one without a label."""
    for subject in SUBJECTS:
        for sequence in range(1, 9):
            name = f"{subject}_{sequence:03d}"
            folder = f"{subject}/{sequence:03d}"
            (root / labels / folder).mkdir(parents=True)  # stays empty where there is no label
            for frame in (1, 2, 9 + sequence):
                make_files(root / images / folder, f"{name}_{frame:08d}.png")
                if landmarks:
                    lines = (f"   {x:.7e}   {y:.7e}" for x, y in points_of(f"{name}_{frame:08d}"))
                    write_text(root / landmarks / folder / f"{name}_{frame:08d}_landmarks.txt", *lines)
            if sequence < 8:
                write_text(root / labels / folder / f"{name}_{9 + sequence:08d}_emotion.txt", f"   {sequence:.7e}")
    return root


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("cohn-kanade-images", "Emotion"),
        ("extended-cohn-kanade-images/cohn-kanade-images", "Emotion_labels/Emotion"),  # as its archives unpack
    ],
)
@pytest.mark.parametrize("landmarks", ["", "Landmarks", "Landmarks/Landmarks"])
def test_first_and_last_frames_by_subject(tmp_path, landmarks, images, labels):
    make_ckplus(tmp_path, landmarks, images, labels)
    splits = [load_samples("ckplus", tmp_path, split) for split in ("train", "val", "test")]
    assert [s.layout for s in splits] == [f"official; {name} drawn from all" for name in ("train", "val", "test")]
    assert splits[0].classes == EMOTIONS and splits[0].rule == "peak"
    expected = {}
    for subject in SUBJECTS:
        for i in range(1, 8):
            expected[f"{subject}/{i:03d}/{subject}_{i:03d}_00000001.png"] = "neutral"
            expected[f"{subject}/{i:03d}/{subject}_{i:03d}_{9 + i:08d}.png"] = LABELS[i]
    assert by_name(splits[0]) | by_name(splits[1]) | by_name(splits[2]) == expected
    people = [{name[:4] for name in s.names} for s in splits]
    assert [len(p) for p in people] == [16, 2, 2] and len(set.union(*people)) == 20  # none in two splits
    for samples in splits:
        assert samples.images == [str(tmp_path / images / name) for name in samples.names]
        assert (samples.boxes is None) == (samples.landmarks is None) == (not landmarks)
        if landmarks:
            points = np.array([points_of(name.split("/")[-1].removesuffix(".png")) for name in samples.names])
            np.testing.assert_allclose(samples.boxes, np.concatenate([points.min(1), points.max(1)], 1))
            np.testing.assert_allclose(samples.landmarks, [five_of_68(p) for p in points])
    drawn(load_ckplus, tmp_path, "train", "val", "test")


def make_sequence(root, text: str = "   3.0000000e+00", frames: int = 2, landmarks: str | None = None):
    for i in range(frames):
        make_image(root / f"cohn-kanade-images/S005/001/S005_001_{i + 1:08d}.png")
        if landmarks is not None:
            write_text(root / f"Landmarks/S005/001/S005_001_{i + 1:08d}_landmarks.txt", landmarks)
    write_text(root / "Emotion/S005/001/S005_001_00000011_emotion.txt", text)
    return root


@pytest.mark.parametrize(
    ("text", "label"),
    [("   3.0000000e+00", "disgust"), ("0", "neutral"), ("7.0", "surprise"), ("1\n\n", "anger")],
)
def test_the_number_of_a_label(tmp_path, text, label):
    """One subject alone stays in train."""
    samples = load_samples("ckplus", make_sequence(tmp_path, text), "train")
    assert labels_of(samples) == ["neutral", label]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text": ""}, "S005_001_00000011_emotion.txt: expected a number from 0 to 7, got ''"),
        ({"text": "8.0"}, "_emotion.txt: expected a number from 0 to 7, got '8.0'"),
        ({"text": "3.5"}, "_emotion.txt: expected a number from 0 to 7, got '3.5'"),
        ({"text": "happy"}, "_emotion.txt: expected a number from 0 to 7, got 'happy'"),
        ({"frames": 0}, "the labelled sequence has no frames; .*cohn-kanade-images/S005/001 holds no PNG"),
        ({"landmarks": "1 2 3"}, "00000001_landmarks.txt: expected 68 landmarks .*; remove Landmarks/"),
        ({"landmarks": "x y " * 68}, "00000001_landmarks.txt: expected 68 landmarks"),
    ],
)
def test_damaged_files_are_named(tmp_path, arguments, message):
    make_sequence(tmp_path, **arguments)
    make_files(tmp_path, "cohn-kanade-images/")
    with pytest.raises(ValueError, match=message):
        load_samples("ckplus", tmp_path, "train")


def test_a_frame_without_landmarks(tmp_path):
    make_sequence(tmp_path)
    (tmp_path / "Landmarks").mkdir()
    with pytest.raises(ValueError, match="00000001_landmarks.txt: expected 68 landmarks .*No such file"):
        load_samples("ckplus", tmp_path, "train")


@pytest.mark.parametrize("landmarks", [(), ("Landmarks/",)])
def test_no_label_at_all(tmp_path, landmarks):
    make_files(tmp_path, "cohn-kanade-images/S005/001/S005_001_00000001.png", "Emotion/S005/001/", *landmarks)
    with pytest.raises(ValueError, match="the train split of ckplus holds no image"):
        load_samples("ckplus", tmp_path, "train")


def test_labels_without_frames_are_no_ckplus(tmp_path):
    make_files(tmp_path, "Emotion/S005/001/")
    with pytest.raises(ValueError, match="Looked for cohn-kanade-images/ and Emotion/.*Found: Emotion/"):
        load_samples("ckplus", tmp_path, "train")
