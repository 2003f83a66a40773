// SPDX-License-Identifier: Apache-2.0
// What the page of a sweep (_sweep_page.py) can do with script on: brush axes, choose designs, sort the table, change the picture's axes.
// The page has everything else without it. src/report/page.js comes before it.
"use strict";
(() => {
  const { $, element, button, color } = page;
  const data = JSON.parse($("data").textContent);
  const count = data.position.length, axes = data.axes, names = axes.map((axis) => axis.name);
  const MOST_ROWS = 200;

  // ---- values on axes: 0 is the bottom, 1 the top. Parameters stand at their values' ranks, objectives are linear or logarithmic.
  const place = (axis, value) => {
    if (axis.values) return axis.values.length > 1 ? axis.values.indexOf(value) / (axis.values.length - 1) : 0.5;
    const [low, high] = axis.log ? [Math.log(axis.low), Math.log(axis.high)] : [axis.low, axis.high];
    return high > low ? ((axis.log ? Math.log(value) : value) - low) / (high - low) : 0.5;
  };
  const value_at = (axis, y) => {
    if (axis.values) return axis.values[Math.round(y * (axis.values.length - 1))];
    return axis.log ? Math.exp(Math.log(axis.low) + y * (Math.log(axis.high) - Math.log(axis.low))) : axis.low + y * (axis.high - axis.low);
  };
  const places = axes.map((axis) => Float32Array.from(data.columns[axis.name], (value) => (value === null ? NaN : place(axis, value))));
  const shown = (value) => (typeof value !== "number" ? String(value ?? "") : Number.isInteger(value) ? value.toLocaleString("en-US")
    : value.toLocaleString("en-US", { maximumSignificantDigits: 4 }));

  // ---- brushes: for each axis [from, to] in places, or null
  const brushes = axes.map(() => null);
  let chosen = -1, sorted = { name: names[0], up: true };
  const within = (i) => brushes.every((brush, a) => brush === null || (places[a][i] >= brush[0] - 1e-6 && places[a][i] <= brush[1] + 1e-6));
  const matching = () => {
    const found = [];
    for (let i = 0; i < count; i++) if (data.done[i] && within(i)) found.push(i);
    return found;
  };
  const commands = (i) => data.commands.map((one) => one.prefix + (one.rest ? one.rest[i]
    : data.set.map((key) => ` --set ${key}=${data.columns[key][i]}`).join("")));

  // ---- pictures
  const dots = [...document.querySelectorAll("#scatter circle")], lines = new Map([...document.querySelectorAll("#parallel polyline")].map((l) => [+l.dataset.i, l]));
  const canvas = $("lines");
  const { left, step, top, height, width } = data.parallel;
  const draw = (found) => {
    const scale = window.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
    canvas.width = Math.round(box.width * scale);
    canvas.height = Math.round(box.height * scale);
    const pen = canvas.getContext("2d"), zoom = canvas.width / width;
    pen.scale(zoom, zoom);
    const stroke = (list, style, alpha) => {
      pen.strokeStyle = style;
      pen.globalAlpha = alpha;
      pen.lineWidth = 0.7;
      pen.beginPath();
      for (const i of list) {
        for (let a = 0; a < axes.length; a++) {
          const x = left + a * step, y = top + height * (1 - places[a][i]);
          if (a) pen.lineTo(x, y); else pen.moveTo(x, y);
        }
      }
      pen.stroke();
    };
    const brushed = brushes.some((brush) => brush !== null);
    const all = [];
    for (let i = 0; i < count; i++) if (data.done[i]) all.push(i);
    stroke(all, color("--soft"), Math.max(0.02, Math.min(0.15, 60 / count)) / (brushed ? 2 : 1));
    if (brushed) stroke(found, color("--data"), Math.max(0.1, Math.min(0.8, 200 / Math.max(1, found.length))));
  };
  const scatter_axis = (id) => axes[names.indexOf($(id).value)];
  const place_dots = () => {
    const box = data.scatter, x = scatter_axis("x"), y = scatter_axis("y");
    for (const dot of dots) {
      const i = +dot.dataset.i, h = data.columns[x.name][i], v = data.columns[y.name][i];
      dot.setAttribute("cx", (box.left + box.width * place(x, h)).toFixed(1));
      dot.setAttribute("cy", (box.top + box.height * (1 - place(y, v))).toFixed(1));
    }
    const first = x.name === data.objectives[0] && y.name === data.objectives[1];
    for (const mark of document.querySelectorAll("#scatter .first")) mark.style.display = first ? "" : "none";
    $("other-axes").textContent = first ? "" : `across: ${x.name}, ${shown(value_at(x, 0))} to ${shown(value_at(x, 1))}; up: ${y.name}, ${shown(value_at(y, 0))} to ${shown(value_at(y, 1))}`;
  };

  // ---- the table
  const row_of = (i) => {
    const row = document.createElement("tr");
    row.id = `design-${data.position[i]}`;
    if (i === chosen) row.className = "marked";
    const cell = (text, left) => {
      const one = row.insertCell();
      one.textContent = text;
      if (left) one.className = "left";
      return one;
    };
    const chooser = button(data.position[i], () => choose(i));
    chooser.setAttribute("aria-label", `choose design ${data.position[i]}`);
    cell("", false).append(chooser);
    cell(data.front[i] ? "yes" : "", true);
    for (const axis of axes) cell(shown(data.columns[axis.name][i]), typeof data.columns[axis.name][i] !== "number");
    const command = row.insertCell();
    command.className = "command";
    for (const text of commands(i)) command.append(element("code", text), document.createElement("br"));
    return row;
  };
  const fill = (found) => {
    const brushed = brushes.some((brush) => brush !== null);
    const list = brushed ? found : found.filter((i) => data.front[i]);
    const column = sorted.name === "design" ? data.position : sorted.name === "front" ? data.front : data.columns[sorted.name];
    list.sort((a, b) => (sorted.up ? 1 : -1) * page.order(column[a], column[b]) || data.position[a] - data.position[b]);
    $("designs").tBodies[0].replaceChildren(...list.slice(0, MOST_ROWS).map(row_of));
    $("count").textContent = (brushed ? `${list.length.toLocaleString("en-US")} designs are within the brushes` : `${list.length.toLocaleString("en-US")} designs in the front`)
      + (list.length > MOST_ROWS ? `, the first ${MOST_ROWS} here` : "") + ".";
  };

  // ---- everything after a change
  const update = () => {
    const found = matching(), inside = new Set(found);
    for (const dot of dots) {
      const i = +dot.dataset.i;
      const wanted = i === chosen ? "chosen" : !inside.has(i) ? "out" : data.front[i] ? "best" : "all";
      if (dot.getAttribute("class") !== wanted) dot.setAttribute("class", wanted);
    }
    for (const [i, line] of lines) line.setAttribute("class", i === chosen ? "chosen" : inside.has(i) ? "best" : "out");
    draw(found);
    fill(found);
    axes.forEach((axis, a) => {
      const mark = $(`brush-${a}`), brush = brushes[a];
      mark.setAttribute("height", brush ? Math.max(2, height * (brush[1] - brush[0])) : 0);
      if (brush) mark.setAttribute("y", top + height * (1 - brush[1]));
      for (const [end, at] of [["from", 0], ["to", 1]]) {
        const field = $(`${end}-${a}`);
        if (document.activeElement !== field) field.value = brush ? (axis.values ? String(axis.values.indexOf(value_at(axis, brush[at]))) : Number(value_at(axis, brush[at]).toPrecision(5))) : "";
      }
    });
  };
  const choose = (i) => {
    chosen = i === chosen ? -1 : i;
    const panel = $("chosen");
    panel.replaceChildren();
    if (chosen >= 0) {
      panel.append(element("p", `Design ${data.position[i]}${data.front[i] ? ", in the front" : ""}: ${axes.map((axis) => `${axis.name} ${shown(data.columns[axis.name][i])}`).join(", ")}. Its report:`));
      commands(i).forEach((text, n) => panel.append(
        element("code", `${text} --out design-${data.position[i]}${data.commands.length > 1 ? `-${data.commands[n].label}` : ""}`), document.createElement("br")));
    } else panel.textContent = "No design is chosen: click at a dot, or at a number in the table.";
    update();
  };

  // ---- what people do
  axes.forEach((axis, a) => {
    const read = () => {
      const ends = ["from", "to"].map((end) => $(`${end}-${a}`).value);
      if (ends.every((text) => text === "")) brushes[a] = null;
      else {
        const at = (text, otherwise) => (text === "" ? otherwise : axis.values ? place(axis, axis.values[+text]) : place(axis, Math.min(axis.high, Math.max(axis.low, +text))));
        const both = [at(ends[0], 0), at(ends[1], 1)];
        brushes[a] = axis.values && axis.values.length === 1 ? [0, 1] : [Math.min(...both), Math.max(...both)];
      }
      update();
    };
    for (const end of ["from", "to"]) $(`${end}-${a}`).addEventListener("change", read);
    const grip = $(`grip-${a}`);
    const share = (event) => {
      const box = grip.getBoundingClientRect();
      return Math.min(1, Math.max(0, 1 - (event.clientY - box.top - box.height * data.parallel.margin) / (box.height * (1 - 2 * data.parallel.margin))));
    };
    page.drag(grip, share, {
      moved: (start, now) => {
        brushes[a] = [Math.min(start, now), Math.max(start, now)];
        update();
      },
      ended: (start, now) => {
        if (Math.abs(now - start) < 0.01) brushes[a] = null, update();
      },
    });
  });
  $("clear").addEventListener("click", () => { brushes.fill(null); update(); });
  page.sort_heads($("designs"), sorted, () => fill(matching()));
  for (const id of ["x", "y"]) $(id).addEventListener("change", place_dots);
  $("scatter").addEventListener("click", (event) => {
    const box = $("scatter").getBoundingClientRect(), zoom = box.width / width;
    let best = -1, least = 12 * 12;
    for (const dot of dots) {  // the nearest within 12 px; of equals the one in the front
      const h = dot.cx.baseVal.value * zoom + box.left - event.clientX, v = dot.cy.baseVal.value * zoom + box.top - event.clientY;
      if (h * h + v * v < least || (h * h + v * v === least && data.front[+dot.dataset.i])) [best, least] = [+dot.dataset.i, h * h + v * v];
    }
    if (best >= 0) choose(best);
    if (event.target.closest("a")) event.preventDefault();
  });
  for (const link of document.querySelectorAll("#scatter a")) {
    link.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        choose(+link.firstElementChild.dataset.i);
      }
    });
  }
  page.redrawn(() => draw(matching()));
  update();
})();
