"use strict";

/** Make an element: text and elements become its children, never markup. */
function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "data") Object.assign(made.dataset, value);
    else if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter(child => child !== null && child !== undefined && child !== false));
  return made;
}

const byId = id => document.getElementById(id);

/** Say something in passing; with an action it stays until that is chosen. */
const notice = (() => {
  let timer;
  const say = (text, action = "", chosen = () => {}) => {
    const [words, button] = byId("notice").children;
    clearTimeout(timer);
    words.textContent = text;
    button.hidden = !action;
    button.textContent = action;
    button.onclick = () => { byId("notice").hidden = true; chosen(); };
    (shownDialog() || document.body).append(byId("notice")); // what lies outside an open dialog is out of reach
    byId("notice").hidden = !text;
    if (text && !action) timer = setTimeout(() => say(""), 4000);
  };
  return say;
})();
