// Where people choose or drop photos that this tab recognises.
import { pointFaces } from "./pointing.js";
import { showPhotos } from "./photos.js";

const HTML = `
  <label class="drop">
    <span>Drop photos here, or choose them</span>
    <small>They stay in this tab.</small>
    <input type="file" multiple accept="image/*">
  </label>
  <button type="button" class="stop-photos" hidden>Stop</button>
  <div class="results"></div>`;

// Put the chooser into an element. `getEngine` gives the engine of this tab, or a promise of it.
export function makeChooser(element, getEngine, { gallery = false } = {}) {
  element.innerHTML = HTML;
  const parts = [".drop", "input", ".stop-photos", ".results"].map((name) => element.querySelector(name));
  const [drop, input, stop, output] = parts;
  let run = 0;
  const show = async (files) => {
    if (!files.length) return;
    const thisRun = ++run;
    stop.hidden = false;
    await showPhotos(files, await getEngine(), output, { gallery, isStopped: () => thisRun !== run });
    if (thisRun === run) stop.hidden = true;
  };
  input.addEventListener("change", () => {
    show([...input.files]);
    input.value = ""; // the same files can be chosen again
  });
  stop.addEventListener("click", () => {
    run += 1;
    stop.hidden = true;
  });
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragenter" || kind === "dragover");
      if (kind === "drop") show([...event.dataTransfer.files]);
    });
  }
  pointFaces(output);
}
