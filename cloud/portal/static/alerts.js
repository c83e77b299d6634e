// Alerts: who is told of what, when and where; and what became of each message.
import { useEffect, useState } from "preact/hooks";
import { AlertForm } from "./alertform.js";
import { formOf, kindWords, messageState, newForm, whatWords, whenWords } from "./alertwords.js";
import { Empty, Failure, Loading, State, api, html, mount, useAction, useLoad } from "./ui.js";
import { ago, when } from "./words.js";

const LOOK_MS = 5000;
const timezone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

function Tested({ came }) {
  return html`<ul class="plain" role="status">${came.map((one, i) => html`<li key=${i}>${one.arrived
    ? html`<${State} tone="good" sign="✓">Test message to ${kindWords(one.address)} arrived<//>`
    : html`<${State} tone="bad" sign="✕">Test message to ${kindWords(one.address)} did not arrive: ${one.error}<//>`}</li>`)}</ul>`;
}

function Card({ alert, searches, onEdit, onChange }) {
  const { rule } = alert;
  const [came, setCame] = useState(null);
  const [isSure, setSure] = useState(false);
  const [test, testing, testError] = useAction(async () => { setCame(null); setCame(await api(`/alerts/${alert.id}/test`, { method: "POST" })); });
  const [remove, removing, removeError] = useAction(async () => { await api(`/alerts/${alert.id}`, { method: "DELETE" }); onChange(); });
  const [turn, turning, turnError] = useAction(async () => {
    const json = { ...rule, enabled: !rule.enabled, channels: rule.channels.map((_, i) => `kept://${i}`) };
    await api(`/alerts/${alert.id}`, { method: "PUT", json });
    onChange();
  });
  const error = testError ?? removeError ?? turnError;
  return html`<li class="card stack tight" aria-label=${alert.name}>
    <div class="row apart"><h2 class="clip" title=${alert.name}>${alert.name}</h2>
      ${!rule ? html`<${State} tone="bad" sign="✕">cannot be read<//>` : rule.enabled ? html`<${State} tone="good" sign="●">on<//>` : html`<${State} tone="calm" sign="○">off<//>`}</div>
    ${rule ? html`<p>Tells of ${whatWords(rule, searches)}.</p>
      <p class="muted">${whenWords(rule)}; by ${[...new Set(rule.channels.map(kindWords))].join(", ")}; picture: ${rule.picture}.</p>`
      : html`<p>Another version of elfowl wrote it. Remove it and make it again.</p>`}
    ${came && html`<${Tested} came=${came} />`}
    ${error && html`<${Failure} error=${error} />`}
    ${isSure ? html`<div class="note bad"><p>Remove “${alert.name}” and its messages that wait?</p><div class="row">
        <button type="button" disabled=${removing} onClick=${remove}>Remove</button><button type="button" onClick=${() => setSure(false)}>Keep</button></div></div>`
      : html`<div class="row">
        ${rule && html`<button type="button" disabled=${testing} onClick=${test}>${testing ? "Sending …" : "Send test"}</button>
          <button type="button" onClick=${onEdit}>Change</button>
          <button type="button" disabled=${turning} onClick=${turn}>${rule.enabled ? "Turn off" : "Turn on"}</button>`}
        <button type="button" class="quiet" onClick=${() => setSure(true)}>Remove</button></div>`}
  </li>`;
}

function Log({ log }) {
  const now = Date.now() / 1000;
  return html`<section class="card stack" aria-labelledby="log-title"><h2 id="log-title">Messages</h2>
    ${log.error && html`<${Failure} error=${log.error} retry=${log.reload} />`}
    ${log.value?.length === 0 && html`<p class="muted">None yet. Each message is listed here: sent, waiting or given up, and why.</p>`}
    ${log.value?.length > 0 && html`<div class="scroll"><table><thead><tr><th>When</th><th>Alert</th><th>By</th><th>Events</th><th>What became of it</th></tr></thead>
      <tbody>${log.value.map((one) => html`<tr key=${one.id}><td><time title=${when(one.created)} datetime=${new Date(one.created * 1000).toISOString()}>${ago(one.created)}</time></td><td>${one.alert}</td><td>${kindWords(one.address)}</td>
        <td>${one.events.slice(0, 3).map(([, id], i) => html`<a key=${id} href=${`/events/${id}`}>${i + 1}<span class="sr">. event of this message</span></a> `)}${one.events.length > 3 ? `and ${one.events.length - 3} more` : ""}</td>
        <td><${State} ...${messageState(one, now)}>${messageState(one, now).words}<//></td></tr>`)}</tbody></table></div>`}
  </section>`;
}

function Page() {
  const alerts = useLoad(() => api("/alerts"));
  const known = useLoad(() => api("/search/known"));
  const searches = useLoad(() => api("/searches"));
  const kinds = useLoad(() => api("/alerts/kinds"));
  const log = useLoad(() => api("/alerts/log?limit=50"));
  const wanted = new URLSearchParams(location.search).get("search");
  const [editing, setEditing] = useState(wanted ? { alert: null, start: newForm(timezone, wanted) } : null);
  useEffect(() => {
    const again = setInterval(log.reload, LOOK_MS);
    return () => clearInterval(again);
  }, []);
  const all = [alerts, known, searches, kinds];
  const broken = all.find((one) => one.error && !one.value);
  if (broken) return html`<${Failure} error=${broken.error} retry=${() => all.forEach((one) => one.reload())} />`;
  if (all.some((one) => !one.value)) return html`<${Loading} />`;
  const close = () => { setEditing(null); history.replaceState(null, "", "/alerts"); };
  const begin = () => setEditing({ alert: null, start: newForm(timezone, null) });
  return html`<div class="stack">
    ${editing
      ? html`<${AlertForm} ...${editing} key=${editing.alert} known=${known.value} searches=${searches.value} kinds=${kinds.value} onCancel=${close} onDone=${() => { close(); alerts.reload(); }} />`
      : alerts.value.length > 0 && html`<div class="row apart"><p class="muted lead">Be told of what matters, where you are.</p><button type="button" class="primary" onClick=${begin}>New alert</button></div>`}
    ${alerts.error && html`<${Failure} error=${alerts.error} retry=${alerts.reload} />`}
    ${alerts.value.length > 0 ? html`<ul class="plain stack" aria-label="Alerts">${alerts.value.map((one) => html`<${Card} key=${one.id} alert=${one} searches=${searches.value} onChange=${alerts.reload}
        onEdit=${() => { setEditing({ alert: one.id, start: formOf(one.rule) }); scrollTo(0, 0); }} />`)}</ul>`
      : !editing && html`<${Empty} title="No alerts yet"><p>An alert tells you of events by e-mail, ntfy, Home Assistant or a webhook, with a small blurred picture.</p>
        <button type="button" class="primary" onClick=${begin}>New alert</button><//>`}
    <${Log} log=${log} />
  </div>`;
}

mount(Page);
