// A reply with the marks of the reasoning audit: findings, numbers by origin, calculations, and the page they come from.
const { legend, verdicts, signs } = data.marks;

function markedReply(marks) {
  const places = new Map(); // "c2-1" a cell, "s4" a sentence, "k3" a calculation -> its element
  const goto = (target) => {
    const place = target === "q" ? find("#detail .question") : places.get(target);
    if (!place) return;
    all(".hit", find("#detail")).forEach((one) => one.classList.remove("hit"));
    place.classList.add("hit");
    place.tabIndex = -1;
    place.focus({ preventScroll: true });
    place.scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  const link = (target, attributes, ...children) => el("a", { href: "#", ...attributes, onclick: (event) => { event.preventDefault(); goto(target); } }, ...children);
  const placed = (name, node) => { places.set(name, node); return node; };

  const piece = (one) => {
    if (typeof one === "string") return document.createTextNode(one);
    const [text, kind, note, target, answer] = one;
    if (Object.hasOwn(signs, kind)) {
      const words = kind === "wrong" ? [el("span", { class: "aside" }, " wrong, should be"), " " + note] : [el("span", { class: "aside" }, " " + verdicts[kind])];
      return placed(target, el("b", { class: "v " + kind, title: verdicts[kind] + ": exactly " + note }, signs[kind], ...words));
    }
    if (!kind) return el("mark", { title: "the extracted answer" }, text);
    const attributes = { class: "o " + kind + (answer ? " answer" : ""), title: note };
    if (target) return link(target, attributes, text);
    return el("span", attributes, text, kind === "nothing" ? el("span", { class: "aside" }, " (from nowhere)") : null);
  };
  const box = (name, stretches) => stretches.length ? [el("p", { class: "role" }, name), el("div", { class: "box", tabindex: "0", role: "region", "aria-label": name },
    el("pre", { class: "foreign marked", dir: "auto" }, ...stretches.flatMap(([verdict, pieces]) => verdict ? [el("span", { class: "calc " + verdict }, ...pieces.map(piece))] : pieces.map(piece))))] : [];

  const used = new Set(marks.cells);
  const table = el("table", {}, ...marks.table.map((row, line) => el("tr", {}, ...row.map((text, column) => {
    const name = `c${line}-${column}`, classes = [used.has(name) ? "used" : "", text.length > 24 ? "long" : ""].join(" ").trim();
    return placed(name, el(line && column ? "td" : "th", { scope: line ? column ? null : "row" : "col", class: classes || null }, text));
  }))));
  const sentences = marks.sentences.map(([index, text]) => placed("s" + index, el("li", {}, el("small", {}, "sentence " + (index + 1)), " ", foreign(text))));

  return [
    el("ul", { class: "found" }, ...marks.findings.map(([tone, words, quoted, more, target]) => el("li", { class: tone }, words,
      ...(quoted ? [": ", target ? link(target, { class: "code foreign" }, quoted) : foreign(quoted, "code")] : []), ...(more ? [", ", foreign(more)] : [])))),
    el("ul", { class: "key", "aria-label": "Numbers by origin" }, ...marks.tally.map(([kind, n]) => el("li", {}, el("span", { class: "o " + kind }, `\u00a0${n}\u00a0`), " " + legend[kind]))),
    el("div", { class: "beside" },
      el("div", { class: "said" }, ...box("Reasoning", marks.reasoning), ...box("Answer", marks.answer)),
      el("div", { class: "page" }, el("p", { class: "role" }, "The page"), el("div", { class: "box grid", tabindex: "0", role: "region", "aria-label": "Table of the page" }, table),
        sentences.length ? el("ul", { class: "cited" }, ...sentences) : null)),
  ];
}
