"""fer train, also by the name train.py."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_train_py_is_the_same_command():
    script = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), "--help"], capture_output=True, text=True, cwd=ROOT
    )
    assert script.returncode == 0 and "--recipe" in script.stdout
