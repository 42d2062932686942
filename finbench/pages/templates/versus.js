// Two rows head to head: every shared task, the 2x2 table of one of them, and the samples on which they differ.
const arena = find("#versus");
let versusTurn = 0;

async function drawVersus() {
  const turn = ++versusTurn;
  const able = [...data.rows.keys()].filter((row) => data.rows[row].cells.length);
  if (able.length < 2) {
    arena.replaceChildren(el("p", { class: "muted" }, "A comparison needs two measured rows with samples; this page has " + able.length + "."));
    return;
  }
  arena.setAttribute("aria-busy", "true");
  const a = pick(state.get("row"), able, null), b = pick(state.get("with") ?? state.get("ref"), able, a);
  const verdicts = await chunk("verdicts");
  const shared = data.tasks.map((_, task) => task).filter((task) => data.rows[a].cells.includes(task) && data.rows[b].cells.includes(task));
  const results = new Map(shared.map((task) => [task, compare(verdicts, a, b, task)]).filter(([, result]) => result));
  const task = results.has(state.get("task")) ? state.get("task") : [...results.keys()][0];
  const docs = task === undefined ? null : await Promise.all([chunk("docs:" + data.tasks[task].number), chunk("answers:" + place(a, task)), chunk("answers:" + place(b, task))]);
  if (turn !== versusTurn) return;
  arena.replaceChildren(pickers(able, a, b), ...(results.size ? [summary(results, a, b, task)] : [el("p", { class: "muted" }, "These rows share no question.")]),
    ...(docs ? [detailOf(task, results.get(task), a, b, verdicts, docs)] : []));
  arena.removeAttribute("aria-busy");
}

function pick(key, able, taken) {
  const row = rowByKey.get(key);
  return able.includes(row) && row !== taken ? row : able.find((one) => one !== taken);
}

function pickers(able, a, b) {
  const options = able.map((row) => [data.rows[row].key, data.rows[row].model + " (" + data.rows[row].protocol + ")"]);
  const choose = (label, name, row, without) => {
    const select = el("select", {}, ...options.filter(([key]) => key !== data.rows[without].key).map(([key, text]) => el("option", { value: key, selected: key === data.rows[row].key }, text)));
    select.addEventListener("change", () => go({ [name]: select.value }));
    return el("label", {}, label, select);
  };
  return el("div", { class: "pickers" }, choose("Model A", "row", a, b), choose("Model B", "with", b, a),
    el("button", { type: "button", onclick: () => go({ row: data.rows[b].key, with: data.rows[a].key }) }, "Swap"));
}

const cells = (...values) => values.map((value) => el("td", { class: "num" }, value));

function summary(results, a, b, chosen) {
  const adjusted = holm([...results.values()].map((one) => one.p));
  const columns = ["questions", "A", "B", "A − B", "95 % interval", "only A right", "only B right", "p", "p, Holm"];
  const head = el("tr", {}, el("th", { scope: "col" }, "Task"), ...columns.map((text) => el("th", { scope: "col", class: "num" }, text)), el("th", { scope: "col" }, "Verdict"));
  const line = (name, one, counted, p) => {
    const [kind, words] = verdict({ ...one, p });
    return el("tr", {}, el("th", { scope: "row" }, name), ...(counted ? cells(count(one.n), points(one.scoreA), points(one.scoreB)) : cells("", "", "")),
      ...cells(signed(one.delta), signed(one.low) + " to " + signed(one.high)), ...(counted ? cells(count(one.wins), count(one.losses), pValue(one.p), pValue(p)) : cells("", "", "", "")),
      el("td", { class: kind === "better" ? "good" : kind === "worse" ? "bad" : "muted" }, kind === "better" ? "▲ A is better" : kind === "worse" ? "▼ A is worse" : words));
  };
  const lines = [...results].map(([task, one], at) => line(
    el("button", { type: "button", class: "pick", "aria-pressed": String(task === chosen), onclick: () => go({ task }) }, foreign(data.tasks[task].title)), one, true, adjusted[at]));
  if (results.size > 1) lines.push(line("Average of these tasks", averageOf([...results.values()]), false, 0));
  const note = "Same questions only. Intervals are paired and follow conversations and filing pages; p is McNemar's exact test, or a t test where questions come in clusters. Verdicts use Holm's correction for the number of tasks.";
  return el("div", {}, el("p", { class: "muted" }, el("small", {}, note)), el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Differences by task" },
    el("table", {}, el("thead", {}, head), el("tbody", {}, ...lines))));
}

function detailOf(task, result, a, b, verdicts, [docs, answersA, answersB]) {
  const heads = (text) => el("th", { scope: "col" }, text);
  const four = el("table", { class: "four" }, el("caption", {}, "Right and wrong on " + count(result.n) + " shared questions"),
    el("thead", {}, el("tr", {}, el("td", {}, ""), heads("B right"), heads("B wrong"))),
    el("tbody", {},
      el("tr", {}, el("th", { scope: "row" }, "A right"), el("td", {}, count(result.both)), el("td", { class: "flip" }, count(result.onlyA))),
      el("tr", {}, el("th", { scope: "row" }, "A wrong"), el("td", { class: "flip" }, count(result.onlyB)), el("td", {}, count(result.neither)))));
  const size = docs.ids.length, x = verdictsOf(verdicts, a, task), y = verdictsOf(verdicts, b, task);
  const flips = [];
  for (let at = 0; at < size; at++) {
    if (asked(x, at) && asked(y, at) && (bits(x, at) & CORRECT) !== (bits(y, at) & CORRECT)) flips.push(at);
  }
  const body = el("tbody", {});
  const more = el("button", { type: "button" });
  const extend = (start) => {
    for (const at of flips.slice(start, start + PAGE)) body.append(flip(at, task, a, b, x, docs, answersA, answersB));
    more.hidden = flips.length <= start + PAGE;
    more.textContent = "Show more (" + count(flips.length - start - PAGE) + " left)";
    more.onclick = () => extend(start + PAGE);
  };
  extend(0);
  const table = el("table", { class: "flips" }, el("caption", {}, count(flips.length) + " samples on which they differ"),
    el("thead", {}, el("tr", {}, ...["Sample", "Question", "Right", "A answers", "B answers", "Gold"].map(heads))), body);
  return el("div", {}, el("h2", {}, foreign(data.tasks[task].title)), el("div", { class: "duo" }, four, el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Flips" }, table, more)));
}

function flip(at, task, a, b, x, docs, answersA, answersB) {
  const open = () => go({ view: "samples", row: data.rows[a].key, with: data.rows[b].key, task, filter: "differ", reason: null, q: null, at: nameAt({ task, docs, size: docs.ids.length }, at) }, { push: true });
  const question = docs.questions[at];
  return el("tr", {}, el("td", {}, el("button", { type: "button", onclick: open }, foreign(docs.ids[at]))), el("td", {}, foreign(question.length > 140 ? question.slice(0, 140) + "…" : question)),
    el("td", {}, bits(x, at) & CORRECT ? "A" : "B"), el("td", {}, answerText(answersA.extracted[at])), el("td", {}, answerText(answersB.extracted[at])), el("td", {}, answerText(docs.golds[at][0] ?? "")));
}
