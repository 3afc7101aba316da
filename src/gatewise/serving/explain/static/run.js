// One network's column: its answer, the text, the score (reasons, answer, gates, unit over the same steps), the equation.

import { answerCurves, answersAt, topAnswers } from "./answers.js";
import { Checks } from "./checks.js";
import { palette } from "./colours.js";
import { Cursor } from "./cursor.js";
import { Bars, Curves } from "./curve.js";
import { el, resizeChildren, setAttribute, setStyle, setText } from "./elements.js";
import { drawLabels } from "./labels.js";
import { GateMap, Legend, RowMap } from "./map.js";
import { Neighbours, Settling } from "./panels.js";
import { Picture } from "./picture.js";
import { bothSides, extremes, ownTime, placeWords, quoted, reasonWords, trueAnswer } from "./sentences.js";
import { Series } from "./series.js";
import { StepTable } from "./table.js";
import { Tokens } from "./tokens.js";
import { UnitPanel, rowAt, stepWords, valueAt } from "./unit.js";
import { decimals, isolated, plural, score, shortened } from "./words.js";
import { Alignment, Written } from "./written.js";

/** What a page shows of one run. */
export class RunView {
  constructor(description, store, { lines, search, settle, edit }) {
    Object.assign(this, { description, store, reading: null, reasons: null, number: description.number });
    const choose = (step) => store.set({ step: this.reading && step >= this.reading.length - 1 ? null : step });
    const chooseUnit = (unit) => this.chooseUnit(unit);
    this.answer = el("p", { class: "answer" });
    this.truth = el("p", { class: "true-answer" });
    this.answers = el("div", { class: "answers-of", role: "radiogroup", "aria-label": "Explain which answer" });
    this.tokens = new Tokens(this.number, { choose, move: (by) => this.move(by) });
    const chooseWord = (word) => this.chooseWord(word);
    this.written = new Written(chooseWord);
    this.alignment = new Alignment(chooseWord);
    this.series = new Series({ edit, choose });
    this.picture = new Picture({ choose, chooseWord });
    this.bars = new Bars();
    this.barsTitle = el("h3", { class: "over-bars" }, "Reasons", el("small", {}, ""));
    this.curve = new Curves("answers-curve");
    this.curveTitle = el("h3", { class: "over-curve" });
    this.gates = el("div", { class: "gates", role: "radiogroup", "aria-label": "What the map shows" });
    this.places = el("select", { "aria-label": "Layer and direction", change: () => store.setRun(this.number, { place: this.places.value, unit: null }) });
    this.legend = new Legend();
    this.stretch = el("button", {
      type: "button", class: "stretch", text: "stretch", title: "Stretch the colours over the values that occur",
      "aria-label": "Stretch the colours over the values that occur", click: () => store.set({ stretched: !store.state.stretched }),
    });
    this.meaning = el("p", { class: "meaning" });
    this.map = new GateMap({
      choose: (step, row) => { if (this.gate.aligned) choose(step); else if (this.reading.written) this.chooseWord(step); this.chooseUnit(this.gate.orderOfUnits[row]); },
      moveUnit: (by) => this.moveUnit(by),
    });
    this.unit = new UnitPanel({
      chooseUnit,
      ask: lines && (() => (this.reading === null ? null : lines(this, { step: this.ownStep(), unit: this.chosenUnit() }))),
    });
    this.columns = new RowMap();
    this.labels = el("div", { class: "labels", "aria-hidden": "true" });
    this.cursor = new Cursor();
    this.notes = el("ul", { class: "notes" });
    this.problem = el("p", { class: "problem", role: "alert", hidden: true });
    this.checks = new Checks();
    this.neighbours = new Neighbours(search && ((units) => search(this, { step: this.ownStep(), units })));
    this.settling = new Settling(settle && (() => settle(this)));
    this.table = new StepTable();
    this.score = el(
      "div", { class: "score", click: (event) => this.clicked(event, choose) },
      this.series.element,
      this.barsTitle,
      this.bars.element,
      this.columns.element,
      this.alignment.element,
      this.curveTitle,
      this.curve.element,
      el("div", { class: "over-map" },
        el("div", { class: "map-head" }, el("h3", {}, "Gates and states"), this.places), this.gates, this.meaning),
      this.map.element,
      this.labels,
      el("div", { class: "over-unit" }, el("span", { class: "map-foot" }, this.legend.element, this.stretch), this.unit.head),
      this.unit.curves.element,
      ...this.cursor.elements,
    );
    this.element = el(
      "article",
      { class: `run empty m${description.style}`, "aria-labelledby": `run-${this.number}` },
      el("header", {},
        el("h2", { id: `run-${this.number}` },
          el("span", { class: `key k${description.style}`, "aria-hidden": "true" }),
          el("span", { text: description.title }), el("small", { text: description.name })),
        this.answer, this.truth, this.problem),
      this.answers,
      el("div", {}, this.tokens.element, this.written.element, this.picture.element),
      this.score,
      this.unit.element,
      el("footer", {}, this.notes, this.checks.element, this.neighbours.element, this.settling.element, this.table.element),
    );
    new ResizeObserver(([entry]) => this.resized(entry.contentRect.width)).observe(this.map.element);
    this.element.style.setProperty("--series-hex", `var(--c${description.style})`);
  }

