"use strict";

/* What people said of candidates: shown at once, saved one after another, undone step by step.
   A word is {rating, rejected, at}; none is null. */

const picks = (() => {
  const who = page.who;
  const said = new Map(); // key -> Map of who -> word
  const steps = []; // mine, in this window: {candidate, word, earlier}
  const listeners = [];
  let saving = Promise.resolve(), waiting = 0;

  const mine = candidate => said.get(candidate.key)?.get(who) || null;
  const others = candidate => [...(said.get(candidate.key) || [])].filter(([name]) => name !== who);
  const tell = candidate => listeners.forEach(listener => listener(candidate));
  function put(key, name, word) {
    if (!said.has(key)) said.set(key, new Map());
    if (word) said.get(key).set(name, word);
    else said.get(key).delete(name);
  }

  /** Put a word in the place of another, here at once; then where it is kept, after those before it. */
  function replace(candidate, taken, word) {
    const before = mine(candidate);
    put(candidate.key, who, word);
    waiting += 1;
    tell(candidate);
    const settle = () => { waiting -= 1; tell(candidate); };
    saving = saving.then(() => keep(candidate, taken, word)).catch(error => {
      put(candidate.key, who, before);
      notice(`Not saved: ${error.message}`, "Understood");
    }).finally(settle);
  }

  async function keep(candidate, taken, word) {
    if (!page.served) return shelf.write(candidate.key, word);
    const place = { request_id: candidate.request.id, candidate: candidate.number };
    if (!taken) {
      word.at = (await persist("picks", { ...place, rating: word.rating, rejected: word.rejected })).at;
    } else if (!(await persist("undo", { ...place, said: taken, earlier: word })).undone) {
      await read();
      notice("It was rated anew in another window; that stays.");
    }
  }

  /** Ask until the server answers: a tunnel that broke is mended sooner or later. */
  async function persist(path, body) {
    for (let told = false; ; told = true) {
      try {
        const answer = await ask(path, body);
        if (told) notice("Saved.");
        return answer;
      } catch (error) {
        if (error.status) throw error;
        const many = waiting > 1 ? `${waiting} ratings wait` : "A rating waits";
        notice(`${many} to be saved: the server does not answer. Is the tunnel open?`, "Understood");
        await new Promise(resolve => setTimeout(resolve, 1000));
      }
    }
  }

  function say(candidate, word) {
    const earlier = mine(candidate);
    const same = earlier?.rating === word?.rating && earlier?.rejected === word?.rejected;
    if (same) return;
    steps.push({ candidate, word, earlier });
    replace(candidate, word ? null : earlier, word);
  }

  /** Take the last word back; return the candidate that it was said of. */
  function undo() {
    const step = steps.pop();
    if (step) replace(step.candidate, step.word, step.earlier);
    return step?.candidate;
  }

  async function read() {
    const answer = page.served ? await ask("picks") : { picks: shelf.read() };
    said.clear();
    for (const [key, name, rating, rejected, at] of answer.picks) put(key, name ?? who, { rating, rejected, at });
    tell(null);
    return answer.version;
  }

  return {
    mine, others, undo,
    rate: (candidate, rating) => say(candidate, { rating, rejected: false }),
    reject: candidate => say(candidate, { rating: null, rejected: true }),
    clear: candidate => say(candidate, null),
    listen: listener => listeners.push(listener),
    /** Read what everybody said; return the version of the run's index that the server knows. */
    refresh: () => saving.then(read),
    get canUndo() { return steps.length > 0; },
    get isSaving() { return waiting > 0; },
    get words() { return [...said.values()].map(word => word.get(who)).filter(Boolean); },
  };
})();

/* Without a server, ratings are kept in this browser, and downloaded as a table. */
const shelf = (() => {
  const name = `fundiff picks ${page.run}`;
  let memory = {};
  const load = () => {
    try { return JSON.parse(localStorage.getItem(name)) || {}; } catch { return memory; }
  };
  return {
    read: () => Object.entries(load()).map(([key, { rating, rejected }]) => [key, null, rating, rejected, ""]),
    write(key, word) {
      memory = load();
      if (word) memory[key] = word;
      else delete memory[key];
      try {
        localStorage.setItem(name, JSON.stringify(memory));
      } catch {
        notice("This browser keeps nothing for this page: download the picks before you leave.");
      }
    },
    csv() {
      const rows = this.read().map(([key, , rating, rejected]) => {
        const colon = key.lastIndexOf(":");
        return `${key.slice(0, colon)},${key.slice(colon + 1)},${rating ?? ""},${rejected}\n`;
      });
      return `request_id,candidate,rating,rejected\n${rows.join("")}`;
    },
    download() {
      const href = URL.createObjectURL(new Blob([this.csv()], { type: "text/csv" }));
      element("a", { download: "picks.csv", href }).click();
      setTimeout(() => URL.revokeObjectURL(href), 1000);
    },
  };
})();
