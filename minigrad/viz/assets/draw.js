// The scene as SVG elements: boxes below, lines, cards on top.

function drawScene(app) {
  const { scene, paint } = app;
  const layer = s("g", { id: "scene" });
  const boxes = s("g", {});
  const lines = s("g", {});
  const titles = s("g", {});
  const cards = s("g", {});
  layer.append(boxes, lines, titles, cards);
  drawBoxes(app, app.model.root, boxes, titles);
  for (const connection of scene.connections) lines.append(drawLine(app, connection));
  for (const card of scene.cards.values()) cards.append(drawCard(app, card, paint));
  return layer;
}

// Titles lie above the lines, which cross them on their way in.
function drawBoxes(app, box, into, titles) {
  const frame = app.scene.frames.get(box.id);
  if (box.parent) {
    const group = s("g", { class: `box depth${box.depth % 2}${box.error ? " failed" : ""}`,
      "data-id": box.id, role: "button", tabindex: "-1", "aria-expanded": "true",
      "aria-label": `${box.title}, ${boxSummary(box)}` });
    const place = { x: frame.x, y: frame.y, width: frame.w };
    group.append(s("rect", { class: "frame", ...place, height: frame.h, rx: 8 }));
    group.append(s("rect", { class: "head", ...place, height: HEAD, rx: 8 }));
    const title = text(`▾ ${frame.title}`, frame.x + 10, frame.y + 16,
      `boxtitle on${box.depth % 2}`);
    title.setAttribute("data-id", box.id);
    titles.append(title);
    into.append(group);
    frame.group = group;
  }
  for (const item of frame.items) {
    if (item.box) drawBoxes(app, item.box, into, titles);
  }
}

function drawLine(app, connection) {
  const { edges, points } = connection;
  const back = edges.some((e) => e.gradient);
  const classes = ["line", back ? "back" : "still"];
  if (app.view.gradients && edges.some((e) => e.stop)) classes.push("stopped");
  const group = s("g", { class: classes.join(" "), "data-from": connection.from.id,
    "data-to": connection.to.id });
  const path = curve(points, app.scene.flip);
  group.append(s("path", { class: "reach", d: path }), s("path", { class: "stroke", d: path }));
  group.append(s("path", { class: "tip", d: arrow(points[points.length - 1], app.scene.flip, 1) }));
  if (back) group.append(s("path", { class: "tip up", d: arrow(points[0], app.scene.flip, -1) }));
  if (app.view.gradients && edges.some((e) => e.stop)) {
    const [x, y] = points[points.length - 1];
    const [cx, cy] = app.scene.flip ? [x - 16, y] : [x, y - 16];
    group.append(s("path", { class: "cross",
      d: `M${cx - 4} ${cy - 4}l8 8m0 -8l-8 8` }));
  }
  connection.group = group;
  return group;
}

const short = (v) => Math.round(v * 10) / 10;

// Straight where two points lie above each other, else a curve that begins and ends upright.
function curve(points, flip) {
  let path = `M${short(points[0][0])} ${short(points[0][1])}`;
  for (let k = 1; k < points.length; k += 1) {
    const [a, b] = points[k - 1];
    const [x, y] = points[k];
    if (Math.abs(flip ? b - y : a - x) < 0.5) {
      path += `L${short(x)} ${short(y)}`;
    } else if (flip) {
      const m = short((a + x) / 2);
      path += `C${m} ${short(b)} ${m} ${short(y)} ${short(x)} ${short(y)}`;
    } else {
      const m = short((b + y) / 2);
      path += `C${short(a)} ${m} ${short(x)} ${m} ${short(x)} ${short(y)}`;
    }
  }
  return path;
}

function arrow(point, flip, along) {
  const [x, y] = point.map(short);
  return flip ? `M${x} ${y}l${-7 * along} -4v8z` : `M${x} ${y}l-4 ${-7 * along}h8z`;
}

