"""Reports of runs, studies and averages."""

from fer.experiments.runs import find_runs, group_runs, tabulate
from runs import fake_run


def test_runs_that_differ_in_more_than_the_seed_are_apart(tmp_path):
    fake_run(tmp_path / "x-seed0", 0, [0.5])
    fake_run(tmp_path / "x-seed1", 1, [0.5])
    fake_run(tmp_path / "y-seed0", 0, [0.5], num_heads=2)
    groups = group_runs(find_runs([str(tmp_path)]))
    assert {name: len(group) for name, group in groups.items()} == {f"{tmp_path}/x": 2, f"{tmp_path}/y-seed0": 1}
    assert "±" in tabulate(groups)


def test_seeds_of_runs_that_ran_in_other_ways_are_one_group(tmp_path):
    ways = {"cache": True, "detector_weights": "x.onnx", "workers": 3, "compile": True, "device": "cuda:1", "data": "y"}
    fake_run(tmp_path / "a" / "seed0", 0, [0.5])
    fake_run(tmp_path / "a" / "seed1", 1, [0.5], **ways)
    assert {name: len(group) for name, group in group_runs(find_runs([str(tmp_path)])).items()} == {f"{tmp_path}/a": 2}


def test_a_run_older_than_a_field_has_its_default(tmp_path):
    fake_run(tmp_path / "a" / "seed0", 0, [0.5])
    fake_run(tmp_path / "a" / "seed1", 1, [0.5], fusion="paper")
    assert {name: len(group) for name, group in group_runs(find_runs([str(tmp_path)])).items()} == {f"{tmp_path}/a": 2}


def test_no_group_is_lost_where_two_have_the_same_name(tmp_path):
    fake_run(tmp_path / "a" / "seed0", 0, [0.5])
    fake_run(tmp_path / "a" / "seed1", 1, [0.5], num_heads=2)
    groups = group_runs(find_runs([str(tmp_path)]))
    assert set(groups) == {f"{tmp_path}/a/seed0", f"{tmp_path}/a/seed1"}
