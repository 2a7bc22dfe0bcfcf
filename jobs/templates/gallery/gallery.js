"use strict";

/* The page starts: candidates and picks are read, the grid is shown. */

function refreshAll() {
  feed.repaint();
  opened.repaint();
  comparison.repaint();
  document.querySelector("[data-act=undo]").disabled = !picks.canUndo;
  const words = picks.words;
  const count = (many, what) => many ? `${many} ${what}` : null;
  const sum = [count(words.filter(word => word.rating).length, "rated"), count(words.filter(word => word.rejected).length, "rejected")];
  byId("sum").textContent = words.length ? `${sum.filter(Boolean).join(", ")} by you.` : "";
}

/** Look for what others rated and for new candidates whenever this window is looked at again. */
async function lookAgain() {
  const version = await picks.refresh().catch(() => null);
  if (page.served && version && version !== page.version) {
    notice("The run has new candidates.", "Show them", () => location.reload());
  }
}

async function start() {
  if (page.served && location.search) history.replaceState(null, "", location.pathname); // the token is in a cookie now
  document.querySelector("[data-act=download]").hidden = page.served;
  const catalogue = await readCatalogue();
  page.version = catalogue.version;
  const candidates = readCandidates(catalogue);
  await picks.refresh();
  document.querySelector(".empty").hidden = candidates.length > 0;
  document.querySelector("footer").hidden = !candidates.length;
  filters.start(candidates);
  picks.listen(refreshAll);
  refreshAll();
  feed.goTo(0, { focus: false });
  if (page.served) addEventListener("focus", lookAgain);
  else addEventListener("storage", lookAgain);
  addEventListener("beforeunload", event => { if (picks.isSaving) event.preventDefault(); });
  document.documentElement.dataset.ready = "";
}

start().catch(error => notice(`The page could not start: ${error.message}`, "Try again", () => location.reload()));
