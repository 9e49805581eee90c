// "Look up an error": in the catalogue that came with the page.

import { errorCard, named } from "./errors.js";

const box = document.getElementById("error");
const status = document.getElementById("error-status");
const place = document.getElementById("explanations");

/** @param {import("./facts.js").Facts} facts */
export function startErrorTool(facts) {
  box.addEventListener("input", () => {
    const found = named(box.value, facts);
    place.replaceChildren(...found.map((name) => errorCard(name, facts)));
    status.textContent = told(box.value, found);
  });
}

function told(text, found) {
  if (!text.trim()) return "";
  if (!found.length) return "No error in it is known by a code or a text.";
  return found.length === 1 ? `1 error: ${found[0]}` : `${found.length} errors, the most telling first`;
}
