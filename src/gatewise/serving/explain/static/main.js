// The page: its parts, and what asks for what.

import { Chooser } from "./chooser.js";
import { el, setText } from "./elements.js";
import { RunView } from "./run.js";
import { FileSource, Latest, LiveSource, Refused } from "./source.js";
import { makeStore } from "./store.js";
import { Timeline } from "./timeline.js";
import { plural } from "./words.js";

const REASONS_AFTER = 250;
const CAPACITIES = [16, 24, 32, 48, 64, 96, 128, 192, 256];

/** The steps that the width has room for: the map fills from left to right until the next size is needed. */
function roomFor(steps) {
  return CAPACITIES.find((size) => size >= steps) ?? Math.ceil(steps / 64) * 64;
}

class Page {
  constructor(description, source, place) {
    Object.assign(this, { description, source, readings: 0 });
    this.store = makeStore(description.runs.length);
    this.store.state.method = description.method;
    this.views = description.runs.map((run) => new RunView(run, this.store, {
      lines: source.live ? (view, where) => this.lines(view, where) : null,
      search: (view, what) => source.neighbours({ ...this.asked(view), ...what }),
      settle: (view) => source.parallel(this.asked(view)),
      edit: source.live ? (values) => this.edited(values) : null,
    }));
    this.timeline = new Timeline(this.store, this.views);
    this.chooser = new Chooser(description, { live: source.live, changed: (input, how) => this.inputChanged(input, how), method: (method) => this.store.set({ method }), open: (file) => source.open(file) });
    this.message = el("p", { class: "message", role: "alert", hidden: true });
    this.empty = el("p", { class: "nothing", text: "Nothing to read yet: type a sentence, or choose an example.", hidden: true });
    this.guide = guide(description);
    this.fillGuide(false);
    this.runs = el("div", { class: `runs of-${this.views.length}` }, ...this.views.map((view) => view.element));
    place.replaceChildren(
      el("p", { class: "kicker", text: description.kicker }),
      el("h1", { text: description.title }),
      this.chooser.element, this.message, this.timeline.element, this.empty, this.runs, this.guide,
    );
    this.latest = this.views.map((view) => new Latest(
      (question) => source.read(question),
      (reading, question) => this.readingCame(view, reading, question),
      (error) => this.failed(view, error),
    ));
    this.store.subscribe(() => this.draw(false));
    source.onReach = (reached) => this.reached(reached);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(true));
  }

  begin() {
    const { first } = this.description;
    if (first.text !== undefined) this.chooser.type(first.text);
    else if (first.example !== undefined) this.chooser.choose(first.example);
    else this.inputChanged({ text: "" }, "chosen");
  }

  inputChanged(input, how) {
    this.input = input;
    this.key = JSON.stringify(input);
    this.fresh = how === "chosen";
    if (how !== "edited") {
      this.store.state.step = null;
      for (const run of this.store.state.runs) run.word = null;
    }
    this.timeline.stop();
    const blank = input.text !== undefined && input.text.trim() === "";
    this.empty.hidden = !blank;
    this.runs.hidden = blank;
    clearTimeout(this.waiting);
    this.stopReasons();
    if (blank) {
      for (const view of this.views) view.clear();
      this.timeline.draw();
      return;
    }
    for (const view of this.views) view.staleReasons();
    this.ask();
  }

  /** The numbers of the window are others; null: as they were measured. */
  edited(values) {
    const { example } = this.input;
    this.inputChanged(values === null ? { example } : { example, values }, "edited");
  }

  /** Ask for every run's reading of the input. */
  ask() {
    if (this.input === undefined || this.runs.hidden) return;
    this.views.forEach((view) => this.latest[view.number].request(this.question(view)));
  }

  question(view) {
    const { place, word } = this.store.state.runs[view.number];
    return { run: view.number, ...this.input, place, word };
  }

  /** What a run shows now, as a question. */
  asked(view) {
    const { reading } = view;
    return { run: view.number, ...JSON.parse(reading.of), place: reading.place, word: reading.written?.place ?? null };
  }

  /** Where a unit's gates come from; null where it cannot be said now. */
  async lines(view, where) {
    try {
      return await this.source.lines({ ...this.asked(view), ...where });
    } catch (error) {
      this.failed(view, error);
      return null;
    }
  }

  readingCame(view, reading, question) {
    const { run, place, word, ...input } = question;
    reading.of = JSON.stringify(input);
    if (this.runs.hidden) return;
    if (reading.series !== undefined) {
      if (input.values === undefined) view.measured = reading;
      else reading.measured = view.measured;
    }
    view.setReading(reading);
    this.fillGuide(reading.picture !== undefined);
    if (this.fresh && reading.at !== null) this.store.state.step = reading.at;
    this.fresh = false;
    this.readings += 1;
    this.store.schedule();
    if (reading.of === this.key) this.askReasonsSoon();
  }

  /** How to read the page: of a picture, or of steps in a row. */
  fillGuide(picture) {
    if (this.ofPicture === picture) return;
    this.ofPicture = picture;
    const lines = picture ? PICTURE_GUIDE : STEPS_GUIDE;
    this.guide.querySelector("dl").replaceChildren(...lines.flatMap(([name, words]) => [el("dt", { text: name }), el("dd", { text: words })]));
  }

  failed(view, error) {
    if (error instanceof Refused) view.fail(error.message);
    else if (this.source.reached !== false) throw error;
  }

  /** The reasons come after the reading, once typing pauses; what was asked before is given up. */
  askReasonsSoon() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.askReasons(), this.source.live ? REASONS_AFTER : 0);
  }

  stopReasons() {
    this.reasonsAsked?.abort();
    this.reasonsAsked = null;
  }

  async askReasons() {
    this.stopReasons();
    const asked = new AbortController();
    this.reasonsAsked = asked;
    const { key } = this;
    for (const view of this.views) {
      if (view.reading === null) continue;
      const target = this.store.state.target ?? null;
      const known = target !== null && view.reading.names.includes(target) ? target : null;
      const word = view.reading.written?.place ?? null;
      const at = word ?? (view.reading.at === null ? null : view.step());
      const { method } = this.store.state;
      const question = { run: view.number, ...this.input, target: known, at, word, method };
      try {
        const reasons = await this.source.reasons(question, asked.signal);
        if (asked.signal.aborted) return;
        if (reasons !== null) {
          reasons.of = key;
          view.setReasons(reasons);
          this.store.schedule();
        }
        if (view.more?.of !== key) {
          const more = await this.source.more({ run: view.number, ...this.input }, asked.signal);
          if (asked.signal.aborted) return;
          view.setMore({ ...more, of: key });
          this.store.schedule();
        }
        if (word !== null && (view.writtenTable?.of !== key || view.writtenTable.by !== method)) {
          const table = await this.source.written({ run: view.number, ...this.input, method }, asked.signal);
          if (asked.signal.aborted) return;
          view.setTable({ ...table, of: key, by: method });
          this.store.schedule();
        }
      } catch (error) {
        if (asked.signal.aborted) return;
        this.failed(view, error);
      }
    }
  }

  reached(reached) {
    this.message.hidden = reached;
    if (reached) {
      this.ask();
      return;
    }
    setText(this.message, "The server on this machine does not answer. What you see is its last answer; the page goes on by itself as soon as it is back. To start it again: "
      + this.description.command);
  }

  draw(anew) {
    const { state } = this.store;
    const places = JSON.stringify(state.runs.map((run) => [run.place, run.word]));
    if (this.places !== undefined && places !== this.places) this.ask();
    this.places = places;
    const target = state.target;
    if (this.target !== undefined && (target !== this.target || state.method !== this.method)) this.askReasons();
    this.target = target;
    this.method = state.method;
    for (const view of this.views) if (view.reasons && view.reasons.method !== state.method) view.reasonsChanged = true;
    const own = this.views.some((view) => view.reading !== null && view.reading.at !== null);
    if (own && this.step !== undefined && state.step !== this.step) this.askReasonsSoon();
    this.step = state.step;
    const longest = this.views.reduce((most, view) => Math.max(most, view.reading?.length ?? 0), 1);
    const capacity = this.source.live && this.description.text ? roomFor(longest) : longest;
    for (const view of this.views) view.draw(capacity, anew);
    this.timeline.draw();
  }
}

