// One cursor through time for all runs: a slider, keys, play, and a region that says the answer at a step.

import { el, setAttribute, setText } from "./elements.js";
import { shortened } from "./words.js";

const LONGEST_PLAY = 12000;
const SLOWEST_STEP = 450;
const SAY_AFTER = 350;

/** The bar under the text. */
export class Timeline {
  constructor(store, views) {
    Object.assign(this, { store, views });
    this.slider = el("input", {
      type: "range", min: 0, max: 0, value: 0, step: 1, "aria-label": "Step looked at",
      input: () => { this.stop(); this.to(Number(this.slider.value)); },
    });
    const button = (label, text, act) => el("button", { type: "button", "aria-label": label, title: label, text, click: act });
    this.play = button("Play, step by step", "▶", () => this.toggle());
    this.here = el("output", { class: "here-words", dir: "auto" });
    this.said = el("p", { class: "unseen", role: "status", "aria-live": "polite" });
    this.element = el(
      "div", { class: "timeline", role: "group", "aria-label": "Time" },
      this.play,
      button("One step back", "‹", () => { this.stop(); this.by(-1); }),
      this.slider,
      button("One step on", "›", () => { this.stop(); this.by(1); }),
      this.here, this.said,
    );
    document.addEventListener("keydown", (event) => this.key(event));
  }

  get length() {
    return this.views.reduce((most, view) => Math.max(most, view.reading?.length ?? 0), 0);
  }

  get step() {
    return Math.min(this.store.state.step ?? this.length - 1, this.length - 1);
  }

  to(step) {
    const last = this.length - 1;
    if (last < 0) return;
    const place = Math.min(Math.max(step, 0), last);
    this.store.set({ step: place === last ? null : place });
  }

  by(steps) {
    this.to(this.step + steps);
  }

  /** Arrow keys step through time wherever they have no other meaning. */
  key(event) {
    const moves = { ArrowLeft: -1, ArrowRight: 1 };
    const ends = { Home: 0, End: Infinity };
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.target.closest?.("textarea, input, select, [role=region]")) return;
    const radios = event.target.closest?.("[role=radiogroup]");
    if (radios && event.key.startsWith("Arrow")) {
      event.preventDefault();
      nextRadio(event.target, event.key === "ArrowLeft" || event.key === "ArrowUp" ? -1 : 1);
      return;
    }
    if (event.key in moves) this.by(moves[event.key]);
    else if (event.key in ends) this.to(ends[event.key]);
    else return;
    this.stop();
    event.preventDefault();
  }

  toggle() {
    if (this.timer) {
      this.stop();
      return;
    }
    if (this.step >= this.length - 1) this.to(0);
    setText(this.play, "❚❚");
    setAttribute(this.play, "aria-label", "Pause");
    const pause = Math.min(SLOWEST_STEP, LONGEST_PLAY / Math.max(this.length, 1));
    this.timer = setInterval(() => {
      this.by(1);
      if (this.step >= this.length - 1) this.stop();
    }, pause);
  }

  stop() {
    if (!this.timer) return;
    clearInterval(this.timer);
    this.timer = null;
    setText(this.play, "▶");
    setAttribute(this.play, "aria-label", "Play, step by step");
  }

  draw() {
    const first = this.views.find((view) => view.reading !== null);
    this.element.hidden = !first;
    if (!first) return;
    const { step, length } = this;
    this.slider.max = length - 1;
    this.slider.value = step;
    const label = shortened(first.reading.steps[Math.min(step, first.reading.length - 1)].label, 24);
    const words = `${first.reading.unit} ${step + 1} of ${length}: ${label}`;
    setText(this.here, words);
    setAttribute(this.slider, "aria-valuetext", words);
    clearTimeout(this.saying);
    this.saying = setTimeout(() => {
      const sentences = this.views.filter((view) => view.reading !== null).map((view) => view.sentence());
      setText(this.said, `${words}. ${sentences.join("; ")}`);
    }, SAY_AFTER);
  }
}

/** Choose the next radio button of a group, as arrow keys do. */
function nextRadio(radio, by) {
  const group = [...radio.closest("[role=radiogroup]").querySelectorAll("[role=radio]")];
  const next = group[(group.indexOf(radio) + by + group.length) % group.length];
  next.click();
  requestAnimationFrame(() => (next.isConnected ? next : group[0]).focus());
}
