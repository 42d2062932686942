// Draw what the state says, and start.
const views = new Map([["board", [find("#board-view"), drawBoard]], ["samples", [panel, drawSamples]], ["versus", [arena, drawVersus]]]);

function draw() {
  const view = state.get("view") ?? "board";
  for (const [name, [section]] of views) section.hidden = name !== view;
  for (const button of all("[data-view]")) {
    if (button.dataset.view === view) button.setAttribute("aria-current", "page"); else button.removeAttribute("aria-current");
  }
  document.body.classList.toggle("board-shown", view === "board");
  document.documentElement.style.colorScheme = state.get("theme") ?? "";
  views.get(view)[1]();
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
