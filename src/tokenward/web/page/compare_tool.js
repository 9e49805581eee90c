// "Compare two": both tokens are read here, and nobody is asked.

import { compared, comparison } from "./compare.js";
import { open } from "./decode.js";
import { recognise } from "./recognise.js";

const boxes = ["first", "second"].map((id) => document.getElementById(id));
const status = document.getElementById("compare-status");
const place = document.getElementById("comparison");

/** @param {import("./facts.js").Facts} facts */
export function startCompareTool(facts) {
  const read = () => shown(facts);
  for (const box of boxes) box.addEventListener("input", read);
  document.getElementById("swap").addEventListener("click", () => {
    [boxes[0].value, boxes[1].value] = [boxes[1].value, boxes[0].value];
    read();
  });
  document.getElementById("clear-both").addEventListener("click", () => {
    for (const box of boxes) box.value = "";
    read();
    boxes[0].focus();
  });
}

function shown(facts) {
  const found = boxes.map((box) => recognise(box.value));
  const missing = found.map((one, number) => trouble(one, number ? "second" : "first")).filter(Boolean);
  place.replaceChildren();
  status.textContent = missing.join(" ");
  if (missing.length) return;
  const { total, spelled, cards } = comparison(...found.map((one) => open(one.token)), facts);
  place.replaceChildren(compared({ total, spelled }), ...cards);
  const several = found.some((one) => one.several) ? "; there are several tokens in a box, of which the first was compared" : "";
  status.textContent = (total ? `${total} differ` : "no difference") + several;
}

function trouble(found, which) {
  if (found.kind === "token") return "";
  return found.kind === "nothing" ? `The ${which} is missing.` : `The ${which}: ${found.title || "no token"}.`;
}
