// Names of keys, and when a key belongs to the field that has the focus. Pure functions.

const SHOWN = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Delete: "Del", Escape: "Esc", " ": "Space" };
const SLIDER_KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];

/** "g", "1", "?", "Shift+ArrowLeft", "Alt+ArrowUp", "Ctrl+Shift+z": the name of a key press. Cmd counts as Ctrl. */
export function keyOf({ key, ctrlKey, metaKey, altKey, shiftKey }) {
  const isLetter = /^\p{L}$/u.test(key);
  const name = isLetter ? key.toLowerCase() : key;
  // Shift only makes the sign of "?" or "!": it is part of the name already.
  const isSign = key.length === 1 && !isLetter;
  const parts = [(ctrlKey || metaKey) && "Ctrl", altKey && "Alt", shiftKey && !isSign && "Shift", name];
  return parts.filter(Boolean).join("+");
}

/** How people read a key: "Shift+←". */
export function shownKey(name) {
  return name
    .split("+")
    .map((part) => SHOWN[part] ?? (part.length === 1 ? part.toUpperCase() : part))
    .join("+");
}

/** Whether the key belongs to the field that has the focus, not to the page. */
export function isTyping(target, key) {
  if (target.isContentEditable || ["TEXTAREA", "SELECT"].includes(target.tagName)) return true;
  // Space and Enter press the button that has the focus; Space turns the switch.
  if ([" ", "Enter"].includes(key) && ["BUTTON", "A", "SUMMARY"].includes(target.tagName)) return true;
  if (key === " " && target.type === "checkbox") return true;
  if (target.tagName !== "INPUT") return false;
  if (target.type === "range") return SLIDER_KEYS.includes(key);
  return !["checkbox", "radio", "button", "submit", "file"].includes(target.type);
}
