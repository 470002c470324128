"""Finding a dataset in a folder, and dividing what it does not divide itself."""

import numpy as np
import pytest

from fer.data import DATASETS, SplitNotFound, load_samples
from fer.data.datasets.layouts import Records, class_folders, draw_parts, read_csv, read_folders
from fer.labels import NAMES
from trees import by_name, make_files, write_text

OTHER = ("a.jpg", "b.jpg", "notes/", "readme.txt", "photos/1.jpg")


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ((), "Found: nothing"),  # the empty folder
        (OTHER, "Found: a.jpg, b.jpg, notes/, photos/, readme.txt"),  # other things
        ([f"{i:02d}.txt" for i in range(12)], r"08.txt, 09.txt \.\.\."),  # many other things
    ],
)
@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize("dataset", DATASETS)
def test_what_was_looked_for_and_what_was_found(tmp_path, dataset, split, files, found):
    make_files(tmp_path, *files)
    with pytest.raises(SplitNotFound, match=rf"(?s)^{tmp_path}: no .*Looked for .*\. .*{found}"):
        load_samples(dataset, tmp_path, split)


@pytest.mark.parametrize("dataset", DATASETS)
def test_wrong_arguments(tmp_path, dataset):
    with pytest.raises(ValueError, match="nowhere: no such folder; --data must name the folder that holds"):
        load_samples(dataset, tmp_path / "nowhere", "train")
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="file: no such folder"):
        load_samples(dataset, tmp_path / "file", "train")
    with pytest.raises(ValueError, match="unknown split 'holdout'; choose one of train, val, test, all"):
        load_samples(dataset, tmp_path, "holdout")
    with pytest.raises(ValueError, match=f"unknown rule 'nearly'; choose one of {DATASETS[dataset].rules[0]}"):
        load_samples(dataset, tmp_path, "train", "nearly")


def test_an_unknown_dataset(tmp_path):
    with pytest.raises(ValueError, match="unknown dataset 'raf'; choose one of ferplus, fer2013, rafdb, "):
        load_samples("raf", tmp_path, "train")


@pytest.mark.parametrize(
    ("files", "split", "message"),
    [
        # only a test part: nothing may be drawn from it
        (["test/happy/a.png"], "train", "is here, with test"),
        (["test/happy/a.png"], "val", "is here, with test"),
        (["train/happy/a.png"], "test", "is here, with train"),
        (["train/happy/a.png"], "all", "no all split of images; the layout .* is here, with train"),
    ],
)
def test_a_split_that_can_not_be_had(tmp_path, files, split, message):
    with pytest.raises(SplitNotFound, match=message):
        load_samples("folder", make_files(tmp_path, *files), split)


@pytest.mark.parametrize("dataset", ["folder", "fer2013", "rafdb", "sfew"])
def test_class_folders_without_images(tmp_path, dataset):
    folders = {"rafdb": ["train/1/", "test/1/"], "sfew": ["Train/Train_Aligned_Faces/Happy/"]}
    make_files(tmp_path, *folders.get(dataset, ["train/happy/", "test/happy/"]))
    with pytest.raises(ValueError, match=f"the train split of {dataset} holds no image"):
        load_samples(dataset, tmp_path, "train")


def records(numbers: dict[str, int], group: int = 0) -> Records:
    """Images of these classes; where `group` is given, every so many in turn belong to one person."""
    labels = [label for label, number in numbers.items() for _ in range(number)]
    names = [f"{label}/{i}" for i, label in enumerate(labels)]
    groups = [f"S{i // group}" for i in range(len(labels))] if group else None
    return Records(list(names), labels, names, groups)


@pytest.mark.parametrize(
    ("number", "val", "test"),
    [
        (1, 0, 0),  # train keeps what there is
        (2, 0, 0),  # not enough for three
        (3, 1, 1),
        (10, 1, 1),
        (14, 1, 1),
        (16, 2, 2),
        (100, 10, 10),
        (1000, 100, 100),
    ],
)
def test_a_tenth_of_each_class_is_held_out(number, val, test):
    few = records({"anger": number, "fear": 50})
    parts = draw_parts(few, 2)
    of_class = np.array(few.labels) == "anger"
    assert np.bincount(parts[of_class], minlength=3).tolist() == [val, test, number - val - test]
    assert np.bincount(parts[~of_class]).tolist() == [5, 5, 40]


@pytest.mark.parametrize(("number", "val"), [(1, 0), (2, 1), (3, 1), (10, 1), (40, 4)])
def test_validation_alone(number, val):
    assert (draw_parts(records({"anger": number}), 1) == 0).sum() == val
    assert set(draw_parts(records({"anger": number}), 1)) <= {0, 1}


@pytest.mark.parametrize("held_out", [1, 2])
@pytest.mark.parametrize("group", [0, 4])
def test_no_records(held_out, group):
    assert len(draw_parts(records({}, group), held_out)) == 0


