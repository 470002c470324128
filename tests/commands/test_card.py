"""fer card."""

import json

from fer.cli import main


def test_the_command_writes_the_file(tmp_path, capsys):
    (tmp_path / "metrics.json").write_text(json.dumps({"weights": "other.onnx"}))
    (tmp_path / "text.md").write_text("## Purpose\na\n## Limits\nb\n## Licence\nc\n")
    arguments = [
        "card",
        "dan-mobilefacenet-ferplus",
        "--text",
        str(tmp_path / "text.md"),
        "--evaluation",
        str(tmp_path),
    ]
    assert main([*arguments, "--out", str(tmp_path / "card.md")]) == 2
    assert "figures of other.onnx, not of dan-mobilefacenet-ferplus" in capsys.readouterr().err
    assert not (tmp_path / "card.md").exists()
