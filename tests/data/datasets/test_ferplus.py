"""FER+ in each of its official layouts, and its rules."""

import csv
import io

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from conftest import make_ferplus, one_vote_row, pattern_image
from fer.data import duplicates_of, load_samples, redundant_copies
from fer.data.datasets.ferplus import VOTES, all_targets, majority_targets, probability_targets
from fer.io.images import write_image
from fer.labels import EMOTIONS
from trees import make_files


def votes(**numbers: int) -> np.ndarray:
    return np.array([[numbers.get(name, 0) for name in VOTES]])


@pytest.mark.parametrize(
    ("row", "label"),
    [
        (votes(happiness=10), "happiness"),
        (votes(happiness=5, neutral=4, fear=1), "happiness"),  # 5 of 9: the single vote is ignored
        (votes(happiness=5, neutral=5), None),  # half is not more than half
        (votes(happiness=4, neutral=3, sadness=3), None),
        (votes(unknown=6, anger=4), None),  # unknown is no emotion
        (votes(NF=10), None),  # not a face
        (votes(contempt=2, **dict.fromkeys(("neutral", "sadness", "fear", "anger"), 1)), "contempt"),
        (votes(**dict.fromkeys(("neutral", "sadness", "fear"), 1)), None),  # only single votes
        (votes(), None),
    ],
)
def test_majority(row, label):
    targets, keep = majority_targets(row)
    assert keep.tolist() == [label is not None]
    if label:
        assert dict(zip(EMOTIONS, targets[0])) == {name: float(name == label) for name in EMOTIONS}


