"""The parts of training, measured."""

from conftest import make_ferplus
from fer.cli import main


def test_training_of_a_recipe(tmp_path, capsys):
    data = make_ferplus(tmp_path / "data", {"FER2013Train": 64, "FER2013Valid": 8})
    (tmp_path / "tiny.yaml").write_text(
        "dataset: ferplus\nbackbone: mobilefacenet-128\ninput_size: 32\nbatch_size: 8\nnum_heads: 1\ncompile: true\n"
    )
    command = ["benchmark", "--recipe", str(tmp_path / "tiny.yaml"), "--data", str(data), "--seconds", "0.1"]
    assert main([*command, "--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [*(f"loading, {n} workers" for n in range(3)), "network, a step"]
