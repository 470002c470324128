// In the results of photos: a card and the box of its face point to each other, and labels keep clear of other faces.

const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

export function pointFaces(element) {
  const point = (event) => {
    element.querySelectorAll(".pointed").forEach((part) => part.classList.remove("pointed"));
    const part = event.target.closest?.("[data-face]");
    const pair = part?.closest(".photo").querySelectorAll(`[data-face="${part.dataset.face}"]`);
    pair?.forEach((one) => one.classList.add("pointed"));
  };
  for (const kind of ["pointerover", "focusin"]) element.addEventListener(kind, point);
  for (const kind of ["pointerleave", "focusout"]) element.addEventListener(kind, () => point({ target: element }));
  element.addEventListener("click", (event) => {
    const face = event.target.closest(".face")?.dataset.face;
    const card = face && event.target.closest(".photo").querySelector(`.card[data-face="${face}"]`);
    card?.scrollIntoView({ block: "nearest" });
  });
  const tidy = () => element.querySelectorAll(".picture").forEach(tidyLabels);
  new ResizeObserver(tidy).observe(element);
  new MutationObserver(() => requestAnimationFrame(tidy)).observe(element, { childList: true, subtree: true });
}

// A label must not cover another face or label: it goes to the other side of its box, or shows its number only.
function tidyLabels(picture) {
  const faces = [...picture.querySelectorAll(".face")];
  const labelOf = (face) => face.querySelector(".label");
  const parts = (face) => [labelOf(face), face.querySelector(".box")].map((part) => part.getBoundingClientRect());
  faces.forEach((face) => labelOf(face).classList.add("short"));
  for (const face of faces) {
    const label = labelOf(face), taken = faces.filter((other) => other !== face).flatMap(parts);
    const sides = face.dataset.side === "left" ? ["left", "right"] : ["right", "left"];
    label.classList.remove("short");
    const fits = sides.some((side) => {
      face.dataset.side = side;
      const place = label.getBoundingClientRect();
      return label.scrollWidth <= label.clientWidth && !taken.some((other) => meet(place, other));
    });
    if (!fits) face.dataset.side = sides[0];
    label.classList.toggle("short", !fits && faces.length > 1);
  }
}
