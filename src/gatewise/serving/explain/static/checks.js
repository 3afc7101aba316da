// Whether the reasons hold: their method, whether they are complete, and what removing them does to the answer.

import { Curves } from "./curve.js";
import { el, setText } from "./elements.js";
import { decimals, percent, significant } from "./words.js";

const MOST_TIMES = 20;
const METHOD_WORDS = {
  "integrated-gradients": "integrated gradients",
  "gradient-x-input": "gradient × input",
  occlusion: "occlusion, one at a time",
};

/** The panel under a run. */
export class Checks {
  constructor() {
    this.line = el("p", { class: "check-line" });
    this.removal = new Curves("removal");
    this.legend = el("p", { class: "removal-words" });
    this.axis = el("p", { class: "axis-words" }, el("span", { text: "nothing removed" }), el("span", { text: "all removed" }));
    this.element = el(
      "details", { class: "more" },
      el("summary", { text: "Do the reasons hold?" }),
      this.line, this.removal.element, this.axis, this.legend,
    );
    this.element.hidden = true;
  }

  setReasons(reasons) {
    this.element.hidden = reasons === null;
    if (reasons === null) return;
    const kept = reasons.method === "occlusion" ? ""
      : ` They sum to the change from ${reasons.baseline} up to ${percent(reasons.completeness_error)}${reasons.complete ? "" : ", more than the 1 % wanted"}.`;
    setText(this.line, `By ${METHOD_WORDS[reasons.method] ?? reasons.method}, of ${reasons.score}: ${significant(reasons.score_at_input)}, `
      + `and ${significant(reasons.score_at_baseline)} with nothing but ${reasons.baseline}.${kept}`);
    const { removal } = reasons;
    for (const part of [this.removal.element, this.axis, this.legend]) part.hidden = !removal;
    if (!removal) return;
    const lines = [["by_reasons", "by-reasons"], ["random", "random"], ["against", "by-against"]]
      .map(([name, kind]) => ({ name, kind, values: Float32Array.from(removal[name]) }));
    const all = lines.flatMap((line) => Array.from(line.values));
    const low = Math.min(...all);
    const high = Math.max(...all);
    this.removal.draw({ lines, low, high, capacity: removal.removed.length, base: 0, ticks: [[high, decimals(high, 1)], [low, decimals(low, 1)]] });
    this.legend.replaceChildren(
      "Removed first: ", el("b", { class: "by-reasons", text: "what speaks for the answer" }), ", ",
      el("b", { class: "random", text: "anything, at random" }), ", ", el("b", { class: "by-against", text: "what speaks against it" }),
      removal.faster === null ? "." : `. Removing by reasons hurts ${removal.faster > MOST_TIMES ? `more than ${MOST_TIMES}` : decimals(removal.faster, 1)} times as fast as at random.`,
    );
  }

  /** The reasons belong to an earlier text. */
  stale() {
    setText(this.line, "The text has changed: the reasons are being computed again.");
  }
}
