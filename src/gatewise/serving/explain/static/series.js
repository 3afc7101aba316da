// A window of numbers in place of a text: a line for each column, each on its own scale, over the same steps.

import { el, resizeChildren, setText } from "./elements.js";
import { Curves } from "./curve.js";
import { significant } from "./words.js";

const MOST_COLUMNS = 6;

/** The columns of one run's input. */
export class Series {
  constructor() {
    this.curves = new Curves("input");
    this.names = el("p", { class: "column-names" });
    this.element = el("div", { class: "series" }, this.names, this.curves.element);
  }

  draw(reading, capacity) {
    const { columns, values } = reading.series;
    const shown = columns.slice(0, MOST_COLUMNS);
    const lines = shown.map((name, column) => ({ name, kind: `column-${column}`, values: scaled(values, column, columns.length) }));
    this.raw = (step, column) => values[step * columns.length + column];
    resizeChildren(this.names, shown.length, () => el("span"));
    shown.forEach((name, place) => {
      setText(this.names.children[place], name);
      this.names.children[place].className = `column-${place}`;
    });
    this.curves.draw({ lines, low: -0.06, high: 1.06, capacity });
    this.shown = shown;
  }

  point(step) {
    this.curves.point(step, (_, name) => significant(this.raw(step, this.shown.indexOf(name))));
  }
}

/** One column between 0 and 1. */
function scaled(values, column, width) {
  const found = Float32Array.from({ length: values.length / width }, (_, step) => values[step * width + column]);
  const low = found.reduce((least, value) => Math.min(least, value), Infinity);
  const high = found.reduce((most, value) => Math.max(most, value), -Infinity);
  return found.map((value) => (high > low ? (value - low) / (high - low) : 0.5));
}
