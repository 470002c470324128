// YuNet: the faces of a picture, as fer/faces/yunet.py finds them.
import { resize } from "./images.js";
import { roundHalfEven } from "./alignment.js";

// The intersection over union of two boxes.
export function overlap(a, b) {
  const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]), height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  const shared = Math.max(width, 0) * Math.max(height, 0);
  return shared / Math.max(area(a) + area(b) - shared, 1e-9);
}

export class Detector {
  // `run` takes a float32 tensor { data, dims } and resolves to the outputs by name; `settings` are those of YuNet.
  constructor(run, settings) {
    Object.assign(this, { run, settings });
  }

  // The faces of an RGB picture, largest first. A picture larger than `maxSide` is reduced to it; if it shows no face,
  // detection runs again at twice that.
  async find(image, maxSide) {
    const side = Math.max(image.width, image.height);
    const faces = await this.#find(image, Math.min(side, maxSide));
    return faces.length || side <= maxSide ? faces : this.#find(image, Math.min(side, 2 * maxSide));
  }

  async #find(image, side) {
    const { width, height } = image, { least_side: least, strides, min_score: minScore } = this.settings;
    const scale = Math.max(side, least) / Math.max(width, height);
    if (Math.min(width, height) * scale < 8) return [];
    const sides = [width, height].map((length) => Math.max(1, roundHalfEven(length * scale)));
    const input = toInput(resize(image, ...sides, scale < 1 ? "area" : "linear"), Math.max(...strides));
    const found = decode(await this.run(input), input.dims[3], strides, minScore);
    const area = ({ box }) => (box[2] - box[0]) * (box[3] - box[1]);
    return suppress(found, this.settings.max_overlap)
      .map(({ box, landmarks, score }) => ({
        box: box.map((v) => v / scale),
        landmarks: landmarks.map((point) => point.map((v) => v / scale)),
        score,
      }))
      .sort((a, b) => area(b) - area(a));
  }
}

// RGB bytes -> BGR float32 [1,3,H,W], padded with black to multiples of the largest stride.
function toInput({ data, width, height }, multiple) {
  const [w, h] = [width, height].map((length) => Math.ceil(length / multiple) * multiple), plane = w * h;
  const out = new Float32Array(3 * plane);
  for (let y = 0, from = 0; y < height; y++) {
    for (let x = 0, to = y * w; x < width; x++, from += 3, to++) {
      out[to] = data[from + 2];
      out[plane + to] = data[from + 1];
      out[2 * plane + to] = data[from];
    }
  }
  return { data: out, dims: [1, 3, h, w] };
}

function decode(outputs, width, strides, minScore) {
  const faces = [], unit = (value) => Math.min(Math.max(value, 0), 1);
  for (const stride of strides) {
    const [cls, obj, bbox, kps] = ["cls", "obj", "bbox", "kps"].map((kind) => outputs[`${kind}_${stride}`].data);
    const columns = width / stride;
    for (let i = 0; i < cls.length; i++) {
      const score = Math.sqrt(unit(cls[i]) * unit(obj[i]));
      if (!(score >= minScore)) continue;
      const c = i % columns, r = Math.floor(i / columns);
      const [x, y] = [(c + bbox[4 * i]) * stride, (r + bbox[4 * i + 1]) * stride];
      const [w, h] = [Math.exp(bbox[4 * i + 2]) * stride, Math.exp(bbox[4 * i + 3]) * stride];
      const box = [x - w / 2, y - h / 2, x + w / 2, y + h / 2];
      const landmarks = Array.from({ length: 5 }, (_, k) => [
        (kps[10 * i + 2 * k] + c) * stride,
        (kps[10 * i + 2 * k + 1] + r) * stride,
      ]);
      if ([...box, ...landmarks.flat()].every(Number.isFinite)) faces.push({ box, landmarks, score });
    }
  }
  return faces;
}

// Greedy non-maximum suppression, by boxes in whole pixels; the best first.
function suppress(faces, maxOverlap) {
  const whole = ({ box }) => {
    const corner = box.slice(0, 2).map(Math.trunc);
    return [...corner, ...corner.map((v, k) => v + Math.trunc(box[2 + k] - box[k]))];
  };
  const kept = [];
  for (const face of [...faces].sort((a, b) => b.score - a.score)) {
    if (kept.every((other) => overlap(whole(other), whole(face)) <= maxOverlap)) kept.push(face);
  }
  return kept;
}
