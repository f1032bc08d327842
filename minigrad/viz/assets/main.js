// Buttons, keys, pointer and search of the page.

const app = new App(JSON.parse(document.getElementById("graph").textContent));
const byId = (id) => document.getElementById(id);

const KEYS = [
  ["+ and −", "zoom in and out", ["+", "="], () => app.camera.zoom(1.25)],
  ["", "", ["-", "_"], () => app.camera.zoom(0.8)],
  ["0", "the whole picture", ["0"], () => app.camera.fit(app.scene, true)],
  ["1", "natural size", ["1"], () => app.camera.zoom(1 / app.camera.k)],
  ["arrows", "to the next card; without focus: move the picture", [], null],
  ["Enter", "open or collapse a box, select a card", [], null],
  ["Backspace", "collapse the box around the card", ["Backspace"], () => collapseAround()],
  ["e, c", "open all boxes, collapse all", ["e"], () => app.openAll()],
  ["", "", ["c"], () => app.closeAll()],
  ["/", "search", ["/"], () => byId("search").focus()],
  ["n, p", "next and previous step", ["n"], () => app.goTo(app.step + 1)],
  ["", "", ["p"], () => app.goTo(app.step - 1)],
  ["b", "to the beginning of backward", ["b"], () => app.goTo(firstBackward())],
  ["f", "follow the nearest uses, or the whole path", ["f"], () => toggleFollow()],
  ["g", "gradients on the lines", ["g"], () => toggleGradients()],
  ["d", "from top to bottom, or from left to right", ["d"], () => turn()],
  ["m", "next paint mode", ["m"], () => nextMode()],
  ["t", "theme: as the system, light, dark, print", ["t"], () => nextTheme()],
  ["s", "save the view as SVG", ["s"], () => download("graph.svg", exportSvg(app))],
  ["?", "these keys", ["?"], () => toggleHelp()],
  ["Esc", "close, clear", ["Escape"], () => clear()],
];

function firstBackward() {
  const found = app.steps.findIndex((step) => step.phase === "backward");
  return found < 0 ? app.step : found;
}

function collapseAround() {
  const item = app.focused && app.itemOf(app.focused);
  const box = item && (isBox(item) && !app.view.collapsed.has(item.id) ? item : item.parent);
  if (box && box.parent) app.toggle(box);
}

function toggleFollow() {
  app.view.follow = app.view.follow === "direct" ? "path" : "direct";
  byId("follow").setAttribute("aria-pressed", String(app.view.follow === "path"));
  app.light();
}

function toggleGradients() {
  app.view.gradients = !app.view.gradients;
  byId("gradients").setAttribute("aria-pressed", String(app.view.gradients));
  app.layout();
}

function turn() {
  app.view.direction = app.view.direction === "LR" ? "TB" : "LR";
  app.layout();
  app.camera.fit(app.scene);
}

function nextMode() {
  const usable = [...byId("mode").options].filter((o) => !o.disabled).map((o) => o.value);
  app.setMode(usable[(usable.indexOf(app.mode.id) + 1) % usable.length]);
}

const THEMES = ["auto", "light", "dark", "print"];

function nextTheme() {
  const root = document.documentElement;
  const next = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
  root.dataset.theme = next;
  byId("theme").textContent = `Theme: ${next}`;
  app.draw();
}

function toggleHelp() {
  const help = byId("help");
  if (help.open) help.close();
  else help.showModal();
}

function clear() {
  byId("search").value = "";
  app.matches = [];
  byId("found").textContent = "";
  app.select(null);
  byId("canvas").focus();
}

// ---- search: op, module or parameter
function search(words) {
  const wanted = words.trim().toLowerCase();
  const texts = (n) => [n.label, n.card && n.card.title, n.card ? n.card.module.path : n.module,
    [n.module, n.label].filter(Boolean).join("."), KIND_NAMES[n.kind]].filter(Boolean);
  const nodes = [...app.model.nodes.values()].filter((n) => texts(n)
    .some((t) => t.toLowerCase().includes(wanted)));
  const boxes = [...app.model.boxes.values()].filter((b) => b.module
    && [b.title, b.module.path].some((t) => t.toLowerCase().includes(wanted)));
  app.matches = wanted ? [...boxes, ...nodes].map((item) => item.id) : [];
  byId("found").textContent = wanted ? `${grouped(app.matches.length)} found` : "";
  app.light();
}

let at = -1;

function nextMatch(by) {
  if (!app.matches.length) return;
  at = (at + by + app.matches.length) % app.matches.length;
  byId("found").textContent = `${at + 1} of ${grouped(app.matches.length)}`;
  app.reveal(app.matches[at], true);
  byId("search").focus({ preventScroll: true });
}

// ---- pointer
function idAt(event) {
  const group = event.target.closest("[data-id]");
  return group && group.getAttribute("data-id");
}

function clicked(event) {
  if (app.camera.dragged) return;
  const line = event.target.closest(".line");
  const id = line ? line.getAttribute("data-from") : idAt(event);
  const item = id && app.itemOf(id);
  if (!item) {
    app.select(null);
  } else if (!isBox(item) || event.shiftKey || line) {
    app.select(id);
    if (!item.host) app.focus(id);
  } else if (app.view.collapsed.has(id) || event.target.closest(".head, .boxtitle")) {
    app.toggle(item);
  } else {
    app.select(null);
  }
}

