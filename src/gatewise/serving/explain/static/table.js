// The same as a table: for those who hear the page, and for figures to copy.

import { answersAt } from "./answers.js";
import { el, setAttribute } from "./elements.js";
import { stepNames } from "./sentences.js";
import { rowAt, valueAt } from "./unit.js";
import { decimals, score, shortened } from "./words.js";

/**
 * Answer, reason and the chosen unit's gates at every step; filled while it is open. Layers that walk over something
 * else, such as the words written, have a table of their own above it.
 */
export class StepTable {
  constructor() {
    this.body = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Every step in a table" });
    this.element = el("details", { class: "more", toggle: () => this.fill() }, el("summary", { text: "Every step in a table" }), this.body);
  }

  draw(view) {
    this.view = view;
    if (this.element.open) this.fill();
  }

  fill() {
    const { view } = this;
    if (!view?.reading || !this.element.open) return;
    const { reading } = view;
    const unit = view.chosenUnit();
    const target = view.targetPlace();
    const here = view.step();
    const reasons = view.reasons?.target === reading.names[target] && view.reasons.of === reading.of ? view.reasons.values : null;
    const shown = reading.gates.filter((gate) => unit < gate.units);
    const gates = shown.filter((gate) => gate.aligned);
    const heads = [reading.unit, reading.names[target], "reason", ...gates.map((gate) => `${gate.name}, unit ${unit}`)];
    const rows = reading.steps.map((step, place) => {
      const row = el("tr", {},
        el("th", { scope: "row" }, el("bdi", { dir: "ltr", text: `${place + 1} ${shortened(step.label, 24)}` })),
        el("td", { text: score(reading, answersAt(reading, place)[target]) }),
        el("td", { text: reasons === null ? "–" : decimals(reasons[place]) }),
        ...gates.map((gate) => el("td", { text: decimals(valueAt(gate, place, unit), 3) })));
      setAttribute(row, "class", place === here ? "here" : null);
      return row;
    });
    const own = ownRows(reading, shown.filter((gate) => !gate.aligned), unit, here);
    this.body.replaceChildren(...own, table(heads, rows));
  }
}

/** The unit at every step of layers that do not walk over the input; nothing where they do. */
function ownRows(reading, gates, unit, here) {
  if (gates.length === 0) return [];
  const names = stepNames(reading, gates[0]);
  const rows = names.map((name, row) => {
    const found = el("tr", {},
      el("th", { scope: "row" }, el("bdi", { text: reading.written ? `${row + 1} ${name}` : name })),
      ...gates.map((gate) => el("td", { text: decimals(gate.values[row * gate.units + unit], 3) })));
    setAttribute(found, "class", row === rowAt(gates[0], here) ? "here" : null);
    return found;
  });
  return [table([reading.written ? "written word" : "step ahead", ...gates.map((gate) => `${gate.name}, unit ${unit}`)], rows)];
}

function table(heads, rows) {
  return el("table", {},
    el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col", text: head })))),
    el("tbody", {}, ...rows));
}