const STEPS_GUIDE = [
  ["Reasons", "A bar up, a solid line under a word: it speaks for the answer. A bar down, a dotted line: against it."],
  ["Answer after each step", "What the network would say if the input ended there. A dot marks where you look."],
  ["Map", "A row for each unit, a column for each step; units that behave alike are neighbours. Click to follow one."],
  ["Unit", "Its gates and its state over the steps, and the cell's equation with the numbers of that step."],
  ["Log-odds", "ln(p / (1 − p)) of a probability p: 0 at 50 %, 2.2 at 90 %. Reasons for probabilities are shares of it; one of +1 makes the odds 2.7 times as large."],
  ["Baseline", "What reasons are counted from: an input that says nothing. For texts it is the padding word, which stands for no word."],
  ["Gates", "Numbers from 0, shut, to 1, open: how much of the old state stays, and how much of what is read comes in."],
  ["Keys", "Left and right step through time, Home and End go to its ends; on the map up and down change the unit."],
];
const PICTURE_GUIDE = [
  ["Reasons", "A blue patch, framed solid where it is strong: it speaks for the word. An orange one, framed dashed: against it. Click a word to see its own."],
  ["Answer after each patch", "The chance of the word were the picture covered past there, row by row. A dot marks where you look."],
  ["Map", "A row for each unit, a column for each written word; units that behave alike are neighbours. Click to follow one."],
  ["Unit", "Its gates and its state over the written words, and the cell's equation with the numbers of that word."],
  ["Log-odds", "ln(p / (1 − p)) of a probability p: 0 at 50 %, 2.2 at 90 %. Reasons for probabilities are shares of it; one of +1 makes the odds 2.7 times as large."],
  ["Baseline", "What reasons are counted from: an input that says nothing. For texts it is the padding word, which stands for no word."],
  ["Gates", "Numbers from 0, shut, to 1, open: how much of the old state stays, and how much of what is read comes in."],
  ["Keys", "Left and right step through the patches, Home and End go to their ends; on the map up and down change the unit."],
];

/** How to read the page, folded away; `fillGuide` fills it. */
function guide(description) {
  return el("details", { class: "guide more" }, el("summary", { text: "How to read this page" }), el("dl"),
    el("p", { class: "note", text: `${plural(description.runs.length, "network")}, computed on this machine by Gatewise ${description.version}.` }));
}

async function boot() {
  const place = document.getElementById("page");
  const kept = document.getElementById("content");
  const source = kept === null ? new LiveSource() : new FileSource(JSON.parse(kept.textContent));
  try {
    const page = new Page(await source.describe(), source, place);
    globalThis.gatewisePage = page;
    page.begin();
  } catch (error) {
    place.replaceChildren(el("p", { class: "message", role: "alert", text: `The page cannot be shown: ${error.message}` }));
    throw error;
  }
}

boot();
