"""SFEW 2.0: aligned faces of Train and Val."""

import pytest

from fer.data import load_samples
from fer.data.datasets.sfew import load_sfew
from trees import by_name, drawn, make_files, make_image

FOLDERS = {  # the official names -> ours
    "Angry": "anger",
    "Disgust": "disgust",
    "Fear": "fear",
    "Happy": "happiness",
    "Neutral": "neutral",
    "Sad": "sadness",
    "Surprise": "surprise",
}
FILMS = {
    "Train/Train_Aligned_Faces": [f"Film {i}" for i in range(20)],
    "Val/Val_Aligned_Faces": ["Other", "Film 3", "Last-One"],
}


def test_official_tree(tmp_path, caplog):
    expected, films = {}, {}
    for part, names in FILMS.items():
        for folder, label in FOLDERS.items():
            for i, film in enumerate(names):
                name = f"{part}/{folder}/{film}_{i:09d}_00000023.png"
                make_image(tmp_path / name, (181, 143))
                expected[name], films[name] = label, film
    train, val = drawn(load_sfew, tmp_path, "train", "val")
    assert not caplog.records
    with caplog.at_level("INFO", "fer"):
        test = load_samples("sfew", tmp_path, "test")  # its Val: the labels of its Test are private
    assert by_name(train) | by_name(val) | by_name(test) == expected
    assert test.counts() == dict.fromkeys(FOLDERS.values(), 3) and "contempt" not in test.classes
    assert all(name.startswith("Val/") for name in test.names) and test.names == sorted(test.names)
    held_out, kept = ({films[name] for name in samples.names} for samples in (val, train))
    assert len(held_out) == 2 and not held_out & kept  # a tenth of the films, and all of their frames
    assert val.counts() == dict.fromkeys(FOLDERS.values(), 2)
    assert (test.layout, val.layout) == ("official", "official; val drawn from train")
    assert test.images == [str(tmp_path / name) for name in test.names]
    assert test.read(0).shape == (181, 143, 3) and test.boxes is None
    assert caplog.messages == ["SFEW: 1 of the 3 films of Val are also in Train, as in the official split: Film 3"]


def test_a_part_that_is_missing(tmp_path):
    make_files(tmp_path, "Train/Train_Aligned_Faces/Happy/a.png")
    assert by_name(load_samples("sfew", tmp_path, "train"))
    with pytest.raises(ValueError, match="the layout 'official' is here, with train"):
        load_samples("sfew", tmp_path, "test")


def test_whole_frames_alone_are_not_taken(tmp_path):
    make_files(tmp_path, "Train/Happy/a.png", "Val/Happy/a.png")
    with pytest.raises(
        ValueError, match="Looked for Train/Train_Aligned_Faces/ and Val/Val_Aligned_Faces/.*Train/, Val/"
    ):
        load_samples("sfew", tmp_path, "train")
