// The answer first: what the token is, the verdict, what to change. Then every check.

import { code, el, mark, source, visible } from "./dom.js";
import { moment } from "./timeline.js";
import { isTime } from "./times.js";

const VERDICTS = {
  accepted: ["good", "Accepted"],
  refused: ["bad", "Refused"],
  undecided: ["open", "Undecided"],
};
const CHECKS = { ok: ["good", "holds"], failed: ["bad", "fails"], open: ["open", "open"] };

const TIMES = new Set(["exp", "nbf", "iat"]);
/** "not after 1795283507", and the same in UTC, which the time's title has. */
const BOUND = /^((?:not )?(?:after|before)) (\d{1,13}(?:\.\d+)?)(?: \([^()]* UTC\))?$/;

/** The card on top. @param {object} answer */
export function answerCard({ kind, word, sentence, rejection, changes = [], next = "", notes = [], facts = [] }) {
  const fixes = changes.map(({ check, fix, source: page }) => el("li", el("strong", visible(check)), ": ", visible(fix), " ", source(page)));
  return el(`section.answer.${kind}`,
    el("h2.verdict", mark(kind), el("strong", word), rejection ? code(rejection) : null),
    el("p.sentence", visible(sentence)),
    facts.length ? el("p.facts", ...facts) : null,
    fixes.length ? el("div.change", el("h3", "What to change"), el("ol", ...fixes)) : null,
    next && !fixes.some((fix) => fix.textContent.includes(next)) ? el("p.next", el("strong", "Next: "), visible(next)) : null,
    ...notes.map((note) => el("p.note", visible(note))));
}

/** What the server's report says, as the card shows it. */
export function answerOf(report, facts) {
  const [kind, word] = VERDICTS[report.verdict] ?? VERDICTS.undecided;
  const failed = report.checks.filter((check) => check.verdict === "failed" && check.fix);
  const sentence = report.what?.sentence ?? "";
  const notes = [report.what?.advice, ...(report.notes ?? [])].filter((note) => note && note !== report.next);
  return { kind, word, sentence, rejection: report.code, changes: failed, next: report.next, notes, facts };
}

/** Every check: what fails is open to be read, what holds is folded. */
export function checksCard(report) {
  const of = (verdict) => report.checks.filter((check) => check.verdict === verdict);
  const [failed, open, held] = [of("failed"), of("open"), of("ok")];
  const folded = el("details", el("summary", `${held.length} ${held.length === 1 ? "check holds" : "checks hold"}`), list(held, "held"));
  if (!failed.length && !open.length) folded.open = true;
  return el("section.card", el("h2", "Checks", " ", el("span.count", String(report.checks.length))),
    failed.length ? list(failed) : null, open.length ? list(open) : null, held.length ? folded : null);
}

function list(checks, name = "telling") {
  return el(`ul.checks.${name}`, ...checks.map(item));
}

function item(check) {
  const [kind, word] = CHECKS[check.verdict] ?? CHECKS.open;
  const heading = el("p.check", mark(kind), el("span.word", word), el("strong", visible(check.check)), check.code ? code(check.code) : null);
  const seen = el("dl.seen", el("dt", "expected"), el("dd", ...told(check.check, check.expected)), el("dt", "seen"), el("dd", ...told(check.check, check.seen)));
  const fix = check.fix && check.verdict !== "ok" ? el("p.fix", visible(check.fix)) : null;
  return el("li", heading, seen, fix, source(check.source));
}

/** The times of a token are told as in its times; the number beside it is what the token and logs have. */
function told(check, value) {
  if (!TIMES.has(check)) return [said(value)];
  if (isTime(value)) return [moment(value), " ", el("code.raw", String(value))];
  const [, words, number] = (typeof value === "string" && BOUND.exec(value)) || [];
  return number && isTime(Number(number)) ? [`${words} `, moment(Number(number)), " ", el("code.raw", number)] : [said(value)];
}

function said(value) {
  if (value === null || value === undefined) return el("em", "nothing");
  if (Array.isArray(value)) return el("span", ...value.slice(0, 20).flatMap((one, place) => (place ? [", ", said(one)] : [said(one)])));
  return code(typeof value === "string" ? value : JSON.stringify(value));
}

/** The state of the signature, from the check that judged it. */
export function signatureState(report) {
  const judged = report?.checks.find((check) => /signature/i.test(check.check));
  if (!judged || judged.verdict === "open") return ["open", "Signature not verified"];
  return judged.verdict === "ok" ? ["good", "Signature verified"] : ["bad", "Signature does not hold"];
}
