// One's own password and browsers, and the log of what was done.
import { useState } from "preact/hooks";
import { browserWords } from "./browsers.js";
import { Failure, Loading, State, api, html, useAction, useLoad } from "./ui.js";
import { ago, when } from "./words.js";

function Password() {
  const [form, setForm] = useState({ old: "", new: "" });
  const [changed, setChanged] = useState(false);
  const field = (key) => ({ value: form[key], required: true, onInput: (e) => { setChanged(false); setForm({ ...form, [key]: e.currentTarget.value }); } });
  const [change, busy, error] = useAction(async () => {
    await api("/me/password", { method: "PUT", json: form });
    setForm({ old: "", new: "" });
    setChanged(true);
  });
  return html`<form class="row end-fields" onSubmit=${(e) => { e.preventDefault(); change(); }}>
    <label>Present password<input type="password" autocomplete="current-password" ...${field("old")} /></label>
    <label>New password<input type="password" autocomplete="new-password" minlength="10" ...${field("new")} /></label>
    <button disabled=${busy}>${busy ? "Changing …" : "Change password"}</button>
    <span role="status">${changed && html`<${State} tone="good" sign="✓">Changed; all other browsers are signed out<//>`}</span>
    ${error && html`<${Failure} error=${error} />`}
  </form>`;
}

/** One's own password, and the browsers in which one is signed in. */
export function OwnPart() {
  const sessions = useLoad(() => api("/me/sessions"));
  const [end, busy, error] = useAction(async (path) => {
    await api(path, { method: "DELETE" });
    if (path === "/me/sessions") location.assign("/login");
    else await sessions.reload();
  });
  const failed = error ?? sessions.error;
  return html`<section class="card stack" aria-labelledby="own-title">
    <h2 id="own-title">Signed in</h2>
    ${failed && html`<${Failure} error=${failed} retry=${sessions.reload} />`}
    ${!sessions.value && !sessions.error && html`<${Loading} />`}
    ${sessions.value && html`<div class="scroll"><table>
      <thead><tr><th scope="col">Browser</th><th scope="col">Address</th><th scope="col">Last seen</th><th scope="col">Ends</th><th scope="col"><span class="sr">What to do</span></th></tr></thead>
      <tbody>${sessions.value.map((one) => html`<tr key=${one.id}>
        <td title=${one.browser}>${browserWords(one.browser)}</td><td>${one.address}</td><td>${ago(one.seen)}</td><td>${when(one.expires)}</td>
        <td>${one.current ? html`<${State} sign="●">this one<//>` : html`<button type="button" class="quiet" disabled=${busy} onClick=${() => end(`/me/sessions/${one.id}`)}>Sign out</button>`}</td>
      </tr>`)}</tbody>
    </table></div>`}
    <div class="row"><button type="button" disabled=${busy} onClick=${() => end("/me/sessions")}>Sign out everywhere</button></div>
    <${Password} />
  </section>`;
}

/** What was done, by whom. */
export function LogPart() {
  const log = useLoad(() => api("/audit?limit=100"));
  return html`<section class="card stack" aria-labelledby="log-title">
    <h2 id="log-title">What was done</h2>
    ${log.error && html`<${Failure} error=${log.error} retry=${log.reload} />`}
    ${!log.value && !log.error && html`<${Loading} />`}
    ${log.value?.length === 0 && html`<p class="muted">Nothing yet. Logins, changes of accounts and of the fleet are noted here.</p>`}
    ${log.value?.length > 0 && html`<div class="scroll tall"><table>
      <thead><tr><th scope="col">When</th><th scope="col">What</th><th scope="col">By whom</th><th scope="col">Camera</th><th scope="col">More</th></tr></thead>
      <tbody>${log.value.map((one, at) => html`<tr key=${`${one.at}-${at}`}><td>${when(one.at)}</td><td>${one.what}</td><td>${one.who ?? "–"}</td><td>${one.device ?? ""}</td><td>${one.detail}</td></tr>`)}</tbody>
    </table></div>`}
  </section>`;
}
