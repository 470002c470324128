"""fer pack."""

import numpy as np
import pyarrow
import pyarrow.parquet

from conftest import make_ferplus
from fer.cli import main
from fer.data import load_samples
from trees import assert_same


def test_every_split_is_packed_and_what_cannot_be_read_is_told(tmp_path, capsys):
    tree = make_ferplus(tmp_path / "tree", {"FER2013Train": 24, "FER2013Valid": 16})
    (tree / "FER2013Valid" / "fer0000003.png").write_bytes(b"")
    assert main(["pack", "ferplus", str(tree), str(tmp_path / "packed")]) == 1  # one image could not be read
    told = capsys.readouterr().out
    assert "train: 24 images in 1 shards" in told and "val: 15 images in 1 shards" in told
    assert "left out: fer0000003.png" in told and "the file is empty" in told
    train, original = load_samples("parquet", tmp_path / "packed", "train"), load_samples("ferplus", tree, "train")
    assert_same(train, original)
    assert (train.rule, load_samples("parquet", tmp_path / "packed", "val").rule) == ("probability", "majority")


def test_aligned_crops(tmp_path, shared, capsys):
    """Every face that the detector finds lies at the template then; training takes the shards."""
    detector = ["--detector-weights", str(shared / "models" / "yunet_n_320_320.onnx")]
    source = pyarrow.parquet.read_table(shared / "data" / "ferplus" / "valid-00000-of-00001.parquet").slice(0, 40)
    (tmp_path / "few").mkdir()
    pyarrow.parquet.write_table(source, tmp_path / "few" / "valid-00000-of-00001.parquet")
    command = ["pack", "ferplus", str(tmp_path / "few"), str(tmp_path / "out"), "--align", *detector]
    assert main(command) == 2
    assert "--align needs the --recipe" in capsys.readouterr().err
    assert main([*command, "--recipe", "rafdb"]) == 2
    assert "--align: recipe rafdb has no template" in capsys.readouterr().err
    assert main([*command, "--recipe", "ferplus"]) == 0
    loose, aligned = load_samples("ferplus", tmp_path / "few", "val"), load_samples("parquet", tmp_path / "out", "val")
    assert aligned.names == loose.names
    changed = [not np.array_equal(aligned.read(i), loose.read(i)) for i in range(len(loose))]
    assert np.mean(changed) > 0.8
    command[3], share = str(tmp_path / "half"), ["--align-share", "0.5"]
    assert main(["pack", "ferplus", str(tmp_path / "few"), str(tmp_path / "half"), *share]) == 2
    assert "--align-share is for use together with --align; add --align" in capsys.readouterr().err
    assert main([*command, "--recipe", "ferplus", "--align-share", "50"]) == 2
    assert "--align-share takes a share above 0, up to 1, not 50.0" in capsys.readouterr().err
    assert main([*command, "--recipe", "ferplus", *share]) == 0
    assert "drawn images aligned" in capsys.readouterr().out
    half = load_samples("parquet", tmp_path / "half", "val")
    is_loose, is_aligned = (
        [np.array_equal(half.read(i), s.read(i)) for i in range(len(half))] for s in (loose, aligned)
    )
    assert np.all(np.logical_or(is_loose, is_aligned)) and 0.2 < np.mean(is_loose) < 0.8
