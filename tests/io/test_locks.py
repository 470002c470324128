"""One process at a time works on a file."""

import subprocess
import sys
from pathlib import Path

import pytest

from fer.io.locks import LockedError, exclusive

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys
from fer.io.locks import exclusive
with exclusive(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_is_free_again_after_the_block_and_leaves_no_file(tmp_path):
    for _ in range(2):
        with exclusive(tmp_path / "x.csv"):
            with pytest.raises(LockedError, match="x.csv is being written by process"), exclusive(tmp_path / "x.csv"):
                pass
            with exclusive(tmp_path / "y.csv"):  # another file
                pass
    assert list(tmp_path.iterdir()) == []


def test_an_error_within_the_block_frees_the_lock(tmp_path):
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path / "x.csv"):
        1 / 0  # noqa: B018
    with exclusive(tmp_path / "x.csv"):
        pass


def test_a_process_that_dies_frees_its_lock(tmp_path):
    """It is named while it lives; the file that it leaves keeps nobody out."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "x.csv")]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match=f"by process {other.pid} on "), exclusive(tmp_path / "x.csv"):
            pass
        other.kill()
        other.wait()
    assert (tmp_path / ".x.csv.lock").exists()
    with exclusive(tmp_path / "x.csv"):
        pass
