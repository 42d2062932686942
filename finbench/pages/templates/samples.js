// The samples of one row and task: filters, a list, and everything that is known about the one that is chosen.
const PAGE = 100;
const panel = find("#samples");
const reasonWords = new Map(data.reasons);
const ruleWords = (rule) => rule ? rule.replace(/[_:]+/g, " ") : "";
const FILTER_NAMES = new Map([
  ["all", "All"], ["wrong", "Wrong"], ["right", "Right"], ["unreadable", "Unreadable"], ["truncated", "Cut off"], ["failed", "Request failed"],
  ["lenient", "Strict and lenient disagree"], ["unsure", "Unsure"], ["judge", "Judge disagrees"], ["differ", "Differs from the other model"],
]);

function passes(filter, own, other) {
  if (filter === "wrong") return !(own & CORRECT);
  if (filter === "right") return own & CORRECT;
  if (filter === "unreadable") return own & UNREADABLE;
  if (filter === "truncated") return own & TRUNCATED;
  if (filter === "failed") return own & FAILED;
  if (filter === "lenient") return !(own & CORRECT) !== !(own & LENIENT);
  if (filter === "unsure") return own & UNSURE;
  if (filter === "judge") return own & JUDGE;
  if (filter === "differ") return other !== null && (own & CORRECT) !== (other & CORRECT);
  return true;
}

let shownCell = null; // what the list on the page was drawn from
let drawing = 0;

async function drawSamples() {
  const turn = ++drawing;
  const row = rowByKey.get(state.get("row")), task = state.get("task");
  if (row === undefined || task === undefined || !data.rows[row].cells.includes(task)) { go({ view: null }); return; }
  panel.setAttribute("aria-busy", "true");
  const other = rowByKey.get(state.get("with")) ?? null;
  const withOther = other !== null && other !== row && data.rows[other].cells.includes(task);
  let loaded;
  try {
    loaded = await Promise.all([chunk("docs:" + data.tasks[task].number), chunk("verdicts"), chunk("answers:" + place(row, task)), withOther ? chunk("answers:" + place(other, task)) : null]);
  } catch (error) {
    if (turn === drawing) panel.replaceChildren(el("p", { role: "alert" }, "The samples cannot be opened: " + error.message));
    panel.removeAttribute("aria-busy");
    return;
  }
  if (turn !== drawing) return;
  const [docs, verdicts, answers, otherAnswers] = loaded;
  const size = docs.ids.length;
  const cell = {
    row, task, docs, answers, size, text: verdictsOf(verdicts, row, task),
    other: withOther ? { row: other, answers: otherAnswers, text: verdictsOf(verdicts, other, task) } : null,
  };
  const key = [state.get("row"), task, withOther ? state.get("with") : "", state.get("filter"), state.get("reason"), state.get("q")].join(" ");
  if (shownCell !== key) {
    const focused = panel.contains(document.activeElement) ? document.activeElement.id : "";
    drawList(cell);
    shownCell = key;
    const again = focused && document.getElementById(focused);
    if (again) again.focus();
    if (again?.id === "sample-search") again.setSelectionRange(again.value.length, again.value.length);
  }
  drawDetail(cell, chosenPlaces[position()]);
  panel.removeAttribute("aria-busy");
}

// A sample's name in the address: its id, so that a page that is built again shows the same one; repeats and ids that
// occur twice are numbered.
const namesOf = new Map();
function nameAt(cell, at) {
  const key = data.tasks[cell.task].number;
  if (!namesOf.has(key)) {
    const taken = new Map();
    namesOf.set(key, cell.docs.ids.map((id) => {
      const name = wellFormed(id.slice(0, TEXT - 20)), before = taken.get(name) ?? 0;
      taken.set(name, before + 1);
      return before ? name + "~" + (before + 1) : name;
    }));
  }
  const repeat = Math.floor(at / cell.size);
  return namesOf.get(key)[at % cell.size] + (repeat ? "#" + (repeat + 1) : "");
}

let chosenNames = new Map(); // name -> where it stands in the list
const position = () => chosenNames.get(state.get("at")) ?? 0;

const otherBits = (cell, at) => cell.other && asked(cell.other.text, at) ? bits(cell.other.text, at) : null;
let chosenPlaces = [];

