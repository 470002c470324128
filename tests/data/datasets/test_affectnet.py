"""AffectNet: the old release (lists and photos), the new one (crops and NumPy files), seven classes and eight."""

import csv

import numpy as np
import pytest

from fer.data import load_samples
from fer.data.datasets.affectnet import five_of_68
from fer.faces import Detection, crop_face
from trees import by_name, labels_of, make_files, make_image

LABELS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")  # 0 to 7
COLUMNS = ["subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "facial_landmarks"]
COLUMNS += ["expression", "valence", "arousal"]
POINTS = np.random.default_rng(0).uniform(10, 90, (68, 2)).round(2)
POINT_TEXT = ";".join(f"{x:.2f};{y:.2f}" for x, y in POINTS)
EYES_NOSE_MOUTH = [POINTS[36:42].mean(0), POINTS[42:48].mean(0), POINTS[30], POINTS[48], POINTS[54]]
TEMPLATE = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])


def row(name: str, expression: int | str, box=(10, 12, 80, 82), points: str = POINT_TEXT) -> list:
    return [name, *box, points, expression, "0.1", "-0.2"]


def make_old(root, train: list, validation: list | None = None, images: str = "Manually_Annotated_Images"):
    """The lists of the old release; the photos are not written."""
    (root / images).mkdir(parents=True)
    (root / "Manually_Annotated_file_lists").mkdir()
    for name, rows in (("training.csv", train), ("validation.csv", validation)):
        if rows is not None:
            with open(root / "Manually_Annotated_file_lists" / name, "w", newline="") as file:
                csv.writer(file).writerows([COLUMNS, *rows])
    return root


@pytest.mark.parametrize("images", ["Manually_Annotated_Images", "Manually_Annotated/Manually_Annotated_Images"])
def test_old_release(tmp_path, images):
    validation = [row(f"{i}/v{i}.jpg", i, (i, 2 * i, 100 + i, 90)) for i in range(8)]
    make_old(tmp_path, [row(f"1/t{i}.png", i % 8) for i in range(160)], validation, images)
    test = load_samples("affectnet8", tmp_path, "test")  # the official validation set
    assert test.layout == "old release"
    assert by_name(test) == {f"{i}/v{i}.jpg": LABELS[i] for i in range(8)}
    assert test.images == [str(tmp_path / images / f"{i}/v{i}.jpg") for i in range(8)]
    np.testing.assert_array_equal(test.boxes, [[i, 2 * i, 100 + 2 * i, 2 * i + 90] for i in range(8)])  # xyxy
    np.testing.assert_allclose(test.landmarks, [EYES_NOSE_MOUTH] * 8)
    train, val = (load_samples("affectnet8", tmp_path, split) for split in ("train", "val"))
    assert train.layout == val.layout == "old release; val drawn from train"
    assert val.counts() == dict.fromkeys(LABELS, 2) and train.counts() == dict.fromkeys(LABELS, 18)
    assert by_name(train) | by_name(val) == {f"1/t{i}.png": LABELS[i % 8] for i in range(160)}
    assert len(val.boxes) == len(val.landmarks) == 16


@pytest.mark.parametrize(
    ("bad", "kept"),
    [
        (row("a", 8), False),  # none
        (row("a", 9), False),  # uncertain
        (row("a", 10), False),  # no face
        (row("a", 1, (0, 0, 0, 50)), False),  # no box
        (row("a", 1, (5, 5, 40, -1)), False),
        (row("a", 1, ("NULL",) * 4), False),
        (row("a", 10, ("NULL",) * 4, "NULL"), False),
        (row("a", 1, (-3, -4, 50, 60)), True),  # the face leaves the photo
        (row("a", 1, (0, 0, 50, 60), "NULL"), True),  # the box alone will do
        (row("a", 1, (0, 0, 50, 60), "1;2;3"), True),
        (row("a", 1, (0, 0, 50, 60), ""), True),
        (row("a", 7), True),
    ],
)
def test_rows_that_are_no_face(tmp_path, bad, kept):
    make_old(tmp_path, [row("b", 2)], [row("c", 3), bad])
    test = load_samples("affectnet8", tmp_path, "test")
    assert test.names == ["c", "a"] if kept else test.names == ["c"]
    without_points = kept and bad[5] != POINT_TEXT
    assert np.isnan(test.landmarks).all((1, 2)).tolist() == ([False, without_points] if kept else [False])


