// The answers of a reading: at one step, and over the steps.

import { percent } from "./words.js";

const SHOWN_ANSWERS = 6;
const SHOWN_CURVES = 4;

/** The K scores after a step. */
export function answersAt(reading, step) {
  const count = reading.names.length;
  return Array.from(reading.after.subarray(step * count, (step + 1) * count));
}

/** The answers worth a button: all of a few; of many the likeliest ones, and the one explained. */
export function topAnswers(row, target, scale) {
  const order = row.map((_, place) => place);
  if (row.length <= SHOWN_ANSWERS) return order;
  if (scale === "value") {
    return order.filter((place) => place === target || place % Math.ceil(row.length / SHOWN_ANSWERS) === 0).slice(0, SHOWN_ANSWERS + 1);
  }
  order.sort((one, other) => row[other] - row[one]);
  const top = order.slice(0, SHOWN_ANSWERS);
  if (!top.includes(target)) top[SHOWN_ANSWERS - 1] = target;
  return top;
}

/** Which answers are drawn over the steps: of two classes one line between both, of more the leading ones. */
export function answerCurves(reading, target) {
  const count = reading.names.length;
  const line = (place, kind) => ({
    name: reading.names[place], kind,
    values: Float32Array.from({ length: reading.length }, (_, step) => reading.after[step * count + place]),
  });
  if (reading.answers === "classes" && count === 2) {
    return { lines: [line(1, "main")], low: 0, high: 1, base: 0.5, ticks: [[0, reading.names[0]], [1, reading.names[1]]] };
  }
  if (reading.scale === "probability") {
    const last = answersAt(reading, reading.length - 1);
    const leaders = last.map((_, place) => place).sort((one, other) => last[other] - last[one]).filter((place) => place !== target);
    const others = leaders.slice(0, SHOWN_CURVES - 1).map((place) => line(place, "other"));
    return { lines: [...others, line(target, "main")], low: 0, high: 1, base: 0.5, ticks: [[0, percent(0)], [1, percent(1)]] };
  }
  const main = line(target, "main");
  const low = main.values.reduce((least, value) => Math.min(least, value), Infinity);
  const high = main.values.reduce((most, value) => Math.max(most, value), -Infinity);
  const margin = (high - low || Math.abs(high) || 1) * 0.1;
  return { lines: [main], low: low - margin, high: high + margin, ticks: [] };
}
