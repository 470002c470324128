// Why a result should not be believed, and what would help: fer/inference/trust.py, app/advice.py and app/live.py.
// `settings` are those under "trust".

// One of the reasons, or "". `quality` is in the order of measureQuality; what is unknown (null) gives no reason.
export function whyUnsure(confidence, [size, sharpness, brightness, yaw, pitch], settings) {
  const { limits, reasons, unsure_below: least } = settings;
  const isLess = (name, value) => name in limits && value !== null && value < limits[name];
  const isTurned = (name, value) => name in limits && value !== null && Math.abs(value) > limits[name];
  const holds = [
    isLess("size", size),
    isLess("brightness", brightness),
    isLess("sharpness", sharpness),
    isTurned("yaw", yaw) || isTurned("pitch", pitch),
    confidence < least,
  ];
  return reasons[holds.indexOf(true)] ?? "";
}

// A sentence for an unsure face; "" for a sure one.
export function advise({ unsure, quality }, { advice }) {
  return unsure && advice[unsure].replace("{size:.0f}", quality[0].toFixed(0));
}

// Advice for the person in front of the camera, or "".
export function giveHint({ data, width, height }, faces, settings) {
  let sum = 0, count = 0;
  for (let y = 0; y < height; y += 4) {
    for (let x = 0; x < width; x += 4, count += 3) {
      const i = 3 * (y * width + x);
      sum += data[i] + data[i + 1] + data[i + 2];
    }
  }
  if (sum / count < settings.dark) return settings.hints.dark;
  if (!faces.length) return settings.hints.empty;
  const { box, unsure } = faces[0];
  const isSmall = Math.max(box[2] - box[0], box[3] - box[1]) < settings.small;
  return isSmall && ["", "low confidence"].includes(unsure) ? settings.hints.far : advise(faces[0], settings);
}
