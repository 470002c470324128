// The crop rule of fer/faces/alignment.py. A face is { box: [x1, y1, x2, y2], landmarks: five [x, y] or null, score }.
import { resize, warp } from "./images.js";

const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// The rotation, scale and shift [[a, -b, tx], [b, a, ty]] that map points closest to others (least squares).
export function similarityTransform(source, target) {
  const [x, y, u, v] = [source, source, target, target].map((points, k) => points.map((point) => point[k % 2]));
  const [mx, my, mu, mv] = [x, y, u, v].map(average);
  let a = 0, b = 0, norm = 0;
  x.forEach((_, i) => {
    const [dx, dy, du, dv] = [x[i] - mx, y[i] - my, u[i] - mu, v[i] - mv];
    a += dx * du + dy * dv;
    b += dx * dv - dy * du;
    norm += dx * dx + dy * dy;
  });
  [a, b] = [a / Math.max(norm, 1e-12), b / Math.max(norm, 1e-12)];
  return [[a, -b, mu - a * mx + b * my], [b, a, mv - b * mx - a * my]];
}

// From the pixels of a picture to the unit square of a face's crop: by the landmarks to the template; without
// landmarks the upright square around the box.
export function cropTransform({ box, landmarks }, template) {
  if (landmarks && template.length) return similarityTransform(landmarks, template);
  const side = Math.max(box[2] - box[0], box[3] - box[1], 1);
  const [left, top] = [(box[0] + box[2] - side) / 2, (box[1] + box[3] - side) / 2];
  return [[1 / side, 0, -left / side], [0, 1 / side, -top / side]];
}

const determinant = ([[a, b], [d, e]]) => a * e - b * d;

export function invert(transform) {
  const [[a, b, c], [d, e, f]] = transform, size = determinant(transform);
  const [ia, ib, id, ie] = [e / size, -b / size, -d / size, a / size];
  return [[ia, ib, -ia * c - ib * f], [id, ie, -id * c - ie * f]];
}

// Cut a face out of a picture. A face larger than the crop is cut at a multiple of `size` and averaged.
export function cropFace(image, face, template, size) {
  const transform = cropTransform(face, template);
  const side = 1 / Math.sqrt(Math.max(Math.abs(determinant(transform)), 1e-12));
  const factor = Math.min(Math.max(roundHalfEven(side / size), 1), 32);
  const fine = transform.map((row) => row.map((value) => value * size * factor));
  fine.forEach((row) => (row[2] += 0.5 * (row[0] + row[1]) - 0.5)); // from corners of pixels to their centres
  return resize(warp(image, invert(fine), size * factor), size, size, "area");
}

export function isUpright([[x1, y1], [x2, y2]], degrees) {
  return Math.abs((Math.atan2(y2 - y1, x2 - x1) * 180) / Math.PI) < degrees;
}

// As Python rounds.
export function roundHalfEven(value) {
  const below = Math.floor(value), rest = value - below;
  return rest === 0.5 ? below + (below % 2) : Math.round(value);
}
