"use strict";
// The recorded graph as the page uses it: nodes with their edges, and a tree of boxes.
// A box is one call of a module; long runs inside one box are bundled into boxes of their own.

const BUNDLE = 120; // children of one box before runs of them are bundled
const COMPUTED = new Set(["op", "view", "error", "module"]);

function buildModel(data) {
  const modules = new Map(data.modules.map((m) => [m.path, { calls: 1, parent: null, ...m }]));
  const nodes = new Map();
  data.nodes.forEach((raw, index) => {
    nodes.set(raw.id, { ...raw, index, ins: [], outs: [], rows: [], host: null });
  });
  const edges = data.edges.map((raw) => ({ ...raw }));
  for (const edge of edges) {
    nodes.get(edge.source).outs.push(edge);
    nodes.get(edge.target).ins.push(edge);
  }
  const model = { data, modules, nodes, edges, boxes: new Map(), formulas: data.formulas || {} };
  model.root = { id: "box:", parent: null, children: [], title: "", module: null, index: 0 };
  attachRows(model);
  for (const node of nodes.values()) {
    if (!node.host) place(model, node);
  }
  makeCards(model, model.root);
  gatherUnused(model, model.root);
  bundle(model, model.root);
  finish(model, model.root, 0);
  return model;
}

// A parameter, buffer or constant that one op alone uses is a row in that op's card.
function attachRows(model) {
  for (const node of model.nodes.values()) {
    if (!["parameter", "buffer", "constant"].includes(node.kind)) continue;
    const users = new Set(node.outs.filter((e) => e.kind !== "update").map((e) => e.target));
    for (const edge of node.ins) users.add(edge.source); // a buffer that its op updates
    if (users.size !== 1) continue;
    const user = model.nodes.get([...users][0]);
    if (!COMPUTED.has(user.kind)) continue;
    node.host = user;
    user.rows.push(node);
  }
}

// The modules around a node, outermost first, as far as the node lies in one single call of them.
function chainOf(model, node) {
  const around = [];
  for (let path = node.module; path !== undefined && path !== null;) {
    const module = model.modules.get(path);
    if (!module) break;
    around.unshift(module);
    path = module.parent;
  }
  const calls = new Map(node.call || []);
  const chain = [];
  let key = "box:";
  let times = 1; // how many repeats it stands for
  for (const module of around) {
    const call = calls.get(module.path);
    const shared = !COMPUTED.has(node.kind) && (module.count || 1) > (node.count || 1);
    if ((module.calls > 1 && call === undefined) || shared) break; // it belongs to all: outside
    key += `/${module.path}${call === undefined ? "" : `#${call}`}`;
    chain.push({ key, module, call, times });
    times *= module.count || 1;
  }
  if (chain.length < around.length) { // its full name, as its module's box is not around it
    const inner = chain.length ? `${chain[chain.length - 1].module.path}.` : "";
    const path = `${around[around.length - 1].path}.${node.label}`;
    node.title = path.startsWith(inner) ? path.slice(inner.length) : path;
  }
  return chain;
}

function place(model, node) {
  let box = model.root;
  for (const { key, module, call, times } of chainOf(model, node)) {
    if (!model.boxes.has(key)) {
      const made = { id: key, parent: box, children: [], module, call, index: node.index };
      made.title = boxTitle(module, call, times);
      model.boxes.set(key, made);
      box.children.push(made);
    }
    box = model.boxes.get(key);
  }
  node.parent = box;
  box.children.push(node);
}

function boxTitle(module, call, times) {
  const name = module.name ? `${module.name}: ${module.kind}` : module.kind;
  const notes = [];
  if (call !== undefined && times === 1) notes.push(`call ${call} of ${module.calls}`);
  else if (call !== undefined && times === module.calls) notes.push(`called ${times} times`);
  else if (call !== undefined) notes.push(`from call ${call} of ${module.calls} on`);
  if (module.same_as) notes.push(`same as ${module.same_as}`);
  return [name, ...notes].join(", ");
}

// A call that holds one op alone needs no box: the op becomes a card with the layer's title.
function makeCards(model, box) {
  for (const child of box.children.filter(isBox)) makeCards(model, child);
  box.children = box.children.map((child) => {
    if (!isBox(child) || child.children.length !== 1 || isBox(child.children[0])) return child;
    const node = child.children[0];
    if (!COMPUTED.has(node.kind) || node.card) return child;
    if (!child.module.kind.startsWith("×")) node.card = child; // the node has its count itself
    node.parent = box;
    model.boxes.delete(child.id);
    return node;
  });
}

