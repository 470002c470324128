"""fer check-data on what is not as it should be: one sentence that names the file."""

import re

import pytest

from fer.cli import main
from trees import make_files

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
