// Saved searches: kept under a name, asked again by a click, watched by an alert.
import { useState } from "preact/hooks";
import { Failure, api, html, useAction } from "./ui.js";

function Saved({ saved, onChange }) {
  const [forget, busy, error] = useAction(async () => {
    await api(`/searches/${saved.id}`, { method: "DELETE" });
    onChange();
  });
  return html`<li class="stack tight">
    <a class="clip" href=${`/search?${new URLSearchParams({ q: saved.query })}`}>${saved.name}</a>
    <code class="clip" title=${saved.query}>${saved.query}</code>
    <div class="row">
      ${saved.alerts.length
        ? html`<a href="/alerts">watched by ${saved.alerts.join(", ")}</a>`
        : html`<a class="button" href=${`/alerts?${new URLSearchParams({ search: saved.id })}`}>Watch new footage</a>
          <button type="button" class="quiet" disabled=${busy} aria-label=${`Forget ${saved.name}`} onClick=${forget}>Forget</button>`}
    </div>
    ${error && html`<${Failure} error=${error} />`}
  </li>`;
}

/** @param text the search that can be saved now, null when there is none */
export function SavedSearches({ list, text, timezone, onChange }) {
  const [name, setName] = useState("");
  const [save, busy, error] = useAction(async () => {
    await api("/searches", { method: "POST", json: { name, query: text, timezone } });
    setName("");
    onChange();
  });
  return html`<section class="card stack" aria-labelledby="saved-title"><h2 id="saved-title">Saved searches</h2>
    ${text && html`<form class="row" onSubmit=${(e) => { e.preventDefault(); save(); }}>
      <input aria-label="Name for this search" placeholder="name for this search" value=${name} onInput=${(e) => setName(e.currentTarget.value)} maxlength="80" required />
      <button disabled=${busy}>Save</button></form>`}
    ${error && html`<${Failure} error=${error} />`}
    ${list.length ? html`<ul class="plain stack saved">${list.map((one) => html`<${Saved} key=${one.id} saved=${one} onChange=${onChange} />`)}</ul>`
      : html`<p class="muted">${text ? "None yet. A saved search can watch new footage and alert you." : "None yet. Search for something first."}</p>`}
  </section>`;
}
