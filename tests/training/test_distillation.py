"""Teachers."""

from fer.training.loop import fit
from runs import history, tiny_config


def test_a_student_learns_what_its_teachers_say(ferplus_tree, tmp_path, tiny_checkpoint):
    """With all the weight on the teachers, labels do not matter."""
    fit(tiny_config(ferplus_tree, tmp_path / "run", epochs=1, teachers=[str(tiny_checkpoint)], distill=1.0))
    line = history(tmp_path / "run")[0]
    assert "distillation" in line and "cross_entropy" not in line
