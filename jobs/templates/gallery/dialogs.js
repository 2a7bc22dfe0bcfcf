"use strict";

/* What opens over the grid: a request with all its candidates, two candidates side by side, the keys. */

const shownDialog = () => [...document.querySelectorAll("dialog[open]")].at(-1);

for (const dialog of document.querySelectorAll("dialog")) {
  dialog.onclick = event => event.target === dialog && dialog.close(); // beside it
  dialog.addEventListener("close", () => {
    document.body.append(byId("notice"));
    document.documentElement.classList.toggle("covered", Boolean(shownDialog()));
    if (!shownDialog()) feed.focus();
  });
}

function openDialog(dialog) {
  if (!dialog.open) dialog.showModal();
  document.documentElement.classList.add("covered");
}

const opened = (() => {
  const dialog = byId("request");
  const [place, others] = [".opened", ".others"].map(selector => dialog.querySelector(selector));
  let candidates = [], shown = 0, stage = null;

  async function open(candidate) {
    const { request } = candidate;
    let found;
    try {
      found = await readRequest(request);
    } catch (error) {
      notice(`Cannot open it: ${error.message}`);
      return;
    }
    candidates = found;
    const heading = makeHeading(request, found.length);
    byId("request-title").replaceChildren(...heading.querySelector("h2").childNodes);
    dialog.querySelector(".meta").replaceChildren(...heading.querySelector(".meta").childNodes);
    others.replaceChildren(...found.map((each, number) => {
      const thumb = element("button", { className: "thumb", type: "button",
        ariaLabel: `Candidate ${each.number}`, onclick: () => show(number), data: { key: each.key } },
      makeFrame(each, each.request.stills.find(still => !still.is_original && still.reading === null && still.is_near) || PLAIN, "thumb"),
      element("span", { className: "facts" }, element("span", { className: "score" }, each.score === null ? "" : decimals(each.score)),
        element("span", { className: "own" })));
      return thumb;
    }));
    show(Math.max(0, found.findIndex(each => each.key === candidate.key)));
    openDialog(dialog);
    place.querySelector("button, input")?.blur();
    dialog.focus();
  }

  function show(number) {
    shown = Math.min(Math.max(number, 0), candidates.length - 1);
    const candidate = candidates[shown];
    stage = makeStage(candidate, { stillPictures: true, enlarged: true });
    const isStrip = candidate.request.look.panels.length > 0;
    place.className = isStrip ? "opened strip" : "opened";
    place.dataset.key = candidate.key;
    place.replaceChildren(stage.element, element("div", { className: "side" },
      element("div", { className: "stills", role: "group", ariaLabel: "Views" }, ...stage.buttons),
      actionsOf(candidate, { opens: false }), numbersOf(candidate), originOf(candidate)));
    stage.sharpen();
    repaint();
    others.children[shown].scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function repaint() {
    if (!candidates.length) return;
    paint(place, candidates[shown]);
    candidates.forEach((candidate, i) => {
      const thumb = others.children[i], word = picks.mine(candidate);
      thumb.ariaPressed = String(i === shown);
      thumb.classList.toggle("rejected", Boolean(word?.rejected));
      thumb.querySelector(".own").textContent = word?.rejected ? "✕" : "★".repeat(word?.rating || 0);
    });
  }

  return {
    dialog, open, repaint,
    move: by => show(shown + by),
    get current() { return candidates[shown]; },
    get stage() { return stage; },
    get key() { return candidates[shown]?.key; },
  };
})();

const PLAIN = { view: "identity", at: 0, reading: null, is_original: false };

function numbersOf({ score, details }) {
  const numbers = [["score", score], ...(details?.numbers || [])].filter(([, value]) => value !== null);
  return element("dl", {}, ...numbers.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, decimals(value)))));
}

function originOf(candidate) {
  const { status, stage, number, details, enlarged } = candidate;
  return element("p", { className: "origin" },
    status !== "accepted" && element("strong", {}, status), status !== "accepted" && " · ",
    `candidate ${number} · stage ${stage} · seed ${details?.seed}`,
    details?.reason && ` · ${details.reason}`,
    enlarged !== null && " · ",
    enlarged !== null && element("a", { href: addressOf(candidate, "enlarged"), download: `${candidate.request.id}-${number}.png` }, "enlarged picture"),
    element("span", { className: "others-said" }));
}

// Two side by side: one is marked, then another; what is done to one is done to both.

let marked = null;

const comparison = (() => {
  const dialog = byId("comparison"), sides = dialog.querySelector(".sides");
  let pair = [], stages = [], active = 0;

  function mark(candidate) {
    if (marked && marked !== candidate) return open(marked, candidate);
    marked = marked ? null : candidate;
    notice(marked ? "Marked. Mark another one to see both side by side." : "");
    return refreshAll();
  }

  function open(first, second) {
    pair = [first, second];
    stages = pair.map(candidate => makeStage(candidate, { enlarged: true }));
    sides.replaceChildren(...pair.map((candidate, i) => {
      const side = element("section", { className: "side", data: { key: candidate.key } },
        element("p", { className: "prompt" }, candidate.request.prompts.join(", ")),
        stages[i].element, linesOf(stages[i]), factsOf(candidate), actionsOf(candidate, { opens: false }));
      for (const event of ["focusin", "pointerdown"]) side.addEventListener(event, () => choose(i));
      return side;
    }));
    stages.forEach(stage => stage.sharpen());
    marked = null;
    notice("");
    choose(1);
    openDialog(dialog);
    dialog.focus();
    refreshAll();
  }

  function choose(i) {
    active = i;
    [...sides.children].forEach((side, each) => side.classList.toggle("chosen", each === i));
  }

  return {
    dialog, mark,
    move: by => choose(by > 0 ? 1 : 0),
    repaint: () => pair.forEach((candidate, i) => paint(sides.children[i], candidate)),
    get current() { return pair[active]; },
    get stage() {
      return { next: () => stages.forEach(stage => stage.next()), nudge: by => stages.forEach(stage => stage.nudge(by)) };
    },
    get pair() { return pair; },
  };
})();
