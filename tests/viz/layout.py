"""What the browser checks of a layout: no overlaps, no text that runs out, no line over a card."""

LAYOUT = r"""(() => {
  const faults = [];
  const cards = [...app.scene.cards.values()].map((c) => ({ c, x: c.x + c.ox, y: c.y + c.oy }));
  const apart = (a, b) => a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y
    || b.y + b.h <= a.y;
  const slots = cards.map(({ c }) => ({ x: c.x, y: c.y, w: c.w, h: c.h, name: c.title }));
  slots.forEach((a, k) => slots.slice(k + 1).forEach((b) => {
    if (!apart(a, b)) faults.push(`${a.name} overlaps ${b.name}`);
  }));
  const frames = [...app.scene.frames.values()].filter((f) => f.box.parent);
  for (const f of frames) {
    for (const item of f.items) {
      const inside = item.x >= f.x && item.y >= f.y + 20 && item.x + item.w <= f.x + f.w
        && item.y + item.h <= f.y + f.h;
      if (!inside) faults.push(`${item.title} sticks out of ${f.title}`);
    }
    f.items.forEach((a, k) => f.items.slice(k + 1).forEach((b) => {
      if (!apart(a, b)) faults.push(`${a.title} overlaps ${b.title} in ${f.title}`);
    }));
    const title = app.svg.querySelector(`.boxtitle[data-id="${CSS.escape(f.id)}"]`).getBBox();
    if (title.x + title.width > f.x + f.w) faults.push(`title of ${f.title} is too long`);
  }
  for (const { c, x, y } of cards) {
    for (const text of c.group.querySelectorAll("text:not(.label)")) {
      const box = text.getBBox();
      if (box.x < x || box.x + box.width > x + c.cw) faults.push(`${text.textContent} runs out`);
    }
    const label = c.group.querySelector(".label");
    if (label) {
      const box = label.getBBox();
      for (const { c: other, x: ox, y: oy } of cards) {
        if (!apart({ x: box.x, y: box.y, w: box.width, h: box.height },
          { x: ox, y: oy, w: other.cw, h: other.ch })) faults.push(`label ${c.label} overlaps`);
      }
    }
  }
  for (const line of app.scene.connections) {
    const path = line.group.querySelector(".stroke");
    const length = path.getTotalLength();
    for (let at = 0; at <= length; at += 5) {
      const p = path.getPointAtLength(at);
      for (const { c, x, y } of cards) {
        if (c.item === line.from || c.item === line.to) continue;
        if (p.x > x + 1 && p.x < x + c.cw - 1 && p.y > y + 1 && p.y < y + c.ch - 1) {
          faults.push(`the line ${line.from.id} to ${line.to.id} crosses ${c.title}`);
          at = length;
        }
      }
    }
  }
  return [...new Set(faults)];
})()"""
