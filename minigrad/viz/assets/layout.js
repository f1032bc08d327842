// A layered layout of one level: ranks by longest path, order by barycentre sweeps, positions by
// isotonic regression. Works from top to bottom; the caller swaps the axes for left to right.

const GAP = 22; // between neighbours of a rank
const LINE_GAP = 12; // beside a line that passes through a rank
const RANK_GAP = 26; // between ranks, for the curves
const PORT_GAP = 12;

// items: [{id, w, h, inX(value), outX(value)}]; segments: [{from, to, value}], where from may be
// "in:VALUE" and to "out:VALUE" (a line that crosses the border of the box).
function layoutLevel(items, segments) {
  const cells = new Map();
  for (const item of items) {
    cells.set(item.id, { id: item.id, w: item.w, h: item.h, item, ups: [], downs: [] });
  }
  for (const segment of segments) {
    for (const end of [segment.from, segment.to]) {
      if (!cells.has(end)) {
        cells.set(end, { id: end, w: 0, h: 0, port: true, ups: [], downs: [] });
      }
    }
  }
  const back = backSegments(cells, segments);
  const forward = segments.filter((s) => !back.has(s));
  rankCells(cells, forward);
  const { ranks, links, routes, chains } = insertLines(cells, forward);
  orderRanks(ranks);
  placeAcross(ranks, links);
  for (const chain of chains.values()) straighten(chain, ranks);
  return coordinates(cells, ranks, routes, [...back]);
}

// Segments against the direction of data (a module used, left and entered again) close cycles.
function backSegments(cells, segments) {
  const next = new Map([...cells.keys()].map((id) => [id, []]));
  for (const s of segments) next.get(s.from).push(s);
  const state = new Map();
  const back = new Set();
  for (const start of cells.keys()) {
    if (state.has(start)) continue;
    const stack = [[start, 0]];
    state.set(start, 1);
    while (stack.length) {
      const top = stack[stack.length - 1];
      const segment = next.get(top[0])[top[1]];
      top[1] += 1;
      if (segment === undefined) {
        state.set(top[0], 2);
        stack.pop();
      } else if (state.get(segment.to) === 1) {
        back.add(segment);
      } else if (!state.has(segment.to)) {
        state.set(segment.to, 1);
        stack.push([segment.to, 0]);
      }
    }
  }
  return back;
}

function rankCells(cells, segments) {
  const outs = new Map([...cells.keys()].map((id) => [id, []]));
  const waiting = new Map([...cells.keys()].map((id) => [id, 0]));
  for (const s of segments) {
    outs.get(s.from).push(s.to);
    waiting.set(s.to, waiting.get(s.to) + 1);
  }
  const entered = [...cells.keys()].some((id) => id.startsWith("in:"));
  const order = [...cells.keys()].filter((id) => waiting.get(id) === 0);
  const roots = new Set(order);
  for (const cell of cells.values()) cell.rank = entered && !cell.id.startsWith("in:") ? 1 : 0;
  for (let k = 0; k < order.length; k += 1) {
    for (const to of outs.get(order[k])) {
      const cell = cells.get(to);
      cell.rank = Math.max(cell.rank, cells.get(order[k]).rank + 1);
      waiting.set(to, waiting.get(to) - 1);
      if (waiting.get(to) === 0) order.push(to);
    }
  }
  // What nothing leads to (a shared weight, a constant) goes down to right above its first user.
  for (const id of [...order].reverse()) {
    const after = outs.get(id).map((to) => cells.get(to).rank);
    if (after.length && !id.startsWith("in:") && roots.has(id)) {
      cells.get(id).rank = Math.min(...after) - 1;
    }
  }
  const last = Math.max(0, ...[...cells.values()].filter((c) => !c.id.startsWith("out:"))
    .map((c) => c.rank));
  for (const cell of cells.values()) {
    if (cell.id.startsWith("out:")) cell.rank = last + 1;
  }
}

