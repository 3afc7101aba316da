// The steps' names under the map.

import { middle } from "./curve.js";
import { el, resizeChildren, setStyle, setText } from "./elements.js";
import { stepNames } from "./sentences.js";
import { shortened } from "./words.js";

/** Name the steps where there is room for them in so many pixels. */
export function drawLabels(labels, reading, gate, capacity, width) {
  const room = width / capacity;
  const every = reading.series === undefined ? (room >= 11 ? 1 : 0) : Math.max(1, Math.ceil(24 / room));
  labels.hidden = every === 0;
  const names = every === 0 ? [] : stepNames(reading, gate);
  resizeChildren(labels, every === 0 ? 0 : Math.ceil(names.length / every), () => el("span"));
  const longest = names.reduce((most, name) => Math.max(most, Math.min(name.length, 11)), 1);
  const level = room >= 7.4 * longest + 8;
  labels.classList.toggle("level", level);
  setStyle(labels, "height", level ? "1.4rem" : `${0.7 + 0.43 * longest}rem`);
  const offset = (names.length - 1) % Math.max(every, 1);
  for (let number = 0; number < labels.childElementCount; number += 1) {
    const label = labels.children[number];
    const step = offset + number * every;
    label.dataset.at = step;
    setText(label, shortened(names[step], 11));
    setStyle(label, "left", `${100 * middle(step, capacity)}%`);
  }
}
