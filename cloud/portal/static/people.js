// Accounts of people, for owners: added, given roles and passwords, removed.
import { useState } from "preact/hooks";
import { Failure, Loading, State, api, html, useAction, useLoad } from "./ui.js";
import { ago } from "./words.js";

const ROLES = [["viewer", "viewer: looks, pictures blurred"], ["manager", "manager: teaches, shrinks, rolls out"], ["owner", "owner: everything"]];
/** The roles to choose from. */
export const options = ROLES.map(([role, words]) => html`<option key=${role} value=${role}>${words}</option>`);

function Add({ onAdded }) {
  const [form, setForm] = useState({ name: "", password: "", role: "viewer" });
  const field = (key) => ({ value: form[key], required: true, onInput: (e) => setForm({ ...form, [key]: e.currentTarget.value }) });
  const [add, busy, error] = useAction(async () => {
    await api("/accounts", { method: "POST", json: form });
    setForm({ name: "", password: "", role: "viewer" });
    onAdded();
  });
  return html`<form class="row end-fields" onSubmit=${(e) => { e.preventDefault(); add(); }}>
    <label>Name<input autocomplete="off" maxlength="64" ...${field("name")} /></label>
    <label>First password<input type="password" autocomplete="new-password" minlength="10" ...${field("password")} /></label>
    <label>Role<select ...${field("role")}>${options}</select></label>
    <button class="primary" disabled=${busy}>${busy ? "Adding …" : "Add"}</button>
    ${error && html`<${Failure} error=${error} />`}
  </form>`;
}

/** What can be done with one account beside its role: another password, or its end. */
function More({ account, onChange, onClose }) {
  const [password, setPassword] = useState("");
  const [sure, setSure] = useState(false);
  const [reset, busy, error] = useAction(async () => { await api(`/accounts/${account.id}`, { method: "PATCH", json: { password } }); onChange(); });
  const [remove, removing, failed] = useAction(async () => { await api(`/accounts/${account.id}`, { method: "DELETE" }); onChange(); });
  return html`<div class="stack">
    <form class="row end-fields" onSubmit=${(e) => { e.preventDefault(); reset(); }}>
      <label>New password for ${account.name}<input type="password" autocomplete="new-password" minlength="10" required value=${password} onInput=${(e) => setPassword(e.currentTarget.value)} /></label>
      <button disabled=${busy}>Set it</button>
      <button type="button" class="quiet" onClick=${onClose}>Close</button>
    </form>
    <div class="row">${sure
      ? html`<span>Remove ${account.name} from this workspace? Who is in no other one is gone, with all sessions and tokens.</span><button type="button" disabled=${removing} onClick=${remove}>Yes, remove</button><button type="button" class="quiet" onClick=${() => setSure(false)}>Keep</button>`
      : html`<button type="button" onClick=${() => setSure(true)}>Remove ${account.name}</button>`}</div>
    ${(error ?? failed) && html`<${Failure} error=${error ?? failed} />`}
  </div>`;
}

function Line({ account, own, onChange }) {
  const [open, setOpen] = useState(false);
  const [change, busy, error] = useAction(async (role) => {
    try {
      await api(`/accounts/${account.id}`, { method: "PATCH", json: { role } });
    } finally {
      onChange(); // also after a refusal, so that the list shows what is
    }
  });
  return html`<tr>
    <td>${account.name} ${account.name === own && html`<${State} sign="●">you<//>`}</td>
    <td><label class="inline"><span class="sr">Role of ${account.name}</span><select value=${account.role} disabled=${busy} onChange=${(e) => change(e.currentTarget.value)}>${options}</select></label>
      ${error && html`<${Failure} error=${error} />`}</td>
    <td>${ago(account.last_login)}</td>
    <td>${open
      ? html`<${More} account=${account} onChange=${() => { setOpen(false); onChange(); }} onClose=${() => setOpen(false)} />`
      : html`<button type="button" class="quiet" aria-label=${`More for ${account.name}`} onClick=${() => setOpen(true)}>More …</button>`}</td>
  </tr>`;
}

/** All accounts of the workspace. */
export function AccountPart({ own }) {
  const accounts = useLoad(() => api("/accounts"));
  return html`<section class="card stack" aria-labelledby="people-title">
    <h2 id="people-title">People</h2>
    ${accounts.error && html`<${Failure} error=${accounts.error} retry=${accounts.reload} />`}
    ${!accounts.value && !accounts.error && html`<${Loading} />`}
    ${accounts.value && html`<div class="scroll"><table>
      <thead><tr><th scope="col">Name</th><th scope="col">Role</th><th scope="col">Last login</th><th scope="col"><span class="sr">What to do</span></th></tr></thead>
      <tbody>${accounts.value.map((one) => html`<${Line} key=${one.id} account=${one} own=${own} onChange=${accounts.reload} />`)}</tbody>
    </table></div>`}
    <h3>Add somebody</h3>
    <p class="muted">Tell them the first password in person; they change it here.</p>
    <${Add} onAdded=${accounts.reload} />
  </section>`;
}
