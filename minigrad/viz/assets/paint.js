// What the colours say: by kind, or by a number, with a legend.

const STOPS = ["#ffffd9", "#c7e9b4", "#41b6c4", "#225ea8", "#081d58"];
const KIND_NAMES = { input: "input", parameter: "parameter", buffer: "buffer",
  constant: "constant", op: "op", view: "view (shares memory)", module: "folded module",
  output: "output", loss: "loss", error: "raised" };

const sum = (list, f) => list.reduce((total, n) => total + (f(n) || 0), 0);
const most = (list, f) => list.reduce((best, n) => {
  const v = f(n);
  return v === undefined || v === null || (best !== null && v <= best) ? best : v;
}, null);
const some = (list, f) => (list.some((n) => f(n) !== undefined && f(n) !== null)
  ? sum(list, f) : null);

const MODES = [
  { id: "kind", name: "Kind" },
  { id: "parameters", name: "Parameters", log: true, show: grouped,
    value: (list) => sum(list, (n) => n.elements) || null },
  { id: "memory", name: "Memory: all", log: true, show: bytes,
    value: (list) => valueBytes(list) + savedBytes(list, true) + gradientBytes(list) || null },
  { id: "activations", name: "Memory: values", log: true, show: bytes,
    value: (list) => valueBytes(list) || null },
  { id: "saved", name: "Memory: kept for backward", log: true, show: bytes,
    value: (list) => savedBytes(list) || null },
  { id: "gradients", name: "Memory: gradients", log: true, show: bytes,
    value: (list) => gradientBytes(list) || null },
  { id: "flops", name: "FLOPs", log: true, show: grouped,
    value: (list) => some(list, (n) => n.flops) },
  { id: "time", name: "Time", show: seconds,
    value: (list) => some(list, (n) => (n.seconds === undefined ? n.seconds
      : n.seconds + (n.backward_seconds || 0))) },
  { id: "forward", name: "Time: forward", show: seconds,
    value: (list) => some(list, (n) => n.seconds) },
  { id: "backward", name: "Time: backward", show: seconds,
    value: (list) => some(list, (n) => n.backward_seconds) },
  { id: "gradient", name: "Gradient norm: values", log: true, show: number,
    value: (list) => most(list, (n) => (COMPUTED.has(n.kind) || n.kind === "input")
      && n.grad && finite(n.grad.norm)) || null },
  { id: "parameter_norm", name: "Gradient norm: parameters", log: true, show: number,
    value: (list) => Math.sqrt(sum(list, (n) => (n.kind === "parameter" && n.grad
      ? (finite(n.grad.norm) || 0) ** 2 : 0))) || null },
  { id: "dead", name: "Dead units", show: percent, range: [0, 1],
    value: (list) => most(list, (n) => (COMPUTED.has(n.kind) && n.stats ? n.stats.dead : null)) },
  { id: "saturated", name: "Saturated units", show: percent, range: [0, 1],
    value: (list) => most(list, (n) => (n.stats ? n.stats.saturated : null)) },
  { id: "nan", name: "NaN and Inf", classes: nanClasses },
  { id: "gradcheck", name: "Gradient check", classes: verdictClasses },
];

// A node with the parameters in its card; everything in a box.
function partsOf(item) {
  const members = isBox(item) ? item.members : [item];
  return members.flatMap((n) => [n, ...n.rows]);
}

function valueBytes(list) {
  return sum(list, (n) => (n.kind === "op" && !n.inplace ? n.bytes : 0));
}

function gradientBytes(list) {
  return sum(list, (n) => (n.grad ? n.bytes : 0));
}

// Memory that several saved values share counts once; `own` leaves out what is a node's value.
function savedBytes(list, own = false) {
  const blocks = new Map();
  for (const kept of list.flatMap((n) => n.saved || []).filter((v) => !own || !v.of)) {
    const key = kept.memory === undefined ? kept : kept.memory;
    blocks.set(key, Math.max(blocks.get(key) || 0, kept.bytes));
  }
  return [...blocks.values()].reduce((a, b) => a + b, 0);
}

function strange(stats) {
  return Boolean(stats && (stats.nan || stats.inf));
}

// Where the first NaN or Inf came from: a node that has one though none of its inputs has.
function nanOrigins(model) {
  const found = new Set();
  for (const node of model.nodes.values()) {
    const clean = node.ins.every((e) => !strange(model.nodes.get(e.source).stats));
    if (strange(node.stats) && clean) found.add(node.id);
    const later = node.outs.filter((e) => e.gradient).map((e) => model.nodes.get(e.target));
    if (strange(node.grad) && !later.some((n) => strange(n.grad))) found.add(node.id);
  }
  return found;
}

