"""A run that is killed, or cannot write, goes on where its last epoch ended."""

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from conftest import make_ferplus
from fer.cli import main
from fer.errors import FerError
from fer.models.checkpoint import load_checkpoint
from fer.training.loop import NotSaved, fit
from runs import TEMPLATE, TINY, history, tiny_config, weights_of

ROOT = Path(__file__).resolve().parents[2]


def command(data: Path, out: Path, *more: str) -> list[str]:
    flags = [f"--{k.replace('_', '-')}={v}" for k, v in TINY.items() if k != "template"]
    flags += ["--template", *map(str, TEMPLATE), "--data", str(data), "--out", str(out)]
    return ["train", *flags, "--epochs=3", "--augmentation=faces", *more]


@pytest.mark.slow
def test_a_run_killed_in_the_middle_of_an_epoch_resumes_to_the_same_end(tmp_path, capsys):
    """The killed run is a process; the uninterrupted one and the one that goes on are in this process."""
    data = make_ferplus(tmp_path / "data", {"FER2013Train": 96, "FER2013Valid": 16})
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert main(command(data, whole)) == 0

    ours, its = os.openpty()  # a terminal shows each step, if it is wide enough
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("4H", 24, 200, 0, 0))
    start = [sys.executable, "-m", "fer", *command(data, killed)]
    process = subprocess.Popen(start, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=its)
    os.close(its)
    progress = b""
    while not re.search(rb"epoch 2/3:[^\n]* [3-9]/12 ", progress):  # in the middle of the second epoch
        progress += os.read(ours, 256)
        assert process.poll() is None
    process.kill()  # SIGKILL: nothing can be saved now
    process.wait()
    os.close(ours)
    assert len(history(killed)) == 1

    capsys.readouterr()
    assert main(command(data, killed)) == 2 and "add --resume to go on" in capsys.readouterr().err
    assert main(command(data, killed, "--resume")) == 0
    ends = [history(out)[-1] for out in (whole, killed)]
    assert [e["epoch"] for e in ends] == [3, 3]
    assert ends[0]["val_accuracy"] == ends[1]["val_accuracy"]
    assert ends[0]["cross_entropy"] == pytest.approx(ends[1]["cross_entropy"], rel=1e-4)


@pytest.mark.parametrize("megabytes", [0.5, 12], ids=["checkpoint", "state"])  # of the two, the state is larger
def test_a_full_disk_ends_the_run_and_the_last_epoch_stays(ferplus_tree, tmp_path, megabytes):
    resource = pytest.importorskip("resource")
    out, limit = tmp_path / "run", resource.getrlimit(resource.RLIMIT_FSIZE)
    config = tiny_config(ferplus_tree, out, epochs=3, backbone="mobilefacenet-128", num_heads=1)
    fit(replace(config, minutes=1e-6))
    before = weights_of(out)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(megabytes * 1e6), limit[1]))
    try:
        with pytest.raises(NotSaved, match=r"epoch 2 could not be saved in .*, where \d+ MB are free \(.*--resume"):
            fit(replace(config, resume=True))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert issubclass(NotSaved, FerError)  # which the command line prints, and ends with 2
    assert torch.equal(weights_of(out), before)
    load_checkpoint(out / "best.safetensors")
    fit(replace(config, resume=True))
    assert len(history(out)) == 3
