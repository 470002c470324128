"""What is worked out from times."""

import pytest

from fer.benchmark.run import add_rates


def test_rates():
    def network(name, precision, batch, seconds, **facts):
        figure = {"group": "network", "name": name, "precision": precision, "batch": batch, "seconds": seconds}
        return figure | {"device": "cpu", "macs": 10**9} | facts

    figures = add_rates(
        [
            network("ours", "float32", 1, 0.5),
            network("ours", "float32", 4, 1.0),
            network("theirs", "float32", 4, 3.0),
            network("theirs", "bfloat16", 4, 2.0),
            network("gpu", "float32", 4, 0.1, device="cuda"),
            network("onnx", "float32", 4, 2.0, macs=None),
            {"group": "matrix", "name": "m", "precision": "float32", "side": 1000, "seconds": 0.1},
            {"group": "folder", "name": "fer predict", "seconds": 2.0},
            {"group": "folder", "name": "naive", "seconds": 5.0},
            {"group": "photo", "name": "p", "seconds": 5.0},
        ]
    )
    found = [tuple(f.get(key) for key in ("crops_per_second", "ratio", "gflops", "share")) for f in figures]
    assert found == [
        pytest.approx((2, 1, 4, 0.2)),
        pytest.approx((4, 1, 8, 0.4)),
        pytest.approx((4 / 3, 3, 8 / 3, 2 / 15)),
        (2, 2, 4, None),  # no limit of this precision
        (40, pytest.approx(0.1), 80, None),  # the limit is the CPU's
        (2, 2, None, None),
        (None, None, pytest.approx(20), None),
        (None, 1, None, None),
        (None, 2.5, None, None),
        (None, None, None, None),
    ]
