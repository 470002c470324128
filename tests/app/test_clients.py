"""Clients of the live view without a browser."""

from __future__ import annotations

import numpy as np

from app.clients import CameraClient, stream, to_jpeg


def test_a_client_of_the_benchmark_speaks_as_the_page_does(launch):
    url, frame = launch(), np.full((90, 120, 3), 2, np.uint8)  # in which the detector finds two faces
    client, other = CameraClient(url), CameraClient(url)
    assert [len(client.look(to_jpeg(frame))["faces"]) for _ in range(2)] == [2, 2]
    (face, _) = client.look(to_jpeg(frame), attention=True)["faces"]
    assert "maps" in face and face["track"] == 0
    assert other.look(to_jpeg(frame))["faces"][0]["track"] == 0 and client.session != other.session
    assert "could not be read" in client.look(b"MZ")["hint"]
    line = stream(url, clients=2, seconds=0.5, pictures=[to_jpeg(frame)])
    assert line.startswith("2 clients: ") and line.endswith("2.00 faces per frame")
