// Who is signed in, in which workspace, in the bar of every page, and the way out.
import { render } from "preact";
import { Failure, api, html, useAction, whoAmI } from "./ui.js";

/** The way into another workspace; where there is but one, there is nothing to choose. */
function Workspace({ me }) {
  const [change, busy, error] = useAction(async (workspace) => {
    await api("/me/workspace", { method: "PUT", json: { workspace } });
    location.assign("/"); // nothing of this page is in the other one
  });
  const options = me.workspaces.map((one) => html`<option key=${one.id} value=${one.id}>${one.name}</option>`);
  return html`<label class="inline"><span class="sr">Workspace</span>
    <select title="Workspace" value=${me.workspace} disabled=${busy} onChange=${(e) => change(e.currentTarget.value)}>${options}</select></label>
    ${error && html`<${Failure} error=${error} />`}`;
}

function Who({ me }) {
  const [leave, busy] = useAction(async () => {
    await api("/logout", { method: "POST" });
    location.assign("/login");
  });
  return html`${me.workspaces.length > 1 && html`<${Workspace} me=${me} />`}<a href="/settings" class="clip" title="Settings">${me.name}</a> <button type="button" class="quiet" disabled=${busy} onClick=${leave}>Sign out</button>`;
}

// Where nobody has accounts there is nobody to show; when the server is away, the page itself says so.
const me = await whoAmI().catch(() => null);
if (me?.name) render(html`<${Who} me=${me} />`, document.getElementById("who"));
