"""fer study."""

import re
from pathlib import Path

import pytest
import yaml

from conftest import make_ferplus
from fer.cli import main
from fer.experiments import study
from fer.experiments.runs import find_runs
from fer.experiments.study import load_study
from fer.training.config import RECIPES
from fer.training.loop import LAST

TINY = ["--input-size=32", "--num-heads=2", "--batch-size=8", "--workers=0", "--device=cpu", "--augmentation=none"]


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
        ("{recipe: ferplus, seeds: [0], rows: }", [], "rows: expected at least one name with .*, got None"),
        ("{recipe: ferplus, seeds: [0], rows: {}}", [], "rows: expected at least one name"),
        ("{recipe: ferplus, seeds: [], rows: {a: }}", [], r"seeds: expected a list of at least one number, got \[\]"),
        ("{recipe: ferplus, seeds: 3, rows: {a: }}", [], "seeds: expected a list"),
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


def one_run_of_each_kind(studies: list[str]) -> dict[str, dict]:
    """Each study with one seed and without rows that another has for the same reason: sizes are those of this test."""
    seen, kept = set(), {}
    for name in studies:
        said, rows = load_study(name), {}
        for row, changes in said["rows"].items():
            changes = {field: value for field, value in (changes or {}).items() if field not in ("input_size", "fold")}
            kind = str(changes or said["recipe"])  # a row that changes nothing tries the recipe
            if kind not in seen:
                seen.add(kind)
                rows[row] = changes
        kept[name] = said | {"rows": rows, "seeds": [0]}
    return kept


@pytest.mark.slow
def test_every_kind_of_row_of_our_studies_trains(tmp_path, monkeypatch):
    """On tiny data, one seed, from the folder that the studies expect: the student finds its teachers."""
    monkeypatch.chdir(tmp_path)
    make_ferplus(tmp_path / "data", {"FER2013Train": 8, "FER2013Valid": 8})
    flags = {"data": "data", "epochs": 1, "input-size": 32, "batch-size": 8, "workers": 0, "device": "cpu"}
    flags["dataset"] = "ferplus"  # also for a recipe that takes any
    small = [f"--{name}={value}" for name, value in flags.items()] + ["--warmup-epochs=0.5", "--no-detect"]

    def fit_and_tidy(config, fit=study.fit):
        done = fit(config)
        (Path(config.out) / LAST).unlink()  # those of all runs together would be 5 GB
        return done

    monkeypatch.setattr(study, "fit", fit_and_tidy)
    assert main(["study", "comparison", *small]) == 0  # all seeds: they are the teachers
    studies = sorted(path.stem for path in (RECIPES / "studies").glob("*.yaml"))
    kept = one_run_of_each_kind(studies)
    monkeypatch.setattr(study, "load_study", kept.get)
    assert main(["study", *(name for name in studies if name != "comparison"), *small]) == 0
    runs = [r for r in find_runs(["runs/study"]) if r.folder.name == "seed0"]
    assert len(runs) == sum(len(said["rows"]) for said in kept.values())
