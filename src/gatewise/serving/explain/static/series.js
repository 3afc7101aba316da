// A window of numbers in place of a text: a line for each column, each on its own scale, over the same steps. Its values
// can be dragged or typed.

import { el, resizeChildren, setAttribute, setText } from "./elements.js";
import { Curves } from "./curve.js";
import { plural, significant } from "./words.js";

const MOST_COLUMNS = 6;
/** Of more lines the figures beside the dots would cover the lines: they stand by the names. */
const MOST_FIGURES = 3;
const MARGIN = 0.06;
const ROOM = 0.15;

/** The columns of one run's input. `edit(values)` is called with all rows; null: as they were. */
export class Series {
  constructor({ edit, choose }) {
    Object.assign(this, { edit, choose, ranges: [], column: 0 });
    this.curves = new Curves("input");
    this.names = el("p", { class: "column-names" });
    this.list = el("select", { "aria-label": "Column to change", change: () => { this.column = Number(this.list.value); this.point(this.step); } });
    this.where = el("span", { class: "edited-step" });
    this.value = el("input", {
      type: "number", class: "edited-value", "aria-label": "Value of the column at the step looked at", step: "any",
      input: () => { if (this.value.value !== "" && Number.isFinite(this.value.valueAsNumber)) this.change(this.step, this.column, this.value.valueAsNumber); },
    });
    this.restore = el("button", { type: "button", text: "as measured", click: () => { this.ranges = []; edit(null); } });
    this.editor = el("p", { class: "editor" }, "Change ", this.list, " at ", this.where, ": ", this.value, " ", this.restore,
      el("small", { text: "or drag a line up or down" }));
    this.effect = el("p", { class: "effect", "aria-live": "polite" });
    this.element = el("div", { class: "series" }, this.names, this.curves.element, this.editor, this.effect);
    if (edit) this.listen();
  }

  draw(reading, capacity) {
    const { columns, values, changeable } = reading.series;
    Object.assign(this, { capacity, reading, width: columns.length, raw: values, changeable: this.edit ? changeable : 0 });
    const shown = columns.slice(0, MOST_COLUMNS);
    const measured = reading.measured?.series.values ?? values;
    if (this.ranges.length !== shown.length || this.rangesOf !== measured) this.ranges = shown.map((_, column) => rangeOf(measured, column, this.width));
    this.rangesOf = measured;
    const line = (from, column) => scaled(from, column, this.width, this.ranges[column]);
    const lines = shown.map((name, column) => ({ name, kind: `column-${column}`, values: line(values, column) }));
    const changed = reading.measured === undefined ? [] : shown.map((_, column) => column).filter((column) => differs(values, measured, column, this.width));
    const before = changed.map((column) => ({ name: null, kind: `column-${column} measured`, values: line(measured, column) }));
    resizeChildren(this.names, shown.length, () => el("span", {}, el("span"), el("b")));
    shown.forEach((name, place) => {
      setText(this.names.children[place].firstElementChild, name);
      this.names.children[place].className = `column-${place}`;
    });
    const room = this.changeable > 0 ? ROOM : MARGIN;
    this.curves.draw({ lines: [...lines, ...before], low: -room, high: 1 + room, capacity });
    this.shown = shown;
    this.editor.hidden = !this.changeable;
    this.curves.element.classList.toggle("changeable", this.changeable > 0);
    this.restore.hidden = reading.measured === undefined;
    if (this.listed !== columns.join()) {
      this.listed = columns.join();
      this.column = 0;
      this.list.replaceChildren(...columns.slice(0, this.changeable).map((name, column) => el("option", { value: column, text: name })));
    }
  }

