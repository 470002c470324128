"""The web page: live camera, photos, batches, videos. Start it with `python -m app`."""
