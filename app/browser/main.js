// The page without a server: loads the engine of this tab and gives it to the live view.
import { makeChooser } from "./chooser.js";
import { openTabEngine } from "./client.js";
import { makeLiveView } from "./live.js";

const base = new URL("..", import.meta.url); // the folder of the page
const MEGABYTE = 1e6;
const PATIENCE = 10000; // ms to wait for the service worker, which is not essential
const $ = (selector) => document.querySelector(selector);
const start = $(".live .start"), state = $(".state");

// Register the service worker. It makes the page work without a connection, and isolates it from other sites, so that
// WebAssembly may use threads. The page has to be loaded again for that, at most once and before the camera is on.
async function settle() {
  const workers = navigator.serviceWorker;
  const registration = await workers?.register(new URL("sw.js", base)).catch(() => null);
  if (!registration) return; // an address without https, or a private window
  if (!workers.controller && registration.installing) await takeover(registration.installing);
  offerUpdate(registration);
  const isReload = performance.getEntriesByType("navigation")[0]?.type === "reload";
  if (workers.controller && !crossOriginIsolated && !isReload) {
    location.reload();
    await new Promise(() => {}); // this page ends here
  }
}

// Wait until a new service worker serves the page, or fails.
function takeover(worker) {
  return new Promise((done) => {
    navigator.serviceWorker.addEventListener("controllerchange", done);
    worker.addEventListener("statechange", () => worker.state === "redundant" && done());
    setTimeout(done, PATIENCE);
  });
}

// Say when a newer version of the page has been loaded; it is used from the next start, or when the visitor likes.
function offerUpdate(registration) {
  const offer = (worker) => {
    if (!worker || !navigator.serviceWorker.controller) return;
    $(".update").hidden = false;
    $(".update button").onclick = () => {
      navigator.serviceWorker.addEventListener("controllerchange", () => location.reload());
      worker.postMessage("activate");
    };
  };
  offer(registration.waiting);
  registration.addEventListener("updatefound", () => {
    const worker = registration.installing;
    worker.addEventListener("statechange", () => worker.state === "installed" && offer(worker));
  });
}

function showProgress(loaded, total) {
  const count = (bytes) => (bytes / MEGABYTE).toFixed(1);
  Object.assign(state.querySelector("progress"), { value: loaded, max: total });
  const text = loaded < total ? `Loading: ${count(loaded)} of ${count(total)} MB` : "Starting the network …";
  state.querySelector("span").textContent = text;
}

function explain(error) {
  if (typeof WebAssembly !== "object") {
    return "This browser has no WebAssembly, or it is switched off. Any current browser has it.";
  }
  if (!navigator.onLine) return "There is no connection. Once the page has been loaded, it works without one.";
  if (/could not be loaded/.test(error.message)) {
    return `A part of the page is missing. Try again, or tell whoever publishes it: ${error.message}`;
  }
  return `The network did not start in this browser (${error.message}). A current version of the browser may help.`;
}

function showProblem(error) {
  const again = document.createElement("button");
  Object.assign(again, { type: "button", textContent: "Try again", onclick: () => location.reload() });
  state.className = "state problem";
  state.setAttribute("role", "alert");
  state.replaceChildren(`${explain(error)} `, again);
}

async function open() {
  await settle();
  if (typeof WebAssembly !== "object") throw new Error("no WebAssembly");
  const engine = await openTabEngine(base, { onProgress: showProgress });
  makeLiveView($(".view-of-camera"), { ...engine.settings.props, engine }, null);
  const runtime = document.createElement("span");
  Object.assign(runtime, { className: "runtime", textContent: engine.runtime });
  $(".live .rate").after(runtime);
  makeChooser($(".photos"), () => engine);
  state.hidden = true;
}

start.before(state);
const promise = "Pictures stay in this tab: the network runs in your browser. Nothing is stored.";
$(".live .privacy").textContent = promise;
open().catch(showProblem);
