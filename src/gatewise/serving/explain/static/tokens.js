// The text, token by token, coloured by reasons; a list of options for the keyboard and for those who hear the page.

import { el, resizeChildren, setAttribute, setStyle, setText } from "./elements.js";
import { decimals } from "./words.js";

const MOST_TAIL = 400;
const WEAKEST = 8;

/** The tokens of one run. */
export class Tokens {
  constructor(number, { choose, move }) {
    Object.assign(this, { number, colours: [], marks: [] });
    this.tail = el("span", { class: "unread" });
    this.list = el("div", {
      class: "tokens", tabindex: 0, role: "listbox", "aria-orientation": "horizontal",
      click: (event) => {
        const token = event.target.closest("[data-step]");
        if (token) choose(Number(token.dataset.step));
      },
      keydown: (event) => {
        const moves = { ArrowUp: -10, ArrowDown: 10 };
        if (!(event.key in moves)) return;
        event.preventDefault();
        move(moves[event.key]);
      },
    });
    this.element = el("div", { class: "text", dir: "auto" }, this.list, this.tail);
  }

  /** The tokens of a reading; what stays the same is not touched. */
  draw(reading, label) {
    setAttribute(this.list, "aria-label", label);
    resizeChildren(this.list, 2 * reading.length, (place) => (place % 2 === 0
      ? el("span", { class: "gap", "aria-hidden": "true" })
      : el("span", { class: "token", role: "option", id: `token-${this.number}-${(place - 1) / 2}`, "data-step": (place - 1) / 2 })));
    reading.steps.forEach((step, place) => {
      setText(this.list.children[2 * place], step.before);
      const token = this.list.children[2 * place + 1];
      if (token.textContent !== step.text) {
        token.textContent = step.text;
        this.colours[place] = null;
      }
      token.classList.toggle("unknown", !step.known);
      token.classList.toggle("turn", reading.turnedAt.has(place));
    });
    const tail = reading.tail ?? "";
    setText(this.tail, tail.length > MOST_TAIL ? `${tail.slice(0, MOST_TAIL)}…` : tail);
  }

  /** Colours: the share of the largest reason, for or against. `fresh`: whether they belong to this very text. */
  colour(values, fresh) {
    const largest = values === null ? 1 : values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
    const count = this.list.childElementCount / 2;
    this.colours.length = count;
    for (let step = 0; step < count; step += 1) {
      const value = values === null || step >= values.length ? 0 : values[step];
      const share = Math.round((100 * Math.abs(value)) / largest);
      const kind = share < WEAKEST ? "" : value > 0 ? "for" : "against";
      const told = values === null ? null : decimals(value);
      const written = `${share} ${kind} ${told}`;
      if (this.colours[step] === written) continue;
      this.colours[step] = written;
      const token = this.list.children[2 * step + 1];
      setStyle(token, "--share", `${share}%`);
      token.classList.toggle("for", kind === "for");
      token.classList.toggle("against", kind === "against");
      setAttribute(token, "aria-label", told === null ? null : `${token.textContent}, reason ${told}`);
    }
    this.list.classList.toggle("stale", !fresh);
  }

  /** Mark the step looked at; later tokens are faint: not read yet. */
  point(step) {
    const count = this.list.childElementCount / 2;
    this.marks.length = count;
    for (let place = 0; place < count; place += 1) {
      const mark = place < step ? "read" : place === step ? "here" : "later";
      if (this.marks[place] === mark) continue;
      this.marks[place] = mark;
      const token = this.list.children[2 * place + 1];
      token.classList.toggle("here", mark === "here");
      token.classList.toggle("later", mark === "later");
      setAttribute(token, "aria-selected", mark === "here");
    }
    const here = this.list.children[2 * step + 1];
    setAttribute(this.list, "aria-activedescendant", here ? here.id : null);
  }
}