function drawList(cell) {
  const { text, docs, answers } = cell;
  const places = [];
  for (let at = 0; at < text.length; at++) if (asked(text, at)) places.push(at);
  const filter = state.get("filter") ?? "all", reason = state.get("reason"), needle = (state.get("q") ?? "").toLowerCase();
  const reasons = new Map();
  chosenPlaces = [];
  for (const at of places) {
    if (!passes(filter, bits(text, at), otherBits(cell, at))) continue;
    const own = answers.reasons[answers.reason[at]];
    reasons.set(own, (reasons.get(own) ?? 0) + 1);
    if (reason && own !== reason) continue;
    const doc = at % cell.size;
    if (needle && ![docs.ids[doc], docs.questions[doc], answers.extracted[at] ?? "", docs.golds[doc].join(" ")].join("\n").toLowerCase().includes(needle)) continue;
    chosenPlaces.push(at);
  }
  chosenNames = new Map(chosenPlaces.map((at, index) => [nameAt(cell, at), index]));
  const row = data.rows[cell.row];
  const list = el("ol", { class: "list", "aria-label": "Samples" });
  appendItems(list, cell, 0);
  panel.replaceChildren(
    el("div", { class: "crumbs" },
      el("button", { type: "button", onclick: leave }, "← Leaderboard"),
      el("h2", {}, foreign(row.model), " on ", foreign(data.tasks[cell.task].title)),
      el("span", { class: "muted" }, row.protocol + " protocol, " + count(places.length) + " samples"),
    ),
    el("div", { class: "tools" },
      picker("Compared with", "with", [["", "no other model"], ...data.rows.filter((one, at) => at !== cell.row && one.cells.includes(cell.task)).map((one) => [one.key, one.model + " (" + one.protocol + ")"])], state.get("with") ?? ""),
      picker("Reason", "reason", [["", "any reason"], ...[...reasons].sort((a, b) => b[1] - a[1]).map(([name, n]) => [name, (reasonWords.get(name) ?? ruleWords(name)) + " (" + n + ")"])], reason ?? ""),
      searchBox(),
    ),
    chips(cell, places, filter),
    el("div", { class: "split" }, list, el("article", { class: "detail", id: "detail", tabindex: "-1" })),
  );
}

function picker(label, name, options, value) {
  const select = el("select", { id: "pick-" + name, "aria-label": label }, ...options.map(([key, text]) => el("option", { value: key, selected: key === value }, text)));
  select.addEventListener("change", () => go({ [name]: select.value || null, at: null }));
  return select;
}

function searchBox() {
  const input = el("input", { type: "search", id: "sample-search", placeholder: "Find in questions and answers", "aria-label": "Find in questions and answers", maxlength: "100", autocomplete: "off", value: state.get("q") ?? "" });
  input.addEventListener("input", () => go({ q: input.value.slice(0, 100), at: null }));
  return input;
}

function chips(cell, places, filter) {
  const box = el("div", { class: "chips", role: "group", "aria-label": "Show" });
  for (const [name, words] of FILTER_NAMES) {
    if (name === "differ" && !cell.other) continue;
    const n = places.filter((at) => passes(name, bits(cell.text, at), otherBits(cell, at))).length;
    if (!n && name !== "all" && name !== "wrong") continue;
    box.append(el("button", { type: "button", id: "filter-" + name, "aria-pressed": String(name === filter), onclick: () => go({ filter: name, reason: null, at: null }) }, words, " ", el("span", {}, count(n))));
  }
  return el("div", { class: "tools" }, box);
}

function appendItems(list, cell, start) {
  find(".more", list)?.parentNode.remove();
  if (!chosenPlaces.length) { list.append(el("li", {}, el("p", {}, "No sample passes this filter."))); return; }
  for (const at of chosenPlaces.slice(start, start + PAGE)) list.append(item(cell, at));
  const left = chosenPlaces.length - start - PAGE;
  if (left > 0) list.append(el("li", {}, el("button", { type: "button", class: "more", onclick: () => appendItems(list, cell, start + PAGE) }, "Show more (" + count(left) + " left)")));
}

function item(cell, at) {
  const { docs, answers, text } = cell, doc = at % cell.size;
  const right = bits(text, at) & CORRECT;
  const repeat = Math.floor(at / cell.size);
  return el("li", {}, el("button", { type: "button", class: "item", "data-at": at, onclick: () => go({ at: nameAt(cell, at) }) },
    el("span", { class: "line" }, el("span", { class: right ? "good" : "bad" }, mark(right), " ", answerText(answers.extracted[at]), unsure(bits(text, at))), el("span", { class: "muted foreign", title: docs.ids[doc] }, tail(docs.ids[doc]) + (repeat ? " #" + (repeat + 1) : ""))),
    el("span", { class: "ask foreign", dir: "auto" }, docs.questions[doc].slice(0, 240))));
}

const tail = (id) => id.length > 26 ? "…" + id.slice(-25) : id;
const mark = (right) => right ? "✓ right" : "✗ wrong";
const unsure = (own) => own & UNSURE ? el("span", { class: "badge", title: "the grader names another reading" }, "unsure") : null;
const answerText = (text) => text === null || text === undefined ? el("span", { class: "muted" }, "no answer") : foreign(text.length > 60 ? text.slice(0, 60) + "…" : text);