function nanClasses(model) {
  if (![...model.nodes.values()].some((n) => n.stats || n.grad)) return null;
  const origins = nanOrigins(model);
  return { names: ["origin of NaN or Inf", "has NaN or Inf", "its gradient has", "finite"],
    colours: ["#b30000", "#fc8d59", "#fdd49e", "#d9e6f2"],
    of: (list) => {
      if (list.some((n) => origins.has(n.id))) return 0;
      if (list.some((n) => strange(n.stats))) return 1;
      if (list.some((n) => strange(n.grad))) return 2;
      return list.some((n) => n.stats) ? 3 : null;
    } };
}

function verdictClasses(model) {
  if (![...model.nodes.values()].some((n) => n.verdict)) return null;
  return { names: ["wrong", "right", "not checked"], colours: ["#b30000", "#a6dba0", "#e0e0e0"],
    of: (list) => {
      const said = list.map((n) => n.verdict).filter(Boolean);
      if (!said.length) return null;
      if (said.some((v) => v.startsWith("wrong"))) return 0;
      return said.includes("ok") ? 1 : 2;
    } };
}

// Returns { colour(item), legend } for the items that are shown; null if there are no data.
function makePaint(model, mode, items) {
  if (mode.id === "kind") return { colour: () => null, kinds: true };
  if (mode.classes) {
    const classes = mode.classes(model);
    if (!classes) return null;
    return { classes, colour: (item) => {
      const k = classes.of(partsOf(item));
      return k === null ? null : classes.colours[k];
    } };
  }
  const values = new Map(items.map((item) => [item.id, mode.value(partsOf(item))]));
  const known = [...values.values()].filter((v) => v !== null && v !== undefined);
  if (!known.length) return null;
  let [low, high] = mode.range || [Math.min(...known), Math.max(...known)];
  const positive = known.filter((v) => v > 0);
  const log = mode.log && positive.length && high / Math.min(...positive) > 30;
  if (log) low = Math.min(...positive);
  else if (!mode.range) low = 0;
  const place = (v) => {
    if (high <= low) return 1;
    if (log) return v <= 0 ? 0 : (Math.log(v) - Math.log(low)) / (Math.log(high) - Math.log(low));
    return (v - low) / (high - low);
  };
  const middle = log ? Math.sqrt(low * high) : (low + high) / 2;
  return { low, high, middle, log, mode, values, colour: (item) => {
    const v = values.get(item.id);
    return v === null || v === undefined ? null : shade(place(v));
  } };
}

function hasData(model, mode) {
  return makePaint(model, mode, [...model.nodes.values()].filter((n) => !n.host)) !== null;
}

function shade(share, stops = STOPS) {
  const at = Math.max(0, Math.min(1, share)) * (stops.length - 1);
  const k = Math.min(stops.length - 2, Math.floor(at));
  const [a, b] = [rgb(stops[k]), rgb(stops[k + 1])];
  const mixed = a.map((v, i) => Math.round(v + (b[i] - v) * (at - k)));
  return `#${mixed.map((v) => v.toString(16).padStart(2, "0")).join("")}`;
}

function rgb(colour) {
  return [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
}

// Black or white, whichever can be read on a colour (by WCAG's relative luminance).
function inkOn(colour) {
  const [r, g, b] = rgb(colour).map((v) => {
    const s = v / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000000" : "#ffffff";
}

function drawLegend(place, { model, paint, mode, items }) {
  place.replaceChildren();
  if (paint.kinds) {
    const kinds = new Set([...model.nodes.values()].map((n) => n.kind));
    for (const kind of Object.keys(KIND_NAMES).filter((k) => kinds.has(k))) {
      place.append(h("span", { class: `key kind-${kind}` }, h("i"), KIND_NAMES[kind]));
    }
    if (items.some(isBox)) {
      place.append(h("span", { class: "key kind-module folded" }, h("i"), "collapsed box"));
    }
    const notes = [];
    if (model.edges.some((e) => !e.gradient)) notes.push("dotted line: no gradient");
    if (items.some((n) => n.inplace)) notes.push("thick border: in place");
    place.append(h("span", { class: "muted" }, notes.join(" · ")));
    return;
  }
  place.append(h("b", {}, mode.name));
  if (paint.classes) {
    paint.classes.names.forEach((name, k) => {
      const dot = h("i", { style: `background:${paint.classes.colours[k]}` });
      place.append(h("span", { class: "key" }, dot, name));
    });
  } else {
    const bar = h("i", { class: "scale", style: `background:linear-gradient(to right,${STOPS})` });
    const ticks = [paint.low, paint.middle, paint.high].map((v) => h("span", {}, mode.show(v)));
    place.append(h("div", {}, bar, h("div", { class: "ticks" }, ...ticks)));
    if (paint.log) place.append(h("span", { class: "muted" }, "logarithmic"));
  }
  place.append(h("span", { class: "key none" }, h("i"), "no number"));
}