@pytest.mark.parametrize("group", [0, 3])
def test_the_same_parts_whatever_the_order(group):
    some = records({"anger": 40, "fear": 25, "sadness": 3}, group)
    parts = draw_parts(some, 2)
    np.testing.assert_array_equal(draw_parts(some, 2), parts)
    order = np.random.default_rng(0).permutation(len(parts))
    shuffled = Records(
        *([values[i] for i in order] for values in (some.images, some.labels, some.names)),
        groups=some.groups and [some.groups[i] for i in order],
    )
    np.testing.assert_array_equal(draw_parts(shuffled, 2), parts[order])


def test_parts_are_the_same_on_every_machine():
    """Written down: another draw would move images from train to val between two runs of one project."""
    parts = draw_parts(records({"anger": 20}), 2)
    assert {part: np.flatnonzero(parts == part).tolist() for part in (0, 1)} == {0: [3, 14], 1: [7, 11]}


@pytest.mark.parametrize("held_out", [1, 2])
def test_one_more_image_moves_few_others(held_out):
    before = records({"anger": 200, "fear": 200})
    parts = draw_parts(before, held_out)
    for name in ("anger/new", "a", "z", "fear/7b"):
        after = Records(["new", *before.images], ["anger", *before.labels], [name, *before.names])
        moved = draw_parts(after, held_out)[1:] != parts
        assert moved.sum() <= 2 * held_out, name
        assert not moved[200:].any()  # none of another class


@pytest.mark.parametrize(
    ("people", "val", "test"),
    [
        (1, 0, 0),
        (2, 0, 0),
        (3, 1, 1),
        (10, 1, 1),  # JAFFE
        (118, 12, 12),  # CK+
    ],
)
def test_people_stay_together(people, val, test):
    some = records({"anger": 2 * people, "fear": 3 * people}, group=5)
    parts, groups = draw_parts(some, 2), np.array(some.groups)
    of_person = [set(parts[groups == person]) for person in np.unique(groups)]
    assert len(of_person) == people and all(len(part) == 1 for part in of_person)
    numbers = [sum(part == {i} for part in of_person) for i in range(3)]
    assert numbers == [val, test, people - val - test]


def test_copies_of_one_name_stay_together():
    """Two faces of a photo may be named alike."""
    names = [f"photo {i // 2}" for i in range(60)]
    parts = draw_parts(Records(names, ["fear"] * 60, names), 2)
    np.testing.assert_array_equal(parts[::2], parts[1::2])
    assert np.bincount(parts).tolist() == [6, 6, 48]


@pytest.mark.parametrize(
    ("lines", "rows"),
    [
        ([], []),
        (["file, label"], []),
        (["file, label", "a.png,sad,more", "", "b.png,joy"], [(2, "a.png", "sad"), (4, "b.png", "joy")]),
    ],
)
def test_read_csv(tmp_path, lines, rows):
    path = write_text(tmp_path / "x.csv", *lines)
    assert [(line, row["file"], row["label"]) for line, row in read_csv(path, ("file", "label"))] == rows


@pytest.mark.parametrize("lines", [["file", "a.png"], ["file,label", "a.png"]])  # in the header, in a row
def test_read_csv_without_a_column(tmp_path, lines):
    path = write_text(tmp_path / "x.csv", *lines)
    with pytest.raises(ValueError, match="x.csv, line 2: no label; expected the columns file, label"):
        list(read_csv(path, ("file", "label")))


def test_class_folders(tmp_path):
    make_files(tmp_path, "Happy/", "HAPPINESS/", "sad/", "joy/", "1/", "anger")
    found = class_folders(tmp_path, NAMES)
    assert {p.name: label for p, label in found.items()} == {
        "HAPPINESS": "happiness",
        "Happy": "happiness",
        "sad": "sadness",
    }
    assert class_folders(tmp_path / "sad", NAMES) is None
    assert class_folders(tmp_path / "nowhere", NAMES) is None


def test_images_in_inner_folders_and_files_that_are_none(tmp_path):
    make_files(
        tmp_path, "happy/b.png", "happy/a.JPG", "happy/x/c.webp", "happy/Thumbs.db", "happy/notes.txt", "sad/d.bmp"
    )
    found = read_folders({tmp_path / "happy": "happiness", tmp_path / "sad": "sadness"}, tmp_path)
    assert found.names == ["happy/a.JPG", "happy/b.png", "happy/x/c.webp", "sad/d.bmp"]
    assert found.images == [str(tmp_path / name) for name in found.names]
    assert found.labels == ["happiness"] * 3 + ["sadness"]
    assert found.ignored == ["happy/Thumbs.db", "happy/notes.txt"]


def test_ignored_files_are_told(tmp_path):
    make_files(tmp_path, "train/happy/a.png", "train/happy/b.txt", "val/happy/c.png", "val/sad/d.png")
    train = load_samples("folder", tmp_path, "train")
    assert by_name(train) == {"train/happy/a.png": "happiness"}
    assert train.ignored == ("train/happy/b.txt",)
