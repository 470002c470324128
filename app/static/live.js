// Gives camera pictures to an engine one at a time: the next picture is taken when the last answer
// has arrived. A slow engine therefore lowers the frame rate and never builds up delay. Boxes move
// smoothly between answers and fade in and out.
//
// An engine recognises faces, on the server or in this tab: { name, look }. `look(canvas, options)`
// resolves to what `LiveView.look` in app/live.py returns. Options: `attention`, whether to return the
// maps; `sample`, whether the picture is the sample and has nothing to do with those of the camera.
const $ = (selector) => element.querySelector(selector);
const root = $(".live"), video = $("video"), view = $(".view"), pen = view.getContext("2d");
const { classes, colours, quality, quadrants } = props; // quality: names of what is measured of a face
const va = quadrants.length ? ["valence", "arousal"] : []; // where the network gives them
const MIN_INTERVAL = 50; // ms between two pictures
const PATIENCE = 500; // ms until a lost face fades out and until a new hint is displayed
const HOLD = 700; // ms for which a hint, or the reason why a face is unsure, stays at least
const SIDE = 640; // pixels of the longer side of a sent picture
const TIMELINE_SECONDS = 60; // length of the timeline
const TRAIL_SECONDS = 6; // length of the trail in the plane of valence and arousal
const PLANE = 240; // side of the plane in pixels of the page
const BAND = 64, AXIS = 24, GUTTER = 56; // of the timeline: height of a row and of the axis, width of the names
const GAP = 1; // seconds without an answer that are left empty in the timeline
const MAX_ROWS = 200000; // rows of the session that are kept
const session = crypto.randomUUID?.() ?? String(Math.random());
const sent = document.createElement("canvas"); // the last picture that was sent
const faces = new Map(); // displayed faces by track: { box, alpha, card, result, unsure, last, heats }
const serverEngine = {
  name: "server",
  look: (canvas, { attention, sample }) => {
    const picture = canvas.toDataURL("image/jpeg", 0.85);
    return server.look({ picture, session: sample ? `${session} sample` : session, attention });
  },
};
let engine = props.engine ?? serverEngine;
let stream = null, run = 0, rows = [], sessionStart = 0, answerTimes = [], hint = "", hintAt = 0;
let shown = { text: "", at: -Infinity }; // the hint under the video

