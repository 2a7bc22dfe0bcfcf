"use strict";

/* Which candidates are shown, and in what order. */

const filters = (() => {
  const form = document.querySelector(".filters");
  const { words, kind, tag, status, said, score, sort } = form.elements;
  let all = [];

  function fill(select, values) {
    select.append(...[...new Set(values)].sort().map(value => element("option", { value }, value)));
    select.hidden = select.options.length < 3;
  }

  const SAID = {
    "": () => true,
    unrated: word => !word,
    rated: word => Boolean(word?.rating),
    picked: word => (word?.rating || 0) >= 3,
    rejected: word => Boolean(word?.rejected),
  };

  function apply() {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const least = score.value === "" ? null : Number(score.value);
    const left = all.filter(candidate => {
      const { request } = candidate;
      return (!kind.value || request.kind === kind.value)
        && (!tag.value || request.tags.includes(tag.value))
        && (!status.value || candidate.status === status.value)
        && (least === null || (candidate.score !== null && candidate.score >= least))
        && wanted.every(word => request.text.includes(word))
        && SAID[said.value](picks.mine(candidate));
    });
    if (sort.value === "score") left.sort((a, b) => (b.score ?? -Infinity) - (a.score ?? -Infinity));
    byId("count").textContent = left.length === all.length ? "" : left.length ? `${left.length} of ${all.length}` : "nothing fits";
    feed.show(left, sort.value === "");
  }

  function start(candidates) {
    all = candidates;
    const requests = new Set(all.map(candidate => candidate.request));
    fill(kind, [...requests].map(request => request.kind));
    fill(tag, [...requests].flatMap(request => request.tags));
    fill(status, all.map(candidate => candidate.status));
    form.hidden = !all.length;
    form.oninput = apply;
    form.onsubmit = event => { event.preventDefault(); feed.focus(); };
    apply();
  }

  return { start, apply, find: () => { words.focus(); words.select(); }, get all() { return all; }, form };
})();
