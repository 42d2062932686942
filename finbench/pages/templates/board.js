// The table: its rows are in the page already; here they are sorted, hidden, moved between groups and compared.
const board = find("#board");
const bodies = all("tbody", board);
const rows = all("tr[data-row]", board);
const home = new Map(rows.map((row) => [row, row.parentNode]));
const headings = all("thead th[data-sort]", board);
const columnOf = new Map(headings.map((heading, index) => [heading.dataset.sort, index]));

function prepareBoard() {
  all(".tools, nav.views, .reference-label").forEach((node) => { node.hidden = false; });
  for (const heading of headings) {
    const button = el("button", { type: "button", onclick: () => sortBy(heading.dataset.sort) });
    button.append(...[...heading.childNodes].filter((node) => node.nodeName !== "SMALL"));
    heading.prepend(button);
  }
  find("#search").addEventListener("input", (event) => go({ find: event.target.value.slice(0, 100) }));
  find("#together").addEventListener("change", (event) => go({ together: event.target.checked ? "1" : null }));
  for (const [id, letter] of [["#reported", "r"], ["#cost", "c"], ["#source", "s"]]) {
    find(id).addEventListener("change", () => toggleHidden(letter));
  }
  find("#unreference").addEventListener("click", () => go({ ref: null }));
  board.addEventListener("change", (event) => {
    if (event.target.matches("input.reference")) go({ ref: data.rows[event.target.value].key });
  });
  board.addEventListener("click", (event) => {
    const button = event.target.closest("button.cell");
    if (!button) return;
    const row = data.rows[button.closest("tr").dataset.row];
    const other = state.get("ref");
    go({ view: "samples", row: row.key, task: Number(button.dataset.task), with: other === row.key ? null : other,
      filter: "wrong", reason: null, q: null, at: null }, { push: true });
  });
  const scroll = find(".board-scroll"), sideways = find("#sideways");
  const hint = () => { sideways.hidden = scroll.scrollLeft + scroll.clientWidth >= scroll.scrollWidth - 8; };
  scroll.addEventListener("scroll", hint, { passive: true });
  new ResizeObserver(hint).observe(scroll);
  all("[data-export]").forEach((button) => button.addEventListener("click", () => save(button.dataset.export)));
}

function sortBy(key) {
  const natural = key === "model" ? "up" : "down";
  const same = (state.get("sort") ?? "average") === key;
  const now = state.get("dir") ?? ((state.get("sort") ?? "average") === "model" ? "up" : "down");
  go({ sort: key, dir: same ? (now === "up" ? "down" : "up") : natural });
}

function toggleHidden(letter) {
  const hidden = new Set(state.get("hide") ?? "");
  if (!hidden.delete(letter)) hidden.add(letter);
  go({ hide: ["r", "c", "s"].filter((one) => hidden.has(one)).join("") });
}

const nameOf = (row) => data.rows[row.dataset.row].model;

// A missing value sorts last in both directions: it is not a zero.
function sorted(list, key, direction) {
  const sign = direction === "up" ? 1 : -1;
  const column = columnOf.get(key);
  const keyed = list.map((row, index) => {
    const text = key === "model" ? nameOf(row) : row.children[column].dataset.v;
    const value = text === undefined || text === "" ? null : Number.isNaN(Number(text)) ? text : Number(text);
    return { row, value, index };
  });
  const words = new Intl.Collator("en", { numeric: true });
  keyed.sort((a, b) => {
    if (a.value === null || b.value === null) return (a.value === null) - (b.value === null) || a.index - b.index;
    const order = typeof a.value === "number" && typeof b.value === "number" ? a.value - b.value : words.compare(String(a.value), String(b.value));
    return sign * order || a.index - b.index;
  });
  return keyed.map((one) => one.row);
}

function drawBoard() {
  const hidden = state.get("hide") ?? "";
  const together = state.get("together") === "1";
  const key = columnOf.has(state.get("sort")) ? state.get("sort") : "average";
  const direction = state.get("dir") ?? (key === "model" ? "up" : "down");
  const needle = (state.get("find") ?? "").toLowerCase();
  const search = find("#search");
  if (search.value !== (state.get("find") ?? "")) search.value = state.get("find") ?? "";
  find("#together").checked = together;
  for (const [id, letter] of [["#reported", "r"], ["#cost", "c"], ["#source", "s"]]) find(id).checked = !hidden.includes(letter);
  board.classList.toggle("hide-cost", hidden.includes("c"));
  board.classList.toggle("hide-source", hidden.includes("s"));
  find("#mixed").hidden = !together;
  let shown = 0;
  for (const row of rows) {
    const reported = row.classList.contains("reported");
    row.hidden = (reported && hidden.includes("r")) || !nameOf(row).toLowerCase().includes(needle);
    shown += !row.hidden;
  }
  for (const [index, body] of bodies.entries()) {
    const members = together ? (index ? [] : rows) : rows.filter((row) => home.get(row) === body);
    const wanted = sorted(members, key, direction);
    const present = [...body.children].filter((row) => row.dataset.row !== undefined);
    if (wanted.some((row, at) => row !== present[at])) body.append(...wanted);
    find("tr.group", body).hidden = together || !members.some((row) => !row.hidden);
  }
  all(".protocol", board).forEach((badge) => { badge.hidden = !together; });
  all(".rank", board).forEach((rank) => { rank.style.visibility = together ? "hidden" : ""; });
  for (const heading of headings) {
    if (heading.dataset.sort === key) heading.setAttribute("aria-sort", direction === "up" ? "ascending" : "descending");
    else heading.removeAttribute("aria-sort");
  }
  find("#count").textContent = shown === rows.length ? count(shown) + " rows" : count(shown) + " of " + count(rows.length) + " rows";
  drawDeltas();
}

