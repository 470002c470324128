"""fer export."""

from pathlib import Path

import pytest

from fer.cli import main
from fer.inference.recognizer import EmotionRecognizer


def test_an_exported_file_recognises_faces(tiny_checkpoint, tmp_path, capsys):
    out = tmp_path / "x.onnx"
    assert main(["export", str(tiny_checkpoint), "--half", "--out", str(out)]) == 0
    assert "written: " in capsys.readouterr().out
    assert out.stat().st_size < 0.7 * tiny_checkpoint.stat().st_size  # half precision
    recognizer = EmotionRecognizer.from_pretrained(out, detector="none")
    (face,) = recognizer(Path(__file__).resolve().parents[2] / "samples" / "astronaut.jpg")
    assert sum(face.probs.values()) == pytest.approx(1, abs=1e-5)
    assert main(["export", str(tiny_checkpoint), "--out", str(tmp_path / "x.pt")]) == 2
    assert "expected a name that ends with .onnx" in capsys.readouterr().err
