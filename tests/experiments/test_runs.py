"""Reports of runs, studies and averages."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import make_ferplus

from fer.cli import main
from fer.evaluation.evaluate import EvaluationRequest, evaluate_checkpoint
from fer.experiments import study
from fer.experiments.averaging import average_checkpoints
from fer.experiments.runs import find_runs, group_runs, tabulate
from fer.experiments.study import load_study, plan_study, run_study
from fer.models.checkpoint import build_network, load_checkpoint, save_checkpoint
from fer.training.config import RECIPES, TrainConfig, load_recipe

TINY = ["--input-size=32", "--num-heads=2", "--batch-size=8", "--workers=0", "--device=cpu", "--augmentation=none"]


def fake_run(folder: Path, seed: int, accuracies: list[float], **changes) -> None:
    folder.mkdir(parents=True)
    config = {"seed": seed, "out": str(folder), "epochs": 2, "num_heads": 4} | changes
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    lines = [
        {"epoch": i, "val_score": a, "val_accuracy": a + 0.01, "cross_entropy": 1 / i, "seconds": 10.0 * i}
        for i, a in enumerate(accuracies, 1)
    ]
    (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_report_groups_seeds_and_takes_the_chosen_epochs(tmp_path, capsys):
    fake_run(tmp_path / "a" / "seed0", 0, [0.80, 0.70])  # the first epoch was better
    fake_run(tmp_path / "a" / "seed1", 1, [0.70, 0.84])
    fake_run(tmp_path / "one-head", 0, [0.5], num_heads=1)  # not finished
    assert main(["report", str(tmp_path), "--out", str(tmp_path / "report")]) == 0
    table = capsys.readouterr().out
    rows = {r[0]: r[1:] for r in ([c.strip() for c in line.strip("|").split("|")] for line in table.splitlines())}
    assert rows["run"][:4] == ["seeds", "epochs", "accuracy", "without duplicates"]
    mean, deviation = 83.0, np.std([81, 85], ddof=1)
    assert rows[str(tmp_path / "a")][:3] == ["2", "2/2", f"{mean:.2f} ± {deviation:.2f}"]
    assert rows[str(tmp_path / "one-head")][:3] == ["1", "1/2", "51.00"]
    assert rows[str(tmp_path / "a")][6] == "15.0 ± 7.1"  # seconds of the chosen epochs
    assert (tmp_path / "report" / "report.md").read_text() == table
    assert (tmp_path / "report" / "curves.png").stat().st_size > 10_000


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


def test_no_run_is_said(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "no folder there holds history.jsonl" in capsys.readouterr().err


def test_a_study_in_pieces_is_the_whole_study(tmp_path, capsys):
    """Stopped after each epoch and called again, it trains every row with every seed, once."""
    data = make_ferplus(tmp_path / "data", {"FER2013Train": 16, "FER2013Valid": 8})
    file = tmp_path / "study.yaml"
    rows = {"base": None, "one-head": {"attention": "qkv"}}
    file.write_text(yaml.safe_dump({"recipe": "ferplus", "seeds": [0, 1], "rows": rows}))
    command = ["study", str(file), "--data", str(data), "--out", str(tmp_path / "out"), "--epochs=2", *TINY]
    command += ["--backbone-weights=", "--no-compile"]
    calls = [main([*command, "--minutes=1e-4"]) for _ in range(8)]
    assert calls == [3] * 7 + [0]  # an epoch each, though the start of a run takes longer than its time
    assert main(command) == 0
    found = find_runs([str(tmp_path / "out")])
    assert [str(r.folder.relative_to(tmp_path / "out" / "study")) for r in found] == [
        "base/seed0",
        "base/seed1",
        "one-head/seed0",
        "one-head/seed1",
    ]
    assert all(len(r.history) == 2 for r in found)
    table = capsys.readouterr().out
    assert re.search(r"out/study/base \| 2 \| 2/2 \|", table) and re.search(r"out/study/one-head \| 2 \| 2/2 \|", table)
    before = [r.history for r in found]
    assert main(command) == 0  # nothing is left to do
    assert [r.history for r in find_runs([str(tmp_path / "out")])] == before


@pytest.mark.parametrize(
    ("text", "flags", "message"),
    [
        ("recipe: ferplus", [], "expected the fields recipe, seeds and rows"),
        ("{recipe: ferplus, seeds: [0], rows: }", [], "rows is names, each .*, at least one; got None"),
        ("{recipe: ferplus, seeds: [0], rows: {}}", [], "rows is names"),
        ("{recipe: ferplus, seeds: [], rows: {a: }}", [], r"seeds is a list of numbers, at least one; got \[\]"),
        ("{recipe: ferplus, seeds: 3, rows: {a: }}", [], "seeds is a list"),
        ("{recipe: gone, seeds: [0], rows: {a: }}", [], "no recipe 'gone'"),
        ("{recipe: ferplus, seeds: [0], rows: {a: {heads: 2}}}", [], "row a: .*heads"),
        ("{recipe: ferplus, seeds: [0], rows: {a: {num_heads: 0}}}", [], "row a: --num-heads must be at least 1"),
        ("{recipe: ferplus, seeds: [0], rows: {a: }}", ["--only", "b"], "has no row b; it has a"),
    ],
)
def test_mistakes_in_a_study_are_named(tmp_path, capsys, text, flags, message):
    (tmp_path / "s.yaml").write_text(text)
    assert main(["study", str(tmp_path / "s.yaml"), "--data", "x", *flags]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_an_unknown_study_lists_those_there_are():
    with pytest.raises(ValueError, match="no study 'gone'; known studies: ablation"):
        load_study("gone")


@pytest.mark.parametrize("path", sorted((RECIPES / "studies").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_study_of_ours_is_valid(path):
    runs = plan_study(path.stem, "out", {"data": "x"})
    said = load_study(path.stem)
    assert len(runs) == len(said["rows"]) * len(said["seeds"])
    assert run_study({}) is True


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_recipe_of_ours_is_valid(path):
    assert TrainConfig(**load_recipe(path.stem)).dataset == path.stem.split("-")[0]


@pytest.mark.slow
def test_every_row_of_our_studies_trains(tmp_path, monkeypatch, shared):
    """On tiny data, one seed, from the folder that the studies expect: the student finds its teachers."""
    monkeypatch.chdir(tmp_path)
    make_ferplus(tmp_path / "data", {"FER2013Train": 16, "FER2013Valid": 8})
    (tmp_path / "pretrained").mkdir()
    weights = "mobilefacenet_ms1m.safetensors"
    (tmp_path / "pretrained" / weights).symlink_to(shared / "pretrained" / weights)
    flags = {"data": "data", "epochs": 1, "input-size": 32, "batch-size": 8, "workers": 0, "device": "cpu"}
    small = [f"--{name}={value}" for name, value in flags.items()] + ["--warmup-epochs=0.5"]
    assert main(["study", "comparison", *small]) == 0  # all seeds: they are the teachers
    monkeypatch.setattr(study, "load_study", lambda name: load_study(name) | {"seeds": [0]})
    assert main(["study", "student", "paper", "ablation", "ablation-cpu", *small]) == 0
    runs = [r for r in find_runs(["runs/study"]) if r.folder.name == "seed0"]
    assert len(runs) == sum(len(load_study(p.stem)["rows"]) for p in (RECIPES / "studies").glob("*.yaml"))


def test_the_mean_of_checkpoints(tmp_path, tiny_checkpoint):
    """Weights are means; batch statistics are measured, so that equal checkpoints differ in these alone."""
    data = make_ferplus(tmp_path / "data", {"FER2013Train": 64, "FER2013Valid": 8})
    model, description = load_checkpoint(tiny_checkpoint)
    description.dataset = "ferplus"
    other = load_checkpoint(tiny_checkpoint)[0]
    with torch.no_grad():
        other.classifier.weight.add_(1)
        other.backbone.stem[0][1].running_mean.add_(5)
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for path, net in zip(paths, (model, other)):
        save_checkpoint(path, net, description)
    average_checkpoints([str(p) for p in paths], tmp_path / "mean.safetensors", data, device="cpu")
    mean, said = load_checkpoint(tmp_path / "mean.safetensors")
    torch.testing.assert_close(mean.classifier.weight, model.classifier.weight + 0.5)
    assert mean.backbone.stem[0][1].running_mean.abs().max() < 2.5
    assert said.recipe["mean_of"] == [str(p) for p in paths]
    assert (
        evaluate_checkpoint(
            EvaluationRequest(tmp_path / "mean.safetensors", "ferplus", data, "val", device="cpu")
        ).to_dict()["n"]
        == 8
    )
    description.num_heads = 1
    save_checkpoint(tmp_path / "c.safetensors", build_network(description), description)
    with pytest.raises(ValueError, match="is a network or knows classes other than"):
        average_checkpoints([str(paths[0]), str(tmp_path / "c.safetensors")], tmp_path / "m.safetensors", data)
