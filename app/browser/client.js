// The engine of this tab, for the page: it runs in a worker.

// Open the engine. `base` is the address of the folder with settings.json and the networks; `onProgress`
// is called with the bytes loaded so far, and of all. Resolves to { name, look, photo, close, settings,
// runtime }; see live.js for what an engine is. `photo` takes a Blob and resolves to { width, height, faces }.
export async function openTabEngine(base, { onProgress = () => {} } = {}) {
  const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  const waiting = new Map();
  let count = 0;
  const fail = (message) => {
    waiting.forEach(({ reject }) => reject(new Error(message)));
    waiting.clear();
  };
  worker.addEventListener("error", (event) => fail(event.message || "the worker could not be started"));
  worker.addEventListener("message", ({ data: { id, value, error, progress } }) => {
    if (progress) return onProgress(...progress);
    const { resolve, reject } = waiting.get(id) ?? {};
    waiting.delete(id);
    error === undefined ? resolve?.(value) : reject?.(new Error(error));
  });
  const call = (method, given, transfer = []) =>
    new Promise((resolve, reject) => {
      waiting.set(++count, { resolve, reject });
      worker.postMessage({ id: count, method, arguments: given }, transfer);
    });
  const close = () => {
    worker.terminate();
    fail("the engine was closed");
  };
  try {
    const opened = await call("open", [String(base)]);
    const look = (canvas, options) => {
      const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return call("look", [pixels, options], [pixels.data.buffer]);
    };
    return { name: "tab", look, photo: (blob) => call("photo", [blob]), close, ...opened };
  } catch (error) {
    close();
    throw error;
  }
}
