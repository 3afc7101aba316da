// Where one looks: a cursor over the steps, a veil over those to come, and one of its own for layers with other steps.

import { el, setStyle } from "./elements.js";
import { rowAt } from "./unit.js";

/** Over all rows of a score, a grid; where the layers walk over other steps, only over those down to the answer. */
export class Cursor {
  constructor() {
    const part = (name) => el("div", { class: name, "aria-hidden": "true" });
    this.veil = part("veil");
    this.cursor = part("cursor");
    this.own = part("cursor own");
    this.elements = [this.veil, this.cursor, this.own];
  }

  /** `last`: element of the last row over the steps of the input; the map and the unit's chart follow it. */
  point({ gate, step, length, capacity, score, last }) {
    const rows = [...score.children].filter((child) => !child.hidden && !this.elements.includes(child));
    const answers = rows.indexOf(last) + 1;
    const first = answers === 2 ? 2 : 1; // below the answer's heading where nothing stands above that
    for (const part of [this.veil, this.cursor]) setStyle(part, "grid-row", gate.aligned ? "auto" : `${first} / ${answers + 1}`);
    lay(this.cursor, step, 1, capacity);
    lay(this.veil, step + 1, length - 1 - step, capacity);
    this.own.hidden = gate.aligned;
    if (gate.aligned) return;
    setStyle(this.own, "grid-row", `${answers + 2} / ${rows.length + 1}`);
    lay(this.own, rowAt(gate, step), 1, gate.values.length / gate.units);
  }
}

function lay(part, step, steps, capacity) {
  setStyle(part, "left", `${(100 * step) / capacity}%`);
  setStyle(part, "width", `${(100 * steps) / capacity}%`);
}
