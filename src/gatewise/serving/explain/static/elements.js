// Elements without markup in strings: every text is set as text, so that no input can become code.

const SVG_SPACE = "http://www.w3.org/2000/svg";

/** An HTML element. Properties that are functions listen; `text` is its text; the others are attributes. */
export function el(tag, properties = {}, ...children) {
  return filled(document.createElement(tag), properties, children);
}

/** An SVG element. */
export function svg(tag, properties = {}, ...children) {
  return filled(document.createElementNS(SVG_SPACE, tag), properties, children);
}

function filled(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (name === "text") element.textContent = value;
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Set a text only where it differs, which saves the layout. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Set a style property only where it differs. */
export function setStyle(element, name, value) {
  if (element.style.getPropertyValue(name) !== value) element.style.setProperty(name, value);
}

/** Set an attribute only where it differs; null removes it. */
export function setAttribute(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/** As many children as asked for, made by `make` or removed at the end. */
export function resizeChildren(parent, count, make) {
  while (parent.childElementCount > count) parent.lastElementChild.remove();
  if (parent.childElementCount < count) {
    const added = document.createDocumentFragment();
    for (let place = parent.childElementCount; place < count; place += 1) added.append(make(place));
    parent.append(added);
  }
}
