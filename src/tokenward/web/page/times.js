// Seconds since 1970, for people: in their own time zone, and from now.

const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
/** Beyond this JavaScript has no dates (ECMA-262, time range). */
const MAX_SECONDS = 8.64e12;

export function isTime(value) {
  return typeof value === "number" && Number.isFinite(value) && Math.abs(value) <= MAX_SECONDS;
}

/** The date and time here. */
export function local(seconds) {
  return FULL.format(new Date(seconds * 1000));
}

/** The same in UTC, as logs have it. */
export function utc(seconds) {
  return new Date(Math.floor(seconds) * 1000).toISOString().replace(".000", "");
}

export function zone() {
  const minutes = -new Date().getTimezoneOffset();
  const hours = `${Math.floor(Math.abs(minutes) / 60)}`.padStart(2, "0");
  const offset = `UTC${minutes < 0 ? "-" : "+"}${hours}:${`${Math.abs(minutes) % 60}`.padStart(2, "0")}`;
  return `${Intl.DateTimeFormat().resolvedOptions().timeZone} (${offset})`;
}

/** "1 h 5 min": the two largest units. */
export function span(seconds) {
  const whole = Math.abs(Math.round(seconds));
  const units = [["day", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => whole >= size);
  if (first < 0) return "0 s";
  const parts = [];
  let rest = whole;
  for (const [name, size] of units.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) parts.push(`${count} ${name === "day" && count > 1 ? "days" : name}`);
  }
  return parts.join(" ");
}

/** "in 43 min", "2 days ago". */
export function fromNow(seconds, now = Date.now() / 1000) {
  const distance = seconds - now;
  if (Math.abs(distance) < 1) return "now";
  return distance > 0 ? `in ${span(distance)}` : `${span(distance)} ago`;
}