let detailTurn = 0;
async function drawDetail(cell, at) {
  const turn = ++detailTurn;
  const box = find("#detail");
  all(".item", panel).forEach((button) => {
    const current = Number(button.dataset.at) === at;
    if (current) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
  });
  if (at === undefined) { box.replaceChildren(); return; }
  const doc = at % cell.size, here = chosenPlaces.indexOf(at);
  const sides = cell.other && asked(cell.other.text, at) ? [cell, cell.other] : [cell];
  const parts = sides.map((side) => side_(side, cell, at, sides.length > 1));
  const asking = el("details", {}, el("summary", {}, "Prompt"));
  box.replaceChildren(
    el("div", { class: "headline" }, el("h3", {}, foreign(cell.docs.ids[doc])), el("span", {},
      el("button", { type: "button", "aria-label": "Previous sample", disabled: here <= 0, onclick: () => step(-1) }, "←"), " ",
      el("small", {}, count(here + 1) + " of " + count(chosenPlaces.length)), " ",
      el("button", { type: "button", "aria-label": "Next sample", disabled: here >= chosenPlaces.length - 1, onclick: () => step(1) }, "→"))),
    el("p", { class: "question foreign", dir: "auto" }, cell.docs.questions[doc]),
    about(cell, doc),
    el("div", { class: "sides" + (parts.length > 1 ? " two" : "") }, ...parts.map((part) => part.node)),
    asking,
  );
  const variant = data.rows[cell.row].variants[data.rows[cell.row].cells.indexOf(cell.task)];
  const loaded = await Promise.all([chunk(`prompts:${data.tasks[cell.task].number}:${variant}`), ...sides.map((side) => replyAt(side.row, cell.task, at))]).catch((error) => error);
  if (turn !== detailTurn) return;
  if (loaded instanceof Error) { parts[0].reply.replaceChildren(el("p", { role: "alert" }, loaded.message)); return; }
  const [prompts, ...replies] = loaded;
  parts.forEach((part, index) => fillReply(part, replies[index]));
  const own = replies[0];
  const prompt = own?.p ?? prompts?.[doc];
  asking.append(el("div", { class: "box" }, ...messages(own?.system, prompt)));
}

async function replyAt(row, task, at) {
  const replies = await chunk("replies:" + place(row, task));
  const found = replies?.items.find(([place]) => place === at);
  return found ? { ...found[1], system: replies.systems[found[1].y] } : null;
}

function about(cell, doc) {
  const golds = cell.docs.golds[doc], flags = cell.docs.flags[doc];
  const facets = cell.docs.facets[doc].map(([name, value]) => name.replaceAll("_", " ") + ": " + value).concat(flags.map((flag) => flag.replaceAll("_", " ")));
  return el("dl", { class: "answers" }, fact("Gold answer", foreign(golds.join("  or  "))), facets.length ? fact("About the question", foreign(facets.join(", ")), "small") : null);
}

const fact = (name, value, kind = "") => el("div", { class: kind === "wide" ? "wide" : "" }, el("dt", {}, name), el("dd", { class: kind }, value));

function side_(side, cell, at, named) {
  const answers = side.answers, own = bits(side.text, at);
  const reason = answers.reasons[answers.reason[at]];
  const extracted = answers.extracted[at], value = answers.value[at] ?? extracted;
  const right = own & CORRECT;
  const words = reasonWords.get(reason) ?? ruleWords(reason);
  const lenient = !right !== !(own & LENIENT) ? (own & LENIENT ? "Right under the lenient reading (scale, sign by wording, conflicting golds)." : "Wrong under the lenient reading.") : null;
  const facts = el("dl", { class: "answers" },
    fact("Verdict", el("span", {}, el("strong", { class: right ? "good" : "bad" }, mark(right)), ", " + words, own & UNSURE ? ", unsure" : ""), "wide"),
    own & UNSURE ? fact("Unsure because", foreign(answers.rivals[answers.rival[at]] || "no reason is stored"), "wide") : null,
    fact("Extracted", extracted === null || extracted === undefined ? el("span", { class: "muted" }, "nothing") : foreign(extracted, "code")),
    fact("Normalized", value === null || value === undefined ? el("span", { class: "muted" }, "–") : foreign(value, "code")),
    fact("Found by", answers.rules[answers.rule[at]] ? ruleWords(answers.rules[answers.rule[at]]) : "–", "small"),
    right && answers.golds[answers.gold[at]] ? fact("Gold that was met", foreign(answers.golds[answers.gold[at]]), "small") : null,
  );
  const reply = el("div", { class: "reply", "aria-live": "polite" }, el("p", { class: "muted" }, "Reading…"));
  const row = data.rows[side.row];
  const node = el("div", {}, named ? el("h3", {}, foreign(row.model), " ", el("span", { class: "badge" }, row.protocol)) : null, facts, lenient ? el("p", { class: "muted" }, lenient) : null, reply);
  return { node, reply, facts, tokens: answers.tokens[at], row };
}

