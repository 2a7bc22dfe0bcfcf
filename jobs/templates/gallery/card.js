"use strict";

/* A card: a stage, its views in words, its score, and what one may do with it. */

const STARS = [1, 2, 3, 4, 5];

function makeCard(candidate, position, total) {
  const stage = makeStage(candidate);
  const card = element("article", { className: "card", tabIndex: -1, data: { key: candidate.key } },
    stage.element, linesOf(stage), factsOf(candidate), actionsOf(candidate));
  const prompts = candidate.request.prompts.join("; ");
  card.setAttribute("aria-label", `${prompts}, candidate ${candidate.number}`);
  card.setAttribute("aria-posinset", position + 1);
  card.setAttribute("aria-setsize", total);
  card.stage = stage;
  paint(card, candidate);
  return card;
}

/** Return the views of a stage in words, at most so many. */
function linesOf({ buttons }, most = MOST_LINES) {
  const more = buttons.length - most;
  const shown = more > 0 ? buttons.slice(0, most - 1) : buttons;
  return element("div", { className: "lines", role: "group", ariaLabel: "Views" }, ...shown,
    more > 0 && element("span", { className: "seen" }, `and ${more + 1} more views`));
}

const MOST_LINES = 4;

const decimals = value => value.toFixed(3);

function factsOf(candidate) {
  const { score, status } = candidate;
  return element("p", { className: "facts" },
    score !== null && element("span", { className: "score" }, decimals(score)),
    status !== "accepted" && element("strong", {}, status),
    element("span", {}, `candidate ${candidate.number}`),
    candidate.enlarged !== null && element("span", {}, "enlarged"),
    element("span", { className: "others-said" }));
}

function actionsOf(candidate, { opens = true } = {}) {
  const button = (act, text, ariaLabel, data = {}) =>
    element("button", { type: "button", ariaLabel, title: ariaLabel, data: { act, ...data } }, text);
  const stars = STARS.map(rating => button("rate", "★", `Rate ${rating} of 5`, { rating }));
  return element("div", { className: "actions", data: { key: candidate.key } },
    element("span", { className: "stars", role: "group", ariaLabel: "Rating" }, ...stars),
    button("reject", "✕", "Reject"),
    element("span", { className: "gap" }),
    button("compare", "◫", "Mark to compare"),
    opens && button("open", "⤢", "Open the request"));
}

/** Show on a card, or whatever has a candidate's actions, what was said of it. */
function paint(card, candidate) {
  const word = picks.mine(candidate);
  card.classList.toggle("rejected", Boolean(word?.rejected));
  for (const star of card.querySelectorAll("[data-act=rate]")) {
    star.classList.toggle("lit", Number(star.dataset.rating) <= (word?.rating || 0));
    star.ariaPressed = String(Number(star.dataset.rating) === word?.rating);
  }
  for (const button of card.querySelectorAll("[data-act=reject]")) button.ariaPressed = String(Boolean(word?.rejected));
  for (const button of card.querySelectorAll("[data-act=compare]")) button.ariaPressed = String(marked === candidate);
  for (const place of card.querySelectorAll(".others-said")) {
    place.textContent = picks.others(candidate).map(([who, { rating, rejected }]) =>
      `${who} ${rejected ? "✕" : "★".repeat(rating)}`).join(", ");
  }
}
