"""A small dataset for the commands on data."""

import pytest

from trees import make_files, make_image


@pytest.fixture
def data(tmp_path):
    for i in range(4):
        make_image(tmp_path / f"data/train/happy/{i}.png")
    make_image(tmp_path / "data/val/happy/0.png")
    make_files(tmp_path, "data/train/happy/broken.png", "file")
    return tmp_path / "data"
