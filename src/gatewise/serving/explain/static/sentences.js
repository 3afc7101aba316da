// What is said of a reading in words, and the range of a map's colours.

import { decimals, isolated, plural, shortened } from "./words.js";

/** As far below zero as above. */
export function bothSides(low, high) {
  const most = Math.max(Math.abs(low), Math.abs(high));
  return [-most, most];
}

/** The least and the largest value of a map; with a sign, as far on both sides. */
export function extremes({ values, low: least }) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return least < 0 ? bothSides(low, high) : [low, high];
}

/** At which step the answer is that. */
export function placeWords(reading, step) {
  if (reading.written) {
    const word = `for “${shortened(reading.written.steps[reading.written.place].text, 24)}”`;
    if (step < reading.length - 1 && reading.picture) return `${word}, were it covered past ${reading.steps[step].label}`;
    return step === reading.length - 1 ? word : `${word}, if the text ended at “${shortened(reading.steps[step].label, 18)}”`;
  }
  if (reading.at !== null) return `for “${shortened(reading.steps[step].label, 24)}”`;
  return step === reading.length - 1 ? `after all ${plural(reading.length, reading.unit)}`
    : `after ${plural(step + 1, reading.unit)} of ${reading.length}`;
}

/** The names of a map's columns: the steps of the input, the words written, or the steps ahead. */
export function stepNames(reading, gate) {
  if (gate.aligned) return reading.steps.map(({ label }) => label);
  if (reading.written) return reading.written.steps.map(({ text }) => text);
  return Array.from({ length: gate.values.length / gate.units }, (_, row) => `+${row + 1}`);
}

/** What the columns of a map are whose layers do not walk over the input. */
export function ownTime(reading) {
  return reading.written ? "From left to right: the words it writes." : "From left to right: the steps ahead.";
}

/** The right answer; where every step has one, that of the step. */
export function trueAnswer(reading, step) {
  if (reading.truth === null || reading.at === null) return reading.truth;
  const each = reading.truth.split(" ");
  return each.length === reading.length ? each[step] : reading.truth;
}

export function quoted(name) {
  return `“${shortened(name, 30)}”`;
}

/** The strongest reasons in a sentence. */
export function reasonWords(reading, values, target) {
  const order = Array.from(values, (_, step) => step).sort((one, other) => Math.abs(values[other]) - Math.abs(values[one])).slice(0, 5);
  const words = order.map((step) => `${isolated(reading.steps[step]?.label ?? "")} ${decimals(values[step])}`);
  return `Reasons for ${target}, the strongest: ${words.join(", ")}`;
}
