// The times of a token on a line: from when to when it is valid, and where now is.

import { draw, el, having } from "./dom.js";
import { fromNow, isTime, local, span, utc, zone } from "./times.js";

/** Pixels, where the page has not been laid out yet. */
const WIDTH = 600;
const EDGE = 14;
const NAMES = { auth_time: "signed in", iat: "issued", nbf: "valid from", exp: "ends" };
/** How much of the line the validity takes, where now is far away: a token that ended last year is none the less readable. */
const SHARE = 0.6;

/** The section, or null for a token without times. @param {Record<string, unknown>} claims */
export function timeline(claims) {
  const times = Object.keys(NAMES).filter((name) => isTime(claims[name])).map((name) => ({ name, at: claims[name] }));
  if (!times.length) return null;
  const start = beginning(claims);
  const drawing = el("div.line");
  const section = el("section.card", el("h2", "Times"), drawing, list(times), el("p.hint", `In ${zone()}.`));
  const refresh = () => drawing.replaceChildren(line(start, claims.exp, drawing.clientWidth || WIDTH));
  refresh();
  section.refresh = refresh;
  return section;
}

/** As the middleware has it: the later of the two. */
function beginning({ nbf, iat }) {
  return [nbf, iat].filter(isTime).sort((one, other) => one - other).at(-1);
}

function list(times) {
  const rows = [...times].sort((one, other) => one.at - other.at).map(({ name, at }) => {
    const relative = el("span.relative", fromNow(at));
    relative.dataset.at = at;
    return el("div", el("dt", NAMES[name], " ", el("code", name)), el("dd", moment(at), " ", relative));
  });
  return el("dl.times", ...rows);
}

/** A time as people here write it, and as logs do. */
export function moment(at) {
  return having(el("time", local(at)), { datetime: utc(at), title: utc(at) });
}

/** Why there is no line, or nothing. */
function undrawn(start, end) {
  if (!isTime(start)) return isTime(end) ? "names no beginning" : "names no beginning and no end";
  if (!isTime(end)) return "names no end";
  if (end === start) return "ends when it begins";
  return end < start ? "ends before it begins" : "";
}

/** One unit is one pixel, so that words are as large as elsewhere at every width. */
function line(start, end, width) {
  const now = Date.now() / 1000;
  const missing = undrawn(start, end);
  if (missing) return el("p.hint", `No line can be drawn: the token ${missing}.`);
  const scale = scaled(start, end, now, width);
  const inside = now >= start && now < end;
  const word = inside ? `${span(end - now)} left of ${span(end - start)}` : now < start ? `begins ${fromNow(start)}` : `ended ${fromNow(end)}`;
  const [from, to, here] = [scale(start), scale(end), scale(now)];
  const middle = 34;
  return draw("svg", { viewBox: `0 0 ${width} 66`, width, height: 66, role: "img", "aria-label": `Valid for ${span(end - start)}; ${word}.`, class: "timeline" },
    draw("line", { x1: EDGE, x2: width - EDGE, y1: middle, y2: middle, class: "axis" }),
    draw("rect", { x: from, y: middle - 7, width: to - from, height: 14, rx: 7, class: inside ? "window" : "window over" }),
    inside ? draw("rect", { x: from, y: middle - 7, width: Math.max(7, here - from), height: 14, rx: 7, class: "spent" }) : "",
    draw("path", { d: `M${here} ${middle + 13}V${middle - 13}l-5 -7h10l-5 7`, class: "now" }),
    text(here, 11, "now", width), text(from, 62, NAMES.nbf, width), text(to, 62, NAMES.exp, width));
}

/** Seconds -> a place on the line. Where now is so far away that the validity would vanish, the gap is drawn shorter than it is. */
function scaled(start, end, now, width) {
  const room = width - 2 * EDGE - 60;
  const before = Math.min(Math.max(0, start - now), (end - start) * (1 / SHARE - 1));
  const after = Math.min(Math.max(0, now - end), (end - start) * (1 / SHARE - 1));
  const whole = before + (end - start) + after;
  const clamped = (at) => Math.min(Math.max(at, start - before), end + after);
  return (at) => EDGE + 30 + ((clamped(at) - (start - before)) / whole) * room;
}

/** Words stay inside the drawing. */
function text(x, y, words, width) {
  const half = words.length * 4;
  return draw("text", { x: Math.min(Math.max(x, half), width - half), y, "text-anchor": "middle" }, words);
}
