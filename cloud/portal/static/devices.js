// Cameras: which are there, what they run, and how one more joins.
import { useEffect, useRef, useState } from "preact/hooks";
import { cloudOf, configOf } from "./joining.js";
import { Nearby } from "./nearby.js";
import { connection, deviceState, settingsWords } from "./states.js";
import { Copy, Empty, Failure, Loading, State, api, html, liveNews, mount, useAction, useLoad } from "./ui.js";
import { ago, plural, when } from "./words.js";

const INSTALL = "pip install 'elfowl[litert,onvif]'";
const RUN = "elfowl-agent run --config agent.yaml";
const named = (target) => (target ? `${target.detector_name} v${target.detector_version}` : "nothing yet");

const Pace = ({ stats }) => stats && html`<p class="muted">${stats.fps_captured.toFixed(1)} pictures/s, looks at ${Math.round(stats.gate_ratio * 100)} % of them</p>`;

/** What each camera of a device does, and how it is switched, as it says itself: in Home Assistant too. */
function Cameras({ device }) {
  const rows = Object.entries(device.reported?.cameras ?? {});
  if (!rows.length) return html`<p class="muted">${device.reported ? "No camera yet." : ""}</p>`;
  return html`<ul class="plain stack tight">${rows.map(([name, one]) => html`<li key=${name}><strong class="name">${name}</strong><p class="muted">${settingsWords(one)}</p>
    <${Pace} stats=${device.online ? device.stats?.cameras?.[name] : null} /></li>`)}</ul>`;
}

