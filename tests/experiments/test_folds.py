"""Reports of cross-validation."""

import json

import pytest

from fer.cli import main
from runs import fake_run


@pytest.fixture
def folds(tmp_path):
    """Three of four folds over two classes; the second of two epochs is the best."""
    for k, matrix in enumerate(([[2, 0], [1, 1]], [[1, 1], [0, 2]], [[2, 0], [0, 2]]), 1):
        folder = tmp_path / "ck" / f"fold{k}"
        fake_run(folder, 0, [0.5, 0.6], fold=f"{k}/4", template=[k / 10] * 10)
        lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
        for line, counts in zip(lines, ([[9, 9], [9, 9]], matrix)):
            line |= {"val_confusion_matrix": counts, "val_per_class": {"calm": {}, "smile": {}}}
        (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def test_folds_are_one_row_and_one_matrix(folds, capsys):
    fake_run(folds / "ck" / "whole", 0, [0.5])
    assert main(["report", str(folds)]) == 0
    said = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in said.splitlines() if line.startswith("|")]
    assert rows[0][:4] == ["run", "seeds", "folds", "epochs"]
    assert [row[:3] for row in rows if row[0].endswith("ck")] == [[f"{folds}/ck", "1", "3/4"]]
    assert [row[:3] for row in rows if row[0].endswith("whole")] == [[f"{folds}/ck/whole", "1", ""]]
    assert "3/4 folds together: accuracy 83.33% of 12 images, balanced accuracy 83.33%, macro F1 83.33%" in said
    assert rows[-2:] == [["calm", "5", "1"], ["smile", "1", "5"]]
    assert "chosen on the fold itself" in said


def test_the_last_epoch_flatters_not(tmp_path, capsys):
    fake_run(tmp_path / "a", 0, [0.9, 0.5], fold="1/persons", select="last")
    path = tmp_path / "a" / "history.jsonl"
    lines = [json.loads(line) | {"val_per_class": {"x": {}}} for line in path.read_text().splitlines()]
    lines[0]["val_confusion_matrix"], lines[1]["val_confusion_matrix"] = [[1]], [[4]]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["report", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "1/persons" in said and "of 4 images" in said and "chosen on" not in said
