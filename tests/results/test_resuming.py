"""Files of rows that an earlier run has left are gone on with, or refused."""

import json
from collections import Counter
from dataclasses import replace
from itertools import islice

import pytest

from fer.results.rows import COLUMNS, to_rows
from fer.results.sinks import SINKS, open_sink
from fer.results.sinks.parquet import ParquetSink
from outcomes import EMOTIONS, RESULTS, read, result, stored, write


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_file_cut_anywhere_is_completed_to_the_same_file(tmp_path, suffix):
    """Whatever a kill leaves of the file, going on ends with the rows of the uninterrupted run."""
    whole, path = tmp_path / f"whole{suffix}", tmp_path / f"x{suffix}"
    write(whole, RESULTS)
    everything = whole.read_bytes()
    lengths = range(len(everything) + 1)
    if suffix == ".jsonl":  # long lines of plain letters: near their ends every byte, elsewhere every fifth
        lengths = [n for n in lengths if n % 5 == 0 or b"\n" in everything[max(n - 3, 0) : n + 3]]
    for length in lengths:
        path.write_bytes(everything[:length])
        done = write(path, RESULTS, resume=True)
        assert path.read_bytes() == everything, length
    assert done == {r.path for r in RESULTS[:-1]}  # a whole file loses its last path only


def test_parquet_goes_on_from_what_a_killed_run_leaves(tmp_path):
    whole, path, journal = tmp_path / "whole.parquet", tmp_path / "x.parquet", tmp_path / ".x.parquet.rows.jsonl"
    write(whole, RESULTS)
    write(tmp_path / "rows.jsonl", RESULTS)
    journal.write_bytes((tmp_path / "rows.jsonl").read_bytes()[:-30])  # killed: a journal and no table
    assert write(path, RESULTS, resume=True) == {r.path for r in RESULTS[:-1]}
    assert read(path) == read(whole) and not journal.exists()


def test_a_finished_parquet_file_takes_more(tmp_path):
    path, whole = tmp_path / "x.parquet", tmp_path / "whole.parquet"
    some = [r for r in RESULTS if "\udcff" not in r.path]
    write(whole, some)
    write(path, some[:2])
    assert write(path, some, resume=True) == {some[0].path}
    assert read(path) == read(whole)


@pytest.mark.parametrize(("error", "raised"), [(KeyboardInterrupt, KeyboardInterrupt), (LookupError, ValueError)])
def test_a_parquet_file_that_is_read_back_in_part_stays(tmp_path, monkeypatch, error, raised):
    """An interruption or damage in the middle leaves no journal that has only some of the rows."""
    path = tmp_path / "x.parquet"
    write(path, RESULTS)
    before, load = path.read_bytes(), ParquetSink.load

    def some_rows(self, path):
        yield from islice(load(self, path), 3)
        raise error

    monkeypatch.setattr(ParquetSink, "load", some_rows)
    with pytest.raises(raised):
        write(path, RESULTS, resume=True)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SINKS)
def test_names_that_are_not_unicode_are_not_repeated(tmp_path, suffix):
    path, whole = tmp_path / f"x{suffix}", tmp_path / f"whole{suffix}"
    write(whole, RESULTS)
    write(path, RESULTS)
    write(path, RESULTS, resume=True)
    assert read(path) == read(whole)


@pytest.mark.parametrize("suffix", SINKS)
def test_what_could_not_be_read_can_be_tried_again(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    clip = replace(result("clip.mp4", 1), frame=0), replace(result("clip.mp4", 0, "damaged"), frame=1)
    write(path, [result("a.jpg", 0, "no such file"), *clip, *RESULTS])
    with open_sink(path, EMOTIONS, True) as sink:
        assert sink.failed == {
            "a.jpg",
            "clip.mp4",
            stored("bad\udcff.jpg", suffix),
        }
    again = [result("a.jpg", 1), result("clip.mp4", 2), result("bad\udcff.jpg", 3)]
    with open_sink(path, EMOTIONS, True, retry=True) as sink:
        assert not sink.failed and not any(sink.has(r.path) for r in again)
        for r in [*again, RESULTS[-1]]:
            sink.write(to_rows(r))
    counts = Counter(row["path"] for row in read(path))
    expected = {r.path: max(1, len(r.faces)) for r in [*RESULTS, *again]}
    assert counts == {stored(p, suffix): n for p, n in expected.items()}
    assert not any(row["status"] == "error" for row in read(path))


@pytest.mark.parametrize("suffix", SINKS)
@pytest.mark.parametrize(
    "content",
    [
        b"hello",  # no whole line
        b"hello, I am\na text\n",
        b'{"a": 1}\n',
        b"17\n",
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        ",".join([*COLUMNS, *EMOTIONS]).encode() + b"\r\nx.jpg\r\n",  # a row that ends early
        json.dumps(dict.fromkeys([*COLUMNS, *EMOTIONS])).encode() + b"\n[1]\n",
    ],
)
def test_a_foreign_file_is_left_alone(tmp_path, suffix, content):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="does not hold rows of fer predict"):
        write(path, RESULTS, resume=True)
    assert path.read_bytes() == content


@pytest.mark.parametrize("suffix", SINKS)
def test_rows_of_other_weights_are_not_mixed(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    write(path, RESULTS[:1])
    before = path.read_bytes()
    with pytest.raises(ValueError, match="other columns .neutral, anger."), open_sink(path, ("joy",), True):
        pass
    assert path.read_bytes() == before
