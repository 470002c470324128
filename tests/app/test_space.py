"""The page as a Space of Hugging Face."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_a_space_needs_what_the_package_needs():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 reads TOML")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = {*project["dependencies"], *(name for extra in ("app", "video", "web") for name in extras[extra])}
    named = set((ROOT / "app/requirements.txt").read_text().split("\n")) - {""}
    assert named == {name for name in needed if not name.startswith(("gradio", "dan-fer["))}  # the Space brings Gradio


@pytest.mark.slow
def test_the_folder_of_a_space_starts(tmp_path):
    subprocess.run(["make", "-s", "space", f"SPACE={tmp_path / 'space'}"], cwd=ROOT, check=True)
    code = "import app.__main__ as m; m._serve = lambda a, auth: print('ready', a.host, m.__file__); import runpy; "
    code += "runpy.run_path('space.py', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "space", capture_output=True, text=True, timeout=100
    )
    assert done.stdout.split()[:2] == ["ready", "0.0.0.0"] and str(tmp_path) in done.stdout, done.stderr
