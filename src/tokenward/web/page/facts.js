// What is loaded once, beside the page: the glossary, the catalogue of errors, and by which policy the server judges.

/**
 * @typedef {object} Facts
 * @property {(name: string) => {meaning: string, source: string, form: string}|undefined} term
 * @property {Record<string, string>} values whose well-known ids are
 * @property {object[]} errors
 * @property {(code: string) => object|undefined} error
 * @property {Record<string, string>} lookUp beginnings of codes, and Microsoft's pages about those
 * @property {{issuer: string, audiences: string[], tenants: string[]|string|null}[]|null} policy
 */

/** @returns {Promise<Facts>} @throws {Error} */
export async function loadFacts() {
  const answer = await fetch("facts.json", { cache: "no-store", credentials: "same-origin" });
  if (!answer.ok) throw new Error(String(answer.status));
  return indexed(await answer.json());
}

function indexed({ terms, values, errors, look_up: lookUp, policy }) {
  const byName = new Map(terms.map((term) => [term.name, term]));
  const families = terms.filter((term) => term.name.endsWith("*"));
  const byCode = new Map(errors.map((entry) => [entry.code, entry]));
  return {
    term: (name) => byName.get(name) ?? families.find((term) => name.startsWith(term.name.slice(0, -1))),
    values: Object.assign(Object.create(null), values),
    errors,
    error: (code) => byCode.get(code),
    lookUp,
    policy,
  };
}

/** The server's report on a token. @throws {Error} `message` is what to show */
export async function askForChecks(token, signal) {
  const request = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }) };
  let answer;
  try {
    answer = await fetch("explain", { ...request, cache: "no-store", credentials: "same-origin", signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Error("The inspector’s server does not answer, so nothing was checked. What you see was read in this page.");
  }
  const document = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(document.error ?? `The server refused to check it (${answer.status}).`);
  return document;
}
