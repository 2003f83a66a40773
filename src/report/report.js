// SPDX-License-Identifier: Apache-2.0
// What the page of a run (html.cpp) can do with script on: sort, filter, fold and open the table's layers, zoom the timeline down to instructions.
"use strict";
(() => {
  const { $, element, button, whole, color } = page;
  const data = JSON.parse($("data").textContent);

  // ---- the table of layers
  const table = $("layers"), all = [...table.tBodies[0].rows];
  const is_block = (row) => row.classList.contains("block");
  const row_of = new Map(all.filter((row) => !is_block(row)).map((row) => [+row.id.slice(6), row]));
  const block_of = new Map();  // layer -> row of its block
  const folded = new Set(), opened = new Map();  // blocks; layer -> the row with its details
  const sorted = { name: "", up: true };
  for (const row of all.filter(is_block)) {
    folded.add(row);
    for (let i = 0; i < +row.dataset.count; i++) block_of.set(+row.dataset.first + i, row);
  }
  const matches = (row) => $("filter").value.trim().toLowerCase().split(/\s+/).every((word) => row.textContent.toLowerCase().includes(word));
  const fill = () => {
    const words = $("filter").value.trim() !== "", lists = sorted.name !== "" || words;
    const wanted = (row) => (is_block(row) ? !lists : lists ? !words || matches(row) : !folded.has(block_of.get(+row.id.slice(6))));
    const rows = page.sort_rows(table, all.filter(wanted), sorted);
    for (const row of all.filter(is_block)) row.querySelector("button").setAttribute("aria-expanded", String(!folded.has(row)));
    table.tBodies[0].replaceChildren(...rows.flatMap((row) => (opened.has(row.id) ? [row, opened.get(row.id)] : [row])));
    const shown = rows.filter((row) => !is_block(row)).length, blocks = rows.filter((row) => is_block(row) && folded.has(row));
    $("count").textContent = lists ? `${shown} of ${row_of.size} layers.`
      : blocks.length ? `${row_of.size} layers; repeated blocks are folded: ${row_of.size - shown} layers in ${blocks.length} rows.` : `${row_of.size} layers.`;
    $("fold").textContent = folded.size ? "unfold all" : "fold repeated blocks";
    $("fold").disabled = lists || block_of.size === 0;
  };
  const details = (i) => {
    const layer = data.layers[i], row = document.createElement("tr"), cell = row.insertCell();
    row.className = "details";
    cell.colSpan = table.tHead.rows[0].cells.length;
    cell.className = "why";
    for (const line of layer.about) cell.append(element("div", line));
    if (!layer.units) return row;
    const inner = cell.appendChild(document.createElement("table")), head = inner.createTHead().insertRow(), body = inner.createTBody();
    const causes = data.causes.map((_, c) => c).filter((c) => layer.units.some((unit) => unit[c] > 0));
    for (const [n, text] of ["cycles of this layer", ...causes.map((c) => data.causes[c])].entries()) {
      const th = head.appendChild(element("th", text, n ? "" : "left"));
      th.scope = "col";
    }
    layer.units.forEach((unit, u) => {
      const line = body.insertRow();
      line.append(Object.assign(element("th", data.units[u], "left"), { scope: "row" }));
      for (const c of causes) line.insertCell().textContent = whole(unit[c]);
    });
    return row;
  };
  // `wanted` true, or the other way round than it is.
  const open = (i, wanted = !opened.has(`layer-${i}`)) => {
    const row = row_of.get(i);
    if (!row) return;
    if (wanted) opened.set(row.id, details(i)); else opened.delete(row.id);
    row.querySelector("button").setAttribute("aria-expanded", String(wanted));
    row.classList.toggle("marked", wanted);
  };
  const go_to = (i) => {
    if (!row_of.has(i)) return;
    folded.delete(block_of.get(i));
    if (!matches(row_of.get(i))) $("filter").value = "";
    open(i, true);
    fill();
    row_of.get(i).scrollIntoView({ block: "nearest" });
    row_of.get(i).querySelector("button").focus({ preventScroll: true });
  };
  for (const row of all) {
    const cell = row.cells[0], name = cell.textContent;
    const pressed = is_block(row) ? () => (folded.delete(row) || folded.add(row)) : () => open(+row.id.slice(6));
    cell.replaceChildren(button(name, () => { pressed(); fill(); }));
    cell.firstChild.setAttribute("aria-expanded", "false");
  }
  page.sort_heads(table, sorted, fill, true);
  $("filter").addEventListener("input", fill);
  $("fold").addEventListener("click", () => {
    if (folded.size) folded.clear(); else for (const row of block_of.values()) folded.add(row);
    fill();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#layer-"]');
    if (!link) return;
    event.preventDefault();
    go_to(+link.getAttribute("href").slice(7));
  });
  // On paper there is nothing to unfold.
  window.addEventListener("beforeprint", () => { folded.clear(); fill(); });
  fill();
  if (location.hash.startsWith("#layer-")) go_to(+location.hash.slice(7));

  // ---- the timeline: bars of layers, and, of a run with a trace, what each unit did
  const line = $("timeline");
  if (!line) return;
  const cycles = data.cycles, view = { from: 0, to: cycles };
  const overlay = line.appendChild(element("div", "", "overlay")), cursor = element("i", "", "cursor"), shade = element("i", "", "shade");
  const rows = [...line.querySelectorAll(".row")].map((row) => {
    const layer = data.layers[+row.dataset.i];
    return { row, bar: row.querySelector(".track i"), first: layer.first, end: layer.last + 1, i: +row.dataset.i };
  });
  const ticks = [...line.querySelectorAll(".ticks span")];
  const LEAST = 20;  // cycles

  // Slices of each unit, in order of time: an instruction or a wait, and how many of its cycles belong to which group.
  const unpacked = () => {
    const bytes = Uint8Array.from(atob($("trace").textContent), (c) => c.charCodeAt(0));
    let at = 0;
    const next = () => {
      for (let value = 0, scale = 1; ; scale *= 128) {
        const byte = bytes[at++];
        value += (byte & 127) * scale;
        if (byte < 128) return value;
      }
    };
    return data.units.map((_, unit) => {
      let end = 0;
      return Array.from({ length: next() }, () => {
        const first = end + next(), length = next(), tag = next(), layer = next() - 1;
        end = first + length;
        if (tag % 2) return { first, end, layer, text: data.causes[(tag - 1) / 2], parts: [[data.group_of[(tag - 1) / 2], length]], bytes: 0 };
        const moved = next(), busy = next(), request = next(), other = unit === 0 ? data.wait_data : data.wait_write;
        return { first, end, layer, text: data.opcodes[tag / 2] ?? "instruction", bytes: moved,
          parts: [[data.busy, busy], [data.wait_request, request], [other, length - busy - request]] };
      });
    });
  };
  const tracks = [];  // {canvas, unit, bytes}: what a unit did, or the bytes that it moved
  const slices = $("trace") ? unpacked() : [];
  if (slices.length) {
    const add = (name, about, made) => {
      const row = element("div", "", "row tall"), track = element("div", "", "track"), canvas = document.createElement("canvas");
      row.append(Object.assign(element("span", name, "name"), { title: about }), track);
      track.append(canvas);
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", about);
      line.insertBefore(row, rows[0].row);
      tracks.push({ canvas, ...made });
    };
    data.units.forEach((name, unit) => add(name, `what ${name} did: the share of each cause`, { unit, bytes: false }));
    for (const [unit, what] of [[0, "read"], [3, "written"]]) {
      add(`${what}, of ${data.bus} B a cycle`, `bytes a cycle ${what} by ${data.units[unit]}; the whole height is ${data.bus}`, { unit, bytes: true });
    }
  }
  const first_after = (list, cycle) => {  // the first slice that ends behind the cycle
    let low = 0, high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (list[middle].end > cycle) high = middle; else low = middle + 1;
    }
    return low;
  };
  const draw_track = ({ canvas, unit, bytes }) => {
    const box = canvas.getBoundingClientRect(), width = canvas.width = Math.max(1, Math.round(box.width * (window.devicePixelRatio || 1)));
    const height = canvas.height = Math.max(1, Math.round(box.height * (window.devicePixelRatio || 1)));
    const per = (view.to - view.from) / width, list = slices[unit], groups = bytes ? 1 : data.classes.length;
    const sums = Array.from({ length: groups }, () => new Float64Array(width));  // of each group in each column of pixels
    for (let n = first_after(list, view.from); n < list.length && list[n].first < view.to; n++) {
      const { first, end, parts, bytes: moved } = list[n], from = Math.max(first, view.from), to = Math.min(end, view.to);
      const put = (sum, amount) => {
        if (!amount) return;
        const rate = amount / (end - first);
        for (let x = Math.floor((from - view.from) / per); x < width; x++) {
          const a = Math.max(from, view.from + x * per), b = Math.min(to, view.from + (x + 1) * per);
          if (b <= a) break;
          sum[x] += rate * (b - a);
        }
      };
      if (bytes) put(sums[0], moved); else for (const [group, amount] of parts) put(sums[group], amount);
    }
    const pen = canvas.getContext("2d"), colors = (bytes ? ["write"] : data.classes).map((name) => color(`--${name}`));
    for (let x = 0; x < width; x++) {
      let y = height;
      for (let g = 0; g < groups; g++) {
        const part = Math.min(1, sums[g][x] / per / (bytes ? data.bus : 1)) * height;
        if (part <= 0) continue;
        pen.fillStyle = colors[g];
        pen.fillRect(x, y - part, 1, part);
        y -= part;
      }
    }
  };
  const name_of = (layer) => data.layers[layer]?.name ?? "no layer";
  const told = (cycle) => {
    const found = slices.length ? slices.map((list, unit) => {
      const slice = list[first_after(list, cycle)];
      if (!slice || slice.first > cycle) return "";
      return `${data.units[unit]}: ${slice.text} of ${name_of(slice.layer)}, ${whole(slice.end - slice.first)} cycles from ${whole(slice.first)}`
        + (slice.bytes ? `, ${whole(slice.bytes)} bytes` : "");
    }) : rows.filter(({ first, end }) => first <= cycle && cycle < end).map(({ i }) => name_of(i));
    return [`At cycle ${whole(cycle)}`, ...found.filter((text) => text)].join(slices.length ? "\n" : ", ");
  };
  const point_at = (cycle) => {
    cursor.style.left = `${100 * (cycle - view.from) / (view.to - view.from)}%`;
    overlay.replaceChildren(cursor);
    $("readout").textContent = told(Math.min(cycles - 1, Math.floor(cycle)));
  };
  const time = (of) => {
    const seconds = of / data.clock_hz;
    const [scale, unit] = seconds >= 1 ? [1, "s"] : seconds >= 1e-3 ? [1e3, "ms"] : seconds >= 1e-6 ? [1e6, "us"] : [1e9, "ns"];
    return `${(seconds * scale).toPrecision(3)} ${unit}`;
  };
  const draw = () => tracks.forEach(draw_track);
  const show = (from, to) => {
    const span = Math.min(cycles, Math.max(LEAST, to - from));
    view.from = Math.max(0, Math.min(cycles - span, from + (to - from - span) / 2));
    view.to = view.from + span;
    for (const { row, bar, first, end } of rows) {
      row.hidden = end <= view.from || first >= view.to;
      bar.style.left = `${100 * (first - view.from) / span}%`;
      bar.style.width = `${100 * (end - first) / span}%`;
    }
    ticks.forEach((tick, n) => (tick.textContent = whole(view.from + span * n / (ticks.length - 1))));
    $("window").textContent = span >= cycles ? `all ${whole(cycles)} cycles, ${time(cycles)}`
      : `cycles ${whole(view.from)} to ${whole(view.to)}: ${whole(span)} of ${whole(cycles)}, ${time(span)}`;
    overlay.replaceChildren();
    draw();
  };
  const middle = () => (view.from + view.to) / 2;
  const zoom = (factor, at = middle()) => show(at - (at - view.from) * factor, at + (view.to - at) * factor);
  const pan = (share) => show(view.from + share * (view.to - view.from), view.to + share * (view.to - view.from));
  const zoom_to = (i) => {
    const { first, last } = data.layers[i], margin = 0.02 * (last + 1 - first);
    show(first - margin, last + 1 + margin);
  };
  const keys = { "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), ArrowLeft: () => pan(-0.25), ArrowRight: () => pan(0.25),
    0: () => show(0, cycles), Home: () => show(0, cycles) };
  line.tabIndex = 0;
  line.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
    point_at(middle());
  });
  for (const [id, key] of [["zoom-in", "+"], ["zoom-out", "-"], ["earlier", "ArrowLeft"], ["later", "ArrowRight"], ["whole", "0"]]) {
    $(id).addEventListener("click", () => { keys[key](); point_at(middle()); });
  }
  const share = (event) => {
    const box = overlay.getBoundingClientRect(), at = (event.clientX - box.left) / box.width;
    return at < 0 && event.type === "pointerdown" || event.target.closest?.("a") ? null : Math.min(1, Math.max(0, at));
  };
  const cycle_at = (at) => view.from + at * (view.to - view.from);
  const LEAST_DRAG = 0.005;
  page.drag(line, share, {
    moved: (start, now) => {
      shade.style.left = `${100 * Math.min(start, now)}%`;
      shade.style.width = `${100 * Math.abs(now - start)}%`;
      overlay.replaceChildren(shade);
    },
    ended: (start, now, event) => {
      if (Math.abs(now - start) >= LEAST_DRAG) return show(cycle_at(Math.min(start, now)), cycle_at(Math.max(start, now)));
      const hit = document.elementsFromPoint(event.clientX, event.clientY).map((one) => rows.find(({ bar }) => bar === one)).find((one) => one);
      if (hit) zoom_to(hit.i);
      point_at(hit ? middle() : cycle_at(now));
    },
    cancelled: () => overlay.replaceChildren(),
  });
  line.addEventListener("pointermove", (event) => {
    const at = event.buttons ? null : share(event);
    if (at !== null) point_at(cycle_at(at));
  });
  line.addEventListener("wheel", (event) => {  // the page scrolls as ever; with Ctrl (or two fingers) the timeline zooms
    if (!event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    if (event.ctrlKey) zoom(event.deltaY < 0 ? 0.8 : 1.25, cycle_at(share(event) ?? 0.5)); else pan(Math.sign(event.deltaY || event.deltaX) * 0.1);
  }, { passive: false });
  page.redrawn(draw);
  show(0, cycles);
})();
