// The page's state, and what changes it.

class App {
  constructor(data) {
    this.data = data;
    this.model = buildModel(data);
    this.steps = buildSteps(this.model);
    this.svg = document.getElementById("canvas");
    this.panel = document.getElementById("panel");
    this.view = { collapsed: firstCollapsed(this.model, 150), direction: data.direction,
      gradients: Boolean(data.gradients), follow: "direct" };
    const mode = MODES.find((m) => m.id === data.paint);
    this.mode = mode && hasData(this.model, mode) ? mode : MODES[0];
    this.selected = null;
    this.focused = null;
    this.step = -1;
    this.matches = [];
    this.camera = new Camera(this.svg, () => this.onMove());
    this.layout();
    this.camera.fit(this.scene);
    this.refresh();
  }

  onMove() {
    document.getElementById("zoom").textContent = `${Math.round(this.camera.k * 100)} %`;
  }

  // Lay out and draw anew; `anchor` stays where it is on the screen.
  layout(anchor = null) {
    const before = anchor && this.placeOf(anchor);
    this.scene = buildScene(this.model, this.view);
    this.items = [...this.scene.cards.values()].map((card) => card.item);
    if (before) {
      const after = this.placeOf(anchor);
      this.camera.x += (before.x - after.x) * this.camera.k;
      this.camera.y += (before.y - after.y) * this.camera.k;
    }
    this.draw();
    this.notice();
  }

  draw() {
    this.paint = makePaint(this.model, this.mode, this.items) || { colour: () => null };
    this.svg.querySelector("#scene").replaceWith(drawScene(this));
    this.camera.apply();
    drawLegend(document.getElementById("legend"), this);
    this.light();
  }

  notice() {
    const { error, phase, notes } = this.data;
    const shown = [];
    if (error) shown.push(h("p", { class: "error" }, `The run failed in ${phase}: ${error}`));
    for (const note of notes) shown.push(h("p", {}, note));
    const hidden = this.model.nodes.size - this.items.reduce((n, item) => n
      + (isBox(item) ? 0 : 1 + item.rows.length), 0);
    const folded = this.items.filter(isBox).length;
    if (folded) {
      shown.push(h("p", {}, `${grouped(this.model.nodes.size)} nodes, ${grouped(hidden)} of them `
        + `in ${grouped(folded)} collapsed ${folded === 1 ? "box" : "boxes"}: click one to open `
        + "it."));
    }
    document.getElementById("notice").replaceChildren(...shown);
  }

  placeOf(item) {
    const card = this.scene.cards.get(item.id);
    if (card) return { x: card.x + card.ox, y: card.y + card.oy, w: card.cw, h: card.ch, ...card };
    const frame = this.scene.frames.get(item.id);
    return frame && { ...frame };
  }

  itemOf(id) {
    return this.model.nodes.get(id) || this.model.boxes.get(id) || null;
  }

  toggle(box) {
    const { collapsed } = this.view;
    if (collapsed.has(box.id)) collapsed.delete(box.id);
    else collapsed.add(box.id);
    this.layout(box);
    this.focus(box.id);
  }

  // Open or close all boxes; so many that the page would not be readable stay closed.
  openAll(most = 1500) {
    this.view.collapsed = firstCollapsed(this.model, most);
    this.layout();
    this.camera.fit(this.scene);
  }

  closeAll() {
    this.view.collapsed = new Set();
    for (const child of this.model.root.children.filter(isBox)) {
      this.view.collapsed.add(child.id);
      closeBelow(this.model, child, this.view.collapsed);
    }
    this.layout();
    this.camera.fit(this.scene);
  }

  select(id) {
    this.selected = id;
    this.step = -1;
    this.refresh();
  }

  // Open what hides an item, bring it into view and, if wished, select it.
  reveal(id, select = false) {
    const item = this.itemOf(id);
    const shown = item.host || item;
    let closed = false;
    for (let box = shown.parent; box; box = box.parent) {
      closed = this.view.collapsed.delete(box.id) || closed;
    }
    if (closed) this.layout();
    if (select) this.select(id);
    this.look(shown);
    this.focus(shown.id);
  }

  look(item) {
    const place = this.placeOf(item);
    if (place) this.camera.show(place.x, place.y, place.cw || place.w, place.ch || HEAD);
  }

