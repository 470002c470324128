"""fer average."""

from conftest import make_ferplus
from fer.cli import main
from fer.models.checkpoint import load_checkpoint, save_checkpoint


def test_the_mean_is_written_and_what_is_next_is_told(tmp_path, tiny_checkpoint, capsys):
    data = make_ferplus(tmp_path / "data", {"FER2013Train": 8})
    model, description = load_checkpoint(tiny_checkpoint)
    description.dataset = "ferplus"
    save_checkpoint(tmp_path / "a.safetensors", model, description)
    out = tmp_path / "mean.safetensors"
    command = ["average", str(tmp_path / "a.safetensors"), "--data", str(data), "--device", "cpu", "--out"]
    assert main([*command, str(out)]) == 0
    assert capsys.readouterr().out == f"written: {out}; measure it with fer evaluate\n"
    assert load_checkpoint(out)[1].recipe["mean_of"] == [str(tmp_path / "a.safetensors")]


def test_mistakes_are_one_line_and_status_2(tmp_path, tiny_checkpoint, capsys):
    """A checkpoint that is not there; data that are not there."""
    for checkpoint in ("gone.safetensors", str(tiny_checkpoint)):
        command = ["average", checkpoint, "--data", str(tmp_path / "gone"), "--out", str(tmp_path / "x.safetensors")]
        assert main(command) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
