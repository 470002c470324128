"""A file is written whole or not at all."""

import os
import stat
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fer.io.atomic import write_atomically


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "state.pt"
    path.write_text("old")

    def fail(temporary: Path) -> None:
        temporary.write_text("half of the n")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["state.pt"]


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644)])
def test_files_have_the_mode_that_the_umask_leaves(tmp_path, umask, mode):
    path, before = tmp_path / "state.safetensors", os.umask(umask)
    try:
        path.with_name(f".{path.name}.tmp").touch(0o640)  # of a run that was killed
        write_atomically(path, lambda temporary: save_file({"a": torch.zeros(1)}, temporary))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_writing_leaves_the_umask_of_other_threads_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("it is that of the whole process"))
    write_atomically(tmp_path / "public", lambda path: path.write_text("x"))