  /** Follow the cursor; `target`: the forecast whose change is said. */
  point(step, target = this.target) {
    Object.assign(this, { step, target });
    setText(this.effect, this.reading.measured === undefined ? "" : effectWords(this.reading, target));
    const figures = this.shown.map((_, column) => significant(this.at(step, column)));
    const named = figures.length > MOST_FIGURES;
    this.curves.point(step, (_, name) => (name === null || named ? "" : figures[this.shown.indexOf(name)]));
    figures.forEach((figure, column) => setText(this.names.children[column].lastElementChild, named ? figure : ""));
    if (!this.changeable) return;
    setText(this.where, this.reading.steps[step].label);
    const value = this.at(step, this.column);
    if (document.activeElement !== this.value || Math.abs(this.value.valueAsNumber - value) > 1e-5 * Math.abs(value)) this.value.value = Number(value.toPrecision(6));
    const [low, high] = this.ranges[this.column] ?? [value, value];
    setAttribute(this.value, "step", stepOf(high - low));
  }

  at(step, column) {
    return this.raw[step * this.width + column];
  }

  /** One value is another: all rows go to `edit`. */
  change(step, column, value) {
    const rows = Array.from({ length: this.raw.length / this.width }, (_, row) => Array.from(this.raw.subarray(row * this.width, (row + 1) * this.width)));
    rows[step][column] = value;
    this.edit(rows);
  }

  /** The pointer takes the nearest line at its step, and draws it up or down. */
  listen() {
    const box = this.curves.element;
    let dragged = null;
    const place = (event) => {
      const { left, top, width, height } = box.getBoundingClientRect();
      const step = Math.floor(((event.clientX - left) / width) * this.capacity);
      const room = this.curves.high - this.curves.low;
      return [Math.min(Math.max(step, 0), this.reading.length - 1), this.curves.high - ((event.clientY - top) / height) * room];
    };
    box.addEventListener("pointerdown", (event) => {
      if (!this.changeable || event.button !== 0) return;
      const [step, height] = place(event);
      const apart = this.shown.slice(0, this.changeable).map((_, column) => Math.abs(share(this.at(step, column), this.ranges[column]) - height));
      dragged = { step, column: apart.indexOf(Math.min(...apart)), from: event.clientY, moved: false };
      this.column = dragged.column;
      this.list.value = this.column;
      this.choose(step);
      box.setPointerCapture(event.pointerId);
    });
    box.addEventListener("pointermove", (event) => {
      if (dragged === null || (!dragged.moved && Math.abs(event.clientY - dragged.from) < 3)) return;
      dragged.moved = true;
      const [low, high] = this.ranges[dragged.column];
      const height = Math.min(Math.max(place(event)[1], -1), 2);
      this.change(dragged.step, dragged.column, low + height * (high - low));
    });
    for (const end of ["pointerup", "pointercancel"]) box.addEventListener(end, () => { dragged = null; });
  }
}

/** What the changes do to a forecast made after the whole window. */
function effectWords(reading, target) {
  const last = (one) => one.after[(one.length - 1) * one.names.length + target];
  return `${reading.names[target]} after all ${plural(reading.length, reading.unit)}: ${significant(last(reading))}, as measured ${significant(last(reading.measured))}.`;
}

/** The least and largest value of a column; of a constant one its surroundings. */
function rangeOf(values, column, width) {
  let low = Infinity;
  let high = -Infinity;
  for (let place = column; place < values.length; place += width) {
    low = Math.min(low, values[place]);
    high = Math.max(high, values[place]);
  }
  return high > low ? [low, high] : [low - Math.max(Math.abs(low), 1) / 2, low + Math.max(Math.abs(low), 1) / 2];
}

function share(value, [low, high]) {
  return (value - low) / (high - low);
}

/** One column between 0 and 1, or beyond where it was changed so. */
function scaled(values, column, width, range) {
  return Float32Array.from({ length: values.length / width }, (_, step) => share(values[step * width + column], range));
}

function differs(values, measured, column, width) {
  for (let place = column; place < values.length; place += width) if (values[place] !== measured[place]) return true;
  return false;
}

/** A hundredth of a range, rounded down to a power of ten. */
function stepOf(range) {
  return 10 ** Math.floor(Math.log10(Math.max(range, 1e-9) / 50));
}
