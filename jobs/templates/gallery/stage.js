"use strict";

/* A picture and what one does to look at it: turn it, step back from it, wipe it away. The turns are
   the stylesheet's; a view that it cannot make is a picture of its own, laid over. */

/** Return a frame with a picture, and what may lie over it. */
function makeFrame(candidate, still, size) {
  const { look } = candidate.request;
  const frame = element("span", { className: "frame", data: { view: still.view } });
  frame.style.setProperty("--at", still.at);
  frame.style.setProperty("--sigma", look.sigma);
  if (still.is_original) {
    frame.append(makePicture("original", addressOf(candidate, "original")));
  } else if (size === "still" && still.reading !== null) {
    frame.append(makePicture("reading", addressOf(candidate, `reading-${still.reading}`)));
  } else {
    frame.append(makePicture("picture", addressOf(candidate, "small")));
  }
  return frame;
}

const makePicture = (className, address) =>
  element("img", { className, src: address, alt: "", draggable: false, decoding: "async" });

/**
 * Return a candidate's stage: its element, its buttons, and next(), nudge(), sharpen().
 * `enlarged` is whether to show the picture of stage III where there is one.
 */
function makeStage(candidate, { stillPictures = false, enlarged = false } = {}) {
  const { look, stills } = candidate.request;
  const views = stills.filter(still => !still.is_original);
  const first = views.find(still => still.is_near) || views[0];
  const hasOriginal = views.length < stills.length;
  const frame = makeFrame(candidate, first, "stage");
  const picture = frame.firstChild;
  const readings = look.readings.map((_, number) => {
    const reading = element("img", { className: "reading", alt: "", hidden: true, draggable: false });
    reading.load = () => reading.src || (reading.src = addressOf(candidate, `reading-${number}`));
    return reading;
  });
  frame.append(...readings);

  let home = first, shown = first, slider = null, turn = null;
  const stage = element("div", { className: "stage" });
  if (look.panels.length) {
    frame.style.aspectRatio = look.panels.length;
    stage.append(frame, element("span", { className: "panels", ariaHidden: "true" },
      ...look.panels.map(panel => element("span", {}, panel))));
  } else if (hasOriginal) {
    const what = views.length === 1 ? first.text : "the picture";
    slider = element("input", { type: "range", name: "wipe", value: 0,
      ariaLabel: `Wipe between the original and ${what}` });
    frame.classList.add("wipe");
    frame.append(
      element("span", { className: "before" }, makePicture("original", addressOf(candidate, "original"))),
      element("span", { className: "edge" }), slider);
    stage.append(frame);
  } else if (stills.length > 1) {
    turn = element("button", { className: "turn", type: "button" }, frame);
    stage.append(turn);
    if (look.sigma) {
      slider = element("input", { type: "range", name: "at", value: 100 * first.at, ariaLabel: "Distance" });
      stage.append(element("label", { className: "distance" },
        element("span", {}, "near"), slider, element("span", {}, "far")));
    }
  } else {
    stage.append(frame);
  }
  if (!turn) {
    const what = look.panels.length ? look.panels.join(", ") : first.seen;
    picture.alt = `${first.text}: ${what}`;
  }

  const buttons = stills.map(still => element("button",
    { className: "still", type: "button", ariaLabel: `${still.text}, ${still.seen}` },
    stillPictures && element("span", { className: "mat" }, makeFrame(candidate, still, "still")),
    element("span", { className: "prompt" }, still.text), " ",
    element("span", { className: "seen" }, still.seen)));
  const slide = () => frame.style.setProperty(`--${slider.name}`, slider.value / 100);
  const show = still => {
    shown = still;
    frame.dataset.view = still.view;
    frame.style.setProperty("--at", still.at);
    readings.forEach((reading, number) => {
      reading.hidden = number !== still.reading;
      if (!reading.hidden) reading.load();
    });
    buttons.forEach((button, number) => { button.ariaPressed = String(stills[number] === still); });
    if (turn) turn.ariaLabel = `${still.text}, ${still.seen}. Show the next view`;
    if (slider) { slider.value = 100 * (slider.name === "at" ? still.at : still.is_original); slide(); }
  };
  const keep = still => show(home = still);
  const after = still => stills[(stills.indexOf(still) + 1) % stills.length];
  const next = () => stills.length > 1 && !look.panels.length && keep(after(shown));

  show(first);
  buttons.forEach((button, number) => { button.onclick = () => keep(stills[number]); });
  // A reading has one distance and no before: the slider goes back to the picture itself.
  const slid = () => {
    const { value } = slider;
    if (shown.reading !== null) keep(stills.findLast(still => still.reading === null) || home);
    slider.value = value;
    slide();
  };
  if (slider) slider.oninput = slid;
  // A mouse over a picture peeks at its next view, and a click stays with it. The mouse has to move:
  // a page that scrolls under it turns nothing.
  let isOver = false;
  if (turn) turn.onclick = event => event.detail && shown !== home ? keep(shown) : next();
  if (turn && !slider) {
    turn.onpointermove = event => {
      if (isOver || event.pointerType !== "mouse" || !(event.movementX || event.movementY)) return;
      isOver = true;
      show(after(home));
    };
    turn.onpointerleave = () => { isOver = false; if (shown !== home) show(home); };
  }

  let sharp = false;
  return {
    element: stage,
    candidate,
    buttons: look.panels.length ? [] : buttons,
    next,
    nudge: by => slider && (slider.value = Number(slider.value) + by, slid()),
    /** Put the large picture in the small one's place, once it is there. */
    sharpen() {
      if (sharp) return;
      sharp = true;
      const large = enlarged && candidate.enlarged !== null ? "enlarged" : "large";
      const address = addressOf(candidate, large);
      const loaded = element("img", { src: address });
      loaded.decode().then(() => { picture.src = address; }, () => { sharp = false; });
      readings.forEach(reading => reading.load());
    },
  };
}
