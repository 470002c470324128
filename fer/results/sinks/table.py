"""Rows on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ...labels import VA
from ...terminal import printable


class TableSink:
    """Prints rows on the terminal: a line per face of an image; for a video a line per track, at its end.

    Args:
        va: also print valence and arousal of the faces of images.
    """

    def __init__(self, va: bool = False) -> None:
        self.video, self.va = "", va
        self.tracks: dict[str, Counter[str]] = {}  # how often each emotion was seen, by track
        self._line("image", "face", "emotion", "confidence", VA, "box", "unsure")

    def has(self, path: str) -> bool:
        return False

    def has_failed(self, path: str) -> bool:
        return False

    def _line(
        self, path: str, face: str, emotion: str, confidence: str, va: Iterable[str], box: str, unsure: str
    ) -> None:
        more = "".join(f"  {value:>7}" for value in va) if self.va else ""
        line = f"{printable(path):<40} {face:>4}  {emotion:<10} {confidence:>10}{more}  {box:<19}  {unsure}"
        print(line.rstrip(), flush=True)

    def write(self, rows: Iterable[dict]) -> None:
        for row in rows:
            if row["path"] != self.video:
                self._end_video()
            if row["status"] != "error" and row.get("time") is not None:
                self._count(row)
            elif row["status"] != "ok":
                path, reason = map(printable, (row["path"], row.get("error") or "no face found"))
                print(f"{path:<40}    -  {reason}", flush=True)
            else:
                box = " ".join(f"{row[key]:.0f}" for key in ("x1", "y1", "x2", "y2"))
                confidence, unsure = f"{row['confidence']:.0%}", row["unsure"] or ""
                va = [f"{row[name]:+.2f}" for name in VA if self.va]
                self._line(row["path"], str(row["face"]), row["label"], confidence, va, box, unsure)

    def _count(self, row: dict) -> None:
        """Count a row of a video."""
        self.video = row["path"]
        if row["status"] == "no_face":
            name, emotion = "no face", ""
        else:
            name = "no track" if row["track"] is None else f"track {row['track']}"
            emotion = f"unsure ({row['unsure']})" if row["unsure"] else row["label"]
        self.tracks.setdefault(name, Counter())[emotion] += 1

    def _end_video(self) -> None:
        for name, emotions in self.tracks.items():
            total = emotions.total()
            shares = ", ".join(f"{emotion} {n / total:.0%}" for emotion, n in emotions.most_common() if emotion)
            print(f"{printable(self.video):<40} {name:<9} {total:>6} frames  {shares}".rstrip(), flush=True)
        self.video, self.tracks = "", {}

    def close(self) -> None:
        self._end_video()
