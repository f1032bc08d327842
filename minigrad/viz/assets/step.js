// Stepping through forward and backward: what happens in one step, with its numbers and its reason.

function buildSteps(model) {
  const nodes = [...model.nodes.values()];
  const steps = nodes.filter((n) => COMPUTED.has(n.kind) || n.kind === "input"
    || isResult(n)).map((node) => ({ phase: "forward", node }));
  const starts = nodes.filter((n) => isResult(n)
    && n.ins.some((e) => e.gradient && model.nodes.get(e.source).grad));
  const sent = nodes.filter((n) => COMPUTED.has(n.kind) && (n.grad
    ? n.ins.some((e) => e.gradient) : n.error && n.phase === "backward")).reverse();
  const leaves = nodes.filter((n) => !COMPUTED.has(n.kind) && n.grad
    && !isResult(n));
  for (const node of starts) steps.push({ phase: "backward", kind: "start", node });
  for (const node of sent) steps.push({ phase: "backward", kind: "op", node });
  for (const node of leaves) steps.push({ phase: "backward", kind: "leaf", node });
  for (const phase of ["forward", "backward"]) {
    const part = steps.filter((step) => step.phase === phase);
    part.forEach((step, k) => {
      step.name = `${phase === "forward" ? "Forward" : "Backward"} ${k + 1} of ${part.length}`;
    });
  }
  return steps;
}

function isResult(node) {
  return node.kind === "output" || node.kind === "loss";
}

function showStep(place, app, step) {
  const { node } = step;
  place.replaceChildren(h("h2", { class: step.phase }, `${step.name}: ${titleOf(node)}`));
  if (node.error) place.append(h("p", { class: "error" }, node.error));
  if (step.phase === "forward") showForward(place, app, node);
  else if (step.kind === "start") showStart(place, app, node);
  else if (step.kind === "leaf") showLeaf(place, app, node);
  else showBackward(place, app, node);
}

function showForward(place, app, node) {
  if (node.kind === "input") {
    place.append(h("p", {}, "An input of the run."));
  } else if (node.ins.length) {
    const options = (node.options || []).map(([k, v]) => `${k}=${v}`);
    const given = [...node.ins.map((e) => argument(app, e)), ...options].join(", ");
    if (COMPUTED.has(node.kind)) place.append(h("pre", {}, `${node.label}(${given})`));
    place.append(h("h3", {}, "From"));
    for (const edge of node.ins) {
      place.append(named(app, edge.name, app.model.nodes.get(edge.source)));
    }
  }
  if (node.stats) {
    place.append(h("h3", {}, "Result"), caption(shapeText(node.shape, node.dtype)),
      numbers(node.stats, node.shape));
  }
  if (node.saved) {
    place.append(h("h3", {}, "Kept for backward"), h("p", {}, keptText(app, node)));
  }
  source(place, node);
}

function argument(app, edge) {
  const node = app.model.nodes.get(edge.source);
  const name = COMPUTED.has(node.kind) && edge.name ? edge.name : titleOf(node);
  return edge.name && name !== edge.name ? `${edge.name}=${name}` : name;
}

function source(place, node) {
  if (!node.code) return;
  place.append(h("h3", {}, "Your line"), h("pre", {}, node.code), caption(node.source));
}

function caption(words) {
  return h("p", { class: "muted" }, words);
}

// A value under its name, with its numbers folded away if they are many.
function named(app, name, node) {
  const head = h("summary", {}, h("code", {}, name || titleOf(node)), " = ", jump(app, node), " ",
    shapeText(node.shape, node.dtype));
  const part = h("details", { open: node.stats && node.stats.values ? "" : null }, head);
  if (node.stats) part.append(numbers(node.stats, node.shape));
  return part;
}

function showStart(place, app, node) {
  const starts = app.steps.filter((step) => step.kind === "start");
  place.append(h("p", {}, starts.length === 1 && !(node.shape && node.shape.length)
    ? "Backward begins here: L is this value, and the derivative of a value with respect to itself "
      + "is 1." : "Backward begins here: L is the sum of all elements of the results, so the "
      + "derivative with respect to each element of this one is 1."));
  const before = app.model.nodes.get(node.ins[0].source);
  place.append(h("h3", {}, "It is handed to"), h("p", {}, jump(app, before)));
  if (contributions(before).length > 1) {
    place.append(caption("which adds what the other uses of its result send"));
  }
}

function contributions(node) {
  return node.outs.filter((e) => e.gradient);
}

function hasSeveral(node) {
  return Boolean(node.outputs && node.outputs.length > 1);
}

// The gradient at a node and, if several ops use its value, what each of them sent.
function showArrived(place, app, node) {
  place.append(numbers(node.grad, node.shape));
  const parts = contributions(node);
  if (hasSeveral(node)) {
    place.append(h("p", {}, "This is that of its first result; its results' uses sent:"));
  } else if (parts.length > 1) {
    place.append(h("p", {}, `It is the sum of ${parts.length} contributions, one from each use:`));
  } else {
    return;
  }
  for (const edge of parts) place.append(sentAlong(app, edge, "target"));
}

