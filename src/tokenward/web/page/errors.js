// Codes and texts of Entra, OAuth, Databricks and tokenward -> what the catalogue says of them.

import { code, el, mark, source, visible } from "./dom.js";

/** Characters of a text that is looked at; and entries that are shown. */
const MAX_TEXT = 1024 * 1024;
const MOST = 20;
/** Characters of a text in which a line of digits or of one word is a code; in a log it would be a size or a time. */
const MAX_ALONE = 1000;
/** As in tokenward.acquisition.diagnose: numbers of Entra's, of B2C's, and those that other systems may have, too; lists. */
const NUMBERS = new RegExp(
  [
    String.raw`(?:aadsts[ #:_-]?|/error\?code=|x-ms-clitelem["'\s:=]{1,6}\d,)(?<number>\d{4,9})(?!\d)`,
    String.raw`aadb2c(?<b2c>\d{4,9})(?!\d)`,
    String.raw`error[ _-]?code["'\\]{0,4}\s{0,4}[:=]?\s{0,4}["'\\]{0,4}(?<perhaps>\d{4,9})(?!\d)`,
    String.raw`error_codes["'\\]{0,4}\s{0,4}[:=]\s{0,4}\[(?<numbers>[\d,\s]{1,200})\]`,
  ].join("|"), "gi");
const TAG = /<\/?[a-z][^<>]{0,512}>/gi;
const WORD = /(?<![\w-])[a-z]{3,40}(?:_[a-z0-9]{1,40}){1,5}(?![\w-])/g;
const ALONE = /^[ \t]{0,8}(\d{4,9}|[a-z]{3,40})[ \t\r]{0,8}$/gm;
const ORDER = { oauth: 2, suberror: 2 };

/** The codes that a text names, the most telling first. @param {string} text @param {import("./facts.js").Facts} facts */
export function named(text, facts) {
  const given = text.slice(0, MAX_TEXT);
  const content = (given.includes("</") ? given.replace(TAG, " ") : given).toLowerCase();
  const found = new Set();
  for (const { groups } of content.matchAll(NUMBERS)) for (const code of codes(groups, facts)) found.add(code);
  if (content.length <= MAX_ALONE) for (const code of alone(content, facts)) found.add(code);
  for (const [word] of content.matchAll(WORD)) if (facts.error(word)) found.add(word);
  for (const entry of facts.errors) if (matches(entry, content)) found.add(entry.code);
  return [...found].sort((one, other) => order(one, facts) - order(other, facts)).slice(0, MOST);
}

function alone(content, facts) {
  const lines = [...content.matchAll(ALONE)].map(([, one]) => one);
  return lines.flatMap((one) => (/^\d/.test(one) ? [`AADSTS${Number(one)}`] : facts.error(one) ? [one] : []));
}

function codes({ number, b2c, perhaps, numbers }, facts) {
  if (b2c) return [`AADB2C${Number(b2c)}`];
  if (perhaps) return facts.error(`AADSTS${Number(perhaps)}`) ? [`AADSTS${Number(perhaps)}`] : [];
  return ((number ?? numbers).match(/\d{4,9}/g) ?? []).map((one) => `AADSTS${Number(one)}`);
}

function matches(entry, lowered) {
  return entry.match.some((text) => lowered.includes(text)) && (!entry.only_with.length || entry.only_with.some((word) => lowered.includes(word)));
}

function order(name, facts) {
  return name === "AADSTS70002" ? 1 : (ORDER[facts.error(name)?.kind] ?? 0);
}

/** @param {string} name a code that `named` found */
export function errorCard(name, facts) {
  const entry = facts.error(name);
  const page = lookUp(name, facts);
  if (!entry) {
    return el("section.answer.open", el("h2.verdict", mark("open"), el("strong", name)),
      el("p.sentence", "This code is not in the catalogue. Microsoft’s own page about it: ", source(page)));
  }
  const who = [...new Set(entry.causes.map((cause) => cause.who))].join(", ");
  return el("section.answer.none",
    el("h2.verdict", el("strong", name), entry.name ? el("span.name", entry.name) : null),
    el("p.sentence", visible(entry.meaning)),
    el("p.facts", el("span", el("b", "Who must act: "), who), el("span", el("b", "Trying again: "), entry.trying_again)),
    entry.causes.length > 1 ? el("p.next", el("strong", "Do first: "), visible(`${entry.causes[0].who}: ${entry.causes[0].steps[0]}`)) : null,
    el("ol.causes", ...entry.causes.map(cause)),
    el("p.note", source(entry.source), ` (${entry.mark})`, page && page !== entry.source ? el("span", " · ", source(page)) : null));
}

/** Microsoft's page about a code; those about AADSTS codes end with the number. */
function lookUp(name, { lookUp: pages }) {
  if (name.startsWith("AADSTS")) return pages.AADSTS + name.slice("AADSTS".length);
  return name.startsWith("AADB2C") ? pages.AADB2C : "";
}

function cause({ cause: why, who, steps, commands }) {
  const lines = commands.map((command) => el("pre", visible(command)));
  for (const line of lines) line.tabIndex = 0;
  return el("li", el("p", el("strong", visible(why)), " ", el("span.chip", who)), el("ul", ...steps.map((step) => el("li", visible(step)))), ...lines);
}
