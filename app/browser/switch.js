// The switch between the engine on the server and the one of this tab. The other parts of the page hear of it by the
// event "engine" of the document, whose detail is the engine of this tab, or null for the server.
import { makeChooser } from "./chooser.js";
import { openTabEngine } from "./client.js";

const MEGABYTE = 1e6;
const base = new URL("..", import.meta.url);
let opening = null; // a promise of the engine of this tab, while the switch is on

// A chooser of photos for the engine of this tab; see chooser.js.
export const makeTabChooser = (element, options) => makeChooser(element, () => opening, options);

function tell(engine, failed = false) {
  document.documentElement.dataset.engine = engine ? "tab" : "server";
  document.dispatchEvent(new CustomEvent("engine", { detail: { engine, failed } }));
}

export function makeSwitch(element) {
  const [box, status] = ["input", "[role=status]"].map((name) => element.querySelector(name));
  const text = status.textContent;
  const onProgress = (loaded, total) => {
    status.textContent = `Loading ${(loaded / MEGABYTE).toFixed(0)} of ${(total / MEGABYTE).toFixed(0)} MB …`;
  };
  box.disabled = false; // a click before would be lost
  box.addEventListener("change", async () => {
    opening?.then((engine) => engine.close()).catch(() => {});
    opening = null;
    status.textContent = text;
    if (!box.checked) return tell(null);
    const mine = (opening = openTabEngine(base, { onProgress }));
    // From now on nothing is sent: pictures wait until the engine is ready.
    tell({ name: "tab", look: async (...given) => (await mine).look(...given) });
    try {
      const { runtime } = await mine;
      if (mine === opening) status.textContent = `Nothing leaves this tab. It computes by ${runtime}.`;
    } catch (error) {
      if (mine !== opening) return;
      opening = null;
      box.checked = false;
      status.textContent = `This tab cannot compute: ${error.message}.`;
      tell(null, true); // the camera stops, so that nothing is sent unasked
    }
  });
}
