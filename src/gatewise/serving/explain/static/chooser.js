// What the networks read: a text box, and real examples to choose from.

import { el } from "./elements.js";
import { shortened } from "./words.js";

const METHODS = [["integrated-gradients", "integrated gradients"], ["gradient-x-input", "gradient × input"], ["occlusion", "occlusion"]];

/** The input field. `changed` is called with a question's input: `{text}` or `{example}`. */
export class Chooser {
  constructor(page, { changed, live, method }) {
    Object.assign(this, { page, changed });
    this.box = el("textarea", {
      id: "text", rows: 1, spellcheck: "false", autocapitalize: "off", autocomplete: "off", dir: "auto",
      "aria-describedby": "text-hint", placeholder: "Type something to read",
      input: () => { this.example = null; this.list.value = ""; this.fit(); changed({ text: this.box.value }, "typed"); },
    });
    this.hint = el("p", { id: "text-hint", class: "hint" });
    this.list = el("select", {
      id: "example", change: () => { if (this.list.value !== "") this.choose(Number(this.list.value)); },
    }, el("option", { value: "", text: page.text ? "A real example …" : "Choose …" }));
    page.examples.forEach((example, number) => {
      const truth = example.truth ? ` · ${example.truth}` : "";
      this.list.append(el("option", { value: number, text: shortened(example.title, 64) + truth }));
    });
    this.methods = el("select", { id: "method", change: () => method(this.methods.value) },
      ...METHODS.map(([value, text]) => el("option", { value, text })));
    this.methods.value = page.method;
    const typing = page.text && live;
    this.hint.textContent = live ? "" : "This file holds the inputs below; gatewise explain reads your own.";
    this.element = el(
      "form", { class: "chooser", submit: (event) => event.preventDefault() },
      typing ? el("label", { class: "unseen", for: "text", text: "Text to read" }) : null,
      typing ? this.box : null,
      el("div", { class: "choices" },
        page.examples.length > 0 ? el("div", { class: "choose" },
          el("label", { for: "example", text: typing ? "or choose" : page.text ? "Text" : "Example" }), this.list) : null,
        el("div", { class: "choose" }, el("label", { for: "method", text: "Reasons by" }), this.methods)),
      this.hint,
    );
  }

  get input() {
    return this.example !== null && this.example !== undefined ? { example: this.example } : { text: this.box.value };
  }

  choose(number) {
    this.example = number;
    this.list.value = number;
    this.box.value = this.page.examples[number].text ?? "";
    this.fit();
    this.changed({ example: number }, "chosen");
  }

  type(text) {
    this.example = null;
    this.box.value = text;
    this.fit();
    this.changed({ text }, "chosen");
  }

  /** As tall as its text, within bounds, where the style sheet cannot say it. */
  fit() {
    if (CSS.supports("field-sizing", "content")) return;
    this.box.style.height = "auto";
    this.box.style.height = `${Math.min(this.box.scrollHeight + 2, 220)}px`;
  }
}
