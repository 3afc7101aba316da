// A picture in place of a text: its patches in the colours of the reasons, what was looked at, and both for every word.

import { el, resizeChildren, setAttribute, setText } from "./elements.js";
import { largestOf } from "./map.js";
import { decimals, percent, shortened } from "./words.js";

const LARGE = 352;
const SMALL = 96;
const STRONG = 0.5;
const FAINT = 0.04;
const NAMED = 4;

/** The picture that was read. `choose(step)`: the patch that was clicked; `chooseWord(word)`: of the sheet. */
export class Picture {
  constructor({ choose, chooseWord }) {
    Object.assign(this, { chooseWord, grey: document.createElement("canvas"), reasons: null, step: 0 });
    this.image = new Image();
    this.image.addEventListener("load", () => this.arrived());
    this.why = view(choose, this, "Reasons", "blue, solid: for it; orange, dashed: against it");
    this.where = view(choose, this, "Attention", "light: where this word looked");
    this.sheet = el("div", { class: "sheet", role: "group", "aria-label": "Every word written" });
    this.title = el("h3", {}, "Every word written", el("small", { text: "reasons, attention, and what else it could have been" }));
    this.said = el("p", { class: "note" });
    this.element = el("div", { class: "picture", hidden: true },
      el("div", { class: "picture-views" }, this.why.figure, this.where.figure), this.title, this.sheet, this.said);
  }

  /** A reading; its picture arrives a moment later where it is another one. */
  draw(reading) {
    this.element.hidden = !reading.picture;
    if (!reading.picture) return;
    Object.assign(this, { reading, grid: reading.picture });
    const { attention } = reading.written;
    const { length } = reading;
    this.attention = attention ? reading.written.steps.map((_, word) => attention.subarray(word * length, (word + 1) * length)) : null;
    this.where.figure.hidden = this.attention === null;
    if (this.image.src !== reading.picture.png) {
      this.ready = false;
      this.image.src = reading.picture.png;
    }
    this.paint();
  }

  /** The picture in grey, on which colours can be told apart. */
  arrived() {
    const { naturalWidth: width, naturalHeight: height } = this.image;
    this.grey.width = width;
    this.grey.height = height;
    const context = this.grey.getContext("2d");
    context.drawImage(this.image, 0, 0);
    const content = context.getImageData(0, 0, width, height);
    const { data } = content;
    for (let place = 0; place < data.length; place += 4) {
      const light = 0.299 * data[place] + 0.587 * data[place + 1] + 0.114 * data[place + 2];
      data.fill(70 + light * 0.72, place, place + 3);
    }
    context.putImageData(content, 0, 0);
    this.ready = true;
    this.paint();
    this.fill();
  }

  /** Reasons of the patches for the chosen word; null: not known yet. `fresh`: whether they are for this very answer. */
  colour(values, fresh, target) {
    Object.assign(this, { reasons: values, target });
    this.why.figure.classList.toggle("stale", !fresh);
    this.paint();
  }

  /** The patch looked at; what comes after it is covered. */
  point(step) {
    if (this.step === step) return;
    this.step = step;
    this.paint();
  }

  /** Reasons and chances of every word; null: not yet. */
  table(table) {
    this.words = table;
    this.fill();
  }

  paint() {
    if (!this.ready || !this.reading) return;
    const colours = this.colours();
    const looked = this.attention?.[this.reading.written.place] ?? null;
    const named = this.target === undefined ? "" : ` for “${shortened(this.target, 24)}”`;
    paintReasons(this.why.canvas, this, this.reasons, colours, LARGE);
    setText(this.why.name, `Reasons${named}`);
    setAttribute(this.why.canvas, "aria-label", this.reasons === null ? "The picture; reasons are not computed yet" : `The picture, reasons${named}: ${strongestPatches(this.reading, this.reasons)}`);
    if (looked !== null) {
      paintAttention(this.where.canvas, this, looked, LARGE);
      setAttribute(this.where.canvas, "aria-label", `The picture, attention: ${strongestPatches(this.reading, Array.from(looked))}`);
    }
    if (this.step >= this.reading.length - 1) return;
    for (const { canvas } of [this.why, this.where]) cover(canvas, this.grid, this.step, colours);
  }

  colours() {
    const style = getComputedStyle(this.element);
    const named = (name) => style.getPropertyValue(name).trim();
    return { for: named("--for"), against: named("--against"), ink: named("--ink"), paper: named("--paper") };
  }

