// Draw what the state says, and start.
const views = new Map([["board", [find("#board-view"), drawBoard]], ["samples", [panel, drawSamples]], ["versus", [arena, drawVersus]]]);

let drawn = null; // the view that stands on the page
let opener = null; // the row and column of the score whose samples were opened

async function draw() {
  const view = state.get("view") ?? "board";
  const before = drawn;
  drawn = view;
  for (const [name, [section]] of views) section.hidden = name !== view;
  for (const button of all("[data-view]")) {
    if (button.dataset.view === view) button.setAttribute("aria-current", "page"); else button.removeAttribute("aria-current");
  }
  document.body.classList.toggle("board-shown", view === "board");
  document.documentElement.style.colorScheme = state.get("theme") ?? "";
  await views.get(view)[1]();
  if (before !== null && before !== view && drawn === view) focusOn(view);
}

// A view that closes takes the focus with it: it goes to the chosen sample, the first choice of a comparison, or back to
// the score that was opened.
function focusOn(view) {
  if (view === "samples") opener = [rowByKey.get(state.get("row")), state.get("task")];
  if (document.activeElement && document.activeElement !== document.body && document.activeElement.checkVisibility?.()) return;
  const back = opener && find(`tr[data-row="${opener[0]}"] button.cell[data-task="${opener[1]}"]`, board);
  const target = { samples: () => find(".item[aria-current]", panel) ?? find(".crumbs button", panel), versus: () => find("select", arena), board: () => back };
  target[view]()?.focus({ preventScroll: view !== "board" });
}

all("[data-view]").forEach((button) => button.addEventListener("click", () => go({ view: button.dataset.view === "board" ? null : button.dataset.view }, { push: true })));
find("#theme").addEventListener("click", () => {
  const dark = state.has("theme") ? state.get("theme") === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  go({ theme: dark ? "light" : "dark" });
});
document.addEventListener("click", (event) => all("details.menu[open]").forEach((menu) => { if (!menu.contains(event.target) || event.target.matches("button")) menu.open = false; }));
addEventListener("popstate", () => { state = readHash(location.hash); draw(); });
performance.mark("script-started");
prepareBoard();
draw();
performance.mark("table-drawn");
