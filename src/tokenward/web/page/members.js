// The members of a header or of claims, each with what it means.

import { code, el, source, visible } from "./dom.js";
import { fromNow, isTime } from "./times.js";
import { moment } from "./timeline.js";
import { isLossy, losses, written } from "./written.js";

/** Members that are shown; a token of the longest size has fewer. */
const MOST = 300;
const FIRST = ["iss", "aud", "sub", "oid", "tid", "azp", "appid", "client_id", "idtyp", "scp", "scope", "roles", "exp", "nbf", "iat"];
const LAST = ["aio", "rh", "uti"];
/** Several words with spaces between them. */
const SPACED = new Set(["scp", "scope", "amr"]);

/** @param {string} raw the JSON as it was signed @param {Record<string, unknown>} members @param {import("./facts.js").Facts} facts */
export function membersCard(title, members, raw, facts) {
  const names = inOrder(Object.keys(members)).slice(0, MOST);
  const texts = written(raw);
  const rows = names.map((name) => row(name, members[name], texts.get(name), facts));
  const text = el("details", el("summary", "As it was signed"), el("pre", visible(raw, 20000)));
  text.querySelector("pre").tabIndex = 0;
  return el("section.card", el("h2", title, " ", el("span.count", `${Object.keys(members).length}`)), el("dl.members", ...rows), text);
}

/** What tells who, for whom and until when goes first; what nobody can read goes last. */
export function inOrder(names) {
  return [...names].sort((one, other) => rank(one) - rank(other));
}

function rank(name) {
  const place = FIRST.indexOf(name);
  if (place >= 0) return place - FIRST.length;
  return LAST.includes(name) || name.startsWith("xms_") ? 1 : 0;
}

function row(name, value, text, facts) {
  const term = facts.term(name);
  const meaning = term ? el("dd.meaning", term.meaning, " ", source(term.source)) : el("dd.meaning", "Not in the glossary.");
  return el("div", el("dt", code(name)), el("dd.value", ...(isLossy(text) ? asWritten(text) : shownValue(name, value, term?.form, facts))), meaning);
}

/** A value that JSON.parse would change: its own text. @param {import("./written.js").Written} text */
export function asWritten(text) {
  return [...text.texts.slice(0, MOST).flatMap((one) => [code(one), " "]), ...losses(text).map((loss) => el("p.note", loss))];
}

/** A value, by its form: times with the date, lists item by item, well-known ids with whose they are. */
export function shownValue(name, value, form, facts) {
  if (form === "time" && isTime(value)) return [moment(value), " ", relative(value), " ", el("code.raw", String(value))];
  if (Array.isArray(value)) return value.length ? value.slice(0, MOST).map((item) => chip(item, facts)) : [el("em", "an empty list")];
  if (typeof value === "string" && SPACED.has(name)) return value.split(" ").filter(Boolean).map((word) => chip(word, facts));
  if (typeof value === "string") return value ? [code(value), known(value, facts)] : [el("em", "an empty text")];
  if (value !== null && typeof value === "object") return [el("pre", visible(JSON.stringify(value, null, 2), 4000))];
  return [code(String(value))];
}

function relative(at) {
  const made = el("span.relative", fromNow(at));
  made.dataset.at = at;
  return made;
}

function chip(item, facts) {
  const text = typeof item === "string" ? item : JSON.stringify(item);
  return el("span.chip", code(text), known(text, facts));
}

function known(text, facts) {
  const name = facts.values[text];
  return name ? el("span.known", name) : null;
}
