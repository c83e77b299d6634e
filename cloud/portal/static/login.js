// Log in with name and password; as long as nobody has an account, with the server's access token.
import { useState } from "preact/hooks";
import { Failure, Loading, api, html, mount, useAction, useLoad } from "./ui.js";
import { wayBack } from "./way.js";

function ByName() {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [enter, busy, error] = useAction(async () => {
    await api("/login", { method: "POST", json: { name, password } });
    location.assign(wayBack(location.search));
  });
  return html`<form class="card stack form" onSubmit=${(e) => { e.preventDefault(); enter(); }}>
    <label>Name<input name="username" autocomplete="username" autocapitalize="none" required autofocus value=${name} onInput=${(e) => setName(e.currentTarget.value)} /></label>
    <label>Password<input name="password" type="password" autocomplete="current-password" required value=${password} onInput=${(e) => setPassword(e.currentTarget.value)} /></label>
    ${error && html`<${Failure} error=${error} />`}
    <div class="row"><button class="primary" disabled=${busy}>${busy ? "Looking …" : "Log in"}</button></div>
    <p class="muted">Forgot the password? An owner gives you another one on the page Settings. Who runs the server can set one with <code>elfowl-cloud account password NAME</code>.</p>
  </form>`;
}

// A plain form: its answer sets a cookie and leads to the first page.
const ByToken = ({ accounts }) => html`<form class="card stack form" method="post" action="/login">
  ${accounts === "on" && html`<p>Nobody has an account here yet. <a href="/setup">Make the first one</a>, or come in with the server's access token.</p>`}
  <label>Access token<input name="token" type="password" autocomplete="current-password" required autofocus /></label>
  <div class="row"><button class=${accounts === "on" ? "" : "primary"}>Log in</button></div>
  <p class="muted">The token is what the server was started with: <code>ELFOWL_ACCESS_TOKEN</code>.</p>
</form>`;

function Page() {
  const door = useLoad(() => api("/door"));
  if (door.error) return html`<${Failure} error=${door.error} retry=${door.reload} />`;
  if (!door.value) return html`<${Loading} />`;
  const { accounts, set_up: isSetUp, access_token: hasToken } = door.value;
  if (accounts === "on" && isSetUp) return html`<${ByName} />`;
  if (hasToken) return html`<${ByToken} accounts=${accounts} />`;
  return html`<div class="card stack form">
    ${accounts === "on"
      ? html`<p>Nobody has an account here yet.</p><p><a class="button primary" href="/setup">Make the first one</a></p>`
      : html`<p>No password is needed here: accounts are switched off.</p><p><a class="button primary" href="/">Go on</a></p>`}
  </div>`;
}

mount(Page);
