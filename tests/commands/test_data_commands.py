"""fer check-data, pack and measure-template on what is not as it should be: one sentence that names the file."""

import json
import re

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from trees import make_files, make_image

from fer import faces
from fer.cli import main
from fer.data import load_samples
from fer.data.datasets.ferplus import VOTES
from fer.faces import Detection

DAMAGES = {
    "bytes": bytes(range(256)) * 20,
    "UTF-16": "a,b,c\n1,2,3\n".encode("utf-16"),
    "a field without end": b"x" * 200_000 + b"\n" + b"a," * 200_000,
    "words": b"a b c\nd e f\n",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    ("dataset", "file", "beside"),
    [
        ("ferplus", "FER2013Train/label.csv", ()),
        ("ferplus", "fer2013.csv", ("fer2013new.csv",)),
        ("ferplus", "train-00000-of-00001.parquet", ()),
        ("fer2013", "fer2013.csv", ()),
        ("rafdb", "EmoLabel/list_patition_label.txt", ("Image/aligned/",)),
        ("affectnet8", "Manually_Annotated_file_lists/training.csv", ("Manually_Annotated_Images/",)),
        ("ckplus", "Emotion/S1/001/S1_001_00000001_emotion.txt", ("cohn-kanade-images/S1/001/a.png",)),
        ("expw", "data/label/label.lst", ("data/image/origin/",)),
        ("parquet", "train.parquet", ()),
    ],
)
def test_a_damaged_list_is_named(tmp_path, capsys, dataset, file, beside, damage):
    make_files(tmp_path, file, *beside)
    (tmp_path / file).write_bytes(DAMAGES[damage])
    assert main(["check-data", dataset, str(tmp_path), "--workers", "0"]) == 2
    line = [line for line in capsys.readouterr().err.splitlines() if line.startswith("fer ")][-1]
    assert str(tmp_path) in line and len(line) < 500 + len(str(tmp_path))


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


def test_a_list_with_a_byte_order_mark(tmp_path):
    make_files(tmp_path, "EmoLabel/list_patition_label.txt", "Image/aligned/train_1_aligned.jpg")
    (tmp_path / "EmoLabel/list_patition_label.txt").write_text("\ufefftrain_1.jpg 4\ntrain_2.jpg 5\n", encoding="utf-8")
    assert load_samples("rafdb", tmp_path, "train").names == ["train_1.jpg", "train_2.jpg"]


@pytest.fixture
def data(tmp_path):
    for i in range(4):
        make_image(tmp_path / f"data/train/happy/{i}.png")
    make_image(tmp_path / "data/val/happy/0.png")
    make_files(tmp_path, "data/train/happy/broken.png", "file")
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("check-data folder {data} --out {tmp}/file", "--out .*file: not a writable folder"),
        ("check-data folder {data} --out {tmp}/file/inner", "--out .*inner: not a writable folder"),
        ("check-data folder {data} --workers -1", "--workers must be at least 0, not -1"),
        ("measure-template folder {data} --limit 0", "--limit must be at least 1, not 0"),
        ("measure-template folder {data} --limit -1", "--limit must be at least 1, not -1"),
        ("pack folder {data} {tmp}/out --align --recipe rafdb", "--align: recipe rafdb has no template"),
    ],
)
def test_mistakes_are_one_line_before_any_work(tmp_path, data, capsys, command, message):
    assert main(command.format(data=data, tmp=tmp_path).split()) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1  # no progress bar was shown
    assert re.search(message, err)


def test_measure_template_leaves_out_what_cannot_be_read(data, capsys, monkeypatch):
    face = Detection(np.array([0, 0, 9, 9], float), np.ones((5, 2)), 1.0)
    monkeypatch.setattr(faces, "create_detector", lambda *names: lambda image: [face])
    assert main(["measure-template", "folder", str(data)]) == 1
    out = capsys.readouterr().out
    assert "faces found in 100.0% of 4 images" in out
    assert f"not read: {data / 'train/happy/broken.png'}: the file is empty" in out
    assert np.shape(json.loads(out.splitlines()[0].removeprefix("template: "))) == (10,)
