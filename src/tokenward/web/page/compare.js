// Two tokens side by side: what differs, member by member, and last what does not.

import { code, el, mark } from "./dom.js";
import { asWritten, inOrder, shownValue } from "./members.js";
import { isTime, span } from "./times.js";
import { isLossy, written } from "./written.js";

/** @typedef {import("./decode.js").Opened} Opened */
const SAME = "Header and claims say the same. The signatures were not compared.";

/** @typedef {{values: Record<string, unknown>, texts: Map<string, import("./written.js").Written>}} Part */

/** @param {Opened} first @param {Opened} second */
export function comparison(first, second, facts) {
  const parts = [["Header", ...both("header", "headerText")], ["Claims", ...both("claims", "claimsText")]];
  const counted = parts.map(([title, one, other]) => [title, one, other, differing(one, other)]);
  const total = counted.reduce((sum, [, , , names]) => sum + names.length, 0);
  const spelled = first.headerText !== second.headerText || first.claimsText !== second.claimsText;
  return { total, spelled, cards: counted.map(([title, one, other, names]) => card(title, one, other, names, facts)) };

  function both(values, text) {
    return [first, second].map((opened) => ({ values: opened[values] ?? {}, texts: written(opened[text]) }));
  }
}

function differing(one, other) {
  return names(one, other).filter((name) => !isAlike(name, one, other));
}

function names(one, other) {
  return inOrder([...new Set([...Object.keys(one.values), ...Object.keys(other.values)])]);
}

/** Of what JSON.parse would change the texts are compared. */
function isAlike(name, one, other) {
  if (!has(one, name) || !has(other, name)) return false;
  if (isLossyIn(one, name) || isLossyIn(other, name)) return alike(one.texts.get(name).texts, other.texts.get(name).texts);
  return alike(one.values[name], other.values[name]);
}

function isLossyIn(part, name) {
  return isLossy(part.texts.get(name));
}

/** A member of the token's own: every object of JavaScript inherits some, such as "constructor". */
function has(part, name) {
  return Object.hasOwn(part.values, name);
}

function alike(one, other) {
  return canonical(one) === canonical(other);
}

/** Members have no order; the items of lists have. */
function canonical(value) {
  return JSON.stringify(value, (_, inner) =>
    inner && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner);
}

function card(title, one, other, different, facts) {
  const same = names(one, other).filter((name) => !different.includes(name));
  const rows = different.map((name) => row(name, one, other, facts));
  const table = el("table.diff",
    el("thead", el("tr", ...["", "Member", "First", "Second"].map((word) => el("th", word || hidden("Difference"))))),
    el("tbody", ...rows));
  const alikeText = el("details", el("summary", `${same.length} the same`), el("p.same", ...same.flatMap((name) => [code(name), " "])));
  return el("section.card", el("h2", title), rows.length ? table : el("p.hint", "Nothing differs."), same.length ? alikeText : null);
}

function hidden(word) {
  return el("span.hidden", word);
}

function row(name, one, other, facts) {
  const [sign, word] = !has(one, name) ? ["+", "added"] : !has(other, name) ? ["\u2212", "gone"] : ["\u2260", "changed"];
  const heading = el("th", code(name));
  heading.scope = "row";
  const cells = [one, other].map((part, place) => el("td", el("span.side", place ? "Second" : "First"), ...shownIn(part, name, facts)));
  if (word === "changed") cells[1].append(...said(name, one, other, facts));
  return el("tr", el("td.sign", el("span.symbol", sign), " ", el("span.word", word)), heading, ...cells);
}

function shownIn(part, name, facts) {
  if (!has(part, name)) return [el("em", "not there")];
  return isLossyIn(part, name) ? asWritten(part.texts.get(name)) : shownValue(name, part.values[name], facts.term(name)?.form, facts);
}

/** How two values differ, where the values alone do not show it. */
function said(name, first, second, facts) {
  if (isLossyIn(first, name) || isLossyIn(second, name)) {
    return [el("p.delta", "The texts differ (numbers or repeated members that a browser cannot tell apart).")];
  }
  const [one, other] = [first.values[name], second.values[name]];
  if (facts.term(name)?.form === "time" && isTime(one) && isTime(other)) {
    return [el("p.delta", `${span(other - one)} ${other > one ? "later" : "earlier"}`)];
  }
  const [before, after] = [items(name, one), items(name, other)];
  if (!before || !after || before.length + after.length < 3) return [];
  const more = after.filter((item) => !before.includes(item)).map((item) => `+ ${item}`);
  const less = before.filter((item) => !after.includes(item)).map((item) => `\u2212 ${item}`);
  return [...more, ...less].map((text) => el("p.delta", code(text)));
}

function items(name, value) {
  if (Array.isArray(value)) return value.map((item) => (typeof item === "string" ? item : JSON.stringify(item)));
  return typeof value === "string" && (name === "scp" || name === "scope") ? value.split(" ") : null;
}

/** The sentence on top. */
export function compared({ total, spelled }) {
  const same = spelled ? `${SAME} Only the texts differ: in spaces, order or spelling.` : SAME;
  return el(`section.answer.${total ? "open" : "good"}`,
    el("h2.verdict", mark(total ? "open" : "good"), el("strong", total ? `${total} ${total === 1 ? "difference" : "differences"}` : "No difference")),
    el("p.sentence", total ? "Neither token was verified; this is what they say." : same));
}
