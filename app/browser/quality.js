// How well a face can be seen, as fer/faces/quality.py measures it: in the order size, sharpness, brightness, yaw,
// pitch, roll; null where it is unknown.
import { mean, toGray } from "./images.js";

// `crop` is the first crop of the face, `pose` the pseudo-inverse [3,5] of the generic face.
export function measureQuality(crop, { box, landmarks }, pose) {
  const gray = toGray(crop);
  const angles = (landmarks && headPose(landmarks, pose)) || [null, null, null];
  return [Math.min(box[2] - box[0], box[3] - box[1]), measureSharpness(gray), mean(gray) / 255, ...angles];
}

// The energy of the Laplacian over the energy of the gradient.
function measureSharpness({ data, width, height }) {
  let across = 0, down = 0, laplacian = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      if (x) across += (data[i] - data[i - 1]) ** 2;
      if (y) down += (data[i] - data[i - width]) ** 2;
      if (!x || !y || x === width - 1 || y === height - 1) continue;
      laplacian += (data[i - 1] + data[i + 1] + data[i - width] + data[i + width] - 4 * data[i]) ** 2;
    }
  }
  const gradient = across / ((width - 1) * height) + down / (width * (height - 1));
  return gradient > 0 ? laplacian / ((width - 2) * (height - 2)) / gradient : 0;
}

// Yaw, pitch and roll in degrees; null where the landmarks give none. The rows of the affine projection are replaced by
// the closest orthogonal ones: A -> (A A')^-1/2 A.
function headPose(landmarks, pose) {
  const middle = [0, 1].map((k) => landmarks.reduce((sum, point) => sum + point[k] / 5, 0));
  const affine = [0, 1].map((k) =>
    pose.map((row) => row.reduce((sum, weight, i) => sum + weight * (landmarks[i][k] - middle[k]), 0)),
  );
  const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const [a, b, d] = [dot(affine[0], affine[0]), dot(affine[0], affine[1]), dot(affine[1], affine[1])];
  const root = Math.sqrt(Math.max(a * d - b * b, 0)), trace = Math.sqrt(a + d + 2 * root); // of (A A')^1/2
  if (!(root > 0)) return null;
  const scale = 1 / (root * trace); // the inverse of [[a + root, b], [b, d + root]] / trace
  const [x, y] = [
    [d + root, -b],
    [-b, a + root],
  ].map(([p, q]) => affine[0].map((value, i) => scale * (p * value + q * affine[1][i])));
  const z = x[0] * y[1] - x[1] * y[0];
  const angles = [Math.atan2(-x[2], z), Math.asin(Math.min(Math.max(y[2], -1), 1)), Math.atan2(y[0], y[1])];
  return angles.map((angle) => (angle * 180) / Math.PI);
}
