"use strict";

/* Where candidates and their pictures come from: this page itself, or the server behind it.
   Everything else is the same for both. */

const page = JSON.parse(byId("page").textContent);

/** Ask the server; a mistake that it tells becomes an error with its words. */
async function ask(path, body) {
  const said = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Fundiff-Token": page.token },
    body: JSON.stringify(body),
  };
  const answer = await fetch(path, said);
  if (answer.ok) return answer.json();
  const type = answer.headers.get("Content-Type") || "";
  const told = type.startsWith("application/json") ? (await answer.json()).error : answer.statusText;
  throw Object.assign(new Error(told), { status: answer.status });
}

const readCatalogue = async () => page.served ? ask("catalogue") : page.catalogue;

/** Return the address of a candidate's picture: small, large, original, reading-0, enlarged. */
function addressOf(candidate, name) {
  if (!page.served) return page.pictures[candidate.files[name] ?? candidate.files.large];
  const parts = ["pictures", page.run, candidate.request.id, candidate.number, name];
  return parts.map(encodeURIComponent).join("/");
}

/** Return all candidates of a request, with their details. */
async function readRequest(request) {
  if (!page.served) return request.candidates;
  const found = await ask(`requests/${encodeURIComponent(request.id)}`);
  return found.map(fields => {
    const key = keyOf(request, fields.number);
    const known = request.candidates.find(candidate => candidate.key === key);
    return known ? Object.assign(known, { details: fields.details }) : makeCandidate(request, fields);
  });
}

const keyOf = (request, number) => `${request.id}:${number}`;

const makeCandidate = (request, fields) => ({ ...fields, request, key: keyOf(request, fields.number) });

/** Return the candidates of a catalogue, each with its request. */
function readCandidates({ looks, requests, candidates }) {
  const made = requests.map(([id, kind, look, prompts, tags, keep]) => ({
    id, kind, prompts, tags, keep, look: looks[look], candidates: [],
    text: [...prompts, ...tags, kind, id, keep].join(" ").toLowerCase(),
    stills: stillsOf(looks[look], prompts),
  }));
  const names = Object.keys(candidates).filter(name => name !== "request");
  return candidates.request.map((number, i) => {
    const request = made[number];
    const candidate = makeCandidate(request, Object.fromEntries(names.map(name => [name, candidates[name][i]])));
    request.candidates.push(candidate);
    return candidate;
  });
}

/** Return what is seen in each view: a prompt goes with every one but the original. */
function stillsOf(look, prompts) {
  let next = 0;
  return look.stills.map(still => ({ ...still, text: still.is_original ? "the original" : prompts[next++] }));
}
