// Gives camera pictures to an engine one at a time: the next picture is taken when the last answer
// has arrived. A slow engine therefore lowers the frame rate and never builds up delay. Boxes move
// smoothly between answers and fade in and out.
//
// An engine recognises faces, on the server or in this tab: { name, look }. `look(canvas, options)`
// resolves to what `LiveView.look` in app/live.py returns. Options: `attention`, whether to return the
// maps; `sample`, whether the picture is the sample and has nothing to do with those of the camera.
import { cssOf, fillCard, heat, inkOn, makeCard, percent } from "./cards.js";
import { makeSession } from "./session.js";

const MIN_INTERVAL = 50; // ms between two pictures
const PATIENCE = 500; // ms until a lost face fades out and until a new hint is displayed
const HOLD = 700; // ms for which a hint, or the reason why a face is unsure, stays at least
const SIDE = 640; // pixels of the longer side of a sent picture
const PRIVACY = {
  server: "Pictures go from your browser to the computer that runs this page. They are not stored.",
  tab: "Pictures stay in this tab.",
};
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// Two texts that differ in their numbers only: the width of a face changes with every picture.
const alike = (a, b) => a.replace(/\d+/g, "") === b.replace(/\d+/g, "");

// What is shown next: the new text, or the old one until HOLD ms after it was last confirmed, so that nothing flickers.
function hold(shown, text, now) {
  if (shown.text && !alike(shown.text, text) && now - shown.at < HOLD) return shown;
  return { text, at: now };
}

// `element` holds the content of live.html; `props` are those of `view_props` in app/engine.py, perhaps with an
// `engine`; `server` gives `look`, where the page has a server.
export function makeLiveView(element, props, server) {
  const $ = (selector) => element.querySelector(selector);
  const root = $(".live"), video = $("video"), view = $(".view"), pen = view.getContext("2d");
  const session = crypto.randomUUID?.() ?? String(Math.random());
  const sent = document.createElement("canvas"); // the last picture that was given to the engine
  const pictured = sent.getContext("2d", { willReadFrequently: true });
  const faces = new Map(); // displayed faces by track: { box, alpha, card, result, unsure, last, heats }
  const serverEngine = {
    name: "server",
    look: (canvas, { attention, sample }) => {
      const picture = canvas.toDataURL("image/jpeg", 0.85);
      return server.look({ picture, session: sample ? `${session} sample` : session, attention });
    },
  };
  const recorded = makeSession($(".session"), props);
  let engine = props.engine ?? serverEngine;
  document.addEventListener("engine", ({ detail: { engine: other, failed } }) => {
    engine = other ?? serverEngine;
    if (failed) stop();
    $(".privacy").textContent = PRIVACY[engine.name];
  });
  let stream = null, run = 0, answerTimes = [], hint = "", hintAt = 0;
  let shown = { text: "", at: -Infinity }; // the hint under the video

  const css = (name) => cssOf(props, name);

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
          : "Browsers open a camera only on pages from https:// addresses or from this computer (http://localhost)."
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
      pictured.drawImage(photo, 0, 0, width, height, 0, 0, width, height);
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
      pictured.drawImage(video, 0, 0, width, height);
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
    recorded.record(answer.faces, now);
  }

  function display(results, now) {
    for (const result of results) {
      if (result.track == null) continue; // a new face gets its track with the next picture
      const face = faces.get(result.track) ?? { box: result.box, alpha: 0, card: addCard() };
      face.unsure = hold(face.unsure ?? { text: "", at: -Infinity }, result.unsure, now);
      Object.assign(face, { result, last: now, heats: result.maps?.map(heat) });
      faces.set(result.track, face);
      const { card, unsure, heats } = face;
      fillCard(card, result, { props, number: result.track + 1, unsure: unsure.text, heats, picture: sent });
    }
  }

  function addCard() {
    const card = makeCard(props);
    $(".faces").append(card);
    return card;
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
    pen.fillStyle = inkOn(props, result.label);
    pen.fillText(text, x + font / 2, y + 1.08 * font);
    pen.globalAlpha = 1;
  }

  $(".start").addEventListener("click", start);
  $(".start").disabled = false; // a click before would be lost
  $(".stop").addEventListener("click", stop);
  $(".attention").addEventListener("change", drawSample);
  new ResizeObserver(drawSample).observe(view);
  showSample();
}
