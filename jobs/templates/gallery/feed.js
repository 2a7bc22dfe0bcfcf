"use strict";

/* The grid. Only what is near the screen is in the document; the rest is arithmetic. */

const TALLEST = 8e6; // pixels; elements end at some 17 million in one browser or another
const ENDS = TALLEST / 8; // so much at both ends of a grid that is taller lies as in one that is not

const feed = (() => {
  const root = byId("feed");
  const drawn = new Map(); // row -> its element
  let list = [], rows = [], rowOf = [], byRequest = true, height = 0, current = 0;
  let view = 0, last = 0; // pixels from the top: of the whole grid, and of its element

  // Rows: a request's heading, or cards side by side. Heights are known before anything is drawn.

  function measure() {
    const style = getComputedStyle(root);
    const read = name => parseFloat(style.getPropertyValue(name)) * parseFloat(getComputedStyle(document.documentElement).fontSize);
    const width = root.clientWidth, gap = read("--gap");
    const columns = innerWidth <= 576 ? 1 : Math.max(1, Math.floor((width + gap) / (read("--narrowest") + gap)));
    const card = columns === 1 ? width : Math.min(read("--widest"), (width - gap * (columns - 1)) / columns);
    return { width, columns, card, line: read("--line"), slider: read("--slider"), foot: read("--foot"), heading: read("--heading") };
  }

  function heightOf(cards, { width, card, line, slider, foot }) {
    const looks = cards.map(candidate => candidate.request.look);
    if (looks[0].panels.length) return width / looks[0].panels.length + line + foot;
    const lines = Math.max(...looks.map(look => look.stills.length > 1 ? Math.min(look.stills.length, MOST_LINES) : 1));
    const slides = looks.some(look => look.sigma && !look.stills[0].is_original);
    return card + (slides ? slider : 0) + lines * line + foot;
  }

  function layOut() {
    const size = measure();
    root.style.setProperty("--columns", size.columns);
    root.style.setProperty("--card", `${size.card}px`);
    rows = [];
    rowOf = new Uint32Array(list.length);
    let top = 0;
    const add = (row, tall) => { rows.push({ ...row, top, tall }); top += tall; };
    for (let i = 0; i < list.length;) {
      const { request } = list[i];
      if (byRequest && (i === 0 || list[i - 1].request !== request)) {
        let stop = i;
        while (stop < list.length && list[stop].request === request) stop += 1;
        add({ request, count: stop - i, from: i, to: i }, size.heading);
      }
      const isStrip = request.look.panels.length > 0;
      let to = i + 1;
      const fits = next => next < list.length && next - i < size.columns && !isStrip
        && !list[next].request.look.panels.length && (!byRequest || list[next].request === request);
      while (fits(to)) to += 1;
      for (let each = i; each < to; each++) rowOf[each] = rows.length;
      add({ from: i, to, isStrip }, heightOf(list.slice(i, to), size));
      i = to;
    }
    height = top;
    root.style.height = `${Math.min(height, TALLEST)}px`;
  }

  // Scrolling. A grid too tall for one element is scrolled pixel by pixel, and jumped through in proportion.

  const above = () => root.getBoundingClientRect().top + scrollY;
  const isScaled = () => height > TALLEST;

  /** Where in the element a place in the grid lies, or the other way round. */
  function scale(at, from, to) {
    if (from === to || at <= ENDS) return at;
    if (at >= from - ENDS) return to - (from - at);
    return ENDS + (at - ENDS) * (to - 2 * ENDS) / (from - 2 * ENDS);
  }
  const inElement = at => scale(at, height, Math.min(height, TALLEST));
  const inGrid = at => scale(at, Math.min(height, TALLEST), height);

  function scrolled() {
    const at = scrollY - above(), moved = at - last, isJump = Math.abs(moved) > innerHeight;
    const isInside = at > 0 && at < Math.min(height, TALLEST) - innerHeight;
    last = at;
    view = isScaled() && isInside && !isJump ? view + moved : inGrid(at);
    draw();
    settle();
  }

  function scrollToView(wanted) {
    view = wanted;
    scrollTo(0, Math.max(0, inElement(view) + above()));
    last = scrollY - above();
    view += last - inElement(view); // as far as the page goes
    draw();
    settle();
  }

  /** Once a tall grid is at rest, its scroll bar moves to where the grid is. */
  const rebase = () => isScaled() && Math.abs(inElement(view) - last) > 1 && scrollToView(view);

  const firstRowBelow = pixel => {
    let low = 0, high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle].top + rows[middle].tall <= pixel) low = middle + 1; else high = middle;
    }
    return low;
  };

  // Drawing.

  function draw() {
    const margin = innerHeight * 0.75;
    const start = firstRowBelow(view - margin);
    let stop = start;
    while (stop < rows.length && rows[stop].top < view + innerHeight + margin) stop += 1;
    for (const [number, made] of drawn) {
      if (number >= start && number < stop) continue;
      if (made.contains(document.activeElement)) root.focus({ preventScroll: true });
      made.remove();
      drawn.delete(number);
    }
    const shift = isScaled() ? last - view : 0;
    for (let number = start; number < stop; number++) {
      if (!drawn.has(number)) {
        const made = makeRow(rows[number]);
        drawn.set(number, made);
        const after = [...drawn.keys()].filter(other => other > number);
        root.insertBefore(made, after.length ? drawn.get(Math.min(...after)) : null);
      }
      drawn.get(number).style.transform = `translateY(${rows[number].top + shift}px)`;
    }
  }

  function makeRow({ request, count, from, to, isStrip, tall }) {
    const row = request ? makeHeading(request, count) : element("div", { className: isStrip ? "row strip" : "row" });
    for (let i = from; i < to; i++) row.append(makeCard(list[i], i, list.length));
    for (const card of row.querySelectorAll(".card")) if (list[current].key === card.dataset.key) card.tabIndex = 0;
    row.style.height = `${tall}px`;
    return row;
  }

  const cardAt = index => drawn.get(rowOf[index])?.children[index - rows[rowOf[index]].from];

  /** Large pictures for what is looked at, once the page is at rest: first small ones, quickly. */
  let rest;
  function settle() {
    clearTimeout(rest);
    rest = setTimeout(() => {
      rebase();
      for (const card of root.querySelectorAll(".card")) {
        const { top, bottom } = card.getBoundingClientRect();
        if (bottom > 0 && top < innerHeight) card.stage.sharpen();
      }
    }, 150);
  }

  function goTo(index, { focus = true } = {}) {
    if (!list.length) return;
    if (cardAt(current)) cardAt(current).tabIndex = -1;
    current = Math.min(Math.max(index, 0), list.length - 1);
    const row = rows[rowOf[current]];
    const bar = document.querySelector(".filters").offsetHeight + 12;
    const heading = rows[rowOf[current] - 1]?.request ? rows[rowOf[current] - 1].tall : 0;
    if (focus && row.top - heading < view + bar) scrollToView(row.top - heading - bar);
    else if (focus && row.top + row.tall > view + innerHeight) scrollToView(row.top + row.tall - innerHeight + 12);
    const card = cardAt(current);
    if (!card) return;
    card.tabIndex = 0;
    if (focus) card.focus({ preventScroll: true });
    card.stage.sharpen();
  }

  /** Go a row down or up, in the same column if there is one. */
  function goRow(by) {
    const column = current - rows[rowOf[current]].from;
    let number = rowOf[current] + by;
    while (rows[number]?.request) number += by;
    if (rows[number]) goTo(Math.min(rows[number].from + column, rows[number].to - 1));
  }

  function redraw() {
    for (const row of drawn.values()) row.remove();
    drawn.clear();
    layOut();
    last = scrollY - above();
    view = inGrid(last);
    draw();
    settle();
  }

  function show(candidates, grouped) {
    const kept = list[current]?.key;
    list = candidates;
    byRequest = grouped;
    current = Math.max(0, list.findIndex(candidate => candidate.key === kept));
    redraw();
  }

  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return draw();
    width = innerWidth;
    redraw();
    return goTo(current, { focus: root.contains(document.activeElement) });
  });
  addEventListener("scroll", scrolled, { passive: true });
  root.addEventListener("focusin", event => {
    const card = event.target.closest(".card");
    if (card && list[current].key !== card.dataset.key) {
      goTo(list.findIndex(candidate => candidate.key === card.dataset.key), { focus: false });
    }
  });

  /** Go so many cards on; from what is seen, if one has scrolled away from the current card. */
  function move(by) {
    const row = rows[rowOf[current]];
    const isSeen = row && row.top + row.tall > view && row.top < view + innerHeight;
    const seen = rows[Math.min(firstRowBelow(view), rows.length - 1)];
    goTo(isSeen ? current + by : seen?.from ?? 0);
  }

  return {
    show, goTo, goRow, move,
    find: key => list.findIndex(candidate => candidate.key === key),
    get current() { return list[current]; },
    get index() { return current; },
    get length() { return list.length; },
    get stage() { return cardAt(current)?.stage; },
    focus: () => goTo(current),
    repaint: () => { for (const card of root.querySelectorAll(".card")) paint(card, card.stage.candidate); },
  };
})();

function makeHeading(request, count) {
  const title = request.stills.filter(still => !still.is_original).flatMap((still, i) => [
    i ? ", " : null, still.text, request.prompts.length > 1 ? element("i", {}, ` ${still.seen}`) : null,
  ]);
  return element("div", { className: "row heading" },
    element("h2", { title: request.prompts.join(", ") }, ...title.filter(Boolean)),
    metaOf(request, `${count} ${count === 1 ? "picture" : "pictures"}`));
}

function metaOf(request, count) {
  return element("p", { className: "meta" }, `${request.kind}, ${count}`,
    request.keep && ` · of the photograph is kept what one sees ${request.keep}`,
    " · ", element("code", {}, request.id),
    ...request.tags.map(tag => element("span", { className: "tag" }, tag)));
}
