// Numbers as people read them, and a short way to make elements.

function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((c) => c !== null && c !== undefined && c !== ""));
  return made;
}

function s(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// JSON has no NaN and Inf: they come as text.
function finite(value) {
  return typeof value === "number" ? value : null;
}

function number(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return String(value);
  if (typeof value === "string") {
    return { nan: "NaN", inf: "Inf", "-inf": "−Inf" }[value] || value;
  }
  if (value === 0) return "0";
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return minus(String(value));
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) {
    const [digits, power] = value.toExponential(2).split("e");
    return minus(`${parseFloat(digits)}e${parseInt(power, 10)}`);
  }
  return minus(String(parseFloat(value.toPrecision(4))));
}

function minus(text) {
  return text.replace(/-/g, "−");
}

function grouped(value) {
  if (value === null || value === undefined) return "–";
  return String(Math.round(value)).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let k = 0;
  let left = value;
  while (left >= 1024 && k < units.length - 1) {
    left /= 1024;
    k += 1;
  }
  return `${k ? parseFloat(left.toPrecision(3)) : Math.round(left)} ${units[k]}`;
}

function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 1) return `${parseFloat(value.toPrecision(3))} s`;
  if (value >= 1e-3) return `${parseFloat((value * 1e3).toPrecision(3))} ms`;
  return `${parseFloat((value * 1e6).toPrecision(3))} µs`;
}

function percent(value) {
  return `${parseFloat((100 * value).toPrecision(3))} %`;
}
