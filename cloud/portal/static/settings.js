// Settings: who may come in, one's own tokens and browsers, and the log of what was done.
import { AccountPart } from "./people.js";
import { ModelCachePart } from "./modelcache.js";
import { TokenPart } from "./tokens.js";
import { WorkspacePart } from "./workspaces.js";
import { LogPart, OwnPart } from "./ownaccount.js";
import { Failure, Loading, api, html, mount, useLoad } from "./ui.js";

const ROLE_WORDS = {
  owner: "An owner: may do everything.",
  manager: "A manager: may teach, shrink and roll out.",
  viewer: "A viewer: may look at everything, pictures blurred.",
};

function Me({ me }) {
  if (me.accounts === "off") return html`<p class="note">Accounts are switched off here: whoever reaches this server may do everything. Start it with <code>ELFOWL_ACCOUNTS=on</code> to have them.</p>`;
  if (!me.set_up) return html`<p class="note">Nobody has an account yet. <a href="/setup">Make the first one</a></p>`;
  return html`<p class="lead">${me.name ? html`You are <strong>${me.name}</strong>. ` : "You came with the server's access token. "}${ROLE_WORDS[me.role]}</p>`;
}

function Page() {
  const me = useLoad(() => api("/me"));
  if (me.error && !me.value) return html`<${Failure} error=${me.error} retry=${me.reload} />`;
  if (!me.value) return html`<${Loading} />`;
  const { name, role, set_up: isSetUp, workspace } = me.value;
  return html`<div class="stack">
    <${Me} me=${me.value} />
    ${name && html`<${OwnPart} />`}
    ${name && html`<${TokenPart} role=${role} />`}
    ${isSetUp && role === "owner" && html`<${AccountPart} own=${name} />`}
    ${name && role === "owner" && html`<${WorkspacePart} me=${me.value} />`}
    ${role !== "viewer" && workspace === "home" && html`<${ModelCachePart} />`}
    ${role !== "viewer" && html`<${LogPart} />`}
  </div>`;
}

mount(Page);
