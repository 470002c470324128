"""What a look at a dataset writes."""

import numpy as np
import pytest
from PIL import Image

from checks import check, make_pictures, picture
from fer.io.images import read_image


@pytest.fixture
def tree(tmp_path):
    return make_pictures(tmp_path / "tree")


def test_contact_sheets_show_the_class(tree, tmp_path):
    check(tree, tmp_path)
    sheet = read_image(tmp_path / "report" / "train-happiness.png")
    assert sheet.shape == (512, 768, 3)
    shown = {sheet[:64, 64 * i : 64 * i + 64].tobytes() for i in range(5)}
    expected = {
        np.asarray(Image.fromarray(picture(s)).resize((64, 64), Image.Resampling.BICUBIC)).tobytes()
        for s in range(1, 6)
    }
    assert shown == expected
    assert (sheet[64:] == 255).all()
