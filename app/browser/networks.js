// The detector and the network in ONNX Runtime Web: on WebGPU where that is faster, else in WebAssembly.
const MAX_THREADS = 4; // and at most half of the cores: waiting threads keep theirs busy, and the page needs some
const RUNTIMES = { // ONNX Runtime Web: its module and its binary
  wasm: ["runtime/ort.wasm.min.mjs", "runtime/ort-wasm-simd-threaded.wasm"],
  webgpu: ["runtime/ort.jspi.min.mjs", "runtime/ort-wasm-simd-threaded.jspi.wasm"],
};

// `base` is the address of the folder that holds settings.json, the two networks and runtime/. `onProgress` is called
// with the bytes loaded so far, and of all. Resolves to { detect, classify, settings, runtime }: two functions from a
// tensor { data, dims } to the outputs by name, and what computes, in words.
export async function openNetworks(base, onProgress) {
  const address = (name) => new URL(name, base).href;
  const settings = await (await get(address("settings.json"))).json();
  const isModern = "Suspending" in WebAssembly; // other browsers would need 10 MB more for WebGPU
  const adapter = isModern && (await navigator.gpu?.requestAdapter().catch(() => null));
  const hasGpu = Boolean(adapter) && !adapter.info?.isFallbackAdapter; // one in software is slower
  const [module, ...files] = [...RUNTIMES[hasGpu ? "webgpu" : "wasm"], "yunet.onnx", "network.onnx"];
  const total = files.reduce((sum, name) => sum + settings.bytes[name], 0);
  const [binary, yunet, network] = await loadAll(files.map(address), total, onProgress);
  const ort = await import(address(module));
  const half = Math.ceil(navigator.hardwareConcurrency / 2);
  const threads = self.crossOriginIsolated ? Math.min(MAX_THREADS, half) : 1;
  Object.assign(ort.env.wasm, { wasmBinary: binary, wasmPaths: address("runtime/"), numThreads: threads });
  ort.env.logLevel = "error";
  const open = async (provider, file) => {
    const session = await ort.InferenceSession.create(file, { executionProviders: [provider], logSeverityLevel: 3 });
    const [input] = session.inputNames;
    return ({ data, dims }) =>
      session.run({ [input]: new ort.Tensor(data instanceof Uint8Array ? "uint8" : "float32", data, dims) });
  };
  const openBoth = async (provider) => [await open(provider, yunet), await open(provider, network)];
  let [detect, classify] = await openBoth("wasm"), runtime = `WebAssembly, ${threads} thread${threads > 1 ? "s" : ""}`;
  if (hasGpu) {
    const gpu = await openBoth("webgpu").then((both) => compare([detect, classify], both, settings)).catch(() => null);
    if (gpu) [[detect, classify], runtime] = [gpu, "WebGPU"];
  }
  return { detect, classify, settings, runtime };
}

// The networks on the graphics processor, if they give the same results sooner; else null.
async function compare(networks, others, { preprocessing, detector }) {
  const { input_size: side, gray } = preprocessing, { live_side: live } = detector;
  const fill = (type, dims) => {
    const length = dims.reduce((a, b) => a * b);
    return { data: type.from({ length }, (_, i) => (i * 37) % 256), dims };
  };
  const inputs = [fill(Float32Array, [1, 3, live, live]), fill(Uint8Array, [1, side, side, gray ? 1 : 3])];
  const time = async ([detect, classify]) => {
    let outputs, fastest = Infinity;
    for (let i = 0; i < 4; i++) { // the first passes compile
      const start = performance.now();
      outputs = [await detect(inputs[0]), await classify(inputs[1])];
      fastest = Math.min(fastest, performance.now() - start);
    }
    return { outputs, fastest };
  };
  const [known, other] = [await time(networks), await time(others)];
  const isSame = known.outputs.every((outputs, i) =>
    Object.entries(outputs).every(([name, { data }]) =>
      data.every((value, k) => Math.abs(value - other.outputs[i][name].data[k]) < 0.01 * (1 + Math.abs(value))),
    ),
  );
  return isSame && other.fastest < known.fastest ? others : null;
}

async function get(address) {
  const response = await fetch(address).catch(() => null);
  if (response?.ok) return response;
  const reason = response?.status === 503 ? await response.text() : (response?.status ?? "no connection");
  throw new Error(`${address} could not be loaded (${reason})`);
}

// The content of files, loaded side by side.
async function loadAll(addresses, total, onProgress) {
  let count = 0;
  return Promise.all(
    addresses.map(async (address) => {
      const chunks = [], reader = (await get(address)).body.getReader();
      for (let chunk; !(chunk = await reader.read()).done; ) {
        chunks.push(chunk.value);
        onProgress((count += chunk.value.length), total);
      }
      return new Uint8Array(await new Blob(chunks).arrayBuffer());
    }),
  );
}
