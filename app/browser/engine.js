// From a picture to its faces, in this tab: what EmotionRecognizer, and Camera and LiveView of app/live.py, do on the
// server. Differences: the detector runs in every frame, and tracks are matched by overlap alone.
import { cropFace, cropTransform, invert, isUpright } from "./alignment.js";
import { toMaps } from "./attention.js";
import { Detector, overlap } from "./detector.js";
import { fromCanvas, resize, toGray } from "./images.js";
import { measureQuality } from "./quality.js";
import { Tracks } from "./tracks.js";
import { giveHint, whyUnsure } from "./trust.js";

const round = (value, decimals) => Math.round(value * 10 ** decimals) / 10 ** decimals;

export class Engine {
  #detector;
  #cameras = new Map(); // what is known of the camera, and of the sample: tracks, and the faces of the last frame

  // `detect` and `classify` run the two networks on a tensor { data, dims } and resolve to their outputs by name;
  // `settings` are those that `engine_settings` in app/engine.py writes.
  constructor(detect, classify, settings) {
    Object.assign(this, { classify, settings });
    this.#detector = new Detector(detect, settings.detector);
  }

  // The faces of a camera's frame (ImageData), as LiveView.look in app/live.py returns them. `sample` tells a picture
  // that is not from the camera; `time` is in seconds.
  async look(pixels, { attention = false, sample = false, time = performance.now() / 1000 } = {}) {
    const start = performance.now(), { settings } = this, image = fromCanvas(pixels);
    const camera = this.#cameras.get(sample) ?? { turn: 0, faces: [], tracks: new Tracks(settings.tracks) };
    this.#cameras.set(sample, camera);
    camera.turn += 1;
    const found = await this.#find(image, settings.detector.live_side);
    const faces = found.map((face) => this.#remember(face, camera));
    await this.#run(image, faces, (face, k) => {
      return k === camera.turn % face.framings.length || (attention && k === 0) || !face.outputs[k];
    });
    camera.faces = faces;
    const means = faces.map((face) => ({ box: face.box, values: this.#toValues(face.outputs) }));
    const followed = camera.tracks.follow(means, time);
    const described = faces.map((face, i) => this.#describe(face, followed[i], attention));
    const hint = giveHint(image, described, settings.trust);
    return { faces: described, hint, milliseconds: round(performance.now() - start, 1) };
  }

  // The faces of a photo (ImageData), largest first, with their attention; without tracks.
  async photo(pixels) {
    const image = fromCanvas(pixels);
    const found = await this.#find(image, this.settings.detector.photo_side);
    const faces = found.map((face) => this.#prepare(face));
    await this.#run(image, faces, () => true);
    return faces.map((face) => this.#describe(face, { track: null, values: this.#toValues(face.outputs) }, true));
  }

  async #find(image, side) {
    const least = this.settings.detector.min_face, faces = await this.#detector.find(image, side);
    return faces.filter(({ box }) => Math.min(box[2] - box[0], box[3] - box[1]) >= least);
  }

  // A face with what is to be cut out of the picture for it, and the outputs for each crop.
  #prepare({ box, landmarks }) {
    const { second_crop: second, upright } = this.settings, face = { box, landmarks };
    const framings = second && isUpright(landmarks, upright) ? [face, { ...face, landmarks: null }] : [face];
    return { ...face, framings, outputs: framings.map(() => null), quality: null, maps: null };
  }

  // The same, with the outputs and the quality of the same face in the last frame.
  #remember(detection, camera) {
    const face = this.#prepare(detection);
    const [best] = camera.faces
      .map((other) => ({ other, shared: overlap(face.box, other.box) }))
      .sort((a, b) => b.shared - a.shared);
    if (!(best?.shared > this.settings.tracks.least_overlap)) return face;
    const { outputs, quality } = best.other;
    return outputs.length === face.outputs.length ? { ...face, outputs: [...outputs], quality } : face;
  }

  // Run the network on the crops that are due.
  async #run(image, faces, isDue) {
    const { template, pose, preprocessing } = this.settings;
    const { crop_size: cropSize, input_size: side, gray, interpolation } = preprocessing;
    const due = faces.flatMap((face) => face.framings.map((_, k) => ({ face, k })).filter(({ k }) => isDue(face, k)));
    if (!due.length) return;
    const source = gray ? toGray(image) : image;
    const inputs = due.map(({ face, k }) => {
      const crop = cropFace(source, face.framings[k], template, cropSize);
      if (k === 0) face.quality = measureQuality(crop, face, pose);
      return resize(crop, side, side, interpolation).data;
    });
    const data = new Uint8Array(inputs.length * inputs[0].length);
    inputs.forEach((input, i) => data.set(input, i * input.length));
    const dims = [inputs.length, side, side, source.channels];
    const { logits, attention, va } = await this.classify({ data, dims });
    const [, heads, rows, columns] = attention.dims;
    due.forEach(({ face, k }, i) => {
      const part = ({ data, dims }) => Array.from(data.subarray(i * dims[1], (i + 1) * dims[1]));
      face.outputs[k] = [...part(logits), ...(va ? part(va) : [])];
      if (k) return;
      const weight = (head, y, x) => attention.data[((i * heads + head) * rows + y) * columns + x];
      const range = (length) => Array.from({ length }, (_, index) => index);
      face.maps = range(heads).map((head) => range(rows).map((y) => range(columns).map((x) => weight(head, y, x))));
    });
  }

  // The probabilities, then valence and arousal, of the mean outputs of a face's crops.
  #toValues(outputs) {
    const { props, temperature, adjustment } = this.settings;
    const mean = outputs[0].map((_, i) => outputs.reduce((sum, values) => sum + values[i], 0) / outputs.length);
    const scaled = mean.slice(0, props.classes.length).map((logit, i) => logit / temperature + adjustment[i]);
    const powers = scaled.map((value) => Math.exp(value - Math.max(...scaled)));
    const sum = powers.reduce((total, power) => total + power);
    return [...powers.map((power) => power / sum), ...mean.slice(props.classes.length)];
  }

  // As LiveView.look describes a face.
  #describe({ box, landmarks, quality, maps }, { track, values }, attention) {
    const { props, grid, template, quality_decimals: decimals } = this.settings;
    const probs = values.slice(0, props.classes.length), confidence = Math.max(...probs);
    const [valence, arousal] = values.slice(props.classes.length).map((value) => round(value, 3));
    const toPicture = () => columnwise(invert(cropTransform({ box, landmarks }, template)));
    return {
      track,
      box: box.map((value) => round(value, 1)),
      label: props.classes[probs.indexOf(confidence)],
      confidence: round(confidence, 4),
      unsure: whyUnsure(confidence, quality, this.settings.trust),
      quality: quality.map((value, i) => value && round(value, decimals[i])),
      probs: probs.map((p) => round(p, 4)),
      ...(valence === undefined ? {} : { valence, arousal }),
      ...(attention && maps ? { maps: toMaps(maps, grid), crop: toPicture() } : {}),
    };
  }
}

// [[a, c, e], [b, d, f]] -> a, b, c, d, e, f of a canvas transform.
const columnwise = (rows) => [0, 1, 2].flatMap((k) => rows.map((row) => row[k]));
