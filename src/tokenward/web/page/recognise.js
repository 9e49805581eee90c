// What was pasted: a token, alone or somewhere in a text, or something else that has a name.

import { headerOf } from "./decode.js";

/** Characters of a text that is looked at; a token is a hundredth of it. */
const MAX_TEXT = 1024 * 1024;
/** They begin where a word does, or a long text without dots would be read again from each of its letters. */
const JWT = /(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g;
const WHOLE = /^[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;
const JWE = /(?<![A-Za-z0-9_.-])[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*){4}(?![A-Za-z0-9_.-])/;
const BEARER = /^(authorization:\s*)?bearer\s+/i;
const PREFERRED = ["access_token", "accessToken", "token", "id_token", "idToken", "value"];

/**
 * @typedef {object} Recognised
 * @property {"nothing"|"token"|"encrypted"|"other"|"error"} kind
 * @property {string} token the token alone, of kind "token"
 * @property {string} found what was around it, in a few words
 * @property {string} title what it is, of kind "encrypted", "other" and "error"
 * @property {string} advice what to do with it
 */

/** @param {string} text @returns {Recognised} */
export function recognise(text) {
  const given = text.slice(0, MAX_TEXT).replace(/^\ufeff/, "").trim();
  if (!given) return is("nothing");
  const document = parsed(given);
  const named = document && preferred(document);
  return token(named?.text ?? given, named) ?? secret(named?.text ?? given) ?? errorIn(given, document) ?? nothingKnown(given);
}

function is(kind, title = "", advice = "", token = "", found = "") {
  return { kind, title, advice, token, found };
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" ? value : typeof value === "string" ? { value } : null;
  } catch {
    return null;
  }
}

/** The member that holds a token, or else one that should; access tokens go first, at each level of the document. */
function preferred(document) {
  const found = [...members(document)];
  return found.find(({ text }) => firstToken(text)) ?? found[0];
}

function* members(document, depth = 4) {
  for (const name of PREFERRED) {
    if (typeof document[name] === "string" && document[name]) yield { name, text: document[name] };
  }
  for (const inner of Object.values(document)) {
    if (depth && inner && typeof inner === "object") yield* members(inner, depth - 1);
  }
}

function token(text, named) {
  const encrypted = JWE.exec(text);
  if (encrypted && headerOf(encrypted[0].split(".")[0])?.enc) {
    const title = "An encrypted token (JWE)";
    return is("encrypted", title, "Only the service that it is for can read it. Ask the issuer for a signed access token (JWS).");
  }
  const found = firstToken(joined(text)) ?? firstToken(text);
  return found && is("token", "", "", found, around(text, found, named));
}

/** A token that a terminal or an editor broke into lines; other texts are not joined. */
function joined(text) {
  const whole = text.replace(BEARER, "").replace(/[\s"'`\\]+/g, "");
  return WHOLE.test(whole) ? whole : "";
}

function firstToken(text) {
  for (const [candidate] of text.matchAll(JWT)) {
    for (const start of [0, Math.max(0, candidate.indexOf("eyJ"))]) {
      const whole = candidate.slice(start);
      if (headerOf(whole.split(".")[0])?.alg !== undefined) return whole;
    }
  }
  return null;
}

function around(text, found, named) {
  if (named && named.name !== "value") return `Found in the member ${named.name} of the JSON.`;
  const rest = text.replace(found, "").replace(/["'`]/g, "").trim();
  if (!rest) return "";
  if (/^(authorization:\s*)?bearer$/i.test(rest)) return "“Bearer” in front of it was left out.";
  return text.includes(found) ? "Found in the text; the first token is taken." : "Its line breaks were taken out.";
}

function secret(text) {
  const word = text.replace(BEARER, "").replace(/^["'`]|["'`]$/g, "").trim();
  if (/\s/.test(word)) return null;
  if (/^dapi[0-9a-f]{8,}(-\d+)?$/.test(word)) {
    const advice = "It is opaque: only its workspace can judge it, and it is used as it is, never exchanged. Treat it as a password.";
    return is("other", "A Databricks personal access token (PAT)", advice);
  }
  if (/^[01]\.A[A-Za-z0-9_.-]{40,}$/.test(word)) {
    const advice = "Only Entra can read it. Send it to nobody but the token endpoint; APIs are called with the access token that it gives.";
    return is("other", "An Entra refresh token", advice);
  }
  return null;
}

function errorIn(text, document) {
  if (!/AADSTS\d{4,9}/.test(text) && typeof document?.error !== "string") return null;
  return is("error", "An error, and no token", "It is explained under “Look up”.");
}

function nothingKnown(text) {
  if (/^[A-Za-z0-9_.~+/=-]{20,}$/.test(text)) {
    const advice = "Nothing can be read from it. Only whoever issued it can judge it; see whether a JWT can be asked for instead.";
    return is("other", "An opaque token, or a part of one", advice);
  }
  return is("other", "No token was found in this", "Paste the text between “Bearer ” and the end of the line, or the token endpoint’s whole answer.");
}
