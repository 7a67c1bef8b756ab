// Small helpers around the document. Text is only ever set as text.

export const byId = (id) => document.getElementById(id);

/** An element with attributes and children; strings become text nodes. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Shows what went wrong and what to do about it. */
export function showProblem(container, problem, links = []) {
  // The API writes what a problem does not have as null, or leaves it out.
  const { title, detail, errors, code } = problem.document ?? { title: problem.message };
  const box = element("div", { class: "problem" }, element("h2", {}, title));
  if (detail) box.append(element("p", {}, plainName(detail, 2000)));
  if (errors?.length) {
    box.append(element("ul", {}, ...errors.map(({ field, message }) => element("li", {}, `${field}: ${message}`))));
  }
  if (links.length) {
    box.append(element("p", {}, ...links.map(({ href, label }) => element("a", { href }, label))));
  }
  if (code) box.append(element("p", { class: "muted" }, "Code ", element("code", {}, code)));
  container.replaceChildren(box);
}

/** A name from a file with what would hide or reorder text made visible, on one line. */
export function plainName(text, limit = 120) {
  const cut = text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
  return cut.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u${character.codePointAt(0).toString(16).padStart(4, "0")}`);
}

const UNITS = ["B", "kB", "MB", "GB"];

/** A number of bytes in decimal units. */
export function formatBytes(count) {
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(unit && value < 100 ? 1 : 0)} ${UNITS[unit]}`;
}

/** A measured figure to three significant digits. */
export function formatNumber(value) {
  if (value === null || value === undefined) return "-";
  const size = Math.abs(value);
  if (size >= 1000 && size < 1e6) return Math.round(value).toLocaleString("en");
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(2) : String(Number(value.toPrecision(3)));
}

/** Copies text; falls back to a selection where the page has no clipboard (plain http on a network). */
export async function copyText(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = element("textarea", { class: "sr", "aria-hidden": "true" });
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("Copying is not allowed here.");
}