  /** The width is kept, since asking for it while drawing costs a layout. */
  resized(width) {
    if (width === this.width) return;
    this.width = width;
    if (this.reading && this.gate) this.drawLabels();
  }

  clicked(event, choose) {
    if (!this.reading || event.target.closest("h3, .over-map, .over-unit, .map, .changeable, .editor, .alignments")) return;
    const box = this.map.element.getBoundingClientRect();
    const at = (capacity, length) => Math.min(Math.max(Math.floor(((event.clientX - box.left) / box.width) * capacity), 0), length - 1);
    if (this.gate.aligned || !event.target.closest(".unit, .labels")) choose(at(this.capacity, this.reading.length));
    else if (this.reading.written) this.chooseWord(at(this.map.capacity, this.map.length));
  }

  move(by) {
    const last = this.reading.length - 1;
    const step = Math.min(Math.max((this.store.state.step ?? last) + by, 0), last);
    this.store.set({ step: step === last ? null : step });
  }

  /** Another word of what is written: its reasons are for itself. */
  chooseWord(word) {
    this.store.setRun(this.number, { word });
    this.store.set({ target: null });
  }

  /** The row of the map that is looked at: a step of the input, or of what is written. */
  ownStep() {
    return rowAt(this.gate, this.step());
  }

  chooseUnit(unit) {
    if (!this.reading || !Number.isFinite(unit)) return;
    this.store.setRun(this.number, { unit: Math.min(Math.max(Math.round(unit), 0), this.gate.units - 1) });
  }

  /** To the unit that stands so many rows further down the map. */
  moveUnit(by) {
    if (!this.reading) return;
    const order = this.gate.orderOfUnits;
    const row = Math.min(Math.max(order.indexOf(this.chosenUnit()) + by, 0), order.length - 1);
    this.chooseUnit(order[row]);
  }

  /** A new reading; `draw` shows it. */
  setReading(reading) {
    reading.turnedAt = new Set(reading.turned);
    reading.scale = reading.answers === "values" ? "value" : "probability";
    reading.backward = reading.place?.endsWith("backward") ?? false;
    for (const gate of reading.gates) if (!gate.aligned) gate.fixed = reading.written?.place;
    this.reading = reading;
    this.changed = true;
    this.problem.hidden = true;
    this.element.classList.remove("empty");
  }

  setReasons(reasons) {
    this.reasons = reasons;
    this.checks.setReasons(reasons);
    this.reasonsChanged = true;
  }

  /** What is said of every written word: for the text and by the method `table.of`. */
  setTable(table) {
    this.writtenTable = table;
    this.reasonsChanged = true;
  }

  /** What is said of the units, and the gradient's way back: for the text `more.of`. */
  setMore(more) {
    this.more = more;
    this.moreChanged = true;
  }

  /** The text changed: the reasons shown are those of an earlier one until new ones come. */
  staleReasons() {
    this.checks.stale();
    this.tokens.list.classList.add("stale");
    this.bars.element.classList.add("stale");
  }

  fail(message) {
    setText(this.problem, message);
    this.problem.hidden = false;
  }

  clear() {
    this.element.classList.add("empty");
    this.reading = null;
    this.setReasons(null);
  }

  /** The step looked at, inside this run's own reading. */
  step() {
    const last = this.reading.length - 1;
    return Math.min(this.store.state.step ?? last, last);
  }

  /** The unit looked at: the chosen one, else that which moved the most over the input. */
  chosenUnit() {
    const { unit } = this.store.state.runs[this.number];
    if (unit !== null && unit < this.gate.units) return unit;
    return this.reading.liveliest;
  }

  targetPlace() {
    const { target } = this.store.state;
    const place = target === null ? -1 : this.reading.names.indexOf(target);
    if (place >= 0) return place;
    if (this.reading.at === null) return this.reading.target;
    const row = answersAt(this.reading, this.step());
    return row.indexOf(Math.max(...row));
  }

