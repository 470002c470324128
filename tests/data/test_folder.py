"""Any folder of images that is divided into emotions."""

import pytest
from trees import by_name, drawn, make_files, make_image

from fer.data import load_samples
from fer.data.folder import load_folder

MANY = [f"{label}/{i}.png" for label in ("Happy", "Happiness", "SAD") for i in range(10)]  # 20 happy, 10 sad


def label_of(name: str) -> str:
    return "happiness" if "happ" in name.lower() else "sadness"


@pytest.mark.parametrize(
    ("parts", "layouts", "numbers"),
    [
        # as they lie there
        (
            ("train", "val", "test"),
            ["folders in train, val, test"] * 3,
            [(20, 10), (20, 10), (20, 10)],
        ),
        # other names of the parts
        (("Train", "valid", "Test"), ["folders in train, val, test"] * 3, [(20, 10)] * 3),
        (("training", "validation", "test"), ["folders in train, val, test"] * 3, [(20, 10)] * 3),
        # without validation: from train
        (
            ("train", "test"),
            ["folders in train, val, test; val drawn from train"] * 2 + ["folders in train, val, test"],
            [(18, 9), (2, 1), (20, 10)],
        ),
        # flat: all three drawn
        ((".",), [f"folders; {split} drawn from all" for split in ("train", "val", "test")], [(16, 8), (2, 1), (2, 1)]),
    ],
)
def test_layouts(tmp_path, parts, layouts, numbers):
    make_files(tmp_path, *(f"{part}/{name}" for part in parts for name in MANY))
    splits = drawn(load_folder, tmp_path, "train", "val", "test")
    assert [s.layout for s in splits] == layouts
    assert {s.classes for s in splits} == {("happiness", "sadness")}  # canonical order; Happy and Happiness are one
    assert [tuple(s.counts().values()) for s in splits] == numbers
    files = {f"{part}/{name}".removeprefix("./"): label_of(name) for part in parts for name in MANY}
    assert by_name(splits[0]) | by_name(splits[1]) | by_name(splits[2]) == files
    for samples in splits:
        assert samples.images == [str(tmp_path / name) for name in samples.names]
        assert samples.names == sorted(samples.names)


def test_the_parts_stay_in_their_folders(tmp_path):
    make_files(tmp_path, *(f"{part}/happy/{part}.png" for part in ("train", "val", "test")))
    for split in ("train", "val", "test"):
        assert load_samples("folder", tmp_path, split).names == [f"{split}/happy/{split}.png"]


def test_classes_are_those_of_all_splits(tmp_path):
    """A network that was trained on train fits the test split, where contempt does not occur."""
    make_files(tmp_path, "train/contempt/a.png", "train/neutral/a.png", "test/Surprised/a.png", "val/afraid/a.png")
    for split in ("train", "val", "test"):
        assert load_samples("folder", tmp_path, split).classes == ("neutral", "surprise", "fear", "contempt")
    assert by_name(load_samples("folder", tmp_path, "test")) == {"test/Surprised/a.png": "surprise"}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["happy/a.png", "joy/b.png"], "unknown emotion 'joy'; expected one of neutral, .*, happy, .*angry"),
        (["train/happy/a.png", "train/joy/b.png"], "unknown emotion 'joy'; expected one of neutral"),
        (["happy/a.png", "3/b.png"], "unknown emotion '3'; expected one of neutral"),
        # numbers alone are not guessed
        (["0/a.png", "1/b.png"], "Looked for .* named by an emotion: neutral, .*angry. Found: 0/, 1/"),
        (
            ["train/0/a.png", "test/1/b.png"],
            "Looked for .* named by an emotion: neutral, .*angry. Found: test/, train/",
        ),
        (["joy/a.png"], "Looked for .* named by an emotion: neutral, .*angry. Found: joy/"),
        (["happy.png"], "Looked for train/<emotion>/ .*Found: happy.png"),
    ],
)
@pytest.mark.parametrize("split", ["train", "test"])
def test_folders_that_are_no_emotion(tmp_path, files, message, split):
    make_files(tmp_path, *files)
    with pytest.raises(ValueError, match=message):
        load_samples("folder", tmp_path, split)


def test_hidden_folders_do_no_harm(tmp_path):
    make_files(tmp_path, "happy/a.png", ".thumbnails/a.png")
    assert load_samples("folder", tmp_path, "train").names == ["happy/a.png"]


def test_images_are_read(tmp_path):
    pixels = make_image(tmp_path / "train" / "sad" / "a.png", (30, 40))
    samples = load_samples("folder", tmp_path, "train")
    assert (samples.read(0) == pixels).all() and samples.boxes is None