  focus(id) {
    const group = this.groupOf(id);
    if (!group) return;
    for (const old of this.svg.querySelectorAll("[tabindex='0']")) {
      old.setAttribute("tabindex", "-1");
    }
    group.setAttribute("tabindex", "0");
    this.focused = id;
    group.focus({ preventScroll: true });
  }

  groupOf(id) {
    const found = this.scene.cards.get(id) || this.scene.frames.get(id);
    return found && found.group;
  }

  goTo(step) {
    this.step = Math.max(-1, Math.min(this.steps.length - 1, step));
    this.selected = null;
    this.refresh();
    if (this.step >= 0) this.look(shownItem(this.steps[this.step].node, this.view.collapsed));
  }

  setMode(id) {
    this.mode = MODES.find((mode) => mode.id === id);
    document.getElementById("mode").value = id;
    this.draw();
  }

  // The panel, the marks and the step bar, after anything has changed.
  refresh() {
    const step = this.steps[this.step];
    if (step) showStep(this.panel, this, step);
    else showItem(this.panel, this, this.selected && this.itemOf(this.selected));
    this.panel.scrollTop = 0;
    document.getElementById("slider").value = this.step + 1;
    document.getElementById("stepname").textContent = step
      ? `${step.name}: ${titleOf(step.node)}` : `${this.steps.length} steps`;
    this.light();
  }

  // Light what belongs to the selection or the step, dim the rest.
  light() {
    const marks = this.step >= 0 ? stepMarks(this) : followMarks(this);
    const found = new Set(this.matches.map((id) => {
      const item = this.itemOf(id);
      return (isBox(item) ? item : shownItem(item, this.view.collapsed)).id;
    }));
    for (const [id, card] of this.scene.cards) {
      mark(card.group, { lit: marks && marks.items.has(id), found: found.has(id),
        dim: marks && !marks.items.has(id), chosen: marks && marks.chosen === id });
      for (const row of card.group.querySelectorAll(".row")) {
        row.classList.toggle("chosen", row.getAttribute("data-id") === this.selected);
      }
    }
    for (const connection of this.scene.connections) {
      const lit = marks && marks.lines.has(connection);
      mark(connection.group, { lit, dim: marks && !lit, reverse: lit && marks.backward });
    }
    for (const frame of this.scene.frames.values()) {
      if (frame.group) {
        mark(frame.group, { found: found.has(frame.id), chosen: this.selected === frame.id });
      }
    }
  }
}

function mark(group, classes) {
  for (const [name, on] of Object.entries(classes)) group.classList.toggle(name, Boolean(on));
}

// The step's op with the lines that it reads (forward) or sends back along (backward).
function stepMarks(app) {
  const { node, phase, kind } = app.steps[app.step];
  const own = shownItem(node, app.view.collapsed);
  const lines = new Set(app.scene.connections.filter((c) => c.edges.some((e) => {
    if (phase === "forward" || kind !== "leaf") {
      return e.target === node.id && (phase === "forward" || e.gradient);
    }
    return e.source === node.id && e.gradient;
  })));
  const items = new Set([own.id, ...[...lines].flatMap((c) => [c.from.id, c.to.id])]);
  return { items, lines, chosen: own.id, backward: phase === "backward" };
}

// The selected value's producers and consumers: the nearest ones, or all of both directions.
function followMarks(app) {
  const item = app.selected && app.itemOf(app.selected);
  if (!item || (isBox(item) && !app.view.collapsed.has(item.id))) return null;
  const start = isBox(item) ? item : shownItem(item, app.view.collapsed);
  const lines = new Set();
  const items = new Set([start.id]);
  for (const [near, far] of [["to", "from"], ["from", "to"]]) {
    let edge = [start];
    const seen = new Set([start]);
    while (edge.length) {
      const next = [];
      for (const c of app.scene.connections.filter((x) => edge.includes(x[near]))) {
        lines.add(c);
        items.add(c[far].id);
        if (!seen.has(c[far])) {
          seen.add(c[far]);
          next.push(c[far]);
        }
      }
      edge = app.view.follow === "path" ? next : [];
    }
  }
  return { items, lines, chosen: start.id, backward: false };
}