  /** The sheet: a tile for every word. */
  fill() {
    if (!this.ready || !this.reading) return;
    const { written } = this.reading;
    const rows = this.words?.reasons?.length === written.steps.length ? this.words : null;
    const colours = this.colours();
    resizeChildren(this.sheet, written.steps.length, () => el("button", {
      type: "button", class: "tile", click: (event) => this.chooseWord([...this.sheet.children].indexOf(event.currentTarget)),
    }, el("canvas", { class: "tile-why", "aria-hidden": "true" }), el("canvas", { class: "tile-where", "aria-hidden": "true" }),
    el("span", { class: "tile-words" }, el("b"), el("span")), el("small", {})));
    written.steps.forEach(({ text }, word) => {
      const tile = this.sheet.children[word];
      const [why, where, words, others] = tile.children;
      paintReasons(why, this, rows?.reasons[word] ?? null, colours, SMALL);
      where.hidden = this.attention === null;
      if (this.attention !== null) paintAttention(where, this, this.attention[word], SMALL);
      setText(words.firstChild, text);
      setText(words.lastChild, rows === null ? "" : percent(rows.chances[word]));
      setText(others, rows === null ? "" : otherWords(rows.following?.[word] ?? [], rows.names?.[word] ?? text));
      setAttribute(tile, "aria-pressed", word === written.place);
    });
    const agreed = rows?.same_step_first;
    setText(this.said, agreed === null || agreed === undefined ? "" : `Attention and reasons name the same patch first for ${percent(agreed)} of the words.`);
  }
}

/** A canvas with its heading. */
function view(choose, picture, title, hint) {
  const canvas = el("canvas", {
    class: "picture-canvas", role: "img",
    click: (event) => {
      if (!picture.grid) return;
      const box = canvas.getBoundingClientRect();
      const place = (at, start, size, count) => Math.min(Math.max(Math.floor(((at - start) / size) * count), 0), count - 1);
      choose(place(event.clientY, box.top, box.height, picture.grid.rows) * picture.grid.columns
        + place(event.clientX, box.left, box.width, picture.grid.columns));
    },
  });
  const name = el("span", { text: title });
  const figure = el("figure", { class: "picture-view" }, el("figcaption", {}, name, el("small", { text: hint })), canvas);
  return { figure, canvas, name };
}

/** Make a canvas square and draw each patch: `patch(context, step, left, top, width, height)`. */
function patches(canvas, picture, source, size, patch) {
  const { rows, columns } = picture.grid;
  if (canvas.width !== size) [canvas.width, canvas.height] = [size, size];
  const context = canvas.getContext("2d");
  context.globalAlpha = 1;
  context.imageSmoothingEnabled = false;
  context.drawImage(source, 0, 0, size, size);
  const edge = (number, count) => Math.round((number * size) / count);
  for (let step = 0; step < rows * columns; step += 1) {
    const [row, column] = [Math.floor(step / columns), step % columns];
    const [left, top] = [edge(column, columns), edge(row, rows)];
    patch(context, step, left, top, edge(column + 1, columns) - left, edge(row + 1, rows) - top);
  }
  context.globalAlpha = 1;
}

function paintReasons(canvas, picture, values, colours, size) {
  const largest = values === null ? 1 : largestOf(values) || 1;
  patches(canvas, picture, picture.grey, size, (context, step, left, top, width, height) => {
    const value = values?.[step] ?? 0;
    const share = Math.abs(value) / largest;
    if (share < FAINT) return;
    context.fillStyle = context.strokeStyle = value > 0 ? colours.for : colours.against;
    context.globalAlpha = 0.8 * share;
    context.fillRect(left, top, width, height);
    if (share < STRONG || size < LARGE) return;
    context.globalAlpha = 1;
    context.lineWidth = 3;
    context.setLineDash(value > 0 ? [] : [5, 4]);
    context.strokeRect(left + 1.5, top + 1.5, width - 3, height - 3);
    context.setLineDash([]);
  });
}

function paintAttention(canvas, picture, weights, size) {
  const largest = weights.reduce((most, value) => Math.max(most, value), 0) || 1;
  patches(canvas, picture, picture.image, size, (context, step, left, top, width, height) => {
    context.fillStyle = "#000";
    context.globalAlpha = 0.8 * (1 - weights[step] / largest);
    context.fillRect(left, top, width, height);
  });
}

/** What has not been seen yet, and where one looks. */
function cover(canvas, { rows, columns }, step, colours) {
  const context = canvas.getContext("2d");
  const [wide, high] = [canvas.width / columns, canvas.height / rows];
  const [row, column] = [Math.floor(step / columns), step % columns];
  context.globalAlpha = 0.75;
  context.fillStyle = colours.paper;
  context.fillRect((column + 1) * wide, row * high, canvas.width, high);
  context.fillRect(0, (row + 1) * high, canvas.width, canvas.height);
  context.globalAlpha = 1;
  context.lineWidth = 2.5;
  context.strokeStyle = colours.ink;
  context.strokeRect(column * wide + 1, row * high + 1, wide - 2, high - 2);
}

function strongestPatches(reading, values) {
  if (largestOf(values) === 0) return "no patch counts";
  const order = Array.from(values, (_, step) => step).sort((one, other) => Math.abs(values[other]) - Math.abs(values[one])).slice(0, NAMED);
  return order.map((step) => `${reading.steps[step].label} ${decimals(values[step])}`).join(", ");
}

/** The likeliest other words. */
function otherWords(following, written) {
  const others = following.filter(([name, chance]) => name !== written && chance >= 0.01).slice(0, 2);
  return others.length === 0 ? "" : `else ${others.map(([name, chance]) => `${shortened(name, 12)} ${percent(chance)}`).join(", ")}`;
}