@pytest.mark.parametrize("release", ["old", "new"])
def test_seven_classes_are_without_contempt(tmp_path, release):
    if release == "old":
        make_old(tmp_path, None, [row(f"{i}.jpg", i) for i in range(8)])
    else:
        make_new(tmp_path, {"val_set": {str(i): np.array(i) for i in range(8)}})
    seven, eight = (load_samples(name, tmp_path, "test") for name in ("affectnet7", "affectnet8"))
    assert seven.classes == LABELS[:7] and eight.classes == LABELS
    assert labels_of(seven) == list(LABELS[:7]) and labels_of(eight) == list(LABELS)
    assert seven.names == eight.names[:7]


def test_five_landmarks_of_68():
    """Points 37-42 and 43-48 are the eyes, 31 is the tip of the nose, 49 and 55 are the corners of the mouth."""
    np.testing.assert_allclose(five_of_68(POINTS), EYES_NOSE_MOUTH)


def test_photos_are_cut_as_at_inference(tmp_path):
    make_old(tmp_path, None, [row("1/a.png", 0), row("1/a.png", 1, (30, 20, 60, 70), "NULL")])
    photo = make_image(tmp_path / "Manually_Annotated_Images/1/a.png", (120, 110))
    test = load_samples("affectnet8", tmp_path, "test")
    faces = (np.array([10, 12, 90, 94]), np.array(EYES_NOSE_MOUTH)), (np.array([30, 20, 90, 90]), None)
    for i, (box, landmarks) in enumerate(faces):
        expected = crop_face(photo, Detection(box, landmarks, 1.0), TEMPLATE, 48)
        np.testing.assert_array_equal(test.crop(i, TEMPLATE, 48), expected)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (COLUMNS[:5], "validation.csv, line 2: no facial_landmarks, expression; expected the columns subDir"),
        (["a"], "validation.csv, line 2: no subDirectory_filePath, face_x"),
    ],
)
def test_missing_columns(tmp_path, columns, message):
    make_old(tmp_path, None, [row("a", 1)])
    path = tmp_path / "Manually_Annotated_file_lists/validation.csv"
    path.write_text(path.read_text().replace(",".join(COLUMNS), ",".join(columns)))
    with pytest.raises(ValueError, match=message):
        load_samples("affectnet8", tmp_path, "test")


def test_lists_without_photos(tmp_path):
    make_files(tmp_path, "Manually_Annotated_file_lists/training.csv")
    with pytest.raises(
        ValueError, match="the folder Manually_Annotated_Images is not; unpack it next to Manually_Anno"
    ):
        load_samples("affectnet8", tmp_path, "train")


def test_one_list_alone(tmp_path):
    make_old(tmp_path, [row("a", 1)])
    with pytest.raises(ValueError, match="is here, with train"):
        load_samples("affectnet8", tmp_path, "test")


def make_new(root, parts: dict[str, dict[str, np.ndarray]]):
    """The new release: per part, what the file of each image's expression holds."""
    for part, values in parts.items():
        (root / part / "images").mkdir(parents=True)
        (root / part / "annotations").mkdir()
        for name, value in values.items():
            np.save(root / part / "annotations" / f"{name}_exp.npy", value)
            for other in ("val", "aro", "lnd"):  # lie beside it
                np.save(root / part / "annotations" / f"{name}_{other}.npy", np.array("0.5"))
    return root