function hovered(event) {
  const tip = byId("tip");
  const id = event.buttons ? null : idAt(event);
  const line = event.target.closest(".line");
  if (!id && !line) {
    tip.hidden = true;
    return;
  }
  const lines = id ? brief(app, app.itemOf(id)) : lineBrief(line);
  tip.replaceChildren(...lines.map((text, k) => h(k ? "div" : "b", {}, text)));
  tip.hidden = false;
  tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)}px`;
}

function lineBrief(line) {
  const found = app.scene.connections.find((c) => c.group === line);
  return found.edges.slice(0, 6).flatMap((edge) => {
    const [from, to] = [edge.source, edge.target].map((id) => titleOf(app.model.nodes.get(id)));
    const value = shapeText(edge.shape, edge.dtype || "");
    const lines = [`${from} → ${to}`, edge.name ? `${edge.name} ${value}` : value];
    if (edge.grad_norm !== undefined) {
      lines.push(`gradient sent back: norm ${number(edge.grad_norm)}`);
    }
    if (edge.stop) lines.push(`no gradient: ${edge.stop}`);
    return lines;
  });
}

// ---- keys
function arrowKey(key) {
  const item = app.focused && app.itemOf(app.focused);
  const own = item && app.placeOf(item);
  const [dx, dy] = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0],
    ArrowRight: [1, 0] }[key];
  if (!own || document.activeElement !== app.groupOf(app.focused)) {
    const first = app.items[0];
    if (first && document.activeElement === app.svg) app.focus(first.id);
    else app.camera.pan(-60 * dx, -60 * dy);
    return;
  }
  const ahead = app.items.map((other) => ({ other, place: app.placeOf(other) }))
    .filter(({ other }) => other !== item).map(({ other, place }) => {
      const x = place.x + place.cw / 2 - own.x - (own.cw || own.w) / 2;
      const y = place.y + place.ch / 2 - own.y - (own.ch || HEAD) / 2;
      return { other, along: x * dx + y * dy, aside: Math.abs(x * dy) + Math.abs(y * dx) };
    }).filter(({ along, aside }) => along > 4 && aside <= along * 8);
  ahead.sort((a, b) => a.along + 2 * a.aside - b.along - 2 * b.aside);
  if (ahead.length) {
    app.focus(ahead[0].other.id);
    app.look(ahead[0].other);
  }
}

function pressed(event) {
  const typing = event.target.matches("input, select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && byId("help").open) return; // the dialog closes itself
  if (typing && event.key !== "Escape") return;
  if (event.key.startsWith("Arrow")) {
    arrowKey(event.key);
  } else if (event.key === "Enter" || event.key === " ") {
    const id = event.target.getAttribute("data-id");
    if (!id) return;
    const item = app.itemOf(id);
    if (isBox(item)) app.toggle(item);
    else app.select(id);
  } else {
    const entry = KEYS.find(([, , keys]) => keys.includes(event.key));
    if (!entry) return;
    entry[3]();
  }
  event.preventDefault();
}

// ---- wiring
for (const mode of MODES) {
  const usable = hasData(app.model, mode);
  const option = h("option", { value: mode.id, disabled: usable ? null : "" },
    usable ? mode.name : `${mode.name} (no data)`);
  byId("mode").append(option);
}
byId("mode").value = app.mode.id;
byId("gradients").setAttribute("aria-pressed", String(app.view.gradients));
byId("mode").addEventListener("change", (event) => app.setMode(event.target.value));
byId("slider").max = app.steps.length;
byId("slider").addEventListener("input", (event) => app.goTo(Number(event.target.value) - 1));
for (const [id, act] of Object.entries({ in: () => app.camera.zoom(1.25),
  out: () => app.camera.zoom(0.8), fit: () => app.camera.fit(app.scene, true),
  open: () => app.openAll(), close: () => app.closeAll(), follow: toggleFollow,
  gradients: toggleGradients, turn, theme: nextTheme, keys: toggleHelp,
  export: () => download("graph.svg", exportSvg(app)), first: () => app.goTo(0),
  previous: () => app.goTo(app.step - 1), next: () => app.goTo(app.step + 1),
  backward: () => app.goTo(firstBackward()) })) {
  byId(id).addEventListener("click", act);
}
byId("search").addEventListener("input", (event) => {
  at = -1;
  search(event.target.value);
});
byId("search").addEventListener("keydown", (event) => {
  if (event.key === "Enter") nextMatch(event.shiftKey ? -1 : 1);
});
app.svg.addEventListener("click", clicked);
app.svg.addEventListener("pointermove", hovered);
app.svg.addEventListener("pointerleave", () => { byId("tip").hidden = true; });
app.svg.addEventListener("focusin", (event) => {
  const id = event.target.getAttribute("data-id");
  if (id) app.focused = id;
});
document.addEventListener("keydown", pressed);
window.addEventListener("resize", () => app.camera.apply());
// On paper: the whole picture, whatever part of it the window shows.
window.addEventListener("beforeprint", () => {
  const { w, h: height } = app.scene;
  app.svg.setAttribute("viewBox", `-8 -8 ${w + 16} ${height + 16}`);
  app.svg.querySelector("#scene").removeAttribute("transform");
});
window.addEventListener("afterprint", () => {
  app.svg.removeAttribute("viewBox");
  app.camera.apply();
});
byId("keylist").append(...KEYS.filter(([name]) => name)
  .flatMap(([name, meaning]) => [h("dt", {}, name), h("dd", {}, meaning)]));
