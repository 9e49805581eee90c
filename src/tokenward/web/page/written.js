// A JSON object as it was written: JSON.parse rounds numbers, and of a repeated member it keeps the last alone.

/** Strings, signs, and everything else; the text has been parsed before, so that nothing else can be in it. */
const TOKEN = /"[^"\\]*(?:\\[^][^"\\]*)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g;
const NUMBER = /^-?(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i;
/** Characters; the largest number that a browser has takes 309 digits (ECMA-262, Number.MAX_VALUE). */
const MAX_NUMBER = 400;

/**
 * @typedef {object} Written
 * @property {string[]} texts the values, as they stand in the text; several for a member that is repeated
 * @property {boolean} inexact whether it holds a number that a browser has no exact value for
 * @property {boolean} repeated whether a member inside the value is repeated
 */

/** @param {string} text a JSON object @returns {Map<string, Written>} its members by their names */
export function written(text) {
  const members = new Map();
  const open = [];
  let [last, start, current] = ["", 0, null];
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (token === "{" || token === "[") open.push(token === "{" ? new Set() : null);
    else if (token === ":" && open.length === 1) [current, start] = [member(members, JSON.parse(last)), index + 1];
    else if (token === ":") current.repeated ||= isKnown(open.at(-1), JSON.parse(last));
    else if (open.length === 1 && (token === "," || token === "}")) current?.texts.push(text.slice(start, index).trim());
    else if (/^[-\d]/.test(token)) current.inexact ||= !isExact(token);
    if (token === "}" || token === "]") open.pop();
    last = token;
  }
  return members;
}

function member(members, name) {
  if (!members.has(name)) members.set(name, { texts: [], inexact: false, repeated: false });
  return members.get(name);
}

/** Whether the name was there; it is afterwards. */
function isKnown(names, name) {
  const known = names.has(name);
  names.add(name);
  return known;
}

/** Whether a browser's number is the one that was written, in whatever spelling. */
function isExact(number) {
  return number.length <= MAX_NUMBER && plain(number) === plain(String(Number(number)));
}

/** "-1.50e3" -> "15e2" of its size, which alone can be lost. */
function plain(number) {
  const [, whole, part = "", power = "0"] = NUMBER.exec(number) ?? [];
  if (whole === undefined) return number;
  const digits = (whole + part).replace(/^0+/, "");
  const kept = digits.replace(/0+$/, "");
  return kept && `${kept}e${Number(power) - part.length + digits.length - kept.length}`;
}

/** Whether JSON.parse loses something of it. @param {Written|undefined} one */
export function isLossy(one) {
  return one !== undefined && (one.inexact || one.repeated || one.texts.length > 1);
}

/** What a reader must know of a member that JSON.parse would change. @param {Written} one @returns {string[]} */
export function losses({ texts, inexact, repeated }) {
  return [
    texts.length > 1 ? `Repeated: the token names it ${texts.length} times. Readers differ in which of the values they take.` : "",
    repeated ? "A member inside it is repeated. Readers differ in which of its values they take." : "",
    inexact ? "It holds a number that a browser cannot tell exactly. It is shown as it was written." : "",
  ].filter(Boolean);
}