function drawCard(app, card, paint) {
  const { item } = card;
  const box = isBox(item);
  const kind = box ? "module" : item.kind;
  const x = card.x + card.ox;
  const y = card.y + card.oy;
  const classes = ["card", `kind-${kind}`];
  if (box) classes.push("folded");
  if (item.error) classes.push("failed");
  if (!box && item.inplace) classes.push("inplace");
  const group = s("g", { class: classes.join(" "), "data-id": item.id, role: "button",
    tabindex: "-1", "aria-label": spoken(item), "aria-expanded": box ? "false" : null });
  const fill = item.error && app.mode.id === "kind" ? null : paint.colour(item);
  const ink = fill && inkOn(fill);
  if (box) {
    const behind = rounded(x + card.shadow, y + card.shadow, card.cw, card.ch, 6);
    group.append(s("path", { class: "body", d: behind }));
  }
  const body = s("path", { class: "body", d: outline(kind, x, y, card.cw, card.ch) });
  if (fill) body.style.fill = fill;
  else if (!paint.kinds) body.style.fill = "var(--page)";
  group.append(body);
  if (kind === "buffer" || kind === "loss") {
    group.append(s("path", { class: "inner", d: outline(kind, x + 3, y + 3, card.cw - 6,
      card.ch - 6) }));
  }
  const middle = x + card.cw / 2;
  group.append(text(card.title, middle, y + 17, "title", ink));
  let down = y + 17;
  for (const line of card.lines) {
    down += 15;
    group.append(text(line, middle, down, "sub", ink));
  }
  down += 7;
  for (const row of card.rows) group.append(drawRow(app, row, x, down, card.cw, paint));
  group.querySelectorAll(".row").forEach((row, k) => {
    row.setAttribute("transform", `translate(0 ${k * LINE})`);
  });
  if (card.label) group.append(drawLabel(app, card, x, y));
  card.group = group;
  return group;
}

function drawRow(app, row, x, y, width, paint) {
  const classes = `row kind-${row.node.kind}`;
  const group = s("g", { class: classes, "data-id": row.node.id });
  const fill = paint.kinds ? null : paint.colour(row.node);
  const back = s("rect", { class: "body", x: x + 4, y, width: width - 8, height: LINE - 1, rx: 2 });
  if (fill) back.style.fill = fill;
  const ink = fill && inkOn(fill);
  group.append(back, text(row.text, x + width / 2, y + 11.5, "sub", ink));
  return group;
}

function drawLabel(app, card, x, y) {
  if (app.scene.flip) {
    const made = text(card.label, x + card.cw + card.shadow + 6, y + card.ch / 2 - 5, "label");
    made.style.textAnchor = "start";
    return made;
  }
  return text(card.label, x + card.cw / 2, y + card.ch + card.shadow + 13, "label");
}

function text(content, x, y, kind, ink) {
  const made = s("text", { class: kind, x: short(x), y: short(y) });
  made.textContent = content;
  if (ink) made.style.fill = ink;
  return made;
}

function rounded(x, y, w, h, r) {
  return `M${x + r} ${y}h${w - 2 * r}a${r} ${r} 0 0 1 ${r} ${r}v${h - 2 * r}a${r} ${r} 0 0 1`
    + ` ${-r} ${r}h${2 * r - w}a${r} ${r} 0 0 1 ${-r} ${-r}v${2 * r - h}`
    + `a${r} ${r} 0 0 1 ${r} ${-r}z`;
}

// Kinds differ in shape, too: pill, note, hexagon-like parallelogram, octagon, rectangle.
function outline(kind, x, y, w, h) {
  const cut = 8;
  if (kind === "input") return rounded(x, y, w, h, Math.min(h, w) / 2);
  if (kind === "parameter") {
    const corner = `M${x + w - cut} ${y}v${cut}h${cut}`;
    return `M${x} ${y}h${w - cut}l${cut} ${cut}v${h - cut}h${-w}z${corner}`;
  }
  if (kind === "constant") return `M${x + cut} ${y}h${w - cut}l${-cut} ${h}h${cut - w}z`;
  if (kind === "output" || kind === "loss") {
    return `M${x + cut} ${y}h${w - 2 * cut}l${cut} ${cut}v${h - 2 * cut}l${-cut} ${cut}`
      + `h${2 * cut - w}l${-cut} ${-cut}v${2 * cut - h}z`;
  }
  if (kind === "buffer" || kind === "error") return `M${x} ${y}h${w}v${h}h${-w}z`;
  return rounded(x, y, w, h, 6);
}

function spoken(item) {
  if (isBox(item)) return `${item.title}, collapsed, ${boxSummary(item)}`;
  const parts = [KIND_NAMES[item.kind] || item.kind, titleOf(item), subtitleOf(item), item.error];
  parts.push(shapeText(item.shape, item.dtype));
  return parts.filter(Boolean).join(", ");
}
