// Where readings and reasons come from: the server of `gatewise explain`, or the exported file itself.

import { decodeReading, unpacked } from "./payload.js";

const RETRY_FIRST = 500;
const RETRY_MOST = 4000;

/** A refusal in the server's words: nothing to try again. */
export class Refused extends Error {}

/** The server on this machine. */
export class LiveSource {
  constructor() {
    this.live = true;
    this.onReach = () => {};
    this.reached = true;
    this.retry = RETRY_FIRST;
  }

  async describe() {
    return this.fetch("api/page");
  }

  /** The reading of one run; resolves to null where a newer question replaced it. */
  async read(question, signal) {
    return decodeReading(await this.post("api/read", question, signal, (response) => response.arrayBuffer()));
  }

  /** A file becomes one more example: its number, and what the list says of it. */
  async open(file) {
    const headers = { "Content-Type": "application/octet-stream" };
    return this.fetch(`api/file?name=${encodeURIComponent(file.name)}`, { method: "POST", headers, body: file });
  }

  async reasons(question, signal) {
    return this.post("api/reasons", question, signal);
  }

  /** What is said of the units, and the gradient's way back. */
  async more(question, signal) {
    return this.post("api/more", question, signal);
  }

  /** Reasons of every written word. */
  async written(question, signal) {
    return this.post("api/written", question, signal);
  }

  /** Where else in the data a state occurs. */
  async neighbours(question) {
    return this.post("api/neighbours", question);
  }

  /** Whether all steps could be computed at once. */
  async parallel(question) {
    return this.post("api/parallel", question);
  }

  /** The equation of a unit with where its gates come from. */
  async lines(question) {
    return (await this.post("api/equation", question)).lines;
  }

  post(path, content, signal, take) {
    const headers = { "Content-Type": "application/json" };
    return this.fetch(path, { method: "POST", headers, body: JSON.stringify(content), signal }, take);
  }

  /** An answer's content; where it does not arrive whole, the server is lost. */
  async fetch(path, options, take = (response) => response.json()) {
    let response, content;
    try {
      response = await fetch(path, { cache: "no-store", ...options });
      content = response.ok ? await take(response) : await refusal(response);
    } catch (error) {
      if (error.name !== "AbortError") this.lost();
      throw error;
    }
    this.found();
    if (!response.ok) throw new Refused(content);
    return content;
  }

  found() {
    this.retry = RETRY_FIRST;
    if (this.reached) return;
    this.reached = true;
    this.onReach(true);
  }

  lost() {
    if (this.reached) {
      this.reached = false;
      this.onReach(false);
    }
    if (this.asking) return;
    this.asking = true;
    setTimeout(() => {
      this.asking = false;
      this.fetch("api/health").catch(() => {});
    }, this.retry);
    this.retry = Math.min(this.retry * 2, RETRY_MOST);
  }
}

async function refusal(response) {
  try {
    const { message, error } = await response.json();
    if (message ?? error?.message) return message ?? error.message;
  } catch { /* not in JSON */ }
  return `The server refuses this (${response.status}).`;
}

/** Inputs computed beforehand, inside the page. */
export class FileSource {
  constructor(content) {
    this.live = false;
    this.content = content;
  }

  async describe() {
    return this.content.page;
  }

  found({ run, example, place }) {
    const kept = this.content.readings.filter((each) => each.run === run && each.example === example);
    return kept.find((each) => place === null || each.place === place) ?? kept[0];
  }

  /** What is kept once for a run and an input. */
  first({ run, example }) {
    return this.content.readings.find((each) => each.run === run && each.example === example);
  }

  /** A reading; of what is written the word asked for, whose answers are kept beside the maps. */
  async read(question) {
    const kept = this.found(question);
    kept.decoded ??= decodeReading(await unpacked(kept.bytes, true));
    const word = this.first(question).words?.[question.word ?? -1];
    if (!word) return kept.decoded;
    const { after, ...rest } = word;
    return { ...kept.decoded, ...rest, after: Float32Array.from(after), written: { ...kept.decoded.written, place: question.word } };
  }

  async more(question) {
    return this.first(question).more;
  }

  async written(question) {
    return this.first(question).written[question.method];
  }

  /** Those of all units, at every step of the layer shown first. */
  async neighbours(question) {
    const kept = this.first(question).neighbours;
    if (!kept) throw new Refused("This file does not hold the neighbours of this input.");
    if (question.units !== null || question.place !== kept.place) {
      throw new Refused("This file holds the neighbours by all units of the layer shown first; gatewise explain finds the others.");
    }
    const found = kept.steps[question.step];
    if (!found) throw new Refused("This step is not read.");
    return { ...kept, found: found.map(([title, example, around, distance]) => ({ input: kept.titles[title], example, around, distance })) };
  }

  async parallel(question) {
    const kept = this.first(question).parallel;
    if (!kept) throw new Refused("This file does not say: it would have taken too long. gatewise explain finds it.");
    return kept;
  }

  /** Those in the file: of the leading answers, where every step has its own answer of each step. */
  async reasons({ run, example, target, at, method }) {
    const { reasons } = this.first({ run, example });
    const fitting = reasons.filter((each) => each.method === method && (each.at === null || at === null || each.at === at));
    return fitting.find((each) => each.target === target) ?? (target === null ? fitting[0] ?? null : null);
  }
}

/**
 * Questions of one run, one at a time: while the server answers, only the newest one waits. Every answer is handed on,
 * so that the page keeps up with fast typing instead of showing nothing until it stops.
 */
export class Latest {
  constructor(ask, answer, fail) {
    Object.assign(this, { ask, answer, fail, busy: false, waiting: null });
  }

  async request(question) {
    if (this.busy) {
      this.waiting = question;
      return;
    }
    this.busy = true;
    try {
      this.answer(await this.ask(question), question);
    } catch (error) {
      this.fail(error, question);
    } finally {
      this.busy = false;
      const next = this.waiting;
      this.waiting = null;
      if (next !== null) this.request(next);
    }
  }
}
