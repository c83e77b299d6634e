// The classes of a detector as chips: take one (1-9), add one, rename one.
import { useState } from "preact/hooks";
import { Failure, api, html, useAction } from "./ui.js";

function NameForm({ first, words, onDone, onCancel }) {
  const [name, setName] = useState(first);
  const submit = (e) => { e.preventDefault(); if (name.trim()) onDone(name.trim()); };
  return html`<form class="row" onSubmit=${submit}>
    <input value=${name} onInput=${(e) => setName(e.currentTarget.value)} onKeyDown=${(e) => e.key === "Escape" && onCancel()}
      aria-label="Name of the class" maxlength="80" required autofocus ref=${(node) => node && !node.dataset.seen && (node.dataset.seen = "1", node.focus())} />
    <button class="primary">${words}</button>
    <button type="button" class="quiet" onClick=${onCancel}>Cancel</button>
  </form>`;
}

/** @param beforeRename awaited first: boxes on their way to the server still carry the old name */
export function Classes({ detector, label, onTake, onLabels, beforeRename }) {
  const { labels } = detector;
  const [form, setForm] = useState(null); // "add", "rename" or null
  const [change, busy, error] = useAction(async (json) => {
    if (json.rename) await beforeRename();
    await onLabels(await api(`/detectors/${detector.id}`, { method: "PATCH", json }), json.rename ?? null);
    setForm(null);
  });
  const add = async (name) => { if (!labels.includes(name)) await change({ labels: [...labels, name] }); onTake(name); };
  const rename = (name) => change({ rename: { [label]: name } });

  return html`<section aria-label="Classes" class="stack tight classes">
    <div class="row">
      ${labels.map((name, i) => html`<button type="button" key=${name} class="chip" title=${name} aria-pressed=${name === label} style=${`--class:var(--class-${(i % 9) + 1})`}
        onClick=${() => onTake(name)} aria-keyshortcuts=${i < 9 ? String(i + 1) : undefined}><span class="clip">${name}</span> ${i < 9 && html`<kbd>${i + 1}</kbd>`}</button>`)}
      ${form === null && html`<button type="button" class="quiet" onClick=${() => setForm("add")}>+ Class</button>`}
      ${form === null && label && html`<button type="button" class="quiet" onClick=${() => setForm("rename")}>Rename</button>`}
    </div>
    ${form === "add" && html`<${NameForm} first="" words="Add" onDone=${add} onCancel=${() => setForm(null)} />`}
    ${form === "rename" && html`<${NameForm} first=${label} words="Rename" onDone=${rename} onCancel=${() => setForm(null)} />`}
    ${!labels.length && form === null && html`<p class="note">Add a class first: the name of the thing that you will draw boxes around.</p>`}
    ${busy && html`<span class="muted" role="status">Saving …</span>`}
    ${error && html`<${Failure} error=${error} />`}
  </section>`;
}
