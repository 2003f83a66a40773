// SPDX-License-Identifier: Apache-2.0
// What the scripts of all pages have in common: of a run, of two runs, of a sweep. The pages read without any of it.
"use strict";
const page = (() => {
  document.documentElement.classList.add("with-script");
  const $ = (id) => document.getElementById(id);
  const element = (name, text = "", css = "") => {
    const one = document.createElement(name);
    one.textContent = text;
    if (css) one.className = css;
    return one;
  };
  const button = (text, pressed) => {
    const one = element("button", text);
    one.type = "button";
    one.addEventListener("click", pressed);
    return one;
  };
  const whole = (value) => Math.round(value).toLocaleString("en-US");
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Ascending; what is missing (null) comes last.
  const order = (a, b) => (a === null) - (b === null) || (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);

  // Heads with data-name get a button that sorts by it: up, then down, and, if `none`, not at all. data-first="down" turns that around.
  // `sorted` is {name, up}; name "": not sorted. `changed` is called after each press.
  const sort_heads = (table, sorted, changed, none = false) => {
    const heads = [...table.tHead.rows[0].cells].filter((th) => th.dataset.name !== undefined);
    const tell = () => {
      for (const th of heads) th.setAttribute("aria-sort", th.dataset.name === sorted.name ? (sorted.up ? "ascending" : "descending") : "none");
    };
    for (const th of heads) {
      const first = th.dataset.first !== "down";
      th.replaceChildren(button(th.textContent, () => {
        if (th.dataset.name !== sorted.name) Object.assign(sorted, { name: th.dataset.name, up: first });
        else if (none && sorted.up !== first) sorted.name = "";
        else sorted.up = !sorted.up;
        tell();
        changed();
      }));
    }
    tell();
  };
  // The value of a row in the column of that name: data-v of its cell, or its text.
  const value_of = (table, name) => {
    const column = [...table.tHead.rows[0].cells].findIndex((th) => th.dataset.name === name);
    return (row) => {
      const cell = row.cells[column], given = cell.dataset.v;
      return given === undefined ? cell.textContent : given === "" ? null : Number(given);
    };
  };
  // The rows in the order of `sorted`; equal ones keep theirs, and what has no value stands last, whichever way it goes.
  const sort_rows = (table, rows, sorted) => {
    if (sorted.name === "") return rows;
    const value = value_of(table, sorted.name), way = sorted.up ? 1 : -1;
    return rows.map((row) => [value(row), row]).sort(([a], [b]) => (a === null || b === null ? order(a, b) : way * order(a, b))).map(([, row]) => row);
  };
  // A table whose rows are all there is: class sortable.
  const sort_table = (table) => {
    const sorted = { name: "", up: true }, rows = [...table.tBodies[0].rows];
    sort_heads(table, sorted, () => table.tBodies[0].replaceChildren(...sort_rows(table, rows, sorted)), true);
  };

  for (const table of document.querySelectorAll("table.sortable")) sort_table(table);

  // From where the pointer is pressed to where it is let go, in shares that share(event) tells (null: does not begin there).
  const drag = (on, share, { moved, ended, cancelled }) => {
    let start = null;
    on.addEventListener("pointerdown", (event) => {
      start = event.button ? null : share(event);
      if (start !== null) try { on.setPointerCapture(event.pointerId); } catch { /* an event that a program made */ }
    });
    on.addEventListener("pointermove", (event) => {
      if (start !== null) moved(start, share(event) ?? start, event);
    });
    on.addEventListener("pointerup", (event) => {
      if (start !== null) ended(start, share(event) ?? start, event);
      start = null;
    });
    on.addEventListener("pointercancel", () => {
      start = null;
      cancelled?.();
    });
  };
  // After every change of size or colours.
  const redrawn = (draw) => {
    window.addEventListener("resize", draw);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  };
  return { $, element, button, whole, color, order, sort_heads, sort_rows, drag, redrawn };
})();
