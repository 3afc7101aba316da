// The gate map: a pixel for each step and unit, in one putImageData; the style sheet stretches it.

import { el, setStyle } from "./elements.js";
import { gradient } from "./colours.js";
import { decimals } from "./words.js";

/** One gate, candidate or state of one layer and direction, over steps and units. */
export class GateMap {
  constructor({ choose, moveUnit }) {
    this.canvas = el("canvas", { "aria-hidden": "true" });
    this.context = this.canvas.getContext("2d");
    this.row = el("div", { class: "unit-row" });
    this.element = el(
      "div",
      {
        class: "map", tabindex: 0, role: "slider", "aria-orientation": "vertical", "aria-label": "Unit",
        click: (event) => choose(...this.at(event)),
        keydown: (event) => {
          const moves = { ArrowUp: -1, ArrowDown: 1, PageUp: -10, PageDown: 10 };
          if (!(event.key in moves) || event.altKey || event.ctrlKey || event.metaKey) return;
          event.preventDefault();
          moveUnit(moves[event.key]);
        },
      },
      this.canvas,
      this.row,
    );
  }

  /** Step and row under the pointer. */
  at(event) {
    const box = this.element.getBoundingClientRect();
    const step = Math.floor(((event.clientX - box.left) / box.width) * this.capacity);
    const row = Math.floor(((event.clientY - box.top) / box.height) * this.units);
    return [Math.min(Math.max(step, 0), this.length - 1), Math.min(Math.max(row, 0), this.units - 1)];
  }

  /** Fill the pixels. Columns beyond the last step stay clear, so that the map fills as the input grows. */
  draw({ values, order, begin, length, low, high, table, capacity, aligned }) {
    this.element.classList.toggle("own-time", !aligned);
    const units = order.length;
    Object.assign(this, { capacity, units, length });
    if (this.canvas.width !== capacity || this.canvas.height !== units) {
      this.canvas.width = capacity;
      this.canvas.height = units;
      this.image = this.context.createImageData(capacity, units);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }
    const { pixels } = this;
    const scale = 255 / (high - low || 1);
    pixels.fill(0);
    for (let row = 0; row < units; row += 1) {
      const unit = order[row];
      const start = row * capacity;
      for (let step = begin; step < length; step += 1) {
        const level = Math.round((values[step * units + unit] - low) * scale);
        pixels[start + step] = table[level < 0 ? 0 : level > 255 ? 255 : level];
      }
    }
    this.context.putImageData(this.image, 0, 0);
  }

  /** Mark the row of the chosen unit. */
  mark(row) {
    setStyle(this.row, "top", `${(100 * row) / this.units}%`);
    setStyle(this.row, "height", `${100 / this.units}%`);
  }
}

/** The scale under the map: a strip of its colours between its two ends. */
export class Legend {
  constructor() {
    this.low = el("span");
    this.strip = el("span", { class: "strip-colours" });
    this.high = el("span");
    this.element = el("span", { class: "legend", "aria-hidden": "true" }, this.low, this.strip, this.high);
  }

  draw(table, low, high, isGate) {
    setStyle(this.strip, "background", gradient(table));
    const places = high - low < 0.5 ? 3 : 1;
    this.low.textContent = isGate ? "0 closed" : decimals(low, places);
    this.high.textContent = isGate ? "1 open" : decimals(high, places);
  }
}

/** Rows of numbers over the steps, such as reasons by column: for and against in their colours. */
export class RowMap {
  constructor() {
    this.canvas = el("canvas", { "aria-hidden": "true" });
    this.names = el("div", { class: "reason-columns", "aria-hidden": "true" });
    this.element = el("div", { class: "reason-map", role: "img", hidden: true }, this.canvas, this.names);
  }

  /** Draw rows `{name, values}`; `level`: the place of a value in the table, 0 to 255. Fewer rows than `least` hide it. */
  fill(rows, capacity, table, level, least) {
    this.element.hidden = rows.length < least;
    if (this.element.hidden) return;
    this.canvas.width = capacity;
    this.canvas.height = rows.length;
    const context = this.canvas.getContext("2d");
    const image = context.createImageData(capacity, rows.length);
    const pixels = new Uint32Array(image.data.buffer);
    rows.forEach(({ values }, row) => values.forEach((value, step) => {
      if (step < capacity) pixels[row * capacity + step] = table[Math.round(level(value, row))];
    }));
    context.putImageData(image, 0, 0);
    setStyle(this.element, "height", `${Math.min(Math.max(1.1 * rows.length, 2.2), 24)}rem`);
    this.names.replaceChildren(...rows.map(({ name }) => el("span", { text: name })));
  }

  /** Reasons by column, the largest of all in full colour. */
  draw(columns, capacity, table) {
    const largest = columns.reduce((most, { values }) => Math.max(most, largestOf(values)), 0) || 1;
    this.fill(columns, capacity, table, (value) => 127.5 + (127.5 * value) / largest, 2);
    this.element.setAttribute("aria-label", `Reasons by column: ${columns.map(({ name, values }) =>
      `${name} ${decimals(values.reduce((sum, value) => sum + value, 0))}`).join(", ")}`);
  }
}

export function largestOf(values) {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