// Lines over several ranks get a cell in each; lines of one value from one source share them.
function insertLines(cells, segments) {
  const ranks = [];
  const put = (cell) => {
    while (ranks.length <= cell.rank) ranks.push([]);
    ranks[cell.rank].push(cell);
  };
  for (const cell of cells.values()) put(cell);
  const chains = new Map();
  const links = [];
  const known = new Set();
  const link = (a, b, value) => {
    const key = `${a.id}|${b.id}|${value}`;
    if (known.has(key)) return;
    known.add(key);
    const made = { a, b, value };
    a.downs.push(made);
    b.ups.push(made);
    links.push(made);
  };
  const routes = [];
  for (const segment of segments) {
    const from = cells.get(segment.from);
    const to = cells.get(segment.to);
    const key = `${segment.from}|${segment.value}`;
    if (!chains.has(key)) chains.set(key, []);
    const chain = chains.get(key);
    const path = [from];
    for (let rank = from.rank + 1; rank < to.rank; rank += 1) {
      const k = rank - from.rank - 1;
      if (!chain[k]) {
        chain[k] = { id: `line:${key}:${k}`, w: 0, h: 0, rank, line: true, ups: [], downs: [] };
        put(chain[k]);
        link(path[path.length - 1], chain[k], segment.value);
      }
      path.push(chain[k]);
    }
    link(path[path.length - 1], to, segment.value);
    path.push(to);
    routes.push({ segment, path });
  }
  return { ranks, links, routes, chains };
}

function orderRanks(ranks) {
  for (const rank of ranks) rank.forEach((cell, k) => { cell.at = k; });
  let best = ranks.map((rank) => [...rank]);
  let fewest = crossings(ranks);
  for (let sweep = 0; sweep < 10 && fewest > 0; sweep += 1) {
    const down = sweep % 2 === 0;
    const list = down ? ranks.slice(1) : ranks.slice(0, -1).reverse();
    for (const rank of list) sortRank(rank, down);
    const count = crossings(ranks);
    if (count < fewest) {
      fewest = count;
      best = ranks.map((rank) => [...rank]);
    }
  }
  ranks.forEach((rank, k) => {
    rank.splice(0, rank.length, ...best[k]);
    rank.forEach((cell, at) => { cell.at = at; });
  });
}

function sortRank(rank, down) {
  for (const cell of rank) {
    const ends = down ? cell.ups.map((l) => l.a.at + portShare(l.a, l.value, true))
      : cell.downs.map((l) => l.b.at + portShare(l.b, l.value, false));
    cell.key = ends.length ? ends.reduce((s, x) => s + x, 0) / ends.length : cell.at;
  }
  rank.sort((a, b) => a.key - b.key || a.at - b.at);
  rank.forEach((cell, k) => { cell.at = k; });
}

// Where in a box's width a port lies, from -0.5 to 0.5: ports of one box keep their order.
function portShare(cell, value, out) {
  return cell.w ? portOffset(cell, value, out) / cell.w : 0;
}

function portOffset(cell, value, out) {
  if (!cell.item) return 0;
  const find = out ? cell.item.outX : cell.item.inX;
  return find ? find(value) - cell.w / 2 : 0;
}

function crossings(ranks) {
  let count = 0;
  for (const rank of ranks) {
    const links = rank.flatMap((cell) => cell.downs);
    links.sort((p, q) => p.a.at - q.a.at || p.b.at - q.b.at);
    if (links.length > 400) continue; // a fan of that size is unreadable in any order
    for (let k = 0; k < links.length; k += 1) {
      for (let j = k + 1; j < links.length; j += 1) {
        if (links[j].a.at > links[k].a.at && links[j].b.at < links[k].b.at) count += 1;
      }
    }
  }
  return count;
}

function placeAcross(ranks, links) {
  for (const l of links) {
    l.weight = (l.a.line ? 3 : 1) * (l.b.line ? 3 : 1);
    l.shift = portOffset(l.a, l.value, true) - portOffset(l.b, l.value, false);
  }
  for (const rank of ranks) {
    let x = 0;
    rank.forEach((cell, k) => {
      x += k ? separation(rank[k - 1], cell) : 0;
      cell.x = x;
    });
    for (const cell of rank) cell.x -= x / 2;
  }
  for (let round = 0; round < 24; round += 1) {
    const down = round % 2 === 0;
    const both = round > 17;
    for (const rank of down ? ranks : [...ranks].reverse()) {
      for (const cell of rank) wish(cell, down || both, !down || both);
      settleRank(rank);
    }
  }
}

// Where a cell wants to be: the weighted mean of where its neighbours' lines come straight.
function wish(cell, up, down) {
  let sum = 0;
  let weight = 0;
  for (const l of up ? cell.ups : []) {
    sum += l.weight * (l.a.x + l.shift);
    weight += l.weight;
  }
  for (const l of down ? cell.downs : []) {
    sum += l.weight * (l.b.x - l.shift);
    weight += l.weight;
  }
  cell.want = weight ? sum / weight : cell.x;
  cell.weight = weight || 0.01;
}

