// Workspaces, for owners: what this one is called, who else comes in, and a new one.
import { useState } from "preact/hooks";
import { options } from "./people.js";
import { Failure, State, api, html, useAction } from "./ui.js";

function Rename({ workspace }) {
  const [name, setName] = useState(workspace.name);
  const [rename, busy, error] = useAction(async () => {
    await api(`/workspaces/${workspace.id}`, { method: "PATCH", json: { name } });
    location.reload(); // the bar of the page names it too
  });
  return html`<form class="row end-fields" onSubmit=${(e) => { e.preventDefault(); rename(); }}>
    <label>Name of this workspace<input required maxlength="60" value=${name} onInput=${(e) => setName(e.currentTarget.value)} /></label>
    <button disabled=${busy || name === workspace.name}>${busy ? "Renaming …" : "Rename"}</button>
    ${error && html`<${Failure} error=${error} />`}
  </form>`;
}

function Invite() {
  const [form, setForm] = useState({ name: "", role: "viewer" });
  const [came, setCame] = useState("");
  const field = (key) => ({ value: form[key], required: true, onInput: (e) => { setCame(""); setForm({ ...form, [key]: e.currentTarget.value }); } });
  const [invite, busy, error] = useAction(async () => {
    const made = await api("/accounts/invited", { method: "POST", json: form });
    setForm({ name: "", role: "viewer" });
    setCame(made.name);
  });
  return html`<form class="row end-fields" onSubmit=${(e) => { e.preventDefault(); invite(); }}>
    <label>Name of an account<input autocomplete="off" maxlength="64" ...${field("name")} /></label>
    <label>Role here<select ...${field("role")}>${options}</select></label>
    <button disabled=${busy}>${busy ? "Inviting …" : "Invite"}</button>
    <span role="status">${came && html`<${State} tone="good" sign="✓">${came} can change into this workspace now<//>`}</span>
    ${error && html`<${Failure} error=${error} />`}
  </form>`;
}

function New() {
  const [name, setName] = useState("");
  const [make, busy, error] = useAction(async () => {
    const made = await api("/workspaces", { method: "POST", json: { name } });
    await api("/me/workspace", { method: "PUT", json: { workspace: made.id } });
    location.assign("/");
  });
  return html`<form class="row end-fields" onSubmit=${(e) => { e.preventDefault(); make(); }}>
    <label>Name<input required maxlength="60" value=${name} onInput=${(e) => setName(e.currentTarget.value)} /></label>
    <button disabled=${busy}>${busy ? "Making it …" : "Make it and go there"}</button>
    ${error && html`<${Failure} error=${error} />`}
  </form>`;
}

/** The workspace that one is in, and, for owners of the first one, another. */
export function WorkspacePart({ me }) {
  const here = me.workspaces.find((one) => one.id === me.workspace);
  return html`<section class="card stack" aria-labelledby="workspace-title">
    <h2 id="workspace-title">Workspace</h2>
    <p class="muted">Detectors, cameras, events and people of one workspace are not there for any other on this server.</p>
    ${here && html`<${Rename} workspace=${here} />`}
    <h3>Invite somebody of another workspace</h3>
    <${Invite} />
    ${me.workspace === "home" && html`<h3>Make another workspace</h3><p class="muted">It is empty, and yours. You come back by the choice beside your name.</p><${New} />`}
  </section>`;
}