function sentAlong(app, edge, end) {
  const other = app.model.nodes.get(edge[end]);
  const source = app.model.nodes.get(edge.source);
  const alone = contributions(source).filter((e) => (e.output || 0) === (edge.output || 0))
    .length === 1;
  const stats = edge.grad || (alone && !hasSeveral(source) ? source.grad : null);
  const through = edge.name ? ` through its ${edge.name}` : ", the result itself";
  const words = end === "target" ? [jump(app, other), through]
    : [h("code", {}, `∂L/∂${edge.name}`), " to ", jump(app, other)];
  const norm = stats || edge.grad_norm === undefined ? "" : `: norm ${number(edge.grad_norm)}`;
  const part = h("details", { open: stats && (stats.values || end === "source") ? "" : null },
    h("summary", {}, ...words, norm));
  if (stats) part.append(numbers(stats, edge.shape));
  if (end === "source" && !alone) {
    part.append(caption("it is added to what the other uses of this value send"));
  }
  return part;
}

function showLeaf(place, app, node) {
  const end = node.kind === "parameter" ? ": what an optimizer's step uses as .grad." : ".";
  place.append(h("p", {}, `The complete gradient of ${node.label}${end}`));
  showArrived(place, app, node);
  const parts = contributions(node);
  if (parts.length === 1) {
    const by = app.model.nodes.get(parts[0].target);
    place.append(h("p", {}, "It was sent by ", jump(app, by), "."));
  }
}

function showBackward(place, app, node) {
  if (!node.grad) return;
  place.append(h("h3", {}, "1. The gradient that arrives"));
  place.append(h("p", {}, h("code", {}, "g = ∂L/∂y"),
    ` for its result y, ${shapeText(node.shape)}`));
  showArrived(place, app, node);
  place.append(h("h3", {}, "2. The rule"), rules(app, node));
  place.append(h("h3", {}, "3. What the rule uses"));
  const used = usedValues(app, node);
  place.append(...used.length ? used : [caption("nothing but g")]);
  place.append(h("h3", {}, "4. What it sends back"));
  const sent = node.ins.filter((e) => e.gradient);
  for (const edge of sent) place.append(sentAlong(app, edge, "source"));
  for (const edge of node.ins.filter((e) => !e.gradient && e.stop)) {
    place.append(caption(`${edge.name}: nothing (${edge.stop})`));
  }
  source(place, node);
}

// "lambda g, other: g * other" is the rule g * other of the names g and other.
function parsedRule(words) {
  const match = /^lambda ([^:]*): (.*)$/s.exec(words);
  return match ? { names: match[1].split(", "), body: match[2] } : { names: [], body: words };
}

function rules(app, node) {
  const formulas = app.model.formulas[node.label] || {};
  const list = h("dl", { class: "rules" });
  const wanted = new Set(node.ins.filter((e) => e.gradient).map((e) => baseName(e.name)));
  const written = new Map((node.rules || []).map(([name, rule]) => [name, parsedRule(rule).body]));
  for (const name of wanted) {
    const formula = formulas[name] || written.get(name) || written.get("backward");
    if (!formula) continue;
    list.append(h("dt", {}, `∂L/∂${name} =`), h("dd", {}, h("code", {}, formula)));
    if (formulas[name] && written.get(name) && /^lambda/.test(written.get(name)) === false) {
      list.append(h("dd", { class: "muted" }, "in the code: ", h("code", {}, written.get(name))));
    }
  }
  if (!list.children.length) list.append(h("dd", { class: "muted" }, "no rule is written down"));
  return list;
}

function baseName(name) {
  return name.replace(/\[\d+\]$/, "");
}

function usedValues(app, node) {
  const inputs = new Map(node.ins.map((e) => [e.name, e]));
  const saved = new Map((node.saved || []).map((v) => [v.name, v]));
  const wanted = new Set(node.ins.filter((e) => e.gradient).map((e) => baseName(e.name)));
  const lambdas = (node.rules || []).filter(([name]) => wanted.has(name) || name === "backward")
    .map(([, rule]) => parsedRule(rule));
  const names = new Set(lambdas.flatMap((rule) => rule.names));
  // A rule that is a function of its own does not show its names: what is kept tells them.
  if (!lambdas.length || lambdas.some((rule) => !rule.names.length)) {
    for (const name of saved.keys()) names.add(name);
  }
  names.delete("g");
  const options = new Map(node.options || []);
  const found = [];
  for (const name of names) {
    if (name === "y") found.push(named(app, "y", node));
    else if (inputs.has(name)) {
      found.push(named(app, name, app.model.nodes.get(inputs.get(name).source)));
    } else if (options.has(name)) found.push(plainFact(name, options.get(name)));
    else if (saved.has(name)) found.push(keptAlone(name, saved.get(name)));
    else if (name.endsWith("_shape") && inputs.has(name.slice(0, -6))) {
      found.push(plainFact(name, shapeText(inputs.get(name.slice(0, -6)).shape)));
    }
  }
  return found;
}

function keptAlone(name, value) {
  const words = `${shapeText(value.shape, value.dtype)}, computed in forward and kept`;
  if (!value.stats) return plainFact(name, words);
  return h("details", { open: value.stats.values ? "" : null },
    h("summary", {}, h("code", {}, name), ` = ${words}`), numbers(value.stats, value.shape));
}

function plainFact(name, words) {
  return h("p", {}, h("code", {}, name), ` = ${words}`);
}
