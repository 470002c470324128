"""The page: live camera, photos, batches, videos. `python -m app` opens it."""
