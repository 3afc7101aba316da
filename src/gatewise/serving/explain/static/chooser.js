// What the networks read: a text box, and real examples to choose from.

import { el } from "./elements.js";
import { Refused } from "./source.js";
import { shortened } from "./words.js";

const METHODS = [["integrated-gradients", "integrated gradients"], ["gradient-x-input", "gradient × input"], ["occlusion", "occlusion"]];

/** The input field. `changed` is called with a question's input: `{text}` or `{example}`; `open` makes a file an example. */
export class Chooser {
  constructor(page, { changed, live, method, open }) {
    Object.assign(this, { page, changed, open });
    this.box = el("textarea", {
      id: "text", rows: 1, spellcheck: "false", autocapitalize: "off", autocomplete: "off", dir: "auto",
      "aria-describedby": "text-hint", placeholder: "Type something to read",
      input: () => { this.example = null; this.list.value = ""; this.fit(); changed({ text: this.box.value }, "typed"); },
    });
    this.hint = el("p", { id: "text-hint", class: "hint" });
    this.list = el("select", {
      id: "example", change: () => { if (this.list.value !== "") this.choose(Number(this.list.value)); },
    }, el("option", { value: "", text: page.text ? "A real example …" : "Choose …" }));
    page.examples.forEach((example, number) => this.listed(example, number));
    this.refused = el("p", { class: "message", role: "alert", hidden: true });
    this.files = live && page.file ? el("input", { id: "file", type: "file", accept: page.file.types, change: () => this.opened() }) : null;
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
        this.files ? el("div", { class: "choose" },
          el("label", { for: "file", text: `or open a ${page.file.what}` }), this.files) : null,
        el("div", { class: "choose" }, el("label", { for: "method", text: "Reasons by" }), this.methods)),
      this.hint, this.refused,
    );
  }

  /** One more example to choose. */
  listed({ title, truth }, number) {
    this.list.append(el("option", { value: number, text: shortened(title, 64) + (truth ? ` · ${truth}` : "") }));
  }

  /** A file was opened: it is sent as it is, becomes an example and is read; what cannot be read is said. */
  async opened() {
    const [file] = this.files.files;
    if (!file) return;
    this.files.disabled = true;
    this.refuse(null);
    try {
      const { what, most } = this.page.file;
      if (file.size > most) throw new Refused(`the ${what} is too large; expected: at most ${megabytes(most)} MB; got: ${megabytes(file.size)} MB`);
      const { example, ...said } = await this.open(file);
      this.page.examples[example] = said;
      this.listed(said, example);
      this.choose(example);
    } catch (error) {
      this.refuse(`${file.name}: ${error instanceof Refused ? error.message : "it did not reach the server; open it again"}`);
    } finally {
      this.files.disabled = false;
      this.files.value = ""; // the same file, changed, can be opened again
    }
  }

  /** Say why a file is not read; null: no more. */
  refuse(words) {
    this.refused.hidden = words === null;
    this.refused.textContent = words ?? "";
  }

  get input() {
    return this.example !== null && this.example !== undefined ? { example: this.example } : { text: this.box.value };
  }

  choose(number) {
    this.refuse(null);
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

function megabytes(bytes) {
  return (bytes / 2 ** 20).toFixed(1).replace(".0", "");
}
