// A token's text -> its parts, read as strictly as a verifier reads it. Nothing is verified here.

const ALPHABET = /^[A-Za-z0-9_-]*$/;

/**
 * @typedef {object} Opened
 * @property {Record<string, unknown>} header
 * @property {Record<string, unknown>|null} claims null where they cannot be read, and `problem` says why
 * @property {string} problem
 * @property {number} signatureBytes
 * @property {string} headerText the JSON as it was signed
 * @property {string} claimsText
 */

/** Base64url as in RFC 7515 section 2: its alphabet, no padding. @returns {Uint8Array} @throws {Error} */
export function bytesOf(segment) {
  if (!ALPHABET.test(segment) || segment.length % 4 === 1) throw new Error("not base64url");
  const raw = atob(segment.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(raw, (character) => character.charCodeAt(0));
}

/** A JSON object and its text. @throws {Error} */
function objectOf(segment) {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytesOf(segment));
  const value = JSON.parse(text);
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Error("not a JSON object");
  return { text, value };
}

/** Only the header, or null: what a text must have to be a token at all. */
export function headerOf(segment) {
  try {
    return objectOf(segment).value;
  } catch {
    return null;
  }
}

/** @param {string} token three parts joined by dots, with a header that can be read @returns {Opened} */
export function open(token) {
  const [first, second, third] = token.split(".");
  const header = objectOf(first);
  const opened = { header: header.value, headerText: header.text, claims: null, claimsText: "", problem: "", signatureBytes: 0 };
  try {
    const claims = objectOf(second);
    Object.assign(opened, { claims: claims.value, claimsText: claims.text });
  } catch {
    opened.problem = "The claims cannot be read: they are not JSON in base64url. The token was cut or changed on its way.";
  }
  try {
    opened.signatureBytes = bytesOf(third).length;
  } catch {
    opened.problem ||= "The signature is not base64url. The token was cut or changed on its way.";
  }
  return opened;
}
