// Colours of the maps, from the style sheet's variables, so that light and dark stay in one place.

/** The value of a colour variable as red, green and blue. */
function variable(style, name) {
  const hex = style.getPropertyValue(name).trim();
  return [1, 3, 5].map((place) => Number.parseInt(hex.slice(place, place + 2), 16));
}

function mixed(one, other, share) {
  return one.map((value, channel) => value + (other[channel] - value) * share);
}

/** 256 colours through stops `[place from 0 to 1, colour]`, as the words of an ImageData. */
function ramp(stops) {
  const table = new Uint32Array(256);
  const bytes = new Uint8ClampedArray(table.buffer);
  for (let level = 0; level < 256; level += 1) {
    const place = level / 255;
    let right = 1;
    while (right < stops.length - 1 && stops[right][0] < place) right += 1;
    const [from, one] = stops[right - 1];
    const [to, other] = stops[right];
    const colour = mixed(one, other, Math.min(Math.max((place - from) / (to - from), 0), 1));
    bytes.set([...colour.map(Math.round), 255], 4 * level);
  }
  return table;
}

/**
 * The colour tables of one run: `gate` from closed to open, `state` from below zero over zero to above.
 * Light paper gets darker with the value, dark paper lighter.
 */
export function palette(element) {
  const style = getComputedStyle(element);
  const [card, ink, series, below, above, speaksFor, against] =
    ["--card", "--ink", "--series-hex", "--below", "--above", "--for", "--against"].map((name) => variable(style, name));
  return {
    gate: ramp([[0, card], [0.55, mixed(card, series, 0.8)], [0.8, series], [1, mixed(series, ink, 0.55)]]),
    state: ramp([
      [0, mixed(below, ink, 0.4)], [0.25, below], [0.5, card], [0.75, above], [1, mixed(above, ink, 0.4)],
    ]),
    reasons: ramp([[0, against], [0.5, card], [1, speaksFor]]),
  };
}

/** The CSS gradient of a table, for the legend. */
export function gradient(table) {
  const bytes = new Uint8ClampedArray(table.buffer);
  const stops = [];
  for (let level = 0; level < 256; level += 15) {
    stops.push(`rgb(${bytes[4 * level]} ${bytes[4 * level + 1]} ${bytes[4 * level + 2]})`);
  }
  return `linear-gradient(to right, ${stops.join(", ")})`;
}
