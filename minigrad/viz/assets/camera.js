// Pan and zoom: the scene's group is moved and scaled.

class Camera {
  constructor(svg, moved) {
    this.svg = svg;
    this.x = 0;
    this.y = 0;
    this.k = 1;
    this.moved = moved;
    this.dragged = false;
    svg.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    svg.addEventListener("pointerdown", (event) => this.grab(event));
  }

  apply() {
    const layer = this.svg.querySelector("#scene");
    if (layer) layer.setAttribute("transform", `translate(${this.x} ${this.y}) scale(${this.k})`);
    this.moved();
  }

  size() {
    return [this.svg.clientWidth || 1, this.svg.clientHeight || 1];
  }

  // The whole scene, at most at its natural size; a long one begins at its beginning, readable.
  fit(scene, whole = false) {
    const [w, h] = this.size();
    const all = Math.min(w / (scene.w + 48), h / (scene.h + 48));
    const across = scene.flip ? h / (scene.h + 48) : w / (scene.w + 48);
    this.k = Math.min(1, whole ? all : Math.max(all, Math.min(across, 0.75)));
    const start = (space, size) => Math.max((space - size * this.k) / 2, 24 * this.k);
    this.x = whole || !scene.flip ? (w - scene.w * this.k) / 2 : start(w, scene.w);
    this.y = start(h, scene.h);
    this.apply();
  }

  zoom(factor, x = this.size()[0] / 2, y = this.size()[1] / 2) {
    const k = Math.max(0.02, Math.min(8, this.k * factor));
    this.x = x - ((x - this.x) * k) / this.k;
    this.y = y - ((y - this.y) * k) / this.k;
    this.k = k;
    this.apply();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.apply();
  }

  wheel(event) {
    event.preventDefault();
    const box = this.svg.getBoundingClientRect();
    const lines = event.deltaMode === 1 ? 16 : 1;
    this.zoom(Math.exp(-event.deltaY * lines * 0.0015), event.clientX - box.left,
      event.clientY - box.top);
  }

  grab(event) {
    if (event.button !== 0) return;
    const start = [event.clientX, event.clientY];
    let last = start;
    this.dragged = false;
    const move = (e) => {
      if (Math.hypot(e.clientX - start[0], e.clientY - start[1]) > 4) this.dragged = true;
      if (this.dragged) this.pan(e.clientX - last[0], e.clientY - last[1]);
      last = [e.clientX, e.clientY];
    };
    const end = () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
      window.removeEventListener("pointercancel", end);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", end);
  }

  // Bring a rectangle of the scene into view, moving no more than needed.
  show(x, y, w, h) {
    const [width, height] = this.size();
    const margin = 20;
    if (this.k < 0.45) this.k = 0.8;
    const left = x * this.k + this.x;
    const top = y * this.k + this.y;
    const right = left + w * this.k;
    const bottom = top + h * this.k;
    if (left < margin) this.x += margin - left;
    else if (right > width - margin) this.x -= right - width + margin;
    if (top < margin) this.y += margin - top;
    else if (bottom > height - margin) this.y -= bottom - height + margin;
    this.apply();
  }
}

// The current view as a file of its own: styles are written into the elements.
function exportSvg(app) {
  const [w, h] = app.camera.size();
  const copy = app.svg.cloneNode(true);
  const live = app.svg.querySelectorAll("*");
  copy.querySelectorAll("*").forEach((element, k) => {
    const style = getComputedStyle(live[k]);
    for (const name of ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin",
      "paint-order", "opacity",
      "font-family", "font-size", "font-weight", "font-style", "text-anchor"]) {
      const value = style.getPropertyValue(name);
      if (value) element.setAttribute(name, value);
    }
    for (const name of ["class", "style", "tabindex", "role"]) element.removeAttribute(name);
  });
  copy.querySelectorAll("[fill='none'][stroke='none']").forEach((element) => element.remove());
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("viewBox", `0 0 ${w} ${h}`);
  copy.setAttribute("width", w);
  copy.setAttribute("height", h);
  for (const name of ["class", "tabindex", "id"]) copy.removeAttribute(name);
  const page = getComputedStyle(document.documentElement).getPropertyValue("--page").trim();
  copy.insertBefore(s("rect", { width: w, height: h, fill: page }), copy.firstChild);
  return new XMLSerializer().serializeToString(copy);
}

function download(name, content) {
  const url = URL.createObjectURL(new Blob([content], { type: "image/svg+xml" }));
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