const css = (name) => `rgb(${colours[name]})`;
// Black or white, as `ink_on` in fer/visualization/colors.py.
const ink = (name) => {
  const [r, g, b] = colours[name].map((v) => (v / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
};
const percent = (p) => `${Math.round(100 * p)}%`;
const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function showHint(text) {
  const line = $(".hint");
  if (text) line.textContent = text;
  line.classList.toggle("shown", Boolean(text));
}

async function start() {
  if (!navigator.mediaDevices?.getUserMedia) {
    return showHint(
      window.isSecureContext
        ? "This browser gives no access to a camera."
        : "Browsers open a camera only on pages that are loaded over https:// or from this computer (http://localhost)."
    );
  }
  $(".start").disabled = true;
  try {
    const constraints = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" };
    stream = await navigator.mediaDevices.getUserMedia({ video: constraints, audio: false });
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    const messages = {
      NotAllowedError: "Access to the camera was refused. Allow it in the browser's address bar, then start again.",
      NotFoundError: "No camera was found. Connect one, then start again.",
      NotReadableError: "Another program is using the camera. Close it, then start again.",
    };
    stop();
    return showHint(messages[error.name] ?? `The camera did not start (${error.message}).`);
  }
  stream.getVideoTracks()[0].addEventListener("ended", () => {
    stop();
    showHint("The camera was disconnected.");
  });
  showHint("");
  sessionStart ||= performance.now();
  root.dataset.state = "on";
  $(".stop").disabled = false;
  clear();
  run += 1;
  send(run);
  requestAnimationFrame((now) => paint(run, now, now));
}

function stop() {
  run += 1; // ends the loops of the previous run
  stream?.getTracks().forEach((track) => track.stop());
  stream = video.srcObject = null;
  root.dataset.state = "off";
  $(".start").disabled = false;
  $(".stop").disabled = true;
  $(".rate").textContent = "";
  clear();
  [hint, shown] = ["", { text: "", at: -Infinity }];
  showHint("");
  showSample();
}

function clear() {
  faces.forEach((face) => face.card.remove());
  faces.clear();
  sent.remove();
  pen.clearRect(0, 0, view.width, view.height);
}

// While the camera is off: a sample photo, through the same engine and the same drawing. No row is recorded.
async function showSample() {
  const thisRun = run;
  if (stream || !props.sample) return;
  try {
    const photo = new Image();
    photo.src = props.sample;
    await photo.decode();
    const width = photo.width, height = Math.min(photo.height, (3 / 4) * width);
    Object.assign(sent, { width, height });
    sent.getContext("2d").drawImage(photo, 0, 0, width, height, 0, 0, width, height);
    const answer = await engine.look(sent, { attention: true, sample: true });
    if (thisRun !== run || !answer.faces.length) return;
    $(".stage").prepend(sent);
    root.dataset.state = "sample";
    display(answer.faces.map((face, track) => ({ ...face, track })), performance.now());
    drawSample();
  } catch {} // the page does without
}

function drawSample() {
  if (root.dataset.state !== "sample") return;
  $(".stage").style.aspectRatio = `${sent.width} / ${sent.height}`;
  fitView();
  faces.forEach((face) => drawFace(Object.assign(face, { alpha: 1 }), view.width / sent.width, false));
}

// As many pixels as on the screen, so that lines and labels are sharp.
function fitView() {
  const [width, height] = [view.clientWidth, view.clientHeight].map((side) => Math.round(side * devicePixelRatio));
  if (view.width !== width || view.height !== height) Object.assign(view, { width, height });
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, view.width, view.height);
}

async function send(thisRun) {
  let failures = 0;
  while (thisRun === run) {
    if (!document.body.contains(element)) return stop();
    if (document.hidden || !root.offsetParent) {
      await sleep(200); // the view is hidden
      continue;
    }
    const sentAt = performance.now();
    const scale = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
    const width = Math.round(video.videoWidth * scale), height = Math.round(video.videoHeight * scale);
    if (!width) {
      await sleep(50);
      continue;
    }
    Object.assign(sent, { width, height });
    sent.getContext("2d").drawImage(video, 0, 0, width, height);
    const answer = await engine.look(sent, { attention: $(".attention").checked }).catch(() => null);
    failures = answer ? 0 : failures + 1;
    if (!answer) {
      if (thisRun === run && failures > 1) showHint(`The ${engine.name} does not answer; trying again.`);
      await sleep(Math.min(5000, 200 * 2 ** failures));
      continue;
    }
    if (thisRun !== run) return;
    receive(answer, performance.now() - sentAt);
    await sleep(Math.max(0, MIN_INTERVAL - (performance.now() - sentAt)));
  }
}

function receive(answer, latency) {
  const now = performance.now();
  if (!alike(answer.hint, hint)) hintAt = now;
  hint = answer.hint;
  if (!hint || now - hintAt > PATIENCE || alike(hint, shown.text)) {
    shown = hold(shown, hint, now);
    showHint(shown.text);
  }
  answerTimes = answerTimes.filter((t) => now - t < 2000).concat(now);
  const rate = answerTimes.length > 1 ? (1000 * (answerTimes.length - 1)) / (now - answerTimes[0]) : 0;
  const share = `of which ${answer.milliseconds.toFixed(0)} ms in the ${engine.name}`;
  $(".rate").textContent = `${rate.toFixed(0)} frames/s · ${latency.toFixed(0)} ms, ${share}`;
  Object.assign(root.dataset, {
    frames: Number(root.dataset.frames) + 1,
    rate: rate.toFixed(2),
    latency: latency.toFixed(1),
    milliseconds: answer.milliseconds,
    label: answer.faces[0]?.label ?? "",
  });
  display(answer.faces, now);
  announce(answer.faces[0], now);
  record(answer.faces, now);
}

function display(results, now) {
  for (const result of results) {
    if (result.track == null) continue; // a new face gets its track with the next picture
    const face = faces.get(result.track) ?? { box: result.box, alpha: 0, card: makeCard() };
    face.unsure = hold(face.unsure ?? { text: "", at: -Infinity }, result.unsure, now);
    Object.assign(face, { result, last: now, heats: result.maps?.map(heat) });
    faces.set(result.track, face);
    fillCard(face);
  }
}

// Two texts that differ in their numbers only: the width of a face changes with every picture.
const alike = (a, b) => a.replace(/\d+/g, "") === b.replace(/\d+/g, "");

// What is shown next: the new text, or the old one until HOLD ms after it was last confirmed, so that nothing flickers.
function hold(shown, text, now) {
  if (shown.text && !alike(shown.text, text) && now - shown.at < HOLD) return shown;
  return { text, at: now };
}

// For screen readers: announce the label of the largest face, at most every two seconds.
let announced = "", announcedAt = 0;
function announce(face, now) {
  const text = !face ? "no face" : face.unsure ? `unsure: ${face.unsure}` : face.label;
  if (text === announced || now - announcedAt < 2000) return;
  [announced, announcedAt] = [text, now];
  $(".spoken").textContent = text;
}

function paint(thisRun, now, previous) {
  if (thisRun !== run) return;
  if (video.videoWidth) $(".stage").style.aspectRatio = `${video.videoWidth} / ${video.videoHeight}`;
  const mirrored = $(".mirror").checked, step = now - previous;
  video.classList.toggle("mirrored", mirrored);
  fitView();
  const scale = view.width / (sent.width || view.width);
  for (const [track, face] of faces) {
    const approach = 1 - Math.exp(-step / 70);
    face.box = face.box.map((v, i) => v + approach * (face.result.box[i] - v));
    const present = performance.now() - face.last < PATIENCE;
    face.alpha += (1 - Math.exp(-step / 150)) * (present - face.alpha);
    face.card.classList.toggle("gone", !present);
    if (performance.now() - face.last > 4 * PATIENCE) {
      face.card.remove();
      faces.delete(track);
      continue;
    }
    drawFace(face, scale, mirrored);
  }
  requestAnimationFrame((next) => paint(thisRun, next, now));
}

function drawFace(face, scale, mirrored) {
  const { result, heats } = face, unsure = face.unsure.text;
  pen.globalAlpha = face.alpha;
  if (heats && $(".attention").checked) {
    pen.setTransform(mirrored ? -scale : scale, 0, 0, scale, mirrored ? view.width : 0, 0);
    pen.transform(...result.crop);
    pen.drawImage(heats[0], 0, 0, 1, 1);
    pen.setTransform(1, 0, 0, 1, 0, 0);
  }
  let [left, top, right, bottom] = face.box.map((v) => v * scale);
  if (mirrored) [left, right] = [view.width - right, view.width - left];
  const dense = view.width / (view.clientWidth || view.width); // pixels of the picture per pixel of the page
  const line = Math.max(2 * dense, view.width / 250);
  const font = Math.max(13 * dense, Math.min(view.width / 36, (right - left) / 7));
  pen.lineWidth = line + 2;
  pen.strokeStyle = "rgba(0,0,0,0.6)";
  pen.strokeRect(left, top, right - left, bottom - top);
  pen.lineWidth = line;
  pen.strokeStyle = css(result.label);
  pen.setLineDash(unsure ? [3 * line, 2 * line] : []);
  pen.strokeRect(left, top, right - left, bottom - top);
  pen.setLineDash([]);
  pen.font = `600 ${font}px system-ui, sans-serif`;
  const number = faces.size > 1 ? `${result.track + 1} ` : "";
  const text = `${number}${result.label}${unsure ? "?" : ""} ${percent(result.confidence)}${unsure && ` ${unsure}`}`;
  const width = pen.measureText(text).width + font, height = 1.5 * font;
  const x = Math.max(0, Math.min(left - line / 2, view.width - width));
  const y = top > height ? top - height : Math.max(0, top);
  pen.fillStyle = css(result.label);
  pen.fillRect(x, y, width, height);
  pen.fillStyle = ink(result.label);
  pen.fillText(text, x + font / 2, y + 1.08 * font);
  pen.globalAlpha = 1;
}

// Draw a map (rows of weights from 0 to 1) as a tiny picture in the colours of "magma", the more opaque
// the larger the weight; the canvas smooths it when enlarged.
const MAGMA = [[0, 0, 4], [81, 18, 124], [183, 55, 121], [252, 137, 97], [252, 253, 191]];
function heat(rows) {
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
function makeCard() {
  const card = document.createElement("section");
  card.className = "card";
  const track = `<span class="track"><span class="fill"></span></span>`;
  const bar = `<div class="bar"><span class="name"></span>${track}<span class="percent"></span></div>`;
  const more = `<p class="va"></p><div class="maps"></div>`;
  card.innerHTML = `<h3><span></span> <small></small></h3>${bar.repeat(classes.length)}${more}`;
  card.querySelectorAll(".name").forEach((cell, i) => (cell.textContent = classes[i]));
  card.querySelectorAll(".fill").forEach((fill, i) => (fill.style.background = css(classes[i])));
  $(".faces").append(card);
  return card;
}

function fillCard({ card, result, heats, unsure }) {
  card.style.setProperty("--emotion", css(result.label));
  card.querySelector("h3 span").textContent = unsure.text ? "unsure" : result.label;
  const more = `${percent(result.confidence)} · face ${result.track + 1}`;
  card.querySelector("h3 small").textContent = unsure.text ? `perhaps ${result.label} · ${unsure.text} · ${more}` : more;
  card.querySelectorAll(".fill").forEach((fill, i) => (fill.style.width = percent(result.probs[i])));
  card.querySelectorAll(".percent").forEach((cell, i) => (cell.textContent = percent(result.probs[i])));
  card.querySelector(".va").textContent = va.map((name) => `${name} ${signed(result[name])}`).join(", ");
  const maps = card.querySelector(".maps");
  maps.style.display = heats ? "" : "none";
  if (heats) fillMaps(maps, heats, result.crop);
}

function fillMaps(maps, heats, crop) {
  if (maps.childElementCount !== heats.length) {
    maps.innerHTML = heats
      .map((_, k) => [k ? `head ${k}` : "all heads", k ? `head ${k}` : "all"])
      .map(
        ([name, caption]) =>
          `<figure><canvas width="84" height="84" role="img" aria-label="attention of ${name}"></canvas>` +
          `<figcaption>${caption}</figcaption></figure>`,
      )
      .join("");
  }
  const toTile = new DOMMatrix().scaleSelf(84, 84).multiplySelf(new DOMMatrix(crop).inverse());
  maps.querySelectorAll("canvas").forEach((canvas, k) => {
    const tile = canvas.getContext("2d");
    tile.filter = "grayscale(1)";
    tile.setTransform(toTile);
    tile.drawImage(sent, 0, 0);
    tile.filter = "none";
    tile.setTransform(84, 0, 0, 84, 0, 0);
    tile.drawImage(heats[k], 0, 0, 1, 1);
  });
}

let timelineAt = 0;
function record(results, now) {
  const seconds = (now - sessionStart) / 1000;
  for (const { maps, crop, ...face } of results) if (face.track != null) rows.push({ seconds, face });
  if (rows.length > MAX_ROWS) rows.splice(0, rows.length - MAX_ROWS);
  if (va.length && rows.length) drawPlane(seconds);
  if (!rows.length || now - timelineAt < 500) return;
  timelineAt = now;
  $(".session").hidden = false;
  drawTimeline(seconds);
}

// The rows from a time on: { track: rows }.
function rowsSince(first) {
  const recent = [], points = new Map();
  for (let i = rows.length - 1; i >= 0 && rows[i].seconds >= first; i--) recent.push(rows[i]);
  for (const row of recent.reverse()) {
    if (!points.has(row.face.track)) points.set(row.face.track, []);
    points.get(row.face.track).push(row);
  }
  return points;
}

// Valence to the right, arousal up: a point for each face, and its trail.
function drawPlane(end) {
  const canvas = $(".plane"), context = canvas.getContext("2d");
  canvas.hidden = false;
  Object.assign(canvas, { width: PLANE * devicePixelRatio, height: PLANE * devicePixelRatio });
  context.scale(devicePixelRatio, devicePixelRatio);
  const middle = PLANE / 2, radius = middle - 8;
  const x = (valence) => middle + radius * valence, y = (arousal) => middle - radius * arousal;
  context.strokeStyle = context.fillStyle = getComputedStyle(root).color;
  context.globalAlpha = 0.35;
  context.beginPath();
  context.arc(middle, middle, radius, 0, 2 * Math.PI);
  context.moveTo(x(-1), middle);
  context.lineTo(x(1), middle);
  context.moveTo(middle, y(-1));
  context.lineTo(middle, y(1));
  context.stroke();
  context.globalAlpha = 0.8;
  context.font = "12px system-ui, sans-serif";
  const write = (text, left, top, align) => {
    context.textAlign = align;
    context.fillText(text, left, top);
  };
  write("valence", x(1), middle - 4, "right");
  write("arousal", middle + 4, y(1) + 12, "left");
  const sides = ["right", "left", "left", "right"]; // of the quadrants, counterclockwise from the upper right
  quadrants.forEach((word, k) => write(word, sides[k] === "left" ? 2 : PLANE - 2, k < 2 ? 12 : PLANE - 4, sides[k]));
  for (const [track, line] of rowsSince(end - TRAIL_SECONDS)) {
    line.forEach(({ seconds, face }, i) => {
      const age = (end - seconds) / TRAIL_SECONDS, isLast = i === line.length - 1;
      context.globalAlpha = 1 - age;
      context.fillStyle = context.strokeStyle = css(face.label);
      if (!isLast) {
        const next = line[i + 1].face;
        context.lineWidth = 3;
        context.beginPath();
        context.moveTo(x(face.valence), y(face.arousal));
        context.lineTo(x(next.valence), y(next.arousal));
        return context.stroke();
      }
      context.beginPath();
      context.arc(x(face.valence), y(face.arousal), 6, 0, 2 * Math.PI);
      context.fill();
      context.fillStyle = getComputedStyle(root).color;
      if (faces.size > 1) write(`${track + 1}`, x(face.valence) + 9, y(face.arousal) + 4, "left");
    });
  }
}

// The probabilities of the faces seen most, stacked, over an axis in seconds since the session began.
function drawTimeline(end) {
  const canvas = $(".timeline"), context = canvas.getContext("2d");
  const span = Math.min(TIMELINE_SECONDS, Math.max(10, end)), first = Math.max(0, end - span);
  const points = rowsSince(first);
  const tracks = [...points].sort((a, b) => b[1].length - a[1].length).slice(0, 3).sort((a, b) => a[0] - b[0]);
  const width = canvas.clientWidth, bottom = BAND * tracks.length;
  canvas.style.height = `${bottom + AXIS}px`;
  Object.assign(canvas, { width: width * devicePixelRatio, height: (bottom + AXIS) * devicePixelRatio });
  context.scale(devicePixelRatio, devicePixelRatio);
  const at = (seconds) => GUTTER + ((seconds - first) / span) * (width - GUTTER);
  const text = getComputedStyle(root).color;
  Object.assign(context, { font: "13px system-ui, sans-serif", textBaseline: "middle" });
  tracks.forEach(([track, line], k) => {
    context.fillStyle = text;
    context.fillText(`face ${track + 1}`, 0, BAND * k + (BAND - 6) / 2);
    line.forEach((row, i) => {
      const next = line[i + 1]?.seconds ?? end, stop = Math.min(next, row.seconds + GAP);
      let y = BAND * k;
      row.face.probs.forEach((p, c) => {
        context.fillStyle = css(classes[c]);
        context.fillRect(at(row.seconds), y, Math.max(1, at(stop) - at(row.seconds) + 0.5), p * (BAND - 6));
        y += p * (BAND - 6);
      });
    });
  });
  const step = [1, 2, 5, 10, 20].find((seconds) => at(first + seconds) - GUTTER > 50) ?? 60;
  context.fillStyle = context.strokeStyle = text;
  context.textAlign = "center";
  context.beginPath();
  context.moveTo(GUTTER, bottom + 0.5);
  context.lineTo(width, bottom + 0.5);
  for (let seconds = step * Math.ceil(first / step); at(seconds) < width - 16; seconds += step) {
    context.moveTo(at(seconds) + 0.5, bottom);
    context.lineTo(at(seconds) + 0.5, bottom + 5);
    context.fillText(`${seconds} s`, at(seconds), bottom + 15);
  }
  context.stroke();
}

function download() {
  const names = ["seconds", "face", "x1", "y1", "x2", "y2", "label", "confidence", "unsure"];
  const lines = [[...names, ...quality, ...classes, ...va]];
  for (const { seconds, face } of rows) {
    const about = [face.label, face.confidence, face.unsure, ...face.quality.map((value) => value ?? "")];
    lines.push([seconds.toFixed(3), face.track, ...face.box, ...about, ...face.probs, ...va.map((name) => face[name])]);
  }
  const cell = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const text = lines.map((line) => line.map(cell).join(",") + "\n").join("");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = "session.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function forget() {
  rows = [];
  sessionStart = performance.now();
  $(".session").hidden = true;
}

$(".start").addEventListener("click", start);
$(".stop").addEventListener("click", stop);
$(".csv").addEventListener("click", download);
$(".forget").addEventListener("click", forget);
$(".attention").addEventListener("change", drawSample);
new ResizeObserver(drawSample).observe(view);
classes.forEach((name) => {
  const item = document.createElement("li");
  item.textContent = name;
  item.style.setProperty("--emotion", css(name));
  $(".legend").append(item);
});
showSample();
