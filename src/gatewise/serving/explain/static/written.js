// What a network writes, such as a translation: its words to choose from, and for each of them reasons and attention.

import { el, resizeChildren, setAttribute, setText } from "./elements.js";
import { RowMap, largestOf } from "./map.js";
import { percent, shortened } from "./words.js";

/** The words under the text that was read. */
export class Written {
  constructor(choose) {
    this.words = el("div", { class: "written-words", role: "radiogroup", "aria-label": "Explain which written word", dir: "auto" });
    this.draft = el("p", { class: "draft", dir: "auto" });
    this.choose = choose;
    this.element = el("div", { class: "written", hidden: true }, el("h3", { text: "Writes" }), this.words, this.draft);
  }

  draw(reading) {
    this.element.hidden = !reading.written;
    if (!reading.written) return;
    const { steps, place } = reading.written;
    resizeChildren(this.words, 2 * steps.length, (number) => (number % 2 === 0
      ? el("span", { class: "gap", "aria-hidden": "true" })
      : el("button", { type: "button", role: "radio", class: "word", "data-word": (number - 1) / 2, click: (event) => this.choose(Number(event.currentTarget.dataset.word)) })));
    steps.forEach((step, word) => {
      const button = this.words.children[2 * word + 1];
      setText(this.words.children[2 * word], step.before);
      setText(button, step.text);
      setAttribute(button, "aria-checked", word === place);
      setAttribute(button, "tabindex", word === place ? 0 : -1);
    });
  }

  /** What would be written if the text ended at the step. */
  point(drafts, step, last, words) {
    const shown = drafts !== null && drafts.length > 0 && step < last;
    setText(this.draft, shown ? `${words}: ${drafts[step]}` : "");
  }
}

/** Reasons and attention of every written word over the steps. */
export class Alignment {
  constructor(choose) {
    this.reasons = new RowMap();
    this.attention = new RowMap();
    this.title = el("h3", {}, "Reasons for every word written", el("small", { text: "each row by itself" }));
    this.looked = el("h3", {}, "Attention", el("small", { text: "what each word looks at" }));
    this.said = el("p", { class: "note" });
    for (const map of [this.reasons, this.attention]) {
      map.element.classList.add("alignment");
      map.element.addEventListener("click", (event) => {
        const box = map.element.getBoundingClientRect();
        choose(Math.min(Math.floor(((event.clientY - box.top) / box.height) * this.count), this.count - 1));
        event.stopPropagation();
      });
    }
    this.element = el("div", { class: "alignments", hidden: true }, this.title, this.reasons.element, this.looked, this.attention.element, this.said);
  }

  /** `table`: what the server says of every word; null: not yet. */
  draw(reading, table, capacity, palette) {
    this.element.hidden = !reading.written || reading.picture !== undefined;
    if (this.element.hidden) return;
    const { steps, attention } = reading.written;
    this.count = steps.length;
    const rows = (values) => steps.map(({ text }, word) => ({ name: shortened(text, 12), values: values(word) }));
    const found = table === null ? [] : rows((word) => table.reasons[word]);
    const largest = found.map(({ values }) => largestOf(values) || 1);
    this.title.hidden = table === null;
    this.reasons.fill(found, capacity, palette.reasons, (value, row) => 127.5 + (127.5 * value) / largest[row], 1);
    const seen = attention ? rows((word) => Array.from(attention.subarray(word * reading.length, (word + 1) * reading.length))) : [];
    this.looked.hidden = seen.length === 0;
    this.attention.fill(seen, capacity, palette.gate, (value) => 255 * Math.min(Math.max(value, 0), 1), 1);
    for (const map of [this.reasons, this.attention]) {
      [...map.names.children].forEach((name, word) => {
        name.classList.toggle("far", word < steps.length / 2);
        name.classList.toggle("here", word === reading.written.place);
      });
    }
    setAttribute(this.reasons.element, "aria-label", `Reasons: ${strongest(reading, found)}`);
    setAttribute(this.attention.element, "aria-label", `Attention: ${strongest(reading, seen)}`);
    const agreed = table?.same_step_first;
    setText(this.said, agreed === null || agreed === undefined ? "" : `Attention and reasons name the same ${reading.unit} first for ${percent(agreed)} of the words.`);
  }
}

/** The step that counts the most for each row. */
function strongest(reading, rows) {
  return rows.map(({ name, values }) => {
    const largest = largestOf(values);
    const step = values.findIndex((value) => Math.abs(value) === largest);
    return `${name} from ${reading.steps[step]?.label}`;
  }).join(", ");
}
