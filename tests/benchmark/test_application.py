"""What a user waits for."""

from pathlib import Path

import pytest

from fer.benchmark.application import ColdStart
from fer.errors import FerError

ROOT = Path(__file__).resolve().parents[2]
PHOTO = ROOT / "samples" / "astronaut.jpg"


def test_a_cold_start_that_fails_says_why():
    with pytest.raises(FerError, match="a new process did not recognise the photo: ValueError: no weights 'none'"):
        ColdStart({"weights": "none"}, PHOTO)()
