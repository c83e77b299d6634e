// Keyboard shortcuts: a page gives one table; it drives the keys and fills the `?` sheet.
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { html } from "./ui.js";
import { isTyping, keyOf, shownKey } from "./keymap.js";

/**
 * Listen to the keys of `table` while the component is shown.
 * @param table rows of {keys, words, run, shown}: names as `keyOf` gives them; `run` gets the key that was pressed;
 *              `shown` are names for the sheet where the keys are many
 */
export function useKeys(table) {
  const newest = useRef(table);
  newest.current = table;
  // Before the page is painted: what somebody sees, keys already work on.
  useLayoutEffect(() => {
    const listen = (e) => {
      if (e.defaultPrevented || document.querySelector("dialog[open]")) return;
      const key = keyOf(e);
      if (isTyping(e.target, key)) return;
      const row = newest.current.find((one) => one.keys.includes(key));
      if (!row) return;
      e.preventDefault();
      row.run(key);
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, []);
}

/** All shortcuts of the page, in a dialog; Esc closes it. */
export function KeySheet({ table, open, onClose }) {
  const dialog = useRef(null);
  useEffect(() => {
    if (open) dialog.current.showModal();
    else dialog.current.close();
  }, [open]);
  return html`<dialog ref=${dialog} onClose=${onClose} aria-labelledby="keys-title">
    <div class="row apart"><h2 id="keys-title">Keys</h2><button type="button" onClick=${onClose}>Close <kbd>Esc</kbd></button></div>
    <table><tbody>${table.map((row) => html`<tr>
      <td class="keys">${(row.shown ?? row.keys).map((key) => html`<kbd>${shownKey(key)}</kbd> `)}</td><td>${row.words}</td>
    </tr>`)}</tbody></table>
  </dialog>`;
}
