"""fer report."""

import numpy as np

from fer.cli import main
from runs import fake_run


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


def test_no_run_is_said(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "no folder there holds history.jsonl" in capsys.readouterr().err
