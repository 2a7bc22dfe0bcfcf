"use strict";

/* What one does, by key, by mouse or by hand, to what is looked at: a card, an opened candidate, a side. */

const scene = () => ({ [opened.dialog.id]: opened, [comparison.dialog.id]: comparison })[shownDialog()?.id] || feed;

const actions = {
  next: () => scene().stage?.next(),
  near: () => scene().stage?.nudge(-10),
  far: () => scene().stage?.nudge(10),
  rate: (candidate, rating) => picks.rate(candidate, rating),
  reject: candidate => picks.reject(candidate),
  clear: candidate => picks.clear(candidate),
  compare: candidate => { comparison.mark(candidate); },
  open: candidate => opened.open(candidate),
  undo() {
    const candidate = picks.undo();
    if (!candidate || shownDialog()) return;
    const at = feed.find(candidate.key);
    if (at >= 0) feed.goTo(at);
  },
  download: () => shelf.download(),
  help: () => openDialog(byId("help")),
  close: () => shownDialog()?.close(),
  filters() {
    const isOpen = filters.form.classList.toggle("unfolded");
    filters.form.querySelector(".more").ariaExpanded = String(isOpen);
  },
};

/** The candidate that an element belongs to. */
function candidateOf(target) {
  const key = target.closest("[data-key]")?.dataset.key;
  if (!key) return null;
  return [opened.current, ...comparison.pair].find(candidate => candidate?.key === key)
    || filters.all.find(candidate => candidate.key === key);
}

document.addEventListener("click", event => {
  const button = event.target.closest("[data-act]");
  if (!button || button.dataset.act === "notice") return;
  actions[button.dataset.act](candidateOf(button), Number(button.dataset.rating));
  // A hand goes back to the keys: space turns the picture and does not press the button again.
  if (event.detail && !shownDialog()) button.closest(".card")?.focus({ preventScroll: true });
});

const KEYS = {
  " ": "next", "[": "near", "]": "far", x: "reject", 0: "clear", c: "compare", u: "undo", "?": "help",
};
const ON_CANDIDATE = new Set(["reject", "clear", "compare"]);

document.addEventListener("keydown", event => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isField = target.matches("select, input:not([type=range])");
  if (isField) {
    if (key !== "Escape") return;
    event.preventDefault(); // what was typed stays
    feed.focus();
    return;
  }
  if (handle(key, target)) event.preventDefault();
});

/** Do what a key says; return whether it said anything. */
function handle(key, target) {
  const dialog = shownDialog(), here = scene(), isRange = target.matches("input[type=range]");
  const step = { j: 1, k: -1, ...(isRange ? {} : { ArrowRight: 1, ArrowLeft: -1 }) }[key];
  if (dialog?.id === "help" && key !== "?") return false;
  if (dialog?.id === "help") { dialog.close(); return true; }
  if (step) { here.move(step); return true; }
  if (!dialog && !isRange && (key === "ArrowDown" || key === "ArrowUp")) { feed.goRow(key === "ArrowDown" ? 1 : -1); return true; }
  if (!dialog && !isRange && (key === "Home" || key === "End")) { feed.goTo(key === "Home" ? 0 : feed.length - 1); return true; }
  if (!dialog && key === "/") { filters.find(); return true; }
  if (!dialog && key === "Escape" && marked) { comparison.mark(marked); return true; }
  const isButton = target.matches("button, a");
  if (key === "Enter" && !dialog && !isButton && here.current) { actions.open(here.current); return true; }
  if (key === " " && isButton && !target.matches(".turn")) return false;
  if (/^[1-5]$/.test(key) && here.current) { picks.rate(here.current, Number(key)); return true; }
  const act = KEYS[key];
  if (!act || (ON_CANDIDATE.has(act) && !here.current)) return false;
  actions[act](here.current);
  return true;
}
