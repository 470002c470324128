"""FER2013 as CSV and in folders."""

import csv

import numpy as np
import pytest

from fer.data import load_samples
from trees import by_name, labels_of, make_image

LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")  # in the order of its integers
FOLDERS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")  # in the order of the alphabet
HEADERS = {"fer2013.csv": ["emotion", "pixels", "Usage"], "icml_face_data.csv": ["emotion", " Usage", " pixels"]}
PIXELS = " ".join(["7"] * 2304)


def write_csv(path, rows: list[tuple[int | str, str, str]], header: list[str] | None = None) -> None:
    """Rows (emotion, pixels, Usage), in the columns of the file that is called so."""
    header = header or HEADERS[path.name]
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for row in rows:
            named = dict(zip(("emotion", "pixels", "Usage"), row))
            writer.writerow([named.get(column.strip(), "") for column in header])


@pytest.mark.parametrize("name", ["fer2013.csv", "icml_face_data.csv", "fer2013/fer2013.csv"])
def test_csv(tmp_path, name):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (21, 48, 48))
    usages = ["Training", "PublicTest", "PrivateTest", "Training", "Training", "PublicTest", "PrivateTest"] * 3
    rows = [(i % 7, " ".join(map(str, pixels[i].ravel())), usages[i]) for i in range(21)]
    write_csv(tmp_path / name, rows)
    for split, usage in {"train": "Training", "val": "PublicTest", "test": "PrivateTest"}.items():
        samples = load_samples("fer2013", tmp_path, split)
        wanted = [i for i in range(21) if usages[i] == usage]
        assert (samples.layout, samples.rule, samples.boxes) == ("csv", "label", None)
        assert labels_of(samples) == [LABELS[i % 7] for i in wanted]
        assert samples.names == [f"{name.split('/')[-1]}:{i + 2}" for i in wanted]  # lines, the header being the first
        for k, i in enumerate(wanted):
            np.testing.assert_array_equal(samples.read(k), np.repeat(pixels[i][..., None], 3, 2))
    assert "contempt" not in samples.classes and len(samples.classes) == 7


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((3, PIXELS + " 7", "Training"), "line 3: expected 2304 gray values from 0 to 255, got '7 7"),
        ((3, PIXELS[:-2], "Training"), "line 3: expected 2304"),
        ((3, PIXELS[:-1] + "256", "Training"), "line 3: expected 2304"),
        ((3, PIXELS[:-1] + "-1", "Training"), "line 3: expected 2304"),
        ((3, PIXELS[:-1] + "x", "Training"), "line 3: expected 2304"),
        ((3, "", "Training"), "line 3: expected 2304"),
        ((7, PIXELS, "Training"), "line 3: expected an emotion from 0 to 6, got '7'"),
        (("happy", PIXELS, "Training"), "line 3: expected an emotion from 0 to 6, got 'happy'"),
        (("", PIXELS, "Training"), "line 3: expected an emotion from 0 to 6, got ''"),
    ],
)
@pytest.mark.parametrize("name", HEADERS)
def test_bad_rows(tmp_path, name, row, message):
    write_csv(tmp_path / name, [(0, PIXELS, "Training"), row])
    with pytest.raises(ValueError, match=f"{tmp_path / name}, {message}"):
        load_samples("fer2013", tmp_path, "train")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (["emotion", "Usage"], "no pixels; expected the columns emotion, pixels, Usage"),
        (["label", "image"], "no emotion, pixels, Usage; expected the columns"),
    ],
)
def test_missing_columns(tmp_path, header, message):
    write_csv(tmp_path / "fer2013.csv", [(0, PIXELS, "Training")], header)
    with pytest.raises(ValueError, match=f"fer2013.csv, line 2: {message}"):
        load_samples("fer2013", tmp_path, "train")


@pytest.mark.parametrize("end", ["3,7 7 7", "3", '3,"7 7'])
def test_a_file_that_was_cut_off(tmp_path, end):
    write_csv(tmp_path / "fer2013.csv", [(0, PIXELS, "Training")])
    with open(tmp_path / "fer2013.csv", "a") as file:
        file.write(end)
    with pytest.raises(ValueError, match="fer2013.csv, line 3: "):
        load_samples("fer2013", tmp_path, "train")


def test_a_csv_without_rows(tmp_path):
    write_csv(tmp_path / "fer2013.csv", [])
    with pytest.raises(ValueError, match="the train split of fer2013 holds no image"):
        load_samples("fer2013", tmp_path, "train")
    (tmp_path / "fer2013.csv").write_text("")
    with pytest.raises(ValueError, match="the train split of fer2013 holds no image"):
        load_samples("fer2013", tmp_path, "train")


def make_mirror(root, train: int, test: dict[str, int]) -> None:
    """Per class, `train` images called Training_*, and in the test folder so many of each prefix."""
    for folder in FOLDERS:
        for i in range(train):
            make_image(root / "train" / folder / f"Training_{i}.jpg")
        for prefix, number in test.items():
            for i in range(number):
                make_image(root / "test" / folder / f"{prefix}_{i}.jpg")


def test_a_mirror_that_keeps_the_official_split_in_its_names(tmp_path):
    make_mirror(tmp_path, 2, {"PublicTest": 3, "PrivateTest": 4})
    numbers = {"train": 2, "val": 3, "test": 4}
    prefixes = {"train": "train/{}/Training_", "val": "test/{}/PublicTest_", "test": "test/{}/PrivateTest_"}
    for split, number in numbers.items():
        samples = load_samples("fer2013", tmp_path, split)
        assert samples.layout == "folders"
        assert samples.counts() == dict.fromkeys(samples.classes, number)
        files = {folder: prefixes[split].format(folder) for folder in FOLDERS}
        names = dict(zip(FOLDERS, ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")))
        expected = {f"{files[f]}{i}.jpg": names[f] for f in FOLDERS for i in range(number)}
        assert by_name(samples) == expected
        assert samples.images == [str(tmp_path / name) for name in samples.names]


def test_a_plain_mirror(tmp_path):
    """Validation is drawn from train; the test folder, Public and Private merged, is not touched."""
    make_mirror(tmp_path, 20, {"im": 3})
    train, val, test = (load_samples("fer2013", tmp_path, split) for split in ("train", "val", "test"))
    assert train.layout == val.layout == "folders; val drawn from train" and test.layout == "folders"
    assert train.counts() == dict.fromkeys(train.classes, 18)
    assert val.counts() == dict.fromkeys(train.classes, 2)
    assert test.counts() == dict.fromkeys(train.classes, 3)
    assert all(name.startswith("train/") for name in train.names + val.names)
    assert len(by_name(train) | by_name(val)) == 7 * 20


@pytest.mark.parametrize("val", ["val", "valid", "validation"])
def test_a_mirror_with_a_validation_folder(tmp_path, val):
    make_mirror(tmp_path, 20, {"PublicTest": 1})
    make_image(tmp_path / val / "happy" / "a.png")
    assert by_name(load_samples("fer2013", tmp_path, "val")) == {f"{val}/happy/a.png": "happiness"}
    assert len(load_samples("fer2013", tmp_path, "train")) == 7 * 20
    assert len(load_samples("fer2013", tmp_path, "test")) == 7


def test_a_class_that_it_does_not_have(tmp_path):
    make_mirror(tmp_path, 1, {"im": 1})
    make_image(tmp_path / "train" / "contempt" / "a.png")
    with pytest.raises(ValueError, match=f"{tmp_path}: .*contempt.*FER2013 .*--dataset folder"):
        load_samples("fer2013", tmp_path, "train")