function Card({ device, onNearby }) {
  const here = connection(device);
  const doing = deviceState(device, { onlyInstall: true });
  const wanted = device.desired.bundle;
  const same = (wanted?.sha256 ?? null) === (device.reported?.installed?.sha256 ?? null);
  return html`<li class="card stack tight">
    <div class="row apart"><h2 class="small clip" title=${device.name}>${device.name}</h2><${State} ...${here}>${here.words}<//></div>
    <dl>
      <div><dt>Last seen</dt><dd title=${when(device.last_seen)}>${ago(device.last_seen)}</dd></div>
      <div><dt>Kind</dt><dd>${device.profile}</dd></div>
      ${!(wanted && same) && html`<div><dt>Runs</dt><dd>${named(device.reported?.installed)}</dd></div>`}
      ${!same && html`<div><dt>Shall run</dt><dd>${named(wanted)}</dd></div>`}
      <div><dt>Software</dt><dd>${device.agent_version}</dd></div>
      ${device.online && device.stats?.temperature_c != null && html`<div><dt>Temperature</dt><dd>${Math.round(device.stats.temperature_c)} °C</dd></div>`}
    </dl>
    ${wanted && html`<p><${State} ...${doing}>${doing.words}<//></p>`}
    <${Cameras} device=${device} />
    <div class="row apart"><a href=${`/events?device=${encodeURIComponent(device.name)}`}>What it saw</a>
      ${device.online && html`<button type="button" aria-label=${`Find cameras around ${device.name}`} onClick=${onNearby}>Find cameras</button>`}</div>
  </li>`;
}

/** A one-time token and the command that uses it; tells when the camera has joined. */
function Joining({ open, devices, onClose, onNearby }) {
  const dialog = useRef(null);
  const [token, setToken] = useState(null);
  const [before, setBefore] = useState([]);
  const [make, busy, error] = useAction(async () => setToken(await api("/enrolment-tokens", { method: "POST" })));
  useEffect(() => {
    if (!open || dialog.current.open) return;
    setToken(null);
    setBefore(devices.map((one) => one.name));
    dialog.current.showModal();
    make();
  }, [open]);
  const fresh = devices.find((one) => open && !before.includes(one.name));
  const here = devices.filter((one) => one.online).slice(0, 4);
  const look = (device) => { dialog.current.close(); onNearby(device); };
  const config = fresh && token ? configOf(fresh, cloudOf(token.command)) : null;
  return html`<dialog ref=${dialog} onClose=${onClose} aria-labelledby="join-title"><div class="stack">
    <h2 id="join-title">Add a camera</h2>
    ${here.length > 0 && !fresh && html`<div class="note"><p>Is a device of yours in the same network? It can look at one more:</p>
      <div class="row">${here.map((one) => html`<button key=${one.name} type="button" onClick=${() => look(one)}>Find cameras with ${one.name}</button>`)}</div></div>`}
    <ol class="steps">
      <li><p>Put elfowl on the camera, or on the small computer beside it:</p><div class="command"><pre>${INSTALL}</pre><${Copy} text=${INSTALL} /></div></li>
      <li><p>Let it join; this works once${token ? `, until ${when(token.expires)}` : ""}:</p>
        ${busy && html`<p class="muted" role="status">Making a token …</p>`}
        ${error && html`<${Failure} error=${error} retry=${make} />`}
        ${token && html`<div class="command"><pre>${token.command}</pre><${Copy} text=${token.command} /></div>`}
      </li>
      ${config && html`<li><p>Put this into a file agent.yaml, in the folder where it joined:</p>
        <div class="command"><pre>${config}</pre><${Copy} text=${config} /></div></li>
        <li><p>Let it run; then it is online here:</p><div class="command"><pre>${RUN}</pre><${Copy} text=${RUN} /></div></li>
        <li><p>Choose one of the cameras in its network:</p><div class="row"><button type="button" disabled=${!fresh.online} onClick=${() => look(fresh)}>Find cameras</button>${!fresh.online && html`<span class="muted">once ${fresh.name} is online</span>`}</div></li>`}
    </ol>
    <p role="status">${fresh ? html`<${State} tone="good" sign="✓">${fresh.name} has joined<//>` : token && html`<span class="muted">Waiting for the camera …</span>`}</p>
    <div class="row end"><button type="button" class=${fresh ? "primary" : ""} onClick=${() => dialog.current.close()}>${fresh ? "Done" : "Close"}</button></div>
  </div></dialog>`;
}

function Page() {
  const devices = useLoad(() => api("/devices"));
  const [adding, setAdding] = useState(false);
  const [around, setAround] = useState(null);
  const [, tick] = useState(0);
  useEffect(() => {
    let timer = 0;
    liveNews((news) => {
      if (!["device", "stats"].includes(news.type)) return;
      clearTimeout(timer);
      timer = setTimeout(devices.reload, 300);
    });
    const again = setInterval(() => tick((n) => n + 1), 10000); // "12 s ago" grows
    return () => clearInterval(again);
  }, []);
  // A camera that joins tells nobody until it has its broker: ask while the dialog is open.
  useEffect(() => {
    if (!adding) return undefined;
    const again = setInterval(devices.reload, 3000);
    return () => clearInterval(again);
  }, [adding]);

  if (devices.error && !devices.value) return html`<${Failure} error=${devices.error} retry=${devices.reload} />`;
  if (!devices.value) return html`<${Loading} />`;
  const list = devices.value;
  const add = html`<button type="button" class="primary" onClick=${() => setAdding(true)}>Add a camera</button>`;
  return html`<div class="stack">
    ${devices.error && html`<${Failure} error=${devices.error} retry=${devices.reload} />`}
    ${list.length > 0 && html`<div class="row apart"><p class="muted lead">${plural(list.length, "device")}, ${list.filter((one) => one.online).length} online. Each looks with your detector by itself, at one camera or several.</p>${add}</div>`}
    ${list.length
      ? html`<ul class="cards">${list.map((device) => html`<${Card} key=${device.name} device=${device} onNearby=${() => setAround(device.name)} />`)}</ul>`
      : html`<${Empty} title="No camera has joined yet"><p>A camera runs your detector by itself and tells here what it saw. One command lets it join.</p>${add}<//>`}
    <${Joining} open=${adding} devices=${list} onClose=${() => setAdding(false)} onNearby=${(one) => setAround(one.name)} />
    <${Nearby} device=${list.find((one) => one.name === around) ?? null} onClose=${() => setAround(null)} />
  </div>`;
}

mount(Page);
