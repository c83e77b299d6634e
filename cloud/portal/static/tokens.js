// API tokens of one's own, for programs: made, shown once, revoked.
import { useState } from "preact/hooks";
import { Copy, Failure, Loading, State, api, html, useAction, useLoad } from "./ui.js";
import { aOrAn, ago, when } from "./words.js";

const RANKS = ["viewer", "manager", "owner"];
const LASTS = [["30", "30 days"], ["365", "a year"], ["", "until it is revoked"]];

function Make({ role, onMade }) {
  const [form, setForm] = useState({ name: "", role: "viewer", days: "365" });
  const field = (key) => ({ value: form[key], onInput: (e) => setForm({ ...form, [key]: e.currentTarget.value }) });
  const [make, busy, error] = useAction(async () => {
    const made = await api("/me/tokens", { method: "POST", json: { ...form, days: form.days ? Number(form.days) : null } });
    setForm({ ...form, name: "" });
    onMade(made);
  });
  return html`<form class="row end-fields" onSubmit=${(e) => { e.preventDefault(); make(); }}>
    <label>What is it for?<input required maxlength="80" placeholder="backup script" ...${field("name")} /></label>
    <label>May do<select ...${field("role")}>${RANKS.slice(0, RANKS.indexOf(role) + 1).map((one) => html`<option key=${one} value=${one}>what ${aOrAn(one)} ${one} may</option>`)}</select></label>
    <label>Good for<select ...${field("days")}>${LASTS.map(([days, words]) => html`<option key=${days} value=${days}>${words}</option>`)}</select></label>
    <button class="primary" disabled=${busy}>${busy ? "Making it …" : "Make a token"}</button>
    ${error && html`<${Failure} error=${error} />`}
  </form>`;
}

const Fresh = ({ made }) => html`<div class="note" role="status"><p><${State} tone="good" sign="✓">${made.name} is made<//>. Copy it now: it is shown only once.</p>
  <div class="command"><pre>${made.token}</pre><${Copy} text=${made.token} /></div></div>`;

/** One's own tokens. */
export function TokenPart({ role }) {
  const tokens = useLoad(() => api("/me/tokens"));
  const [fresh, setFresh] = useState(null);
  const [revoke, busy, error] = useAction(async (id) => {
    await api(`/me/tokens/${id}`, { method: "DELETE" });
    if (fresh?.id === id) setFresh(null);
    await tokens.reload();
  });
  const failed = error ?? tokens.error;
  return html`<section class="card stack" aria-labelledby="tokens-title">
    <h2 id="tokens-title">My API tokens</h2>
    <p class="muted">For programs: <code>elfowl-cloud … --url ADDRESS --token TOKEN</code>, or the header <code>Authorization: Bearer TOKEN</code>.</p>
    ${failed && html`<${Failure} error=${failed} retry=${tokens.reload} />`}
    ${!tokens.value && !tokens.error && html`<${Loading} />`}
    ${fresh && html`<${Fresh} made=${fresh} />`}
    ${tokens.value?.length === 0 && html`<p class="muted">No token yet.</p>`}
    ${tokens.value?.length > 0 && html`<div class="scroll"><table>
      <thead><tr><th scope="col">For</th><th scope="col">May do</th><th scope="col">Last used</th><th scope="col">Good until</th><th scope="col"><span class="sr">What to do</span></th></tr></thead>
      <tbody>${tokens.value.map((one) => html`<tr key=${one.id}><td>${one.name}</td><td>what ${aOrAn(one.role)} ${one.role} may</td><td>${ago(one.seen)}</td><td>${one.expires ? when(one.expires) : "it is revoked"}</td>
        <td><button type="button" class="quiet" disabled=${busy} aria-label=${`Revoke ${one.name}`} onClick=${() => revoke(one.id)}>Revoke</button></td></tr>`)}</tbody>
    </table></div>`}
    <${Make} role=${role} onMade=${(made) => { setFresh(made); tokens.reload(); }} />
  </section>`;
}
