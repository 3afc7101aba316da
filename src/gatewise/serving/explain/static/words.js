// How numbers and steps are written.

const MINUS = "\u2212";
const NARROW = "\u00a0";
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/** A number with fixed decimals and a true minus sign; no minus before a zero. */
export function decimals(value, places = 2) {
  if (!Number.isFinite(value)) return "–";
  const written = Math.abs(value).toFixed(places);
  return (value < 0 && Number(written) !== 0 ? MINUS : "") + written;
}

/** A number to three significant figures, for quantities of any size. */
export function significant(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size === 0) return "0";
  const written = size >= 1e5 || size < 1e-4 ? size.toExponential(1)
    : size >= 100 ? size.toFixed(size >= 1000 ? 0 : 1) : String(Number(size.toPrecision(3)));
  return (value < 0 ? MINUS : "") + written;
}

/** A share in percent; what is not quite all or nothing is not rounded to it. */
export function percent(share) {
  const whole = Math.round(share * 100);
  if (whole === 100 && share < 1) return share < 0.9995 ? `${decimals(share * 100, 1)}${NARROW}%` : `> 99.9${NARROW}%`;
  if (whole === 0 && share > 0) return share >= 0.0005 ? `${decimals(share * 100, 1)}${NARROW}%` : `< 0.1${NARROW}%`;
  return `${whole}${NARROW}%`;
}

/** An answer's score as its reading has it: a probability, or a value. */
export function score(reading, value) {
  return reading.scale === "probability" ? percent(value) : significant(value);
}

/** A word with its count: `1 word`, `2 words`. */
export function plural(count, word) {
  return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
}

/** Words of scripts that run from right to left, so that figures and signs beside them stay where they are. */
export function isolated(text) {
  return RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text;
}

/** A long text, cut with an ellipsis between whole characters; isolated. */
export function shortened(text, most) {
  const characters = Array.from(text.slice(0, 4 * most));
  return isolated(characters.length > most ? characters.slice(0, most - 1).join("") + "…" : text);
}

/** A list in a sentence: `a, b and c`. */
export function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