  /** Draw what changed; `capacity`: steps that the width has room for, the same in all runs. */
  draw(capacity, anew) {
    const { reading } = this;
    if (reading === null) return;
    const chosen = this.store.state.runs[this.number];
    this.gate = reading.gates.find((gate) => gate.name === chosen.gate) ?? reading.gates.find((gate) => gate.name === reading.shows);
    const unit = this.chosenUnit();
    const all = this.changed || anew || capacity !== this.capacity;
    const moved = reading.at !== null && this.drawnStep !== this.step();
    this.capacity = capacity;
    if (anew || !this.palette) this.palette = palette(this.element);
    if (all) this.drawReading();
    if (all || moved || this.reasonsChanged || this.target !== this.targetPlace()) this.drawReasons();
    if (!all && this.target !== this.targetPlace()) this.curve.draw({ ...answerCurves(reading, this.targetPlace()), capacity });
    const stretched = this.drawnStretched !== this.store.state.stretched;
    if (all || stretched || this.gate !== this.drawnGate) this.drawMap();
    const more = this.more?.of === reading.of ? this.more : null;
    if (all || this.moreChanged) this.checks.setFlow(more?.flow ?? null);
    if (all || this.moreChanged || unit !== this.drawnUnit || this.gate !== this.drawnGate) {
      this.unit.draw(reading, unit, capacity, more?.facts[reading.place]?.[unit] ?? "");
      this.map.mark(this.gate.rowOf[unit]);
    }
    this.point(unit, more);
    this.neighbours.draw(reading, this.gate, unit, this.step());
    this.settling.draw(reading);
    Object.assign(this, { drawnGate: this.gate, drawnUnit: unit, changed: false, moreChanged: false, reasonsChanged: false, target: this.targetPlace(), drawnStep: this.step(), drawnStretched: this.store.state.stretched });
    this.table.draw(this);
  }

  drawReading() {
    const { reading, capacity } = this;
    const isText = reading.series === undefined && !reading.picture;
    this.tokens.element.hidden = !isText;
    this.series.element.hidden = reading.series === undefined;
    for (const part of [this.barsTitle, this.bars.element]) part.hidden = reading.picture !== undefined;
    this.picture.draw(reading);
    this.written.draw(reading);
    if (isText) this.tokens.draw(reading, `${this.description.title}: ${plural(reading.length, reading.unit)}`);
    else if (!reading.picture) this.series.draw(reading, capacity);
    this.curve.draw({ ...answerCurves(reading, this.targetPlace()), capacity });
    setText(this.curveTitle, reading.at === null ? `Answer after each ${reading.unit}` : `Answer at each ${reading.unit}`);
    this.curveTitle.title = reading.meaning;
    this.drawChoices();
    resizeChildren(this.notes, reading.notes.length, () => el("li"));
    reading.notes.forEach((note, place) => setText(this.notes.children[place], note));
  }

  drawReasons() {
    const { reading, reasons } = this;
    const fits = reasons !== null && reading.names[this.targetPlace()] === reasons.target
      && (reading.at === null || reasons.at === this.step())
      && (!reading.written || reasons.at === reading.written.place);
    const values = fits ? reasons.values : null;
    const fresh = fits && reasons.of === reading.of && reasons.method === this.store.state.method;
    this.tokens.colour(values, fresh);
    this.bars.draw(values === null ? [] : values.slice(0, reading.length), this.capacity);
    for (const part of [this.bars, this.columns]) part.element.classList.toggle("stale", !fresh);
    this.columns.draw(values === null ? [] : reasons.columns, this.capacity, this.palette.reasons);
    const table = this.writtenTable?.of === reading.of ? this.writtenTable : null;
    this.alignment.draw(reading, table, this.capacity, this.palette);
    if (reading.picture) {
      this.picture.colour(values, fresh, reading.names[this.targetPlace()]);
      this.picture.table(table);
    }
    const target = reading.names[this.targetPlace()];
    setText(this.barsTitle.lastChild, reading.scale === "value" ? `up: raises ${quoted(target)}, down: lowers it` : `up: for ${quoted(target)}, down: against it`);
    setAttribute(this.bars.element, "aria-label", values === null ? "Reasons: not computed yet" : reasonWords(reading, values, target));
  }

  drawMap() {
    const { reading, gate, capacity } = this;
    const signed = gate.low < 0;
    const table = signed ? this.palette.state : this.palette.gate;
    const [low, high] = this.store.state.stretched ? extremes(gate) : signed ? bothSides(gate.low, gate.high) : [gate.low, gate.high];
    gate.orderOfUnits = gate.order ?? reading.order;
    gate.rowOf ??= reading.rowOf;
    const length = gate.values.length / gate.units;
    this.map.draw({ values: gate.values, order: gate.orderOfUnits, length, begin: gate.begin, low, high, table, capacity: gate.aligned ? capacity : length, aligned: gate.aligned });
    this.legend.draw(table, low, high, gate.role === "gate" && !signed && !this.store.state.stretched);
    setAttribute(this.stretch, "aria-pressed", this.store.state.stretched);
    this.drawLabels();
    setText(this.meaning, gate.meaning + (gate.aligned ? "" : ` ${ownTime(reading)}`));
  }

