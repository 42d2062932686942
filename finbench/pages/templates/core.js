// Building blocks: elements, the state in the URL hash, and packed data. Text enters the page as text nodes only.
const data = JSON.parse(document.getElementById("data").textContent);
const find = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") node.addEventListener("click", value);
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined).map((child) => child instanceof Node ? child : String(child)));
  return node;
}

const foreign = (text, tag = "span") => el(tag, { class: "foreign", dir: "auto" }, text);
const count = (value) => value.toLocaleString("en-US");
const points = (value, digits = 1) => value.toFixed(digits).replace("-", "−");
function signed(value, digits = 1) {
  const text = Math.abs(value).toFixed(digits);
  return Number(text) === 0 ? text : (value > 0 ? "+" : "−") + text;
}
const pValue = (p) => p < 0.001 ? "< 0.001" : p.toFixed(3);

// The hash is an input from outside: known names only, each value by its own strict reader, anything else is dropped.
const FILTERS = ["all", "wrong", "right", "unreadable", "truncated", "failed", "lenient", "unsure", "judge", "differ"];
const oneOf = (...values) => (text) => values.includes(text) ? text : undefined;
const matching = (pattern) => (text) => pattern.test(text) ? text : undefined;
const whole = (text) => /^\d{1,7}$/.test(text) ? Number(text) : undefined;
const rowByKey = new Map(data.rows.map((row, index) => [row.key, index]));
const known = (text) => rowByKey.has(text) ? text : undefined;
const TEXT = 120; // characters of a search, or of a sample's name, that an address holds
function freeText(text) {
  try { return decodeURIComponent(text).slice(0, TEXT) || undefined; } catch { return undefined; }
}
const READERS = new Map([
  ["view", oneOf("board", "samples", "versus")],
  ["row", known], ["with", known], ["ref", known],
  ["task", (text) => whole(text) < data.tasks.length ? whole(text) : undefined],
  ["filter", oneOf(...FILTERS)], ["reason", matching(/^[a-z0-9_]{1,40}$/)],
  ["at", freeText], ["q", freeText], ["find", freeText],
  ["sort", matching(/^(model|average|t\d{1,3}|[a-z_]{1,20})$/)], ["dir", oneOf("up", "down")],
  ["together", oneOf("1")], ["hide", matching(/^[rcs]{1,3}$/)], ["theme", oneOf("light", "dark")],
]);

function readHash(text) {
  const state = new Map();
  for (const part of text.replace(/^#/, "").slice(0, 4000).split("&")) {
    const at = part.indexOf("=");
    const reader = READERS.get(part.slice(0, at));
    const value = at > 0 && reader ? reader(part.slice(at + 1)) : undefined;
    if (value !== undefined) state.set(part.slice(0, at), value);
  }
  return state;
}

// Half of a surrogate pair cannot be encoded: it is shown as what it is, a broken character.
const wellFormed = (text) => text.replace(/[\ud800-\udfff]/gu, "\ufffd");

function writeHash(state) {
  const parts = [];
  for (const name of READERS.keys()) {
    if (state.has(name)) parts.push(name + "=" + encodeURIComponent(wellFormed(String(state.get(name)))));
  }
  return "#" + parts.join("&");
}

let state = readHash(location.hash);

// Change the state and draw it. A view that opens gets its own step in the history; a filter replaces the current one.
function go(changes, { push = false } = {}) {
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === null || value === "") state.delete(name); else state.set(name, value);
  }
  history[push ? "pushState" : "replaceState"](null, "", writeHash(state));
  draw();
}

// Packed data: gzip and base64 in inert script elements, or in files beside the page; unpacked when first asked for.
const parsed = new Promise((done) => {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", done); else done();
});
const unpacked = new Map();
const awaited = new Map();
const beside = new Map(data.sidecars);

function chunk(key) {
  if (!unpacked.has(key)) unpacked.set(key, unpack(key));
  return unpacked.get(key);
}

async function unpack(key) {
  await parsed;
  const inline = find(`script[data-key="${key}"]`);
  const base64 = inline ? inline.textContent : await fromFile(key);
  if (base64 === null) return null;
  const bytes = Uint8Array.fromBase64 ? Uint8Array.fromBase64(base64) : Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

function fromFile(key) {
  if (!beside.has(key)) return null;
  return new Promise((done, failed) => {
    awaited.set(key, done);
    const script = el("script", { src: beside.get(key) });
    script.addEventListener("error", () => failed(new Error("the file " + beside.get(key) + " beside this page is missing")));
    document.body.append(script);
  });
}
window.finbenchChunk = (key, text) => { awaited.get(key)?.(text); awaited.delete(key); };
