// The side panel: everything that is known of one item, with values as tables and heat maps.

const COLD = ["#2166ac", "#92c5de", "#f7f7f7"];
const WARM = ["#f7f7f7", "#fdb863", "#b35806"];

function fact(name, value) {
  if (value === null || value === undefined || value === "" || value === "–") return null;
  return h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, value));
}

function showItem(place, app, item) {
  place.replaceChildren();
  if (!item) {
    showGraph(place, app);
  } else if (isBox(item)) {
    showBox(place, app, item);
  } else {
    showNode(place, app, item);
  }
}

function showGraph(place, app) {
  const { data, nodes } = app.model;
  const ops = [...nodes.values()].filter((n) => COMPUTED.has(n.kind)).length;
  const list = h("dl", {}, fact("nodes", grouped(nodes.size)), fact("ops", grouped(ops)),
    fact("modules", grouped(data.modules.length)),
    fact("parameters", grouped(data.totals.parameters)),
    fact("FLOPs of forward", grouped(data.totals.flops)),
    fact("kept for backward", bytes(data.totals.saved_bytes)));
  place.append(h("h2", {}, "The graph"), list);
  if (data.error) {
    place.append(h("p", { class: "error" }, `Failed in ${data.phase}: ${data.error}`));
  }
  for (const note of data.notes) place.append(h("p", { class: "muted" }, note));
  place.append(h("p", { class: "muted" }, "Click a card for its numbers and its neighbours, the "
    + "title of a box to collapse it. ? shows the keys."));
}

function showBox(place, app, box) {
  const parts = partsOf(box);
  const module = box.module;
  place.append(h("h2", {}, box.title));
  if (box.error) place.append(h("p", { class: "error" }, box.error));
  const list = h("dl", {}, fact("path", module && module.path),
    fact("arguments", module && module.arguments),
    fact("ops", grouped(box.members.filter((n) => COMPUTED.has(n.kind)).length)));
  for (const mode of MODES.filter((m) => m.value)) {
    const value = mode.value(parts);
    if (value !== null && value !== undefined) list.append(fact(mode.name, mode.show(value)));
  }
  if (module && module.training === false) list.append(fact("mode", "evaluation"));
  place.append(list);
}

function showNode(place, app, node) {
  place.append(h("h2", {}, titleOf(node)));
  if (node.error) place.append(h("p", { class: "error" }, node.error));
  place.append(nodeFacts(app, node));
  if (node.stats) place.append(h("h3", {}, "Value"), numbers(node.stats, node.shape));
  if (node.grad) place.append(h("h3", {}, "Gradient"), numbers(node.grad, node.shape));
  place.append(neighbours(app, node));
  if (node.rows.length) {
    place.append(h("h3", {}, "Parameters and buffers"));
    const jumps = node.rows.map((row) => h("li", {}, jump(app, row), ` ${shapeText(row.shape,
      row.dtype)}${row.note ? `, ${row.note}` : ""}`));
    place.append(h("ul", {}, ...jumps));
  }
}

function nodeFacts(app, node) {
  const options = (node.options || []).map(([k, v]) => `${k}=${v}`).join(", ");
  const outputs = (node.outputs || []).map((shape) => shapeText(shape)).join(", ");
  return h("dl", {}, fact("kind", KIND_NAMES[node.kind]),
    fact("op", node.card ? node.label : null),
    fact("module", (node.card ? node.card.module.path : node.module) || null),
    fact("arguments", node.card && node.card.module.arguments), fact("options", options),
    fact("shape", shapeText(node.shape, node.dtype || "")), fact("results", outputs),
    fact("dtype", node.dtype), fact("note", node.note),
    fact("elements", node.elements ? grouped(node.elements) : null),
    fact("bytes", node.bytes ? bytes(node.bytes) : null),
    fact("FLOPs", flopsText(node)),
    fact("time forward", seconds(node.seconds)), fact("time backward",
      seconds(node.backward_seconds)),
    fact("on the tape as", node.grad_fn), fact("gradient check", node.verdict),
    fact("no gradient", node.stop), fact("kept for backward", keptText(app, node)),
    fact("source", node.source), node.code ? h("pre", {}, node.code) : null);
}

function flopsText(node) {
  if (node.flops !== undefined) return grouped(node.flops);
  return COMPUTED.has(node.kind) && node.kind !== "error" ? "not counted" : null;
}

function keptText(app, node) {
  return (node.saved || []).map((v) => {
    const of = v.of && app.model.nodes.get(v.of);
    const owner = v.of === node.id ? " (its own result)" : of ? ` (of ${titleOf(of)})` : "";
    return `${v.name} ${shapeText(v.shape, v.dtype)}, ${bytes(v.bytes)}${owner}`;
  }).join("; ");
}

function neighbours(app, node) {
  const part = h("div", {});
  const list = (title, edges, end) => {
    if (!edges.length) return;
    const lines = edges.map((edge) => h("li", {}, jump(app, app.model.nodes.get(edge[end])),
      ` ${edge.name ? `as ${edge.name}, ` : ""}${shapeText(edge.shape, edge.dtype)}`
      + `${edge.kind === "update" ? ", updates it" : ""}${edge.grad_norm === undefined ? ""
        : `, ∇ ${number(edge.grad_norm)}`}${edge.stop ? `, no gradient: ${edge.stop}` : ""}`));
    part.append(h("h3", {}, title), h("ul", {}, ...lines));
  };
  list("Made from", node.ins, "source");
  list("Used by", node.outs, "target");
  return part;
}

