// Elements made of text alone: nothing that is pasted can become markup.

const SVG = "http://www.w3.org/2000/svg";

/** Characters that cannot be seen, or change the order in which others are: they are written as \u{...}. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * An element; children are elements or texts, and null is left out.
 * @param {string} name "tag" or "tag.class"
 * @param {(Node|string|null|undefined)[]} children
 * @returns {HTMLElement}
 */
export function el(name, ...children) {
  const [tag, ...classes] = name.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

/**
 * An element of a drawing.
 * @param {string} tag
 * @param {Record<string, string|number>} attributes
 * @param {(Node|string)[]} children
 */
export function draw(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/** @param {Element} element @param {Record<string, string>} attributes */
export function having(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** A text of somebody else's with nothing hidden in it, and not longer than a person reads. */
export function visible(text, most = 2000) {
  const cut = text.length > most ? `${text.slice(0, most)} ... (${text.length} characters)` : text;
  return cut.replace(INVISIBLE, (one) => (one === "\n" ? one : `\\u{${one.codePointAt(0).toString(16)}}`));
}

/** A text in which names and codes may break at their joints, and lines fit a phone. */
export function code(text) {
  return having(el("code", visible(text)), { translate: "no", dir: "ltr" });
}

/** Where something is written: a link for an address or an RFC, and the words as they are otherwise. */
export function source(text) {
  if (!text) return null;
  const rfc = /^RFC (\d{4,5})(?: section ([\d.]+))?$/.exec(text);
  const address = rfc ? `https://www.rfc-editor.org/rfc/rfc${rfc[1]}${rfc[2] ? `#section-${rfc[2].replace(/\.$/, "")}` : ""}` : text;
  const full = /^[a-z0-9-]+(\.[a-z0-9-]+)+\/\S*$/.test(address) ? `https://${address}` : address;
  if (!/^https:\/\/[^\s]+$/.test(full)) return el("span.source", visible(text));
  const words = rfc ? text : new URL(full).hostname.replace(/^(www|docs)\./, "");
  return having(el("a.source", words), { href: full, target: "_blank", rel: "noopener noreferrer", title: full });
}

/** The marks: each verdict has a shape and a word, so that no colour is needed. */
const SHAPES = {
  good: ["M12 1.5a10.5 10.5 0 100 21 10.5 10.5 0 000-21z", "M7 12.4l3.4 3.4L17 9"],
  bad: ["M7.6 1.5h8.8l6.1 6.1v8.8l-6.1 6.1H7.6l-6.1-6.1V7.6z", "M8 8l8 8M16 8l-8 8"],
  open: ["M12 1l11 11-11 11L1 12z", "M9.4 9.6c0-3.6 5.2-3.4 5.2-.2 0 2-2.6 2.2-2.6 4.4M12 16.6v.6"],
  none: ["M4 3h16a2 2 0 012 2v14a2 2 0 01-2 2H4a2 2 0 01-2-2V5a2 2 0 012-2z", "M7 12h10"],
};

/** @param {"good"|"bad"|"open"|"none"} kind */
export function mark(kind) {
  const [outline, sign] = SHAPES[kind];
  const shape = draw("path", { d: outline, class: "shape" });
  const picture = draw("path", { d: sign, class: "sign" });
  return draw("svg", { viewBox: "0 0 24 24", class: `mark ${kind}`, "aria-hidden": "true" }, shape, picture);
}
