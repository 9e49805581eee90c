// What was pasted: a token, alone or somewhere in a text, or something else that has a name.
// As tokenward.troubleshoot.explanation.pasted and .what have it; a table of texts in tests/web holds the two together.

import { headerOf } from "./decode.js";

/** Characters of a text that is looked at; a token is a hundredth of it. */
const MAX_TEXT = 1024 * 1024;
const MAX_LEVELS = 6;
const MEMBERS = ["access_token", "accessToken", "token", "id_token", "idToken", "assertion", "subject_token"];
const HEADER = /^(?:(?:proxy-)?authorization\s*:\s*)?bearer\s+/i;
const QUOTES = new Set("\"'`");
/** What an editor, a chat or a mail leaves around a text, and nobody sees. */
const EDGES = new Set(" \t\n\r\v\f\u00a0\u200b\u2028\u2029\u2060\ufeff");
/** What is in no token, or in front of one: only a text with one of these is searched, so that a damaged token is judged as it
 * was sent. A header begins with eyJ, as does the base64url of every JSON object without white space. */
const AROUND = /[\s"'`{[<&]|:\/\/|(?:[^\w.-]|%[0-9A-Fa-f]{2})eyJ/;
const QUOTED_MAIL = /^[> \t]+/;
/** A JWE or a JWS. It begins where a word does, or a long text without dots would be read again from each of its letters. */
const TOKEN = /(?<![\w-])[\w-]{10,}\.(?:[\w-]*(?:\.[\w-]+){3}|[\w-]+\.[\w-]*)/g;
const WHOLE = new RegExp(`^${TOKEN.source}$`);

const SEVERAL = "There are several tokens in the text; the first is taken, and the others were not looked at.";
const AGAIN = "Copy it again as a whole: look for a cut end, or characters that a chat or a mail has changed.";
/** What is no token that can be read; the first that fits. */
const OTHERS = [
  ["databricks_pat", /^dapi[0-9a-f]{8,}(-\d+)?$/i, "A Databricks personal access token (PAT)",
    "It is opaque: only its workspace can judge it, and it is used as it is, never exchanged. Treat it as a password."],
  ["entra_refresh_token", /^[01]\.A[\w-]{20,}/, "An Entra refresh token or authorization code",
    "Only Entra can read it. Send it to nobody but the token endpoint; APIs are called with the access token that it gives."],
  ["basic_credentials", /^basic\s/i, "Basic credentials: a name and a password, and no token", "Send “Authorization: Bearer TOKEN”."],
  ["pem", /^-----BEGIN /, "A key or a certificate in PEM, and no token", "If it is a private key, keep it secret; paste the token."],
  ["error_text", /^[^]{0,200}AADSTS\d{4}/, "An error, and no token", "It is explained under “Look up”."],
  ["json", /^\{/, "JSON without a token under a name that is known", "Paste the token alone, or the token endpoint’s whole answer."],
  ["several_words", /\S\s+\S/, "No token was found in this",
    "Paste the text between “Bearer ” and the end of the line, or the token endpoint’s whole answer."],
  ["encrypted_token", { test: isEncrypted }, "An encrypted token (JWE)",
    "Only the service that it is for can read it. Ask the issuer for a signed access token (JWS)."],
  ["damaged_jwt", /^[^.]*(\.[^.]*){2}$/, "Three parts as of a JWT, which cannot be decoded", AGAIN],
  ["damaged_jwt", /^eyJ/, "It begins as a JWT does, but has not three parts: it was cut, or is none", AGAIN],
  ["opaque", /^/, "An opaque token, or a part of one",
    "Nothing can be read from it. Only whoever issued it can judge it; see whether a JWT can be asked for instead."],
];

/**
 * @typedef {object} Recognised
 * @property {string} kind "token", or as in a report of the server: "nothing", "opaque" ...
 * @property {string} token the token alone, of kind "token"
 * @property {string} found what was around it, in a few words
 * @property {boolean} several whether there are other tokens in the text beside it
 * @property {string} title what it is, where it is no token
 * @property {string} advice what to do with it
 * @property {boolean} error whether an error is in it, which can be looked up
 */

/** @param {string} text @returns {Recognised} */
export function recognise(text) {
  const given = without(EDGES, text.slice(0, MAX_TEXT));
  if (!given) return is("nothing");
  const document = parsed(given);
  const named = document && member(document);
  const { text: inner, found, several = false } = alone(named?.text.trim() ?? given);
  const note = named ? `Found in the member ${named.name} of the JSON.${several ? ` ${SEVERAL}` : ""}` : found;
  if (readable(inner)) return { ...is("token"), token: inner, found: note, several };
  const [kind, , title, advice] = OTHERS.find(([, pattern]) => pattern.test(inner));
  return { ...is(kind, title, advice), error: /AADSTS\d{4}/.test(given) || typeof document?.error === "string" };
}

function is(kind, title = "", advice = "") {
  return { kind, title, advice, token: "", found: "", several: false, error: false };
}

/** As a JWT at least in part; the server says what is wrong with the rest. */
function readable(text) {
  const [header, , , more] = text.split(".", 4);
  return text.includes(".") && more === undefined && Boolean(headerOf(header));
}

/** The token in a text, or the text without what stands around tokens. */
function alone(bare) {
  const unquoted = without(QUOTES, bare);
  const rest = unquoted.replace(HEADER, "");
  const inner = rest === unquoted ? unquoted : without(QUOTES, rest.trim());
  const searched = AROUND.test(inner) ? inText(inner) : null;
  return searched ?? { text: inner, found: rest === unquoted ? "" : "“Bearer” in front of it was left out." };
}

function without(around, text) {
  let [start, end] = [0, text.length];
  while (start < end && around.has(text[start])) start += 1;
  while (start < end && around.has(text[end - 1])) end -= 1;
  return text.slice(start, end);
}

/** Five parts (RFC 7516 section 7.1), of which the first is a header with `enc`: other texts have four dots, too. */
function isEncrypted(text) {
  const parts = text.split(".", 6);
  return parts.length === 5 && headerOf(parts[0])?.enc !== undefined;
}

// -- JSON

function parsed(text) {
  if (!text.startsWith("{")) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The first of MEMBERS that the document has, where it is nearest to the document's beginning. */
function member(document) {
  const found = new Map();
  let level = [document];
  for (let depth = 0; depth < MAX_LEVELS; depth += 1) {
    for (const inner of level) for (const name of MEMBERS) keep(found, name, inner[name]);
    level = level.flatMap((outer) => Object.values(outer).filter((inner) => inner && typeof inner === "object"));
  }
  const name = MEMBERS.find((one) => found.has(one));
  return name ? { name, text: found.get(name) } : null;
}

function keep(found, name, value) {
  if (typeof value === "string" && value.trim() && !found.has(name)) found.set(name, value);
}

// -- text

function inText(text) {
  const lines = text.split(/[\r\n]+/).map((line) => line.trim().replace(QUOTED_MAIL, ""));
  if (lines.length > 1 && !lines.some((line) => /[ \t]/.test(line))) {
    const joined = lines.join("").replace(/["'`\\]+/g, "");
    if (WHOLE.test(joined) && tokenOf(joined) === joined) return { text: joined, found: "Its line breaks were taken out." };
  }
  let first = null;
  for (const [candidate] of text.matchAll(TOKEN)) {
    const found = tokenOf(candidate);
    if (found && first && found !== first) return { text: first, found: SEVERAL, several: true };
    first ??= found;
  }
  return first && { text: first, found: "Found in the text; the first token is taken." };
}

/** The part of it that begins with a header that can be read. */
function tokenOf(candidate) {
  for (const start of [0, Math.max(0, candidate.indexOf("eyJ"))]) {
    const parts = candidate.slice(start).split(".");
    const header = headerOf(parts[0]);
    if (header) return (header.enc === undefined ? parts.slice(0, 3) : parts).join(".");
  }
  return null;
}
