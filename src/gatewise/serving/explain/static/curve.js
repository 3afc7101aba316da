// Lines over steps: an SVG that is stretched to the width of the score, so that resizing needs no drawing.

import { el, resizeChildren, setAttribute, setStyle, setText, svg } from "./elements.js";

/** The middle of a step, as a share of the width. */
export function middle(step, capacity) {
  return (step + 0.5) / capacity;
}

function linePath(line, low, high) {
  const span = high - low || 1;
  let path = "";
  for (let step = 0; step < line.length; step += 1) {
    const value = line[step];
    if (!Number.isFinite(value)) continue;
    const height = 1 - (Math.min(Math.max(value, low), high) - low) / span;
    path += `${path === "" ? "M" : "L"}${step + 0.5} ${height.toFixed(4)}`;
  }
  return line.length === 1 ? `${path}h0.001` : path;
}

/** Lines in one frame, each with a dot and a figure at the step looked at. */
export class Curves {
  constructor(name) {
    this.lines = svg("g");
    this.base = svg("line", { class: "zero", x1: 0 });
    this.picture = svg("svg", { preserveAspectRatio: "none", "aria-hidden": "true" }, this.base, this.lines);
    this.dots = el("div", { class: "dots", "aria-hidden": "true" });
    this.ticks = el("div", { class: "ticks", "aria-hidden": "true" });
    this.element = el("div", { class: `curves ${name}`, role: "img" }, this.picture, this.dots, this.ticks);
  }

  /**
   * Draw.
   * `lines`: `{values, name, kind}`, kind a class of the style sheet; `ticks`: `[value, words]`; `base`: value of the
   * horizontal rule.
   */
  draw({ lines, low, high, capacity, ticks = [], base = null }) {
    Object.assign(this, { shown: lines, low, high, capacity });
    setAttribute(this.picture, "viewBox", `0 0 ${capacity} 1`);
    resizeChildren(this.lines, lines.length, () => svg("path", { "vector-effect": "non-scaling-stroke" }));
    lines.forEach(({ values, kind }, place) => {
      const path = this.lines.children[place];
      setAttribute(path, "d", linePath(values, low, high));
      setAttribute(path, "class", `stroke ${kind}`);
    });
    const height = base === null ? 0 : 1 - (base - low) / (high - low || 1);
    setStyle(this.base, "display", base === null ? "none" : "inline");
    setAttribute(this.base, "x2", capacity);
    setAttribute(this.base, "y1", height);
    setAttribute(this.base, "y2", height);
    resizeChildren(this.ticks, ticks.length, () => el("span"));
    ticks.forEach(([value, words], place) => {
      const tick = this.ticks.children[place];
      setText(tick, words);
      setStyle(tick, "top", `${100 * (1 - (value - low) / (high - low || 1))}%`);
      setAttribute(tick, "class", value === low ? "lowest" : value === high ? "highest" : "between");
    });
  }

  /** Move the dots to a step; `words` writes a value. */
  point(step, words) {
    const drawn = this.shown.filter(({ values }) => step < values.length && Number.isFinite(values[step]));
    resizeChildren(this.dots, drawn.length, () => el("span", { class: "dot" }, el("span", { class: "figure" })));
    const span = this.high - this.low || 1;
    const side = middle(step, this.capacity) > 0.72 ? "left" : "right";
    const places = drawn.map(({ values }) => 1 - (Math.min(Math.max(values[step], this.low), this.high) - this.low) / span);
    const labels = apart(places, 0.16);
    drawn.forEach(({ values, name, kind }, place) => {
      const dot = this.dots.children[place];
      setAttribute(dot, "class", `dot ${kind} ${side}`);
      setStyle(dot, "left", `${100 * middle(step, this.capacity)}%`);
      setStyle(dot, "top", `${100 * places[place]}%`);
      setStyle(dot, "--shift", labels[place] - places[place]);
      setText(dot.firstElementChild, words(values[step], name));
    });
  }
}

/** Heights of labels that keep a distance, as near their own places as that allows, inside 0 to 1. */
function apart(places, distance) {
  const order = places.map((_, number) => number).sort((one, other) => places[one] - places[other]);
  const found = [...places];
  for (let turn = 0; turn < 30; turn += 1) {
    for (let number = 1; number < order.length; number += 1) {
      const gap = distance - (found[order[number]] - found[order[number - 1]]);
      if (gap > 0) {
        found[order[number - 1]] -= gap / 2;
        found[order[number]] += gap / 2;
      }
    }
    order.forEach((number) => { found[number] = Math.min(Math.max(found[number], 0.04), 0.96); });
  }
  return found;
}

/** Reasons as bars from a middle line: up for the answer, down against it. */
export class Bars {
  constructor() {
    this.paths = ["for", "against"].map((kind) => svg("path", { class: `bar ${kind}` }));
    this.picture = svg("svg", { preserveAspectRatio: "none", "aria-hidden": "true" }, ...this.paths);
    this.words = el("span", { class: "bars-words", "aria-hidden": "true" });
    this.element = el("div", { class: "bars", role: "img" }, this.picture, this.words);
  }

  draw(values, capacity) {
    setAttribute(this.picture, "viewBox", `0 -1 ${capacity} 2`);
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
    const paths = ["", ""];
    values.forEach((value, step) => {
      const height = Math.abs(value) / largest;
      if (height < 0.004) return;
      paths[value < 0 ? 1 : 0] += `M${step + 0.14} 0v${value < 0 ? height : -height}h0.72V0z`;
    });
    this.paths.forEach((path, place) => setAttribute(path, "d", paths[place]));
  }
}
