"""The Python in the documents runs, and says what it should."""

import re
import shutil
from pathlib import Path

import pandas
import pytest

from fer.io.images import read_image
from fer.io.video import TICK

ROOT = Path(__file__).resolve().parents[1]


def make_clip(path: Path) -> None:
    """Four frames of the astronaut."""
    import av

    picture = av.VideoFrame.from_ndarray(read_image(ROOT / "samples" / "astronaut.jpg"), format="rgb24")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = picture.height, picture.width, "yuv420p"
        for i in range(4):
            picture.pts, picture.time_base = round(i / 10 / TICK), TICK
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("README.md", ["^happiness \\d+% \\["]),
        (
            "docs/python.md",
            [
                "^happiness \\d+% \\[",
                "^samples/grace_hopper.jpg \\['",
                "^2 0.20 s: face 0 happiness$",
                "^\\('neutral', .* \\[\\d \\d\\]$",
                "grace_hopper.jpg +[a-z]+ +0\\.\\d+$",
            ],
        ),
    ],
)
def test_snippets(tmp_path, monkeypatch, capsys, document, said):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "samples", "samples")
    make_clip(tmp_path / "clip.mp4")
    blocks = re.findall("^```python\n(.*?)^```", (ROOT / document).read_text(), re.M | re.S)
    blocks = [block for block in blocks if "ray_engine" not in block]  # has tests of its own
    with pandas.option_context("display.width", 200):
        exec(compile("\n".join(blocks), document, "exec"), {})
    out = capsys.readouterr().out
    for line in said:
        assert re.search(line, out, re.M), (line, out)
    if document == "docs/python.md":
        assert pandas.read_parquet("faces.parquet")["status"].tolist() == ["ok", "ok"]
