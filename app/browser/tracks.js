// Which faces of successive frames are the same, and the mean over time of what the network says of each, as
// fer/inference/tracks.py. Faces are matched by the overlap of their boxes, the best match first.
import { overlap } from "./detector.js";

export class Tracks {
  #tracks = []; // { number, box, time, mean }; a track gets its number when it is seen again
  #count = 0;

  // `settings`: `least_overlap`, `patience` (seconds until a lost track ends), `smoothing` (seconds after
  // which the weight of a frame has fallen to 1/e).
  constructor(settings) {
    this.settings = settings;
  }

  // For each { box, values } of the next frame its { track, values }: a number, or null for a new face.
  follow(faces, time) {
    const { least_overlap: least, patience, smoothing } = this.settings;
    this.#tracks = this.#tracks.filter((track) => time - track.time <= patience);
    const pairs = faces
      .flatMap(({ box }, i) => this.#tracks.map((track) => ({ i, track, shared: overlap(box, track.box) })))
      .filter(({ shared }) => shared > least)
      .sort((a, b) => b.shared - a.shared);
    const matched = new Map(), taken = new Set();
    for (const { i, track } of pairs) {
      if (matched.has(i) || taken.has(track)) continue;
      matched.set(i, track);
      taken.add(track);
    }
    return faces.map(({ box, values }, i) => {
      const track = matched.get(i);
      if (!track) {
        this.#tracks.push({ number: null, box, time, mean: values });
        return { track: null, values };
      }
      const keep = Math.exp(-(time - track.time) / smoothing);
      const mean = values.map((value, k) => keep * track.mean[k] + (1 - keep) * value);
      Object.assign(track, { number: track.number ?? this.#count++, box, time, mean });
      return { track: track.number, values: mean };
    });
  }
}
