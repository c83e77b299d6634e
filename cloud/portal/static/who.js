// Who is signed in, in the bar of every page, and the way out.
import { render } from "preact";
import { api, html, useAction, whoAmI } from "./ui.js";

function Who({ name }) {
  const [leave, busy] = useAction(async () => {
    await api("/logout", { method: "POST" });
    location.assign("/login");
  });
  return html`<a href="/settings" class="clip" title="Settings">${name}</a> <button type="button" class="quiet" disabled=${busy} onClick=${leave}>Sign out</button>`;
}

// Where nobody has accounts there is nobody to show; when the server is away, the page itself says so.
const me = await whoAmI().catch(() => null);
if (me?.name) render(html`<${Who} name=${me.name} />`, document.getElementById("who"));