@pytest.mark.parametrize(
    "form",
    [np.array, str, lambda i: np.array(str(i)), lambda i: np.array([i]), lambda i: np.array(str(i).encode()), float],
    ids=["0-d integer", "str", "0-d string", "1-d", "bytes", "float"],
)
def test_new_release(tmp_path, form):
    ids = {"9": 3, "10": 0, "100": 7, "2": 1, "33": 8}  # 8: none of the emotions
    train = {str(i): form(i % 8) for i in range(160)}
    make_new(tmp_path, {"train_set": train, "val_set": {name: form(value) for name, value in ids.items()}})
    test = load_samples("affectnet8", tmp_path, "test")
    assert test.layout == "new release" and test.boxes is None
    assert test.names == [f"val_set/images/{i}.jpg" for i in (2, 9, 10, 100)]  # as numbers, not as text
    assert labels_of(test) == ["happiness", "surprise", "neutral", "contempt"]
    assert test.images == [str(tmp_path / name) for name in test.names]
    train, val = (load_samples("affectnet8", tmp_path, split) for split in ("train", "val"))
    assert train.layout == val.layout == "new release; val drawn from train"
    assert val.counts() == dict.fromkeys(LABELS, 2)
    assert by_name(train) | by_name(val) == {f"train_set/images/{i}.jpg": LABELS[i % 8] for i in range(160)}


@pytest.mark.parametrize(
    "content",
    [b"", b"3", b"\x93NUMPY\x01\x00", np.array([1, 2]), np.array("happy"), np.array({"a": 1}), np.array([], int)],
    ids=["empty", "text", "cut off", "two numbers", "a word", "an object", "no number"],
)
def test_a_damaged_annotation_is_named(tmp_path, content):
    make_new(tmp_path, {"val_set": {"7": np.array(1)}})
    path = tmp_path / "val_set/annotations/7_exp.npy"
    path.write_bytes(content) if isinstance(content, bytes) else np.save(path, content)
    with pytest.raises(ValueError, match=f"{path}: expected one whole number as a NumPy file"):
        load_samples("affectnet8", tmp_path, "test")


NAMED = ("Neutral", "happy", "Sad", "surprise", "fear", "disgust", "Anger", "contempt")
NUMBERED = tuple("01234567")


@pytest.mark.parametrize("folders", [NUMBERED, NAMED], ids=["numbers", "names"])
@pytest.mark.parametrize(
    ("parts", "where", "layouts"),  # part: images per class; where each of train, val and test lies
    [
        ({"train": 20, "val": 3}, ("train", "train", "val"), ("folders; val drawn from train",) * 2 + ("folders",)),
        ({"train": 20, "valid": 3}, ("train", "train", "valid"), ("folders; val drawn from train",) * 2 + ("folders",)),
        ({"Train": 20, "Test": 3}, ("Train", "Train", "Test"), ("folders; val drawn from train",) * 2 + ("folders",)),
        ({"train": 20, "val": 2, "test": 3}, ("train", "val", "test"), ("folders",) * 3),  # as they lie there
    ],
)
def test_copies_in_folders(tmp_path, folders, parts, where, layouts):
    files = {f"{p}/{f}/{i}.jpg": LABELS[k] for p, n in parts.items() for k, f in enumerate(folders) for i in range(n)}
    make_files(tmp_path, *files, *(f"{part}/8/none.jpg" for part in parts))  # 8 is none of the emotions
    for name, classes in (("affectnet8", LABELS), ("affectnet7", LABELS[:7])):
        splits = [load_samples(name, tmp_path, split) for split in ("train", "val", "test")]
        kept = {file: label for file, label in files.items() if label in classes}
        assert by_name(splits[0]) | by_name(splits[1]) | by_name(splits[2]) == kept
        assert sum(map(len, splits)) == len(kept)
        for samples, part, layout in zip(splits, where, layouts):
            assert (samples.classes, samples.layout) == (classes, layout)
            assert all(image.startswith(f"{part}/") for image in samples.names) and min(samples.counts().values()) > 1


