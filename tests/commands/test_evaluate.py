"""fer evaluate: the figures and pictures of a run."""

import json

from conftest import make_ferplus

from fer.cli import main
from fer.io.images import read_image, write_image


def test_train_then_evaluate(tmp_path, capsys):
    data = make_ferplus(tmp_path / "data", {"FER2013Train": 16, "FER2013Valid": 16, "FER2013Test": 8})
    write_image(data / "FER2013Test" / "fer0000001.png", read_image(data / "FER2013Train" / "fer0000001.png"))
    run = tmp_path / "run"
    small = "--epochs=1 --batch-size=8 --input-size=32 --num-heads=1 --workers=0 --device=cpu --no-amp"
    small += " --template 0.31 0.39 0.69 0.39 0.5 0.6 0.35 0.76 0.65 0.76"  # measuring it would download a detector
    assert main(["train", "--data", str(data), "--out", str(run), *small.split()]) == 0
    assert "best epoch 1: validation accuracy" in capsys.readouterr().out

    alone = tmp_path / "alone"
    alone.mkdir()
    (data / "FER2013Test").rename(alone / "FER2013Test")
    arguments = ["evaluate", "--dataset", "ferplus", "--weights", str(run / "best.safetensors"), "--data", str(alone)]
    assert main([*arguments, "--out", str(tmp_path / "eval")]) == 0
    metrics = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert (metrics["n"], metrics["rule"], metrics["accuracy_without_duplicates"]) == (8, "majority", None)
    for picture in ("confusion.png", "reliability.png", "attention.png"):
        assert read_image(tmp_path / "eval" / picture).shape[2] == 3

    assert main([*arguments, "--out", str(tmp_path / "eval"), "--duplicates-of", str(data), "--flip"]) == 0
    metrics = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert (metrics["n"], metrics["n_without_duplicates"], metrics["flip"]) == (8, 7, True)
    assert "without duplicates" in capsys.readouterr().out