function fillReply(part, entry) {
  const task = data.tasks[state.get("task")]?.name ?? "";
  if (!entry) {
    part.reply.replaceChildren(el("p", { class: "muted" }, "The text of this reply is not on this page, which holds as many replies as its size allows, wrong ones first. It is in ",
      foreign("samples_" + task + ".jsonl", "code"), " of the run ", foreign(part.row.run, "code"), "."));
    return;
  }
  const facts = [];
  if (part.tokens !== null && part.tokens !== undefined) facts.push(count(part.tokens) + " output tokens");
  if (entry.in !== undefined) facts.push(count(entry.in) + " prompt tokens");
  if (entry.sec) facts.push(entry.sec + " s");
  if (entry.att > 1) facts.push(entry.att + " attempts");
  if (entry.f === "length") facts.push("cut off at the token limit");
  if (entry.f === "error") facts.push("the request failed");
  const out = [el("p", {}, el("small", {}, facts.join(" · ")))];
  if (entry.e) out.push(el("p", { class: "bad" }, "Error: ", foreign(entry.e)));
  if (entry.m) out.push(...markedReply(entry.m)); else out.push(...plainReply(entry));
  if (entry.cut) out.push(el("p", { class: "muted" }, "Cut on this page; the whole reply has " + count(entry.cut) + " characters."));
  if (entry.j) out.push(el("p", {}, "Judge ", foreign(entry.j.model), " says ", el("strong", {}, entry.j.verdict || "nothing"), "."), entry.j.text ? el("details", {}, el("summary", {}, "What the judge wrote"), el("div", { class: "box" }, foreign(entry.j.text, "pre"))) : "");
  part.reply.replaceChildren(...out);
}

function plainReply(entry) {
  const end = entry.t.lastIndexOf("</think>");
  const start = end < 0 ? 0 : end + "</think>".length;
  const thinking = [entry.r, entry.t.slice(0, start)].filter(Boolean).join("\n");
  const reply = el("div", { class: "box", tabindex: "0", role: "region", "aria-label": "Reply" }, marked(entry.t.slice(start), entry.s ? [entry.s[0] - start, entry.s[1] - start] : null));
  return thinking ? [el("details", {}, el("summary", {}, "Reasoning, " + count(thinking.length) + " characters"), el("div", { class: "box" }, foreign(thinking, "pre"))), reply] : [reply];
}

// The reply with the extracted answer marked where it was found.
function marked(text, span) {
  const body = foreign("", "pre");
  if (!text.trim()) body.append(el("span", { class: "muted" }, "(empty)"));
  else if (span && span[0] >= 0 && span[1] <= text.length && span[0] < span[1]) {
    body.append(text.slice(0, span[0]).replace(/^\s+/, ""), el("mark", { title: "the extracted answer" }, text.slice(...span)), text.slice(span[1]));
  } else body.append(text.replace(/^\s+/, ""));
  return body;
}

function messages(system, prompt) {
  const turns = typeof prompt === "string" ? [["user", prompt]] : prompt ?? [];
  if (system) turns.unshift(["system", system]);
  if (!turns.length) return [el("p", { class: "muted" }, "The prompt is not on this page.")];
  return turns.flatMap(([role, content]) => [el("p", { class: "role" }, role), foreign(content, "pre")]);
}

function step(by) {
  const next = position() + by;
  const name = [...chosenNames.keys()][next];
  if (name === undefined) return;
  go({ at: name });
  const chosen = find(`.item[data-at="${chosenPlaces[next]}"]`, panel);
  chosen?.scrollIntoView({ block: "nearest" });
  if (document.activeElement?.matches(".item")) chosen?.focus({ preventScroll: true });
}

const leave = () => go({ view: null, at: null, filter: null, reason: null, q: null });

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  // Escape empties the search box, as browsers have it, and returns from an empty one.
  if (event.key === "Escape" && event.target.id === "sample-search" && !event.target.value) { leave(); return; }
  if (event.target.matches("input, select, textarea")) return;
  if (event.key === "/") { event.preventDefault(); find(panel.hidden ? "#search" : "#sample-search")?.focus(); }
  if (panel.hidden) return;
  if (event.key === "j") step(1);
  if (event.key === "k") step(-1);
  if (event.key === "Escape") leave();
});
