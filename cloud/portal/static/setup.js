// The first start: somebody makes the first account, an owner. There is no password from the factory.
import { useState } from "preact/hooks";
import { Failure, Loading, api, html, mount, useAction, useLoad } from "./ui.js";

function First({ needsCode }) {
  const [form, setForm] = useState({ name: "", password: "", again: "", code: "" });
  const field = (key) => ({ value: form[key], required: true, onInput: (e) => setForm({ ...form, [key]: e.currentTarget.value }) });
  const differs = form.again !== "" && form.again !== form.password;
  const [make, busy, error] = useAction(async () => {
    const { name, password, code } = form;
    await api("/setup", { method: "POST", json: { name, password, code: needsCode ? code : null } });
    location.assign("/");
  });
  return html`<form class="card stack form" onSubmit=${(e) => { e.preventDefault(); if (!differs) make(); }}>
    <p>Welcome. Choose a name and a password: this account is the owner's, and may do everything. Others can be added later, on the page Settings.</p>
    ${needsCode && html`<label>Setup code<input autocomplete="off" autocapitalize="characters" spellcheck=${false} placeholder="ABCD-EFGH-JKMN" ...${field("code")} /><span class="muted">The server printed it where it was started.</span></label>`}
    <label>Name<input name="username" autocomplete="username" autocapitalize="none" maxlength="64" autofocus ...${field("name")} /></label>
    <label>Password<input name="password" type="password" autocomplete="new-password" minlength="10" ...${field("password")} /><span class="muted">At least 10 characters; some words in a row are good.</span></label>
    <label>Password, once more<input type="password" autocomplete="new-password" aria-invalid=${differs} ...${field("again")} /></label>
    ${differs && html`<p class="state warn" role="status">The two passwords are not the same yet.</p>`}
    ${error && html`<${Failure} error=${error} />`}
    <div class="row"><button class="primary" disabled=${busy || differs}>${busy ? "Making it …" : "Make the account"}</button></div>
  </form>`;
}

function Page() {
  const door = useLoad(() => api("/door"));
  if (door.error) return html`<${Failure} error=${door.error} retry=${door.reload} />`;
  if (!door.value) return html`<${Loading} />`;
  const { accounts, set_up: isSetUp, needs_code: needsCode } = door.value;
  if (accounts === "off") return html`<div class="card stack form"><p>Accounts are switched off: whoever reaches this server may do everything. Start it with <code>ELFOWL_ACCOUNTS=on</code> to have them.</p><p><a class="button primary" href="/">Go on</a></p></div>`;
  if (isSetUp) return html`<div class="card stack form"><p>There is an owner already.</p><p><a class="button primary" href="/login">Log in</a></p></div>`;
  return html`<${First} needsCode=${needsCode} />`;
}

mount(Page);
