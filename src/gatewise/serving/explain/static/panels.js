// What is asked for only when it is opened: where else a state occurs, and whether the steps could be taken in parallel.

import { el, setText } from "./elements.js";
import { stepWords } from "./unit.js";
import { decimals, listed, plural, shortened, significant } from "./words.js";

const ASK_AFTER = 150;

/** A folded part that asks when it is opened, and again when what it is about changes. */
class Asked {
  constructor(title, ask, ...parts) {
    this.ask = ask;
    this.note = el("p", { class: "note" });
    this.element = el("details", { class: "more", toggle: () => this.unfolded() }, el("summary", { text: title }), ...parts, this.note);
    this.element.hidden = !ask;
  }

  unfolded() {
    this.renew();
  }

  /** `key`: what the answer is about; while folded nothing is asked. */
  about(key) {
    this.key = key;
    this.renew();
  }

  renew() {
    if (!this.element.open || this.element.hidden || this.asked === this.key) return;
    this.asked = this.key;
    clearTimeout(this.waiting);
    setText(this.note, "Looking …");
    this.waiting = setTimeout(async () => {
      const { key } = this;
      try {
        const found = await this.ask();
        if (key === this.key) this.show(found);
      } catch (error) {
        if (key !== this.key) return;
        this.asked = null;
        this.show(null);
        setText(this.note, error.message);
      }
    }, ASK_AFTER);
  }
}

/** Other places in the data where the same units were in nearly the same state. */
export class Neighbours extends Asked {
  constructor(search) {
    const units = el("input", { type: "text", class: "unit-list", "aria-label": "Units that are compared: all, or numbers", placeholder: "all", spellcheck: "false" });
    const only = el("button", { type: "button", text: "only this unit" });
    const about = el("p", { class: "about", dir: "auto" });
    const list = el("ol", { class: "neighbours" });
    const choice = el("p", { class: "unit-choice" }, "Units compared: ", units, " ", only);
    super("Where else was it in this state?", search && (() => search(this.chosen())), about, choice, list);
    Object.assign(this, { units, only, words: about, list, choice });
    units.addEventListener("change", () => this.redraw());
    only.addEventListener("click", () => { units.value = units.value.trim() === "" ? String(this.unit) : ""; this.redraw(); });
  }

  /** The numbers that were typed; null: all units. */
  chosen() {
    const numbers = this.units.value.match(/\d+/g);
    return numbers === null ? null : [...new Set(numbers.map(Number))];
  }

  draw(reading, gate, unit, step) {
    Object.assign(this, { reading, gate, unit, step });
    if (this.element.open) this.redraw(); // typing pays for nothing that is folded away
  }

  unfolded() {
    if (this.reading) this.redraw();
  }

  redraw() {
    const { reading, gate, unit, step } = this;
    setText(this.only, this.units.value.trim() === "" ? `only unit ${unit}` : "all units");
    setText(this.words, `The state at ${stepWords(reading, gate, step)}, in ${reading.places.find((each) => each.id === reading.place)?.words ?? "this layer"}.`);
    this.about(JSON.stringify([reading.of, reading.place, reading.written?.place, step, this.chosen()]));
  }

  show(found) {
    this.list.replaceChildren(...(found?.found ?? []).map(({ around, distance, example }) => el("li", {},
      el("bdi", {}, around.length > 1 ? `… ${around.slice(0, -1).map((word) => shortened(word, 24)).join(" ")} ` : "", el("b", { text: shortened(around.at(-1), 24) })),
      el("small", { text: ` ${significant(distance)} away, test example ${example}` }))));
    if (found) setText(this.note, `Nearest first, one of each example. ${found.sentence}`);
  }
}

/** Whether all steps could be computed at once: Newton sweeps and Lyapunov exponents. */
export class Settling extends Asked {
  constructor(settle) {
    const answer = el("p", { class: "about" });
    const list = el("ul", { class: "sweeps" });
    super("Could its steps be computed all at once?", settle, answer, list);
    Object.assign(this, { answer, list });
  }

  draw(reading) {
    this.about(reading.of);
  }

  show(found) {
    setText(this.answer, found?.sentence ?? "");
    this.list.replaceChildren(...(found?.layers ?? []).map((layer) => el("li", { text: layerWords(layer) })));
    if (found) setText(this.note, "Newton's method on all steps of this input at once, layer by layer; a sweep is one linear solution. The exponent says how fast nearby states move apart (above zero) or together (below). It is a property of the network, not a speed.");
  }
}

function layerWords({ layer, direction, exponents, full, diagonal }) {
  const ways = [["whole Jacobians", full], ["their diagonals", diagonal]].filter(([, sweeps]) => sweeps !== null)
    .map(([name, sweeps]) => `${sweepWords(sweeps)} with ${name}`);
  return `Layer ${layer + 1}, ${direction}: ${listed(ways)}; largest exponents ${exponents.map((value) => decimals(value, 3)).join(", ")}.`;
}

function sweepWords({ sweeps, outcome }) {
  return sweeps === null ? (outcome === "diverged" ? "diverges" : "more than 64 sweeps") : plural(sweeps, "sweep");
}
