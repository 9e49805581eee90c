// "Explain a token": read here at once, and checked by the server.

import { open } from "./decode.js";
import { el, having } from "./dom.js";
import { askForChecks } from "./facts.js";
import { membersCard } from "./members.js";
import { recognise } from "./recognise.js";
import { answerCard, answerOf, checksCard, signatureState } from "./report.js";
import { show } from "./tabs.js";
import { timeline } from "./timeline.js";
import { fromNow, isTime } from "./times.js";

const box = document.getElementById("token");
const result = document.getElementById("result");
const status = document.getElementById("status");
const policy = document.getElementById("policy");
/** Milliseconds without a key after which what was typed is checked; a paste is one event. */
const PAUSE = 250;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

let facts;
let asked = new AbortController();
let timer = 0;

/** @param {import("./facts.js").Facts} loaded */
export function startTokenTool(loaded) {
  facts = loaded;
  box.addEventListener("input", read);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) check();
  });
  document.getElementById("check").addEventListener("click", check);
  document.getElementById("clear").addEventListener("click", clear);
  setInterval(refresh, 1000);
  read();
}

function clear() {
  box.value = "";
  read();
  box.focus();
}

/** On this machine the checks run by themselves; to a server elsewhere a token goes only when somebody says so. */
function read() {
  stop();
  const found = recognise(box.value);
  status.textContent = "";
  box.rows = found.kind === "nothing" ? 5 : 3;
  policy.hidden = found.kind !== "nothing";
  if (found.kind !== "token") result.replaceChildren(...(found.kind === "nothing" ? [] : [unread(found)]));
  else if (shownToken(found, null, "") && LOOPBACK.test(location.hostname)) timer = setTimeout(check, PAUSE);
}

function stop() {
  clearTimeout(timer);
  asked.abort();
}

async function check() {
  stop();
  const found = recognise(box.value);
  if (found.kind !== "token") return;
  asked = new AbortController();
  const { signal } = asked;
  status.textContent = "Checking";
  try {
    const report = await askForChecks(found.token, signal);
    shownToken(found, report, "");
    status.textContent = `${report.verdict}${report.code ? `: ${report.code}` : ""}`;
  } catch (error) {
    if (signal.aborted) return;
    shownToken(found, null, error.message);
    status.textContent = "Not checked";
  }
}

function unread(found) {
  const card = answerCard({ kind: "none", word: found.title, sentence: found.advice });
  card.dataset.what = found.kind;
  if (!found.error) return card;
  const button = having(el("button", "Look it up"), { type: "button" });
  button.addEventListener("click", () => {
    const error = document.getElementById("error");
    error.value = box.value;
    error.dispatchEvent(new Event("input"));
    show("tab-errors");
    error.focus();
  });
  card.append(el("p", button));
  return card;
}

/** Draws everything that is known of a token; without a report, what the page can read itself. */
function shownToken(found, report, trouble) {
  const opened = open(found.token);
  const claims = opened.claims ?? {};
  const facts_ = [signatureFact(report, opened), ...endFact(claims)];
  const answer = report ? answerOf(report, facts_) : unchecked(found, opened, claims, trouble, facts_);
  if (report && found.found) answer.notes.push(found.found);
  const cards = [answerCard(answer), timeline(claims), report ? checksCard(report) : null];
  if (opened.claims) cards.push(membersCard("Claims", claims, opened.claimsText, facts));
  cards.push(membersCard("Header", opened.header, opened.headerText, facts));
  result.replaceChildren(...cards.filter(Boolean));
  refresh();
  return true;
}

function unchecked(found, opened, claims, trouble, listed) {
  const notes = [opened.problem, trouble, found.found].filter(Boolean);
  const place = LOOPBACK.test(location.hostname) ? "" : `Run the checks: the token then goes to ${location.host}.`;
  return { kind: opened.problem ? "bad" : "none", word: opened.problem ? "Not readable" : "Not checked", sentence: said(claims), notes, next: place, facts: listed };
}

function said(claims) {
  const audience = [claims.aud].flat().filter((one) => typeof one === "string").map((one) => facts.values[one] ?? one);
  const from = typeof claims.iss === "string" ? `from ${claims.iss}` : "that names no issuer";
  return `A token ${from}, ${audience.length ? `for ${audience.join(" or ")}` : "for nobody in particular"}.`;
}

function signatureFact(report, opened) {
  const [kind, word] = signatureState(report);
  const algorithm = typeof opened.header.alg === "string" ? opened.header.alg : "no algorithm";
  return el(`span.fact.${kind}`, `${word} (${algorithm}, ${opened.signatureBytes} bytes)`);
}

function endFact(claims) {
  if (!isTime(claims.exp)) return [];
  const over = claims.exp <= Date.now() / 1000;
  const relative = el("span", fromNow(claims.exp));
  relative.dataset.at = claims.exp;
  return [el(`span.fact.${over ? "bad" : "good"}`, over ? "Ended " : "Ends ", relative)];
}

/** Time goes on while the page is open. */
function refresh() {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("[data-at]")) element.textContent = fromNow(Number(element.dataset.at));
  for (const section of result.querySelectorAll("section")) section.refresh?.();
}