def test_the_numbers_of_another_dataset_are_not_taken(tmp_path):
    make_files(tmp_path, *(f"{part}/{k}/a.jpg" for part in ("train", "test") for k in range(1, 8)))  # RAF-DB
    with pytest.raises(ValueError, match=r"no AffectNet here. Looked for .* 0 \(neutral\) to 7 .*Found: test/, train/"):
        load_samples("affectnet7", tmp_path, "train")


def test_a_copy_without_validation(tmp_path):
    make_files(tmp_path, "train/0/a.jpg", "train/1/a.jpg")
    with pytest.raises(ValueError, match="the layout 'folders' is here, with train"):
        load_samples("affectnet8", tmp_path, "test")


VALUES = [("0.25", "-0.5"), ("-2", "-2"), ("1", "-1"), ("-0.1", "-2.0")]  # -2: not annotated
KNOWN = [[0.25, -0.5], [np.nan] * 2, [1, -1], [-0.1, np.nan]]


def with_va(values: list[tuple]) -> list[list]:
    return [[*row(f"{i}.jpg", i)[:-2], *pair] for i, pair in enumerate(values)]


def test_valence_and_arousal_of_the_old_release(tmp_path):
    make_old(tmp_path, [row(f"t{i}", i % 8) for i in range(160)], with_va(VALUES))
    test = load_samples("affectnet8", tmp_path, "test")
    np.testing.assert_allclose(test.va, np.array(KNOWN, np.float32))
    for split, n in (("train", 144), ("val", 16)):  # a drawn split takes its rows
        np.testing.assert_allclose(load_samples("affectnet8", tmp_path, split).va, [[0.1, -0.2]] * n)


@pytest.mark.parametrize(
    "rows",
    [with_va([("-2", "-2")] * 2), [row("a", 1)[:-2]]],  # none annotated; a list without the columns
)
def test_a_release_without_valence_and_arousal(tmp_path, rows):
    make_old(tmp_path, None, rows)
    assert load_samples("affectnet8", tmp_path, "test").va is None


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (("0", "1.2"), "validation.csv, line 3: arousal is '1.2'; expected a number of -1 to 1, or -2"),
        (("-3", "0"), "validation.csv, line 3: valence is '-3'"),
        (("nan", "0"), "validation.csv, line 3: valence is 'nan'"),
        (("", "0"), "validation.csv, line 3: valence is ''"),
    ],
)
def test_a_wrong_valence_or_arousal_is_named(tmp_path, pair, message):
    make_old(tmp_path, None, with_va([("0", "0"), pair]))
    with pytest.raises(ValueError, match=message):
        load_samples("affectnet8", tmp_path, "test")


def save_va(root, name: str, valence, arousal) -> None:
    for part, value in (("val", valence), ("aro", arousal)):
        np.save(root / f"val_set/annotations/{name}_{part}.npy", value)


def test_valence_and_arousal_of_the_new_release(tmp_path):
    make_new(tmp_path, {"val_set": {str(i): np.array(i) for i in (1, 2, 3, 8)}})
    save_va(tmp_path, "1", np.array("0.25"), np.array(-0.5))  # text or a number
    save_va(tmp_path, "2", np.array("-2"), "-2.0")
    (tmp_path / "val_set/annotations/3_aro.npy").unlink()
    save_va(tmp_path, "8", "9", "9")  # an image that is not kept
    test = load_samples("affectnet8", tmp_path, "test")
    np.testing.assert_allclose(test.va, [[0.25, -0.5], [np.nan] * 2, [0.5, np.nan]])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("1.5", "7_val.npy: the value is '1.5'; expected a number of -1 to 1"),
        ("high", "7_val.npy: the value is 'high'; expected a number"),
        ([0.1, 0.2], "7_val.npy: expected one number as a NumPy file"),
    ],
)
def test_a_wrong_file_of_valence_is_named(tmp_path, value, message):
    make_new(tmp_path, {"val_set": {"7": np.array(1)}})
    save_va(tmp_path, "7", value, "0")
    with pytest.raises(ValueError, match=message):
        load_samples("affectnet8", tmp_path, "test")
