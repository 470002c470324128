// Pictures as { data: Uint8Array, width, height, channels }, row by row, and the operations of OpenCV
// that the recogniser uses. The results are those of OpenCV 5, but for rare gray levels. See fer/faces/alignment.py and
// fer/preprocessing.py.

const A = -0.75; // of the cubic kernel

const clamp = (value, low, high) => (value < low ? low : value > high ? high : value);
const byte = (value) => clamp(Math.floor(value + 0.5), 0, 255);

// The pixels of a canvas, RGBA, without alpha; transparent ones become white.
export function fromCanvas({ data, width, height }) {
  const rgb = new Uint8Array(3 * width * height);
  const blend = (value, alpha) => (alpha === 255 ? value : byte(255 + ((value - 255) * alpha) / 255));
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    const alpha = data[from + 3];
    rgb[to] = blend(data[from], alpha);
    rgb[to + 1] = blend(data[from + 1], alpha);
    rgb[to + 2] = blend(data[from + 2], alpha);
  }
  return { data: rgb, width, height, channels: 3 };
}

// Luma, in the fixed-point arithmetic of OpenCV's COLOR_RGB2GRAY.
export function toGray({ data, width, height, channels }) {
  if (channels === 1) return { data, width, height, channels };
  const gray = new Uint8Array(width * height);
  for (let i = 0, k = 0; i < gray.length; i++, k += 3) {
    gray[i] = (9798 * data[k] + 19235 * data[k + 1] + 3735 * data[k + 2] + 16384) >> 15;
  }
  return { data: gray, width, height, channels: 1 };
}

export function mean({ data }) {
  let sum = 0;
  for (const value of data) sum += value;
  return sum / data.length;
}

const cubic = (t) => {
  const far = (x) => ((A * x - 5 * A) * x + 8 * A) * x - 4 * A; // 1 <= x <= 2
  const near = (x) => ((A + 2) * x - (A + 3)) * x * x + 1; // 0 <= x <= 1
  return [far(1 + t), near(t), near(1 - t), far(2 - t)];
};
const linear = (t) => [1 - t, t];

// Along one axis: for each new pixel the old pixels that it takes, and their weights.
const interpolationTaps = (weigh, before) => (from, to) =>
  Array.from({ length: to }, (_, i) => {
    const place = ((i + 0.5) * from) / to - 0.5, first = Math.floor(place);
    return weigh(place - first).map((weight, k) => [clamp(first - before + k, 0, from - 1), weight]);
  });
const cubicTaps = interpolationTaps(cubic, 1), linearTaps = interpolationTaps(linear, 0);

// INTER_AREA: a new pixel is the mean of the area that it covers.
function areaTaps(from, to) {
  const scale = from / to;
  return Array.from({ length: to }, (_, i) => {
    const left = i * scale, right = Math.min((i + 1) * scale, from), taps = [];
    for (let k = Math.floor(left + 1e-9); k < right - 1e-9; k++) {
      taps.push([k, (Math.min(k + 1, right) - Math.max(k, left)) / (right - left)]);
    }
    return taps;
  });
}

function resample({ data, width, height, channels }, columns, rows) {
  const stride = columns.length * channels;
  const narrow = new Float32Array(stride * height); // resized along the rows only
  const taps = columns.flatMap((pairs, x) => pairs.map(([k, weight]) => [channels * x, channels * k, weight]));
  const [to, from] = [0, 1].map((i) => Int32Array.from(taps, (tap) => tap[i]));
  const weights = Float32Array.from(taps, (tap) => tap[2]);
  for (let y = 0; y < height; y++) {
    const line = y * width * channels, start = y * stride;
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i], left = line + from[i], place = start + to[i];
      for (let c = 0; c < channels; c++) narrow[place + c] += weight * data[left + c];
    }
  }
  const out = new Uint8Array(stride * rows.length), sums = new Float32Array(stride);
  rows.forEach((pairs, y) => {
    sums.fill(0);
    for (const [k, weight] of pairs) {
      for (let i = 0, line = k * stride; i < stride; i++) sums[i] += weight * narrow[line + i];
    }
    for (let i = 0; i < stride; i++) out[y * stride + i] = byte(sums[i]);
  });
  return { data: out, width: columns.length, height: rows.length, channels };
}

// INTER_LINEAR in OpenCV's fixed-point arithmetic, whose results are a little darker than exact ones.
function resampleLinear({ data, width, height, channels }, columns, rows) {
  const stride = columns.length * channels, whole = (weight) => Math.round(2048 * weight);
  const narrow = new Int32Array(stride * height);
  columns.forEach(([[left, a], [right, b]], x) => {
    const [before, after] = [whole(a), whole(b)];
    for (let i = 0; i < height * channels; i++) {
      const y = Math.floor(i / channels), c = i % channels, line = y * width;
      const sum = before * data[(line + left) * channels + c] + after * data[(line + right) * channels + c];
      narrow[y * stride + x * channels + c] = sum >> 4;
    }
  });
  const out = new Uint8Array(stride * rows.length);
  rows.forEach(([[top, a], [bottom, b]], y) => {
    const [above, below] = [whole(a), whole(b)];
    for (let i = 0; i < stride; i++) {
      const sum = ((above * narrow[top * stride + i]) >> 16) + ((below * narrow[bottom * stride + i]) >> 16);
      out[y * stride + i] = (sum + 2) >> 2;
    }
  });
  return { data: out, width: columns.length, height: rows.length, channels };
}

const METHODS = { area: [areaTaps, resample], cubic: [cubicTaps, resample], linear: [linearTaps, resampleLinear] };

// Resize as OpenCV does: `how` is "area" (to reduce), "cubic" or "linear".
export function resize(image, width, height, how) {
  if (width === image.width && height === image.height) return image;
  const [toTaps, apply] = METHODS[how];
  return apply(image, toTaps(image.width, width), toTaps(image.height, height));
}

const STEPS = 1024; // the weights of the cubic kernel are looked up by this part of a pixel
const WEIGHTS = Float32Array.from(Array.from({ length: STEPS + 1 }, (_, i) => cubic(i / STEPS)).flat());

// Warp to a square of `side` pixels by cubic interpolation. `inverse` is [[a, b, c], [d, e, f]], from the centres of
// its pixels to those of the picture; beyond the picture its border is repeated.
export function warp({ data, width, height, channels }, [[a, b, c], [d, e, f]], side) {
  const out = new Uint8Array(side * side * channels);
  for (let y = 0, to = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const column = a * x + b * y + c, row = d * x + e * y + f, first = Math.floor(column), top = Math.floor(row);
      const across = 4 * Math.round((column - first) * STEPS), down = 4 * Math.round((row - top) * STEPS);
      const w0 = WEIGHTS[across], w1 = WEIGHTS[across + 1], w2 = WEIGHTS[across + 2], w3 = WEIGHTS[across + 3];
      const x0 = channels * clamp(first - 1, 0, width - 1), x1 = channels * clamp(first, 0, width - 1);
      const x2 = channels * clamp(first + 1, 0, width - 1), x3 = channels * clamp(first + 2, 0, width - 1);
      for (let k = 0; k < channels; k++, to++) {
        let sum = 0;
        for (let j = 0; j < 4; j++) {
          const line = channels * width * clamp(top - 1 + j, 0, height - 1) + k;
          const left = w0 * data[line + x0] + w1 * data[line + x1], right = w2 * data[line + x2] + w3 * data[line + x3];
          sum += WEIGHTS[down + j] * (left + right);
        }
        out[to] = byte(sum);
      }
    }
  }
  return { data: out, width: side, height: side, channels };
}