// What nothing uses would stand around: several of them share a box.
function gatherUnused(model, box) {
  for (const child of box.children.filter(isBox)) gatherUnused(model, child);
  const idle = box.children.filter((n) => !isBox(n) && !n.ins.length && !n.outs.length);
  if (idle.length < 3) return;
  const made = { id: `${box.id}/unused`, parent: box, children: idle, module: null,
    title: `${idle.length} not used`, index: idle[0].index, closed: true };
  for (const node of idle) node.parent = made;
  model.boxes.set(made.id, made);
  box.children = [...box.children.filter((n) => !idle.includes(n)), made];
}

// Successive children in boxes of their own, level upon level, until no box has too many.
function bundle(model, box) {
  for (const child of box.children.filter(isBox)) bundle(model, child);
  while (box.children.length > BUNDLE) {
    const size = Math.max(12, Math.ceil(box.children.length / BUNDLE));
    const made = [];
    for (let k = 0; k < box.children.length; k += size) {
      const part = box.children.slice(k, k + size);
      const id = `${box.id}/run${part[0].index}-${box.children.length}`;
      const run = { id, parent: box, children: part, module: null, index: part[0].index };
      for (const child of part) child.parent = run;
      model.boxes.set(id, run);
      made.push(run);
    }
    box.children = made;
  }
}

function finish(model, box, depth) {
  box.depth = depth;
  box.members = [];
  for (const child of box.children) {
    if (isBox(child)) {
      finish(model, child, depth + 1);
      for (const node of child.members) box.members.push(node);
    } else {
      box.members.push(child);
    }
  }
  if (!box.module && box.parent && !box.title) {
    const ops = box.members.filter((n) => COMPUTED.has(n.kind));
    const names = [...new Set(ops.map((n) => n.label))];
    const shown = names.length > 3 ? `${names.slice(0, 3).join(", ")} …` : names.join(", ");
    box.title = `${ops.length} ops: ${shown}`;
  }
  box.error = (box.module && box.module.error) || (box.members.find((n) => n.error) || {}).error;
}

function isBox(item) {
  return item.children !== undefined;
}

// The title of a node and what stands below it.
function titleOf(node) {
  if (node.card) return node.card.title;
  return node.title || node.label;
}

function subtitleOf(node) {
  const notes = [];
  if (node.card) {
    const given = node.card.module.arguments;
    const kind = node.card.module.kind.toLowerCase();
    if (node.label.replace(/_/g, "") !== kind) notes.push(node.label);
    if (given) notes.push(given);
  }
  if (node.count > 1) notes.push(`× ${node.count}`);
  if (node.note) notes.push(node.note);
  return notes.join(" · ");
}

function shapeText(shape, dtype) {
  const size = shape && shape.length ? shape.join("×") : "scalar";
  return !dtype || dtype === "float32" ? size : `${size} ${dtype}`;
}

// What is drawn for a node: itself, the card it is a row of, or the outermost collapsed box.
function shownItem(node, collapsed) {
  const host = node.host || node;
  let shown = host;
  for (let box = host.parent; box; box = box.parent) {
    if (collapsed.has(box.id)) shown = box;
  }
  return shown;
}

// Open boxes from the outside in as long as the picture stays small; collapse the rest.
function firstCollapsed(model, most) {
  const collapsed = new Set();
  let count = model.root.children.length;
  const queue = model.root.children.filter(isBox);
  while (queue.length) {
    const box = queue.shift();
    if (box.closed || count + box.children.length > most) {
      collapsed.add(box.id);
    } else {
      count += box.children.length;
      queue.push(...box.children.filter(isBox));
    }
  }
  // Boxes below a collapsed one are collapsed too, so that opening one stays readable.
  for (const box of model.boxes.values()) {
    if (box.parent && collapsed.has(box.parent.id)) collapsed.add(box.id);
  }
  return collapsed;
}

function closeBelow(model, box, collapsed) {
  for (const child of box.children.filter(isBox)) {
    collapsed.add(child.id);
    closeBelow(model, child, collapsed);
  }
}
