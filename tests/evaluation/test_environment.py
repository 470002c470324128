"""A run says where it ran."""

import json
import subprocess
import sys
from pathlib import Path

import torch

from fer.evaluation.environment import git_state
from fer.training.loop import fit
from runs import history, tiny_config

ROOT = Path(__file__).resolve().parents[2]


def test_a_run_says_where_it_ran(ferplus_tree, tmp_path):
    fit(tiny_config(ferplus_tree, tmp_path / "run", epochs=1))
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert environment["packages"]["torch"].startswith(torch.__version__.split("+")[0])
    assert environment["device"] == "cpu" and environment["processes"] == 1
    head = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    assert environment["git"] is None if not head else environment["git"]["commit"] == head


def test_a_resumed_run_keeps_where_it_started(ferplus_tree, tmp_path, monkeypatch):
    out = tmp_path / "run"
    for epochs, argv in enumerate((["first"], ["second"], ["third"]), 1):
        monkeypatch.setattr(sys, "argv", argv)
        fit(tiny_config(ferplus_tree, out, epochs=3, minutes=1e-6, resume=epochs > 1))
        assert len(history(out)) == epochs
    environment = json.loads((out / "environment.json").read_text())
    assert environment["command"] == ["first"] and environment["git"] == git_state(ROOT / "fer")
    assert [start["command"] for start in environment["resumed"]] == [["second"], ["third"]]


def test_git_state_is_not_that_of_a_foreign_checkout(tmp_path):
    """A package installed inside somebody's repository is not that repository."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "fer").mkdir()
    assert git_state(tmp_path / "fer") is None
