"""Studies as files: rows, seeds and what they expect."""

import pytest

from fer.experiments.study import load_study, plan_study, run_study
from fer.training.config import RECIPES


def test_an_unknown_study_lists_those_there_are():
    with pytest.raises(ValueError, match="no study 'gone'; known studies: ablation"):
        load_study("gone")


@pytest.mark.parametrize("path", sorted((RECIPES / "studies").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_study_of_ours_is_valid(path):
    runs = plan_study(path.stem, "out", {"data": "x"})
    said = load_study(path.stem)
    assert len(runs) == len(said["rows"]) * len(said["seeds"])
    assert run_study({}) is True