  /** The buttons for gates, and the list of layers and directions. */
  drawChoices() {
    const { reading } = this;
    const names = reading.gates.map((gate) => gate.name);
    resizeChildren(this.gates, names.length, () => el("button", {
      type: "button", role: "radio",
      click: (event) => this.store.setRun(this.number, { gate: event.currentTarget.textContent }),
    }));
    names.forEach((name, place) => {
      const button = this.gates.children[place];
      setText(button, name);
      setAttribute(button, "aria-checked", name === this.gate.name);
      setAttribute(button, "tabindex", name === this.gate.name ? 0 : -1);
    });
    const ids = reading.places.map((place) => place.id).join();
    if (ids !== this.placeIds) {
      this.placeIds = ids;
      this.places.replaceChildren(...reading.places.map((place) => el("option", { value: place.id, text: place.words })));
      this.places.hidden = reading.places.length < 2;
    }
    this.places.value = reading.place;
  }

  drawLabels() {
    const { reading, gate } = this;
    const capacity = gate.aligned ? this.capacity : gate.values.length / gate.units;
    drawLabels(this.labels, reading, gate, capacity, this.width ?? this.map.element.clientWidth);
  }

  /** Follow the cursor. */
  point(unit, more) {
    const { reading, capacity } = this;
    const step = this.step();
    for (const button of this.gates.children) {
      const on = button.textContent === this.gate.name;
      setAttribute(button, "aria-checked", on);
      setAttribute(button, "tabindex", on ? 0 : -1);
    }
    this.cursor.point({ gate: this.gate, step, length: reading.length, capacity, score: this.score, last: this.curve.element });
    this.tokens.point(step);
    if (reading.picture) this.picture.point(step);
    if (reading.series !== undefined) this.series.point(step, this.targetPlace());
    if (reading.written) this.written.point(more?.drafts ?? null, step, reading.length - 1, reading.picture ? "Were it covered past here" : "If it ended here");
    this.curve.point(step, (value, name) => `${shortened(name, 14)} ${score(reading, value)}`);
    this.unit.point(reading, unit, step);
    for (const label of this.labels.children) label.classList.toggle("here", Number(label.dataset.at) === this.ownStep());
    this.drawAnswer(step);
    const value = valueAt(this.gate, step, unit);
    setAttribute(this.map.element, "aria-valuemin", 0);
    setAttribute(this.map.element, "aria-valuemax", this.gate.units - 1);
    setAttribute(this.map.element, "aria-valuenow", unit);
    setAttribute(this.map.element, "aria-valuetext",
      `unit ${unit}, ${this.gate.name} ${decimals(value)} at ${stepWords(reading, this.gate, step)}`);
  }

  /** The answer at the step, in words, and the answers to choose from. */
  drawAnswer(step) {
    const { reading } = this;
    const row = answersAt(reading, step);
    const best = reading.scale === "value" ? this.targetPlace() : row.indexOf(Math.max(...row));
    resizeChildren(this.answer, 2, (place) => el(place === 0 ? "strong" : "span"));
    setText(this.answer.children[0], reading.scale === "value"
      ? `${isolated(reading.names[best])}: ${score(reading, row[best])}` : `${isolated(reading.names[best])} ${score(reading, row[best])}`);
    setText(this.answer.children[1], placeWords(reading, step));
    const truth = trueAnswer(reading, step);
    setText(this.truth, truth === null ? "" : `truth: ${isolated(truth)}`);
    const shown = topAnswers(row, this.targetPlace(), reading.scale);
    resizeChildren(this.answers, shown.length, () => el("button", {
      type: "button", role: "radio",
      click: (event) => this.store.set({ target: event.currentTarget.dataset.name }),
    }, el("span", { class: "name" }), el("span", { class: "share" })));
    shown.forEach((place, number) => {
      const button = this.answers.children[number];
      const on = place === this.targetPlace();
      button.dataset.name = reading.names[place];
      setText(button.children[0], reading.names[place]);
      setText(button.children[1], score(reading, row[place]));
      setStyle(button, "--part", reading.scale === "value" ? "0%" : `${100 * row[place]}%`);
      setAttribute(button, "aria-checked", on);
      setAttribute(button, "tabindex", on ? 0 : -1);
    });
    setAttribute(this.curve.element, "aria-label", `${reading.meaning}: ${reading.names[best]} ${score(reading, row[best])} at ${reading.unit} ${step + 1}`);
  }

  /** What is said of this run at the step. */
  sentence() {
    const row = answersAt(this.reading, this.step());
    const best = this.reading.scale === "value" ? this.targetPlace() : row.indexOf(Math.max(...row));
    return `${this.description.title}: ${this.reading.names[best]} ${score(this.reading, row[best])}`;
  }
}
