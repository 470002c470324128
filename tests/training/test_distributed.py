"""Two processes train as one does with twice the batch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import make_ferplus, make_va_shards
from fer.cli import main
from runs import history

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--input-size=32",
    "--num-heads=2",
    "--workers=0",
    "--device=cpu",
    "--no-amp",
    "--epochs=2",
    "--optimizer=sgd",
    "--lr=1e-4",
    "--backbone-lr=1e-4",
    "--overlap=0.1",
    "--freeze",
    "backbone.stem:1",
    "--accumulate=2",
]


def command(data: Path, out: Path, batch_size: int, *more: str) -> list[str]:
    return [*FLAGS, f"--batch-size={batch_size}", "--data", str(data), "--out", str(out), *more]


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--sam=0.05", "--cache", "--va", "--dataset=parquet"]], ids=["plain", "sam"])
def test_two_processes_are_one_with_twice_the_batch(tmp_path, more):
    """The same loss curve and the same validation: 21 images are sharded as 11 and 10, none twice."""
    if "--va" in more:
        data = make_va_shards(tmp_path / "data", {"train": 66, "val": 21}, unknown=7)
    else:
        data = make_ferplus(tmp_path / "data", {"FER2013Train": 66, "FER2013Valid": 21})
    assert main(["train", *command(data, tmp_path / "one", 16, *more)]) == 0  # in this process
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        str(ROOT / "train.py"),
    ]
    subprocess.run([*launch, *command(data, tmp_path / "two", 8, *more)], check=True, capture_output=True)
    one, two = history(tmp_path / "one"), history(tmp_path / "two")
    assert len(one) == len(two) == 2
    terms = ["cross_entropy", "affinity", "partition", "overlap", "val_negative_log_likelihood"]
    terms += ["va", "val_valence_rmse", "val_arousal_rmse"] if "--va" in more else []
    for a, b in zip(one, two):
        for term in terms:
            assert a[term] == pytest.approx(b[term], rel=2e-4), term
        assert a["val_n"] == b["val_n"] == 21
    assert json.loads((tmp_path / "two" / "environment.json").read_text())["processes"] == 2
