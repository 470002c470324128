// Photos that this tab recognises itself: each with a box and a card for every face, or all in a gallery by emotion.
import { cssOf, fillCard, heat, inkOn, makeCard, percent, vaOf } from "./cards.js";
import { saveTable } from "./table.js";

const THUMBNAIL = 96; // pixels
const SHOWN = 100; // faces shown per emotion
const LARGE_CARDS = 2; // with more faces, cards are compact
const SIDE = 1280; // pixels of the longer side of a displayed photo

function make(name, className = "", text = "") {
  return Object.assign(document.createElement(name), { className, textContent: text });
}

// Recognise files by `engine` and show them in `output`, with a table to download. With `gallery` the faces are
// grouped by emotion. Ends early where `isStopped()`.
export async function showPhotos(files, engine, output, { gallery = false, isStopped = () => false } = {}) {
  const { props } = engine.settings, rows = [], view = gallery ? makeGallery(props) : makeList(props);
  const status = make("p"), progress = make("progress");
  status.setAttribute("role", "status");
  status.append(progress, " ", make("span"));
  progress.max = files.length;
  output.replaceChildren(status, view.element);
  for (const [i, file] of files.entries()) {
    if (isStopped()) break;
    progress.value = i;
    status.lastChild.textContent = `${i + 1} of ${files.length}: ${file.name}`;
    const result = await engine.photo(file).catch(() => ({ error: "not a picture that this browser can read" }));
    rows.push(...toRows(file.name, result, props));
    const picture = result.faces?.length ? await createImageBitmap(file) : null;
    view.add(file, result, picture);
    picture?.close();
  }
  const save = make("button", "", "Download the rows as CSV");
  save.onclick = () => saveTable([columnsOf(props), ...rows], "faces.csv");
  status.replaceChildren(save);
}

