// The session of the live view: the rows of all faces, a timeline of the last minute, a plane of valence and arousal
// where the network gives them, and a table to download.
import { cssOf, vaOf } from "./cards.js";
import { saveTable } from "./table.js";

const TIMELINE_SECONDS = 60; // length of the timeline
const TRAIL_SECONDS = 6; // length of the trail in the plane of valence and arousal
const PLANE = 240; // side of the plane in pixels of the page
const BAND = 64, AXIS = 24, GUTTER = 56; // of the timeline: height of a row and of the axis, width of the names
const GAP = 1; // seconds without an answer that are left empty in the timeline
const MAX_ROWS = 200000; // rows of the session that are kept

// Show a session in an element that holds the part "session" of live.html. `record` takes the faces of a picture and
// the time in ms. `props` are those of `view_props` in app/engine.py.
export function makeSession(element, props) {
  const $ = (selector) => element.querySelector(selector);
  const { classes, quality, quadrants } = props, va = vaOf(props); // quality: names of what is measured of a face
  const css = (name) => cssOf(props, name);
  let rows = [], begun = null, timelineAt = 0, count = 0; // count: faces of the last picture

  // Add the faces of a picture, and show them.
  function record(results, now) {
    begun ??= now;
    count = results.length;
    const seconds = (now - begun) / 1000;
    for (const { maps, crop, ...face } of results) if (face.track != null) rows.push({ seconds, face });
    if (rows.length > MAX_ROWS) rows.splice(0, rows.length - MAX_ROWS);
    if (va.length && rows.length) drawPlane(seconds);
    if (!rows.length || now - timelineAt < 500) return;
    timelineAt = now;
    element.hidden = false;
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
    context.strokeStyle = context.fillStyle = getComputedStyle(element).color;
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
        context.fillStyle = getComputedStyle(element).color;
        if (count > 1) write(`${track + 1}`, x(face.valence) + 9, y(face.arousal) + 4, "left");
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
    const text = getComputedStyle(element).color;
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
      const about = [face.label, face.confidence, face.unsure, ...face.quality];
      const outputs = [...face.probs, ...va.map((name) => face[name])];
      lines.push([seconds.toFixed(3), face.track, ...face.box, ...about, ...outputs]);
    }
    saveTable(lines, "session.csv");
  }

  function forget() {
    rows = [];
    begun = null;
    element.hidden = true;
  }

  $(".csv").addEventListener("click", download);
  $(".forget").addEventListener("click", forget);
  classes.forEach((name) => {
    const item = document.createElement("li");
    item.textContent = name;
    item.style.setProperty("--emotion", css(name));
    $(".legend").append(item);
  });
  return { record };
}
