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
    this.reasons = el(
      "details", { class: "more" },
      el("summary", { text: "Do the reasons hold?" }),
      this.line, this.removal.element, this.axis, this.legend,
    );
    this.reasons.hidden = true;
    this.flow = new Curves("flow");
    this.flowWords = el("p");
    this.flowPart = el("details", { class: "more", hidden: true },
      el("summary", { text: "How far back does the gradient reach?" }), this.flow.element, this.flowWords);
    this.element = el("div", {}, this.reasons, this.flowPart);
  }

  setReasons(reasons) {
    this.reasons.hidden = reasons === null;
    if (reasons === null) return;
    const kept = reasons.method === "occlusion" ? ""
      : ` They sum to the change from ${reasons.baseline} to within ${percent(reasons.completeness_error).replace("< ", "less than ")}${reasons.complete ? "" : ", more than the 1 % wanted"}.`;
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
    setText(this.line, "The input has changed: the reasons are being computed again.");
  }

  /** Norm of the loss's gradient at every step of the first layer, trained and freshly drawn, in powers of ten. */
  setFlow(flow) {
    this.flowPart.hidden = !flow || flow.lines.length === 0;
    if (this.flowPart.hidden) return;
    const kinds = ["random", "main"];
    const lines = flow.lines.map(({ name, values }, place) => ({
      name, kind: kinds[place], values: Float32Array.from(values, (value) => Math.log10(Math.max(value, 1e-9))),
    }));
    const all = lines.flatMap((line) => Array.from(line.values));
    const low = Math.floor(Math.min(...all));
    const high = Math.max(Math.ceil(Math.max(...all)), low + 1);
    this.flow.draw({ lines, low, high, capacity: lines[0].values.length, ticks: [[high, `1e${high}`], [low, `1e${low}`]] });
    const trained = flow.lines.at(-1).values;
    const [first, last] = [trained[0], trained.at(-1)];
    this.flowWords.replaceChildren(
      `Size of the gradient of the loss (of “${flow.target}”) at every ${flow.unit}, `, el("b", { class: "random", text: "before training" }),
      " and ", el("b", { text: "trained" }),
      `; each line up is ten times as much. At the first ${flow.unit} it is ${significant(first)}, at the last ${significant(last)}`,
      last > 0 ? compared(first / last) : ".");
  }
}

/** What is left of the gradient at the first step, by its share of that at the last. */
function compared(share) {
  if (share > 1) return `: it has grown ${decimals(share, share < 10 ? 1 : 0)} times on the way back.`;
  return `: ${decimals(100 * share, share < 0.1 ? 1 : 0)} % of that is left.`;
}