function jump(app, node) {
  return h("button", { class: "jump", onclick: () => app.reveal(node.id, true) }, titleOf(node));
}

// Statistics, then the values if they are few, else a sample as a heat map.
function numbers(stats, shape) {
  const facts = [["min", stats.min], ["max", stats.max], ["mean", stats.mean],
    ["norm", stats.norm]];
  const line = facts.filter(([, v]) => v !== undefined && v !== null)
    .map(([name, v]) => `${name} ${number(v)}`);
  if (stats.zeros) line.push(`zeros ${grouped(stats.zeros)}`);
  if (stats.dead) line.push(`dead units ${percent(stats.dead)}`);
  if (stats.saturated) line.push(`saturated ${percent(stats.saturated)}`);
  if (stats.nan) line.push(`NaN ${grouped(stats.nan)}`);
  if (stats.inf) line.push(`Inf ${grouped(stats.inf)}`);
  const part = h("div", { class: "numbers" }, h("p", {}, line.join(" · ")));
  if (stats.values && stats.values.length) {
    part.prepend(valueTable(stats.values, shape || []));
  } else if (stats.picture) {
    part.append(heatMap(stats.picture), h("p", { class: "muted" }, sampleNote(stats, shape || [])));
  }
  return part;
}

function sampleNote(stats, shape) {
  const [rows, columns] = [stats.picture.length, stats.picture[0].length];
  const of = shape.length > 1 ? shape.slice(-2) : [1, ...shape];
  const every = rows * columns === of[0] * of[1] ? "all" : `${rows}×${columns}`;
  const first = shape.length > 2 ? " of the first of the rest" : "";
  return `${every} of the last ${of.join("×")}${first}`;
}

function largest(values) {
  return Math.max(...values.map((v) => Math.abs(finite(v) || 0)), 0);
}

// Blue below zero, white at zero, orange above; grey for NaN and Inf.
function tint(value, top) {
  if (finite(value) === null) return "#999999";
  if (!top) return "#f7f7f7";
  const share = value / top;
  return share < 0 ? shade(1 + share, COLD) : shade(share, WARM);
}

function valueTable(values, shape) {
  const columns = shape.length ? shape[shape.length - 1] : 1;
  const rows = shape.length > 1 ? shape[shape.length - 2] : 1;
  const top = largest(values);
  const part = h("div", {});
  for (let start = 0; start < values.length; start += rows * columns) {
    if (rows * columns < values.length) {
      const index = start / (rows * columns);
      part.append(h("div", { class: "muted" }, `[${indexText(index, shape.slice(0, -2))}]`));
    }
    const lines = [];
    for (let r = 0; r < rows; r += 1) {
      const cells = values.slice(start + r * columns, start + (r + 1) * columns).map((v) => {
        const colour = tint(v, top);
        const look = typeof v === "boolean" ? null : `background:${colour};color:${inkOn(colour)}`;
        return h("td", { style: look }, number(v));
      });
      lines.push(h("tr", {}, ...cells));
    }
    part.append(h("div", { class: "sideways" }, h("table", { class: "values" }, ...lines)));
  }
  return part;
}

function indexText(flat, shape) {
  let left = flat;
  const found = [];
  for (const size of [...shape].reverse()) {
    found.unshift(left % size);
    left = Math.floor(left / size);
  }
  return [...found, ":", ":"].join(", ");
}

function heatMap(rows) {
  const top = largest(rows.flat());
  const size = Math.max(8, Math.min(18, Math.floor(272 / rows[0].length)));
  const map = s("svg", { class: "heat", width: size * rows[0].length, height: size * rows.length,
    role: "img", "aria-label": `heat map from ${number(-top)} to ${number(top)}` });
  rows.forEach((row, r) => row.forEach((value, c) => {
    const cell = s("rect", { x: c * size, y: r * size, width: size, height: size,
      fill: tint(value, top) });
    const name = s("title");
    name.textContent = number(value);
    cell.append(name);
    map.append(cell);
  }));
  const colours = [...COLD, ...WARM.slice(1)].join(",");
  const scale = h("i", { class: "scale",
    style: `background:linear-gradient(to right,${colours})` });
  const ticks = [-top, 0, top].map((v) => h("span", {}, number(v)));
  return h("div", {}, map, scale, h("div", { class: "ticks" }, ...ticks));
}

// What a pointer that rests on an item is told at once.
function brief(app, item) {
  if (isBox(item)) return [item.title, boxSummary(item), item.error].filter(Boolean);
  const lines = [titleOf(item), subtitleOf(item), item.error];
  lines.push(`${KIND_NAMES[item.kind]}, ${shapeText(item.shape, item.dtype || "")}`);
  const elements = sum(partsOf(item), (n) => n.elements);
  if (elements) lines.push(`${grouped(elements)} parameters`);
  if (item.flops) lines.push(`${grouped(item.flops)} FLOPs`);
  if (item.bytes) lines.push(bytes(item.bytes));
  const times = [item.seconds, item.backward_seconds].filter((v) => v !== undefined).map(seconds);
  if (times.length) lines.push(`time ${times.join(" + ")}`);
  if (item.grad) lines.push(`gradient norm ${number(item.grad.norm)}`);
  if (item.saved) lines.push(`keeps ${item.saved.map((v) => v.name).join(", ")}`);
  if (item.stop) lines.push(`no gradient: ${item.stop}`);
  if (item.source) lines.push(item.source);
  return lines.filter(Boolean);
}