// Sections of photos with their faces.
function makeList(props) {
  const list = make("div");
  const add = (file, { width, height, faces, error }, picture) => {
    if (error) return list.append(problem(`${file.name}: ${error}`));
    const section = make("section", "photo"), title = make("h2", "", `${file.name} `), n = faces.length;
    const none = "no face found: try a larger, brighter or more frontal picture";
    title.append(make("small", "", n ? `${n} face${n > 1 ? "s" : ""}` : none));
    section.append(title);
    list.append(section);
    if (!n) return;
    const seen = make("div", "seen"), left = make("div"), shown = make("div", "picture"), canvas = make("canvas");
    const compact = n > LARGE_CARDS, cards = make("div", compact ? "cards compact" : "cards");
    const scale = Math.min(1, SIDE / Math.max(width, height));
    Object.assign(canvas, { width: Math.round(scale * width), height: Math.round(scale * height) });
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${file.name} with ${faces.map((face) => face.label).join(", ")}`);
    shown.style.cssText = `--width:${width};--height:${height}`;
    shown.append(canvas, ...faces.map((face, i) => makeBox(face, i + 1, n, width, height, props)));
    left.append(shown);
    seen.append(left, cards);
    section.append(seen);
    faces.forEach((face, i) => {
      const card = makeCard(props);
      Object.assign(card, { tabIndex: 0 }).dataset.face = i + 1;
      cards.append(card);
      const heats = face.maps.map(heat);
      fillCard(card, face, { props, number: i + 1, unsure: face.unsure, heats, picture, compact });
    });
  };
  return { element: list, add };
}

// The box of a face over a picture, and its label; their places are shares of the picture, so that text keeps its size.
function makeBox(face, number, count, width, height, props) {
  const share = (value, side) => `${(100 * Math.min(Math.max(value / side, 0), 1)).toFixed(2)}%`;
  const [left, top, right, bottom] = face.box, made = make("div", face.unsure ? "face unsure" : "face");
  made.dataset.face = number;
  made.dataset.side = left + right > width ? "right" : "left";
  made.style.cssText = `--left:${share(left, width)};--right:${share(width - right, width)};
    --top:${share(top, height)};--bottom:${share(height - bottom, height)}`;
  made.style.setProperty("--emotion", cssOf(props, face.label));
  made.style.setProperty("--ink", inkOn(props, face.label));
  const box = make("button", "box"), label = make("span", "label"), sure = face.unsure ? "unsure, perhaps " : "";
  box.type = "button";
  box.setAttribute("aria-label", `face ${number}: ${sure}${face.label} ${percent(face.confidence)}`);
  label.setAttribute("aria-hidden", "true");
  if (count > 1) label.append(make("b", "", number), " ");
  label.append(make("span", "", `${face.label}${face.unsure ? "?" : ""} ${percent(face.confidence)}`));
  made.append(box, label);
  return made;
}

// Faces by emotion, and the files without.
function makeGallery(props) {
  const gallery = make("div"), sections = new Map(), lost = { broken: [], empty: [] };
  const sectionOf = (name) => {
    if (!sections.has(name)) {
      const section = make("section", "emotion"), title = make("h2", "", `${name} `), count = make("small");
      section.style.setProperty("--emotion", cssOf(props, name));
      title.append(count);
      section.append(title, make("div", "thumbnails"));
      sections.set(name, { section, count, faces: 0 });
      gallery.append(section);
    }
    return sections.get(name);
  };
  const list = (className, title, items) => {
    gallery.querySelector(`.${className.split(" ").pop()}`)?.remove();
    const details = make("details", className), all = make("ul");
    all.append(...items.map((item) => make("li", "", item)));
    details.append(make("summary", "", `${title} ${items.length}`), all);
    gallery.append(details);
  };
  const add = (file, { faces = [], error }, picture) => {
    if (error) list("problem broken", "Could not be read:", lost.broken.push(`${file.name}: ${error}`) && lost.broken);
    else if (!faces.length) list("empty", "No face found in", lost.empty.push(file.name) && lost.empty);
    for (const face of faces) {
      const part = sectionOf(face.label);
      part.faces += 1;
      part.count.textContent = part.faces > SHOWN ? `${part.faces}, the first ${SHOWN} are shown` : part.faces;
      if (part.faces <= SHOWN) part.section.lastChild.append(makeThumbnail(file, face, picture));
    }
  };
  return { element: gallery, add };
}

function makeThumbnail(file, face, picture) {
  const figure = make("figure"), canvas = make("canvas"), context = canvas.getContext("2d");
  const title = `${face.unsure ? "unsure, perhaps " : ""}${face.label} ${percent(face.confidence)}, ${file.name}`;
  Object.assign(canvas, { width: THUMBNAIL, height: THUMBNAIL });
  context.scale(THUMBNAIL, THUMBNAIL);
  context.transform(...toCrop(face.crop));
  context.drawImage(picture, 0, 0);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", title);
  figure.title = title;
  figure.append(canvas, make("figcaption", "", `${face.unsure ? "unsure " : ""}${percent(face.confidence)}`));
  return figure;
}

// The transform from the picture to the unit square of a crop.
function toCrop(crop) {
  const { a, b, c, d, e, f } = new DOMMatrix(crop).inverse();
  return [a, b, c, d, e, f];
}

function problem(text) {
  const made = make("p", "problem", text);
  made.setAttribute("role", "alert");
  return made;
}

// The rows of `fer predict`, without the columns that only files and videos have.
const FACE = ["face", "status", "error", "x1", "y1", "x2", "y2", "label", "confidence", "unsure"];
const columnsOf = (props) => ["file", ...FACE, ...props.quality, ...props.classes, ...vaOf(props)];

function toRows(file, { faces = [], error = "" }, props) {
  if (!faces.length) return [[file, "", error ? "error" : "no_face", error]];
  return faces.map((face, i) => {
    const about = [face.label, face.confidence, face.unsure, ...face.quality, ...face.probs];
    return [file, i, "ok", "", ...face.box, ...about, ...vaOf(props).map((name) => face[name])];
  });
}