let deltasFor = null;
async function drawDeltas() {
  const key = state.get("ref") ?? null;
  if (deltasFor === key) return;
  deltasFor = key;
  const reference = key === null ? null : rowByKey.get(key);
  board.classList.toggle("with-reference", key !== null);
  find("#unreference").hidden = key === null;
  all("input.reference", board).forEach((input) => { input.checked = Number(input.value) === reference; });
  for (const row of rows) {
    const chosen = Number(row.dataset.row) === reference;
    row.classList.toggle("chosen", chosen);
    find(".reference-label span", row).textContent = chosen ? "reference" : "compare";
  }
  if (key === null) { all(".delta", board).forEach((node) => { node.textContent = ""; }); return; }
  const view = find("#board-view");
  view.setAttribute("aria-busy", "true");
  const verdicts = await chunk("verdicts");
  if (deltasFor === key) for (const row of rows) deltasOf(row, reference, verdicts);
  view.removeAttribute("aria-busy");
}

// Paired where both rows have samples of the task; otherwise the plain difference, with an interval where both have one.
function deltasOf(row, reference, verdicts) {
  const index = Number(row.dataset.row);
  const mine = data.rows[index], theirs = data.rows[reference];
  const results = [];
  for (const task of data.tasks.keys()) {
    const slot = find(".delta", row.children[columnOf.get("t" + task)]);
    const result = index === reference ? null : difference(mine, theirs, task, index, reference, verdicts);
    if (slot) writeDelta(slot, result);
    if (result) results.push(result);
  }
  const slot = find(".delta", row.children[columnOf.get("average")]);
  const shared = data.tasks.filter((_, task) => mine.scores[task] && theirs.scores[task]).length;
  const complete = results.length && results.length === shared && mine.scores.every((score, task) => !score === !theirs.scores[task]);
  if (slot) writeDelta(slot, complete ? { ...averageOf(results), paired: results.every((one) => one.paired), sameProtocol: mine.protocol === theirs.protocol } : null);
}

function difference(mine, theirs, task, index, reference, verdicts) {
  const x = mine.scores[task], y = theirs.scores[task];
  if (!x || !y) return null;
  const paired = compare(verdicts, index, reference, task), sameProtocol = mine.protocol === theirs.protocol;
  return paired ? { ...paired, paired: true, sameProtocol } : { ...apart(x, y), paired: false, sameProtocol };
}

function writeDelta(slot, result) {
  slot.className = "delta";
  slot.removeAttribute("title");
  if (!result) { slot.textContent = ""; return; }
  const [kind, words] = verdict(result);
  const mark = kind === "better" ? "▲ " : kind === "worse" ? "▼ " : "";
  slot.textContent = mark + signed(result.delta) + (Number.isNaN(result.low) ? "" : " ±" + points((result.high - result.low) / 2));
  if (kind) slot.classList.add(kind);
  slot.classList.toggle("elsewhere", !result.sameProtocol);
  const interval = Number.isNaN(result.low) ? "" : ", 95 % interval " + signed(result.low) + " to " + signed(result.high);
  slot.title = words + (kind ? " than the reference row" : "") + interval
    + (result.paired ? ", paired on the same questions" : ", not paired: no samples on one side")
    + (result.sameProtocol ? "" : "; other protocol: prompts, decoding and grading differ as well");
}

// What is visible, in the order it is shown, as a file. The pieces are those of `finbench leaderboard build --csv` and
// its like (pages/exports.py): all rows in the order of the page give the same text, byte for byte.
async function exported(ending) {
  const made = (await chunk("exports")).find((one) => one.ending === ending);
  const visible = all("tr[data-row]", board).filter((row) => !row.hidden).map((row) => Number(row.dataset.row));
  const blocks = made.blocks.map((block) => [block, visible.filter((number) => block.rows.includes(number))]);
  const texts = blocks.filter(([, numbers]) => numbers.length)
    .map(([block, numbers]) => block.open + numbers.map((number) => made.rows[number]).join(made.between) + block.close);
  return made.open + texts.join("") + made.close;
}

async function save(ending) {
  const link = el("a", { download: "leaderboard." + ending });
  link.href = URL.createObjectURL(new Blob([await exported(ending)], { type: "text/plain;charset=utf-8" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