function separation(a, b) {
  return (a.w + b.w) / 2 + (a.line || b.line || a.port || b.port ? LINE_GAP : GAP);
}

// The nearest positions to the wanted ones that keep order and distance: pool adjacent violators.
function settleRank(rank) {
  const blocks = [];
  let offset = 0;
  rank.forEach((cell, k) => {
    offset += k ? separation(rank[k - 1], cell) : 0;
    cell.offset = offset;
    let block = { sum: cell.weight * (cell.want - offset), weight: cell.weight, cells: [cell] };
    while (blocks.length && meanOf(blocks[blocks.length - 1]) >= meanOf(block)) {
      const before = blocks.pop();
      block = { sum: before.sum + block.sum, weight: before.weight + block.weight,
        cells: before.cells.concat(block.cells) };
    }
    blocks.push(block);
  });
  for (const block of blocks) {
    for (const cell of block.cells) cell.x = meanOf(block) + cell.offset;
  }
}

// Put as many successive pieces of a line as there is room for exactly below each other.
function straighten(chain, ranks) {
  let group = [];
  let low = -Infinity;
  let high = Infinity;
  const finish = () => {
    const sorted = group.map((cell) => cell.x).sort((a, b) => a - b);
    const middle = sorted[sorted.length >> 1];
    for (const cell of group) cell.x = Math.max(low, Math.min(high, middle));
  };
  for (const cell of chain) {
    const rank = ranks[cell.rank];
    const before = rank[cell.at - 1];
    const after = rank[cell.at + 1];
    const least = before ? before.x + separation(before, cell) : -Infinity;
    const most = after ? after.x - separation(cell, after) : Infinity;
    if (Math.max(low, least) > Math.min(high, most)) {
      finish();
      group = [];
      low = -Infinity;
      high = Infinity;
    }
    group.push(cell);
    low = Math.max(low, least);
    high = Math.min(high, most);
  }
  if (group.length) finish();
}

function meanOf(block) {
  return block.sum / block.weight;
}

function coordinates(cells, ranks, routes, back) {
  let left = Infinity;
  let right = -Infinity;
  for (const cell of ranks.flat()) {
    left = Math.min(left, cell.x - cell.w / 2);
    right = Math.max(right, cell.x + cell.w / 2);
  }
  if (!Number.isFinite(left)) {
    return { w: 0, h: 0, places: new Map(), routes: [], ports: new Map() };
  }
  let y = 0;
  ranks.forEach((rank, k) => {
    const height = Math.max(0, ...rank.map((cell) => cell.h));
    const thin = rank.every((cell) => cell.port || cell.line);
    for (const cell of rank) {
      cell.x -= left;
      cell.top = y;
      cell.bottom = y + height;
      cell.y = y + (height - cell.h) / 2;
    }
    if (k < ranks.length - 1) {
      const lines = rank.reduce((n, cell) => n + cell.downs.length, 0);
      y += height + (thin ? PORT_GAP : RANK_GAP + Math.min(30, 2 * lines));
    } else {
      y += height;
    }
  });
  const loops = back.length ? 26 + 8 * back.length : 0;
  const places = new Map();
  const ports = new Map();
  for (const cell of cells.values()) {
    if (cell.port) ports.set(cell.id, cell.x);
    else places.set(cell.id, { x: cell.x - cell.w / 2, y: cell.y });
  }
  const made = routes.map(({ segment, path }) => ({ segment, points: pathPoints(path, segment) }));
  back.forEach((segment, k) => {
    made.push({ segment, points: loopPoints(cells, segment, right - left + 14 + 8 * k) });
  });
  return { w: right - left + loops, h: y, places, routes: made, ports };
}

function pathPoints(path, segment) {
  return path.flatMap((cell, k) => {
    if (cell.line) return [[cell.x, cell.top], [cell.x, cell.bottom]];
    const last = k === path.length - 1;
    if (cell.port) return [[cell.x, last ? cell.bottom : cell.top]];
    const x = cell.x + portOffset(cell, segment.value, !last);
    // A node lower than its rank is reached, or left, by a straight line through the rest of it.
    if (last) return cell.y > cell.top ? [[x, cell.top], [x, cell.y]] : [[x, cell.y]];
    const end = cell.y + cell.h;
    return cell.bottom > end ? [[x, end], [x, cell.bottom]] : [[x, end]];
  });
}

function loopPoints(cells, segment, x) {
  const from = cells.get(segment.from);
  const to = cells.get(segment.to);
  return [[from.x, from.y + from.h], [x, from.y + from.h + 8], [x, to.y - 8], [to.x, to.y]];
}
