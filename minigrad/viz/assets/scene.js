// The scene: sizes of cards, nested boxes laid out from the inside out, and where everything is.

const FONT = '"DejaVu Sans", Verdana, Arial, sans-serif';
const WIDEST = 300; // of a card's text
const LINE = 16; // height of a row in a card
const PAD = 12; // inside a box
const HEAD = 24; // a box's title
const pen = document.createElement("canvas").getContext("2d");

function textWidth(text, size, bold) {
  pen.font = `${bold ? "bold " : ""}${size}px ${FONT}`;
  return pen.measureText(text).width;
}

// The longest beginning that fits, with an ellipsis.
function fitted(text, most, size, bold) {
  if (textWidth(text, size, bold) <= most) return text;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (textWidth(`${text.slice(0, middle)}…`, size, bold) <= most) low = middle;
    else high = middle - 1;
  }
  return `${text.slice(0, low)}…`;
}

// A message in lines of at most some width, the last one with an ellipsis if there is more.
function wrapped(message, width, most) {
  const lines = [""];
  for (const word of message.split(" ")) {
    const longer = `${lines[lines.length - 1]} ${word}`.trim();
    if (textWidth(longer, 11, false) <= width || longer === word) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  const rest = lines.slice(most - 1).join(" ");
  return [...lines.slice(0, most - 1), rest].filter(Boolean)
    .map((line) => fitted(line, width, 11, false));
}

function buildScene(model, view) {
  const scene = { model, view, flip: view.direction === "LR", cards: new Map(), frames: new Map(),
    segments: new Map(), connections: [], links: new Map() };
  connect(scene);
  const root = composeBox(scene, model.root);
  settle(scene, model.root, 0, 0);
  scene.w = root.w;
  scene.h = root.h;
  for (const connection of scene.connections) {
    connection.points = joined(connection.parts.map(([box, key]) => {
      const frame = scene.frames.get(box);
      return frame.routes.get(key).map(([a, b]) => (scene.flip
        ? [frame.x + b + frame.dx, frame.y + a + frame.dy]
        : [frame.x + a + frame.dx, frame.y + b + frame.dy]));
    }));
    if (scene.flip) { // the label stands above the line, not between it and the card
      const card = scene.cards.get(connection.from.id);
      connection.points.unshift([card.x + card.cw, connection.points[0][1]]);
    }
  }
  return scene;
}

function joined(parts) {
  const points = [];
  for (const point of parts.flat()) {
    const last = points[points.length - 1];
    if (!last || Math.abs(last[0] - point[0]) + Math.abs(last[1] - point[1]) > 0.01) {
      points.push(point);
    }
  }
  return points;
}

// Which shown items are joined, and which boxes' borders each line crosses on its way.
function connect(scene) {
  const { model, view } = scene;
  for (const edge of model.edges) {
    if (edge.kind === "update") continue;
    const from = shownItem(model.nodes.get(edge.source), view.collapsed);
    const to = shownItem(model.nodes.get(edge.target), view.collapsed);
    if (from === to) continue;
    const key = `${from.id}|${to.id}`;
    if (!scene.links.has(key)) {
      const made = { from, to, edges: [], parts: routeParts(scene, from, to) };
      scene.links.set(key, made);
      scene.connections.push(made);
    }
    scene.links.get(key).edges.push(edge);
  }
}

function routeParts(scene, from, to) {
  const up = boxesAbove(from);
  const down = boxesAbove(to);
  const shared = up.find((box) => down.includes(box));
  const parts = [];
  const value = from.id;
  let child = from;
  for (const box of up.slice(0, up.indexOf(shared))) {
    parts.push(addSegment(scene, box, child.id, `out:${value}`, value));
    child = box;
  }
  const inner = down.slice(0, down.indexOf(shared)).reverse();
  parts.push(addSegment(scene, shared, child.id, (inner[0] || to).id, value));
  inner.forEach((box, k) => {
    parts.push(addSegment(scene, box, `in:${value}`, (inner[k + 1] || to).id, value));
  });
  return parts;
}

function boxesAbove(item) {
  const found = [];
  for (let box = item.parent; box; box = box.parent) found.push(box);
  return found;
}

function addSegment(scene, box, from, to, value) {
  if (!scene.segments.has(box.id)) scene.segments.set(box.id, new Map());
  const key = `${from}|${to}|${value}`;
  scene.segments.get(box.id).set(key, { from, to, value, key });
  return [box.id, key];
}

function composeBox(scene, box) {
  const items = box.children.map((child) => (isBox(child) && !scene.view.collapsed.has(child.id)
    ? composeBox(scene, child) : composeCard(scene, child)));
  const segments = [...(scene.segments.get(box.id) || new Map()).values()];
  const { flip } = scene;
  const level = layoutLevel(items.map((item) => ({ id: item.id, w: flip ? item.h : item.w,
    h: flip ? item.w : item.h, inX: item.inX, outX: item.outX })), segments);
  const inside = flip ? { w: level.h, h: level.w } : { w: level.w, h: level.h };
  const framed = Boolean(box.parent);
  const pad = framed ? PAD : 0;
  const head = framed ? HEAD : 0;
  const title = framed ? fitted(box.title, 420, 12, true) : "";
  const least = framed ? textWidth(title, 12, true) + 34 : 0;
  const w = Math.max(inside.w + 2 * pad, least);
  const dx = (w - inside.w) / 2;
  const dy = pad + head;
  const frame = { id: box.id, box, title, w, h: inside.h + 2 * pad + head, dx, dy, items, level,
    routes: new Map(level.routes.map((r) => [r.segment.key, r.points])) };
  // Lines cross the border straight: from the border to the first rank, over the padding.
  for (const { segment, points } of level.routes) {
    if (segment.from.startsWith("in:")) points.unshift([points[0][0], -(flip ? dx : dy)]);
    if (segment.to.startsWith("out:")) {
      const [x, y] = points[points.length - 1];
      points.push([x, y + (flip ? dx : pad)]);
    }
  }
  const across = flip ? dy : dx;
  frame.inX = (value) => level.ports.get(`in:${value}`) + across;
  frame.outX = (value) => level.ports.get(`out:${value}`) + across;
  scene.frames.set(box.id, frame);
  return frame;
}

function composeCard(scene, item) {
  const box = isBox(item);
  const title = fitted(box ? `▸ ${item.title}` : titleOf(item), WIDEST, 13, true);
  const sub = fitted(box ? boxSummary(item) : subtitleOf(item), WIDEST, 11, false);
  const rows = (box ? [] : item.rows).map((row) => ({ node: row,
    text: fitted(rowText(row), WIDEST - 14, 11, false) }));
  const said = item.error ? wrapped(item.error, WIDEST, 3) : [];
  const lines = [sub, ...said].filter(Boolean);
  const card = { id: item.id, item, title, lines, rows, label: valueLabel(scene, item),
    shadow: box ? 4 : 0 };
  const widths = [textWidth(title, 13, true), ...lines.map((line) => textWidth(line, 11, false)),
    ...rows.map((row) => textWidth(row.text, 11, false) + 14)];
  const round = ["input", "output", "loss"].includes(item.kind) ? 34 : 22;
  card.cw = Math.max(56, Math.max(...widths) + round);
  card.ch = 26 + 15 * lines.length + rows.length * LINE + (rows.length ? 5 : 0);
  const label = card.label ? textWidth(card.label, 11, false) + 8 : 0;
  if (scene.flip) {
    card.w = card.cw + (label ? label + 8 : 0) + card.shadow;
    card.h = Math.max(card.ch, 30);
    card.ox = 0;
    card.oy = (card.h - card.ch) / 2;
  } else {
    card.w = Math.max(card.cw, label);
    card.h = card.ch + (label ? 18 : 0) + card.shadow;
    card.ox = (card.w - card.cw) / 2;
    card.oy = 0;
  }
  const middle = () => (scene.flip ? card.h / 2 : card.w / 2);
  card.inX = middle;
  card.outX = middle;
  scene.cards.set(item.id, card);
  return card;
}

function boxSummary(box) {
  const ops = box.members.filter((n) => COMPUTED.has(n.kind)).length;
  const parts = [box.module ? `${ops} ${ops === 1 ? "op" : "ops"}`
    : `nodes ${grouped(box.index + 1)} to ${grouped(lastIndex(box) + 1)}`];
  const elements = partsOf(box).reduce((n, p) => n + (p.elements || 0), 0);
  if (elements) parts.push(`${grouped(elements)} parameters`);
  return parts.join(" · ");
}

function lastIndex(box) {
  return box.members.reduce((last, n) => Math.max(last, n.index), 0);
}

function rowText(row) {
  const label = row.label === "constant" && row.outs.length ? row.outs[0].name : row.label;
  return `${label}  ${shapeText(row.shape, row.dtype)}${row.note ? ` · ${row.note}` : ""}`;
}

// What stands at the beginning of the lines that leave an item: the shape of the value.
function valueLabel(scene, item) {
  const out = scene.connections.filter((c) => c.from === item);
  if (!out.length) return "";
  const edges = out.flatMap((c) => c.edges);
  const texts = [...new Set(edges.map((e) => shapeText(e.shape, e.dtype)))];
  let text = texts.length > 1 ? `${texts.length} values` : texts[0];
  if (scene.model.data.shapes === false) text = "";
  const norms = isBox(item) || !item.grad ? [] : [item.grad.norm];
  if (scene.view.gradients && norms.length) text += `  ∇ ${number(norms[0])}`;
  return text.trim();
}

function settle(scene, box, x, y) {
  const frame = scene.frames.get(box.id);
  frame.x = x;
  frame.y = y;
  for (const item of frame.items) {
    const at = frame.level.places.get(item.id);
    const [ax, ay] = scene.flip ? [at.y, at.x] : [at.x, at.y];
    item.x = x + frame.dx + ax;
    item.y = y + frame.dy + ay;
    if (item.box) settle(scene, item.box, item.x, item.y);
  }
}
