"""Any folder of images that is divided into classes."""

import pytest

from fer.data import SplitNotFound, load_samples
from fer.data.datasets.folder import load_folder
from trees import by_name, drawn, make_files, make_image

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


def test_all_of_a_folder_without_splits(tmp_path):
    make_files(tmp_path, *MANY)
    whole, splits = load_samples("folder", tmp_path, "all"), drawn(load_folder, tmp_path, "train", "val", "test")
    assert by_name(whole) == by_name(splits[0]) | by_name(splits[1]) | by_name(splits[2])
    assert whole.layout == "folders"


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
    ("files", "classes"),
    [
        (["calm/a.png", "tired/a.jpg", "Happy/a.png"], ("happiness", "calm", "tired")),
        (["train/calm/a.png", "train/happy/b.png", "test/Zen mode/1/c.png"], ("happiness", "Zen mode", "calm")),
        (["train/0/a.png", "train/1/b.png"], ("0", "1")),  # numbers are names, and not guessed
        (["happy/a.png", "hapiness/b.png"], ("happiness", "hapiness")),
        # what is no class: without an image, hidden, left by macOS
        (["happy/a.png", "calm/a.png", "notes/a.txt", ".old/a.png", "__MACOSX/a.png"], ("happiness", "calm")),
        (["happy/", "calm/a.png", "empty/"], ("happiness", "calm")),  # an emotion is one in any case
    ],
)
def test_any_names_are_classes(tmp_path, files, classes):
    make_files(tmp_path, *files)
    for split in ("train", "val", "test"):
        try:
            samples = load_folder(tmp_path, split)
        except SplitNotFound:
            continue
        assert samples.classes == classes
    assert set(by_name(load_folder(tmp_path, "train")).values()) <= set(classes)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["joy/a.png"], "no images here except in 'joy', a single class. Looked for train/<class>/.*Found: joy/"),
        (["joy/train/happy/a.png", "other/a.png"], "except in 'other', a single class"),  # the data lie in joy/
        (["data/train/happy/a.png"], "Looked for train/<class>/ .*Found: data/"),
        (["train/a.png", "test/b.png"], "Looked for train/<class>/ .*Found: test/, train/"),  # divided, not in classes
        (["happy.png"], "Looked for train/<class>/ .*Found: happy.png"),
        (["label/a.png", "happy/b.png"], "classes: 'label' is the name of another column of the results"),
        (["a\nb/a.png", "happy/b.png"], "classes: expected names without control characters"),
    ],
)
@pytest.mark.parametrize("split", ["train", "test"])
def test_folders_that_are_no_classes(tmp_path, files, message, split):
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
