// The engine in a worker, so that the page stays smooth. Messages: { id, method, arguments } in, { id, value } or
// { id, error } out; and { progress: [loaded, total] } while it loads.
import { Engine } from "./engine.js";
import { openNetworks } from "./networks.js";

let engine;

const methods = {
  async open(base) {
    const report = (...progress) => postMessage({ progress });
    const { detect, classify, settings, runtime } = await openNetworks(base, report);
    engine = new Engine(detect, classify, settings);
    const blank = new ImageData(64, 48);
    await engine.look(blank, { sample: true }); // the first pass is slow
    return { settings, runtime };
  },
  look: (pixels, options) => engine.look(pixels, options),
  async photo(blob) {
    const bitmap = await createImageBitmap(blob);
    const { width, height } = bitmap, context = new OffscreenCanvas(width, height).getContext("2d");
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    return { width, height, faces: await engine.photo(context.getImageData(0, 0, width, height)) };
  },
};

addEventListener("message", async ({ data: { id, method, arguments: given } }) => {
  try {
    postMessage({ id, value: await methods[method](...given) });
  } catch (error) {
    postMessage({ id, error: error.message });
  }
});
