// One unit: its gates over the steps, and the cell's equation with the numbers of the step looked at.

import { el, resizeChildren, setAttribute, setText } from "./elements.js";
import { Curves } from "./curve.js";
import { decimals, shortened } from "./words.js";

const PLACE = /\{([^{}:]+?)(-1|:atanh)?\}/g;
const SETTLED_AFTER = 120;

/** The row of a gate at a step of the input; layers that walk over what is written are at the word looked at. */
export function rowAt(gate, step) {
  return gate.aligned ? step : gate.fixed ?? Math.min(step, gate.values.length / gate.units - 1);
}

/**
 * The value of a gate at a step for a unit, or so many rows later; before the first step a state is zero, or as the
 * layers begin.
 */
export function valueAt(gate, step, unit, later = 0) {
  const rows = gate.values.length / gate.units;
  const row = rowAt(gate, step) + later;
  return row < 0 || row >= rows ? gate.before?.[unit] ?? 0 : gate.values[row * gate.units + unit];
}

/** Which step a gate is looked at, in words. */
export function stepWords(reading, gate, step) {
  const row = gate ? rowAt(gate, step) : step;
  if (!gate || gate.aligned) return `${reading.unit} ${step + 1}, “${shortened(reading.steps[step].label, 24)}”`;
  return reading.written ? `word ${row + 1} written, “${shortened(reading.written.steps[row].text, 24)}”` : `step ${row + 1} of ${gate.values.length / gate.units}`;
}

/** A gate's course for one unit, nothing before its first row. */
export function courseOf(gate, unit) {
  const rows = gate.values.length / gate.units;
  return Float32Array.from({ length: rows }, (_, row) => (row < gate.begin ? NaN : gate.values[row * gate.units + unit]));
}

/** An equation's line with numbers: `{forget}` is that gate's, `{cell-1}` the state one step before. */
export function withNumbers(line, reading, step, unit) {
  const before = reading.backward ? 1 : -1;
  return line.numbers.replace(PLACE, (whole, name, previous) => {
    const gate = reading.gates.find((each) => each.name === name);
    if (!gate || unit >= gate.units) return whole;
    const value = valueAt(gate, step, unit, previous === "-1" ? before : 0);
    const written = decimals(previous === ":atanh" ? Math.atanh(value) : value, 3);
    return written.startsWith("\u2212") ? `(${written})` : written;
  }).replace(/^\((\u2212[\d.]+)\) =/, "$1 =").replace(/\(\((\u2212[\d.]+)\)\)/g, "($1)");
}

/** The panel of the chosen unit. */
export class UnitPanel {
  constructor({ chooseUnit, ask }) {
    this.curves = new Curves("unit");
    this.number = el("input", {
      type: "number", min: 0, class: "unit-number", "aria-label": "Number of the unit",
      change: () => chooseUnit(Number(this.number.value)),
    });
    this.most = el("span");
    this.fact = el("p", { class: "fact" });
    this.names = el("ul", { class: "gate-names", "aria-hidden": "true" });
    this.equation = el("dl", { class: "equation" });
    this.head = el("h3", {}, "Unit ", this.number, this.most);
    this.lines = el("pre", { class: "lines" });
    this.sources = el("details", { class: "more", toggle: () => this.askLines() },
      el("summary", { text: "Where the gates come from" }), this.lines);
    this.sources.hidden = !ask;
    this.ask = ask;
    this.where = el("h3", { class: "unit-where", dir: "auto" });
    this.element = el("div", { class: "unit-text" }, this.where, this.fact, this.names, this.equation, this.sources);
  }

  /** The lines that only the server knows, once the cursor rests. */
  askLines() {
    clearTimeout(this.resting);
    if (!this.sources.open || this.sources.hidden) return;
    this.resting = setTimeout(async () => {
      const asked = this.asking = {};
      const lines = await this.ask();
      if (asked === this.asking && lines !== null) setText(this.lines, lines.join("\n"));
    }, SETTLED_AFTER);
  }

  draw(reading, unit, capacity, fact) {
    this.number.max = reading.units - 1;
    if (document.activeElement !== this.number) this.number.value = unit;
    setText(this.most, ` of ${reading.units}`);
    setText(this.fact, fact);
    const gates = reading.gates.filter((gate) => unit < gate.units);
    const lines = gates.map((gate) => ({
      name: gate.name,
      kind: `${gate.role} line-${reading.gates.indexOf(gate)}`,
      values: courseOf(gate, unit),
    }));
    const low = gates.reduce((least, gate) => Math.min(least, gate.low), 0);
    const high = gates.reduce((most, gate) => Math.max(most, gate.high), 1);
    if (gates.length > 0 && !gates[0].aligned) capacity = lines[0].values.length;
    this.curves.draw({ lines, low, high, capacity, base: 0, ticks: [[low, decimals(low, 0)], [high, decimals(high, 0)]] });
    setAttribute(this.curves.element, "aria-label", `Unit ${unit}: ${gates.map((gate) => gate.name).join(", ")} over the steps`);
    resizeChildren(this.names, gates.length, () => el("li", {}, el("span"), el("b")));
    gates.forEach((gate, place) => {
      const item = this.names.children[place];
      item.className = `${gate.role} line-${reading.gates.indexOf(gate)}`;
      setText(item.firstElementChild, gate.name);
    });
    this.gates = gates;
  }

  point(reading, unit, step) {
    const row = this.gates.length > 0 ? rowAt(this.gates[0], step) : step;
    this.curves.point(row, () => "");
    setText(this.where, `Unit ${unit} at ${stepWords(reading, this.gates[0], step)}`);
    this.gates.forEach((gate, place) => {
      setText(this.names.children[place].lastElementChild, decimals(valueAt(gate, step, unit)));
    });
    const lines = reading.equation;
    resizeChildren(this.equation, 2 * lines.length, (place) => el(place % 2 === 0 ? "dt" : "dd"));
    lines.forEach((line, place) => {
      setText(this.equation.children[2 * place], line.symbols);
      setText(this.equation.children[2 * place + 1], withNumbers(line, reading, step, unit));
    });
    this.askLines();
  }
}
