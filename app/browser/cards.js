// The card of a face: its emotion, a bar for each class, and where the heads look. `props` are those of `view_props` in
// app/engine.py; a result is a face as `LiveView.look` in app/live.py describes it.
const TILE = 84; // pixels of the side of a map

export const percent = (p) => `${Math.round(100 * p)}%`;
const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);

export const cssOf = ({ colours }, name) => `rgb(${colours[name]})`;

// Black or white, as `ink_on` in fer/visualization/colors.py.
export function inkOn({ colours }, name) {
  const [r, g, b] = colours[name].map((v) => (v / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

// The names of valence and arousal, where the network gives them.
export const vaOf = ({ quadrants }) => (quadrants.length ? ["valence", "arousal"] : []);

// Draw a map (rows of weights from 0 to 1) as a tiny picture in the colours of "magma", the more opaque
// the larger the weight; the canvas smooths it when enlarged.
const MAGMA = [[0, 0, 4], [81, 18, 124], [183, 55, 121], [252, 137, 97], [252, 253, 191]];
export function heat(rows) {
  const tiny = document.createElement("canvas");
  Object.assign(tiny, { width: rows[0].length, height: rows.length });
  const context = tiny.getContext("2d"), picture = context.createImageData(tiny.width, tiny.height);
  rows.flat().forEach((weight, i) => {
    const position = Math.min(weight * 4, 3.999), k = Math.floor(position);
    const colour = MAGMA[k].map((v, c) => v + (position - k) * (MAGMA[k + 1][c] - v));
    picture.data.set([...colour, 217 * weight], 4 * i);
  });
  context.putImageData(picture, 0, 0);
  return tiny;
}

// Class names come from the checkpoint, which may be untrusted: insert them as text, never as HTML.
export function makeCard(props) {
  const { classes } = props, card = document.createElement("section");
  card.className = "card";
  const track = `<span class="track"><span class="fill"></span></span>`;
  const bar = `<div class="bar"><span class="name"></span>${track}<span class="percent"></span></div>`;
  const bars = `<div>${bar.repeat(classes.length)}<p class="va"></p></div>`;
  card.innerHTML = `<h3><span></span> <small></small></h3><div class="parts">${bars}<div class="maps"></div></div>`;
  card.querySelectorAll(".name").forEach((cell, i) => (cell.textContent = classes[i]));
  card.querySelectorAll(".fill").forEach((fill, i) => (fill.style.background = cssOf(props, classes[i])));
  return card;
}

// Show a result in its card. `number` is that of the face, `unsure` the reason that is shown, `heats` are
// the maps drawn by `heat`, and `picture` is what they belong to. `compact` leaves out small probabilities.
export function fillCard(card, result, { props, number, unsure, heats, picture, compact = false }) {
  card.style.setProperty("--emotion", cssOf(props, result.label));
  card.querySelector("h3 span").textContent = unsure ? "unsure" : result.label;
  const more = `${percent(result.confidence)} · face ${number}`;
  card.querySelector("h3 small").textContent = unsure ? `perhaps ${result.label} · ${unsure} · ${more}` : more;
  card.querySelectorAll(".fill").forEach((fill, i) => (fill.style.width = percent(result.probs[i])));
  card.querySelectorAll(".percent").forEach((cell, i) => (cell.textContent = percent(result.probs[i])));
  card.querySelectorAll(".bar").forEach((bar, i) => (bar.hidden = compact && result.probs[i] < 0.005));
  const va = vaOf(props).map((name) => `${name} ${signed(result[name])}`);
  card.querySelector(".va").textContent = va.join(", ");
  const maps = card.querySelector(".maps");
  maps.style.display = heats ? "" : "none";
  if (heats) fillMaps(maps, heats, result.crop, picture);
}

function fillMaps(maps, heats, crop, picture) {
  if (maps.childElementCount !== heats.length) {
    maps.innerHTML = heats
      .map((_, k) => [k ? `head ${k}` : "all heads", k ? `head ${k}` : "all"])
      .map(
        ([name, caption]) =>
          `<figure><canvas width="${TILE}" height="${TILE}" role="img" aria-label="attention of ${name}"></canvas>` +
          `<figcaption>${caption}</figcaption></figure>`,
      )
      .join("");
  }
  const toTile = new DOMMatrix().scaleSelf(TILE, TILE).multiplySelf(new DOMMatrix(crop).inverse());
  maps.querySelectorAll("canvas").forEach((canvas, k) => {
    const tile = canvas.getContext("2d");
    tile.filter = "grayscale(1)";
    tile.setTransform(toTile);
    tile.drawImage(picture, 0, 0);
    tile.filter = "none";
    tile.setTransform(TILE, 0, 0, TILE, 0, 0);
    tile.drawImage(heats[k], 0, 0, 1, 1);
  });
}