@pytest.mark.parametrize(
    ("row", "distribution"),
    [
        (votes(happiness=10), {"happiness": 1.0}),
        (votes(happiness=6, surprise=4), {"happiness": 0.6, "surprise": 0.4}),
        (votes(happiness=8, surprise=2), {"happiness": 1.0}),  # 8 of 10 reach three quarters alone
        (votes(sadness=4, fear=3, neutral=3), {"sadness": 0.4, "fear": 0.3, "neutral": 0.3}),
        (votes(sadness=9, fear=1), {"sadness": 1.0}),  # the single vote is ignored
        (votes(unknown=6, anger=4), None),  # unknown leads
        (votes(anger=5, unknown=5), None),  # as many unknown, and the emotion holds no more than half
        (votes(anger=4, sadness=2, unknown=4), None),  # unknown ends the count
        (votes(anger=3, sadness=3, fear=2, disgust=2), None),  # four classes
        (votes(anger=6, unknown=3), {"anger": 1.0}),  # unknown comes second: what came before stays
        (votes(), None),
    ],
)
def test_probability(row, distribution):
    targets, keep = probability_targets(row)
    assert keep.tolist() == [distribution is not None]
    if distribution:
        expected = [distribution.get(name, 0) for name in EMOTIONS]
        np.testing.assert_allclose(targets[0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("row", "distribution"),
    [
        (votes(happiness=10), {"happiness": 1.0}),
        (votes(happiness=1, unknown=8, NF=1), {"happiness": 1.0}),  # a single vote counts, what is no emotion does not
        (votes(sadness=2, fear=2, neutral=2, anger=2), dict.fromkeys(("sadness", "fear", "neutral", "anger"), 0.25)),
        (votes(NF=10), dict.fromkeys(EMOTIONS, 1 / 8)),  # no emotion at all: equal shares
        (votes(), dict.fromkeys(EMOTIONS, 1 / 8)),
    ],
)
def test_all_keeps_every_image(row, distribution):
    targets, keep = all_targets(row)
    assert keep.tolist() == [True]
    np.testing.assert_allclose(targets[0], [distribution.get(name, 0) for name in EMOTIONS], rtol=1e-6)


def write_csv_layout(root, usages: list[str], name: str = "fer2013.csv") -> np.ndarray:
    """The pixels' file and fer2013new.csv with one row per usage; row 1 has no name (not a face)."""
    root.mkdir()
    rng = np.random.default_rng(0)
    pixels = np.stack([pattern_image(EMOTIONS[i % 8], rng) for i in range(len(usages))])
    with open(root / name, "w", newline="") as a, open(root / "fer2013new.csv", "w", newline="") as b:
        old, new = csv.writer(a), csv.writer(b)
        old.writerow(["emotion", "pixels", "Usage"] if name == "fer2013.csv" else ["emotion", " Usage", " pixels"])
        new.writerow(["Usage", "Image name", *VOTES])
        for i, usage in enumerate(usages):
            values = " ".join(map(str, pixels[i].ravel()))
            old.writerow([0, values, usage] if name == "fer2013.csv" else [0, usage, values])
            new.writerow([usage, "" if i == 1 else f"fer{i + 7:07d}.png", *one_vote_row(EMOTIONS[i % 8])])
    return pixels


@pytest.mark.parametrize("name", ["fer2013.csv", "icml_face_data.csv"])
def test_csv_files_are_joined_by_row(tmp_path, name):
    usages = ["Training"] * 5 + ["PublicTest"] * 2 + ["PrivateTest"]
    pixels = write_csv_layout(tmp_path / "csv", usages, name)
    train, val, test = (load_samples("ferplus", tmp_path / "csv", s) for s in ("train", "val", "test"))
    assert train.layout == "csv"
    assert (len(train), len(val), len(test)) == (4, 2, 1)  # the row without a name is left out
    assert train.names[1] == "fer0000009.png"
    np.testing.assert_array_equal(train.read(1)[..., 0], pixels[2])
    assert train.targets[1].argmax() == 2


def test_csv_files_of_different_length_are_refused(tmp_path):
    write_csv_layout(tmp_path / "csv", ["Training"] * 3)
    path = tmp_path / "csv" / "fer2013new.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(ValueError, match="fer2013.csv has 3 rows and fer2013new.csv 2"):
        load_samples("ferplus", tmp_path / "csv", "train")


def test_csv_files_that_were_cut_off(tmp_path):
    write_csv_layout(tmp_path / "csv", ["Training"] * 3)
    path = tmp_path / "csv" / "fer2013new.csv"
    path.write_text(path.read_text().rstrip()[:-4])
    with pytest.raises(ValueError, match="fer2013new.csv, line 4: no unknown, NF; expected the columns Usage, "):
        load_samples("ferplus", tmp_path / "csv", "train")


def test_csv_files_in_different_order_are_refused(tmp_path):
    write_csv_layout(tmp_path / "csv", ["Training"] * 3 + ["PublicTest"])
    path = tmp_path / "csv" / "fer2013.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *reversed(rows)]) + "\n")
    with pytest.raises(ValueError, match="line 2: PublicTest in fer2013.csv and Training in fer2013new.csv"):
        load_samples("ferplus", tmp_path / "csv", "train")


@pytest.mark.parametrize("inner", ["", "data"])
def test_label_csv_beside_pngs(tmp_path, inner):
    make_ferplus(tmp_path / "tree" / inner, {"FER2013Train": 8, "FER2013Test": 3})
    train = load_samples("ferplus", tmp_path / "tree", "train")
    assert train.layout == "label.csv"
    assert train.counts() == dict.fromkeys(EMOTIONS, 1)
    assert train.read(0).shape == (48, 48, 3)
    assert len(load_samples("ferplus", tmp_path / "tree", "test")) == 3


def test_a_split_may_lie_alone(tmp_path, monkeypatch):
    make_ferplus(tmp_path, {"FER2013Test": 3})
    assert len(load_samples("ferplus", tmp_path / "FER2013Test", "test")) == 3
    monkeypatch.chdir(tmp_path / "FER2013Test")
    assert len(load_samples("ferplus", ".", "test")) == 3
    with pytest.raises(ValueError, match="no train split of FER\\+"):
        load_samples("ferplus", tmp_path / "FER2013Test", "train")


def test_a_damaged_label_file_names_its_line(tmp_path):
    make_ferplus(tmp_path, {"FER2013Train": 3})
    with open(tmp_path / "FER2013Train" / "label.csv", "a") as file:
        file.write("fer9.png,1,2\n")
    with pytest.raises(ValueError, match="label.csv, line 4: expected name, box and ten votes"):
        load_samples("ferplus", tmp_path, "train")


def write_parquet(path, emotions: list[str]) -> None:
    import pyarrow
    import pyarrow.parquet
    from PIL import Image

    rng, rows = np.random.default_rng(0), []
    for i, emotion in enumerate(emotions):
        buffer = io.BytesIO()
        Image.fromarray(pattern_image(emotion, rng)).save(buffer, "webp", lossless=True)
        image = {"bytes": buffer.getvalue(), "path": f"fer{i:07d}.png"}
        rows.append({"image": image} | dict(zip(VOTES, one_vote_row(emotion))))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def test_parquet_shards(tmp_path):
    write_parquet(tmp_path / "train-00000-of-00002.parquet", ["anger", "fear"])
    write_parquet(tmp_path / "train-00001-of-00002.parquet", ["neutral"])
    write_parquet(tmp_path / "valid-00000-of-00001.parquet", ["sadness"])
    train = load_samples("ferplus", tmp_path, "train")
    assert train.layout == "parquet"
    assert [EMOTIONS[i] for i in train.targets.argmax(1)] == ["anger", "fear", "neutral"]
    assert train.read(2).shape == (48, 48, 3)
    assert len(load_samples("ferplus", tmp_path, "val")) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing", ".", "train"), "unknown dataset 'nothing'; choose one of ferplus"),
        (("ferplus", "nowhere", "train"), "nowhere: no such folder; --data must name"),
        (("ferplus", ".", "holdout"), "unknown split 'holdout'; choose one of train, val, test, all"),
        (("ferplus", ".", "train", "most"), "unknown rule 'most'; choose one of majority, probability, all"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_samples(*arguments)


def test_an_unknown_layout_lists_what_was_looked_for_and_found(tmp_path):
    (tmp_path / "images.zip").touch()
    with pytest.raises(ValueError, match=r"Looked for train-\*.parquet.*FER2013Train/label.csv.*Found: images.zip"):
        load_samples("ferplus", tmp_path, "train")


def test_a_split_in_which_no_image_is_kept(tmp_path):
    folder = tmp_path / "FER2013Train"
    folder.mkdir()
    for text in ("", 'a.png,"(0, 0, 48, 48)",0,0,0,0,0,0,0,0,9,1\n'):
        (folder / "label.csv").write_text(text)
        with pytest.raises(ValueError, match="train split of ferplus holds no image that the rule 'majority' keeps"):
            load_samples("ferplus", tmp_path, "train", "majority")


def test_the_default_rule_depends_on_the_split(tmp_path):
    make_ferplus(tmp_path, {"FER2013Train": 8, "FER2013Valid": 8, "FER2013Test": 8})
    rules = [load_samples("ferplus", tmp_path, split).rule for split in ("train", "val", "test")]
    assert rules == ["probability", "majority", "majority"]


def test_duplicates_are_found_by_their_pixels(tmp_path):
    make_ferplus(tmp_path, {"FER2013Train": 8, "FER2013Valid": 8})
    first = load_samples("ferplus", tmp_path, "train").read(0)
    write_image(tmp_path / "FER2013Valid" / "fer0000003.png", first)
    write_image(tmp_path / "FER2013Train" / "fer0000005.png", first)
    train, val = load_samples("ferplus", tmp_path, "train"), load_samples("ferplus", tmp_path, "val")
    assert np.flatnonzero(duplicates_of(val, train)).tolist() == [3]
    assert np.flatnonzero(redundant_copies(train)).tolist() == [5]  # the first one stays


@pytest.mark.parametrize(
    ("rule", "split", "kept"),
    [
        ("majority", "train", 25045),  # as published
        ("majority", "val", 3191),
        ("probability", "train", 27947),
        ("probability", "val", 3508),
    ],
)
def test_the_rules_keep_as_many_real_images_as_published(shared, rule, split, kept):
    assert len(load_samples("ferplus", shared / "data/ferplus", split, rule)) == kept


@pytest.mark.slow
def test_validation_images_that_are_in_the_real_training_data(shared):
    """All rows, before any rule: 279 validation images are in train, and train holds 1,224 redundant copies."""
    train, val = (load_samples("ferplus", shared / "data/ferplus", split, "all") for split in ("train", "val"))
    assert (len(train), len(val)) == (28558, 3579)
    assert duplicates_of(val, train).sum() == 279
    assert redundant_copies(train).sum() == 1224


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("neutral", [1, None], "expected whole numbers of votes in each row"),
        ("neutral", ["1", "2"], "expected whole numbers of votes in each row"),
        ("neutral", None, "no column neutral; found image, happiness"),
        ("image", [None, None], "expected images as structs of bytes and path"),
        ("image", [{"bytes": None, "path": "a"}] * 2, "expected images as structs of bytes and path"),
    ],
)
def test_ferplus_shards_that_cannot_be_used(tmp_path, name, value, message):
    columns = {"image": [{"bytes": b"x", "path": "a"}] * 2} | {vote: [1, 1] for vote in VOTES} | {name: value}
    table = pyarrow.table({key: column for key, column in columns.items() if column is not None})
    pyarrow.parquet.write_table(table, tmp_path / "train-00000-of-00001.parquet")
    with pytest.raises(ValueError, match=f"train-00000-of-00001.parquet: {message}"):
        load_samples("ferplus", tmp_path, "train")


@pytest.mark.parametrize("votes", ["x", "-1", "1.5", ""])
def test_ferplus_votes_that_are_no_numbers(tmp_path, votes):
    make_files(tmp_path, "FER2013Train/label.csv")
    good, bad = (f"a.png,box,{'1,' * 9}{last}\n" for last in ("1", votes))
    (tmp_path / "FER2013Train/label.csv").write_text(good + bad)
    with pytest.raises(ValueError, match="label.csv, line 2: expected name, box and ten votes, got a.png, box"):
        load_samples("ferplus", tmp_path, "train")
