// Streams: what the cloud itself watches, how each is, and when nobody watched.
import { useEffect, useState } from "preact/hooks";
import { bodyOf, figuresWords, gapWords, plainReason, standing } from "./streamwords.js";
import { Empty, Failure, Loading, State, api, html, mount, useAction, useLoad } from "./ui.js";
import { plural } from "./words.js";

const LOOK_MS = 3000;
const FRESH = { name: "", address: "", detectors: [], fps: "", threshold: "" };

function Gaps({ stream, shown }) {
  const gaps = useLoad(() => api(`/streams/${stream.id}/gaps?limit=${shown}`), [stream.id, shown]);
  useEffect(() => { gaps.reload(); }, [stream.state, stream.since]);
  if (gaps.error && !gaps.value) return html`<${Failure} error=${gaps.error} retry=${gaps.reload} />`;
  if (!gaps.value) return html`<${Loading} />`;
  if (!gaps.value.length) return html`<p class="muted">Watched without a gap since it was added.</p>`;
  return html`<div class="scroll"><table><thead><tr><th>Not watched</th><th>Why</th></tr></thead>
    <tbody>${gaps.value.map((one) => html`<tr key=${one.began}><td>${gapWords(one)}</td><td>${plainReason(one.why, stream.address)}</td></tr>`)}</tbody></table></div>`;
}

function Card({ stream, onChange }) {
  const [isSure, setSure] = useState(false);
  const [isOpen, setOpen] = useState(false);
  const isPaused = stream.state === "paused";
  const [turn, turning, turnError] = useAction(async () => { await api(`/streams/${stream.id}/${isPaused ? "resume" : "pause"}`, { method: "POST" }); onChange(); });
  const [remove, removing, removeError] = useAction(async () => { await api(`/streams/${stream.id}`, { method: "DELETE" }); onChange(); });
  const how = standing(stream);
  const error = turnError ?? removeError;
  const figures = stream.state === "watched" ? figuresWords(stream.figures) : "";
  return html`<li class="card stack tight" aria-label=${stream.name}>
    <h2 class="small clip" title=${stream.name}>${stream.name}</h2>
    <p><${State} ...${how}>${how.words}<//></p>
    <p class="clip" title=${stream.address}><span class="muted">${stream.address}</span>, watched by ${stream.detectors.map((one) => (one.version ? `${one.name} v${one.version}` : one.name)).join(", ")}</p>
    ${figures && html`<p class="muted">${figures}.</p>`}
    <p><a href=${`/events?device=${encodeURIComponent(stream.device)}&camera=${encodeURIComponent(stream.name)}`}>What it saw</a></p>
    <details open=${isOpen} onToggle=${(e) => setOpen(e.currentTarget.open)}><summary>When it was not watched</summary>
      ${isOpen && html`<${Gaps} stream=${stream} shown=${20} />`}</details>
    ${error && html`<${Failure} error=${error} />`}
    ${isSure ? html`<div class="note bad"><p>Watch “${stream.name}” no longer and forget it? Its events stay.</p><div class="row">
        <button type="button" disabled=${removing} onClick=${remove}>Remove</button><button type="button" onClick=${() => setSure(false)}>Keep</button></div></div>`
      : html`<div class="row"><button type="button" disabled=${turning} onClick=${turn}>${isPaused ? "Resume" : "Pause"}</button>
        <button type="button" class="quiet" onClick=${() => setSure(true)}>Remove</button></div>`}
  </li>`;
}

function Form({ detectors, onDone, onCancel }) {
  const [form, setForm] = useState(FRESH);
  const set = (fields) => setForm((before) => ({ ...before, ...fields }));
  const [save, busy, error] = useAction(async () => onDone(await api("/streams", { method: "POST", json: bodyOf(form) })));
  const flip = (id) => set({ detectors: form.detectors.includes(id) ? form.detectors.filter((one) => one !== id) : [...form.detectors, id] });
  return html`<form class="card stack form" aria-labelledby="form-title" onSubmit=${(e) => { e.preventDefault(); save(); }}>
    <h2 id="form-title">New stream</h2>
    <label>Name <input value=${form.name} onInput=${(e) => set({ name: e.currentTarget.value })} maxlength="64" pattern="[a-zA-Z0-9_\\-]+" title="Letters, digits, - and _" placeholder="yard" required /></label>
    <label>Address <input value=${form.address} onInput=${(e) => set({ address: e.currentTarget.value })} maxlength="2000" placeholder="rtsp://USER:PASSWORD@192.168.1.20/live" required autocomplete="off" spellcheck="false" /></label>
    <p class="muted">RTSP, HLS (.m3u8), MJPEG or a JPEG that is fetched again and again; or a file in the cloud's folder of recordings. The small stream of a camera (360p) is enough. The password is not shown again.</p>
    <fieldset><legend>Who watches; several look together</legend><div class="row">
      ${detectors.map((one) => html`<button key=${one.id} type="button" class="chip" aria-pressed=${form.detectors.includes(one.id)} onClick=${() => flip(one.id)}><span class="clip">${one.name}</span></button>`)}
    </div></fieldset>
    <label>Pictures a second <input type="number" min="0.1" max="60" step="any" value=${form.fps} onInput=${(e) => set({ fps: e.currentTarget.value })} placeholder="5" /></label>
    <label>Counts as seen from, in % <input type="number" min="1" max="100" step="any" value=${form.threshold} onInput=${(e) => set({ threshold: e.currentTarget.value })} placeholder="as each detector recommends" /></label>
    ${error && html`<${Failure} error=${error} />`}
    <div class="row"><button class="primary" disabled=${busy || !form.detectors.length}>Watch it</button><button type="button" class="quiet" onClick=${onCancel}>Cancel</button></div>
    ${!form.detectors.length && html`<p class="muted">Choose at least one detector.</p>`}
  </form>`;
}

function Page() {
  const streams = useLoad(() => api("/streams"));
  const detectors = useLoad(() => api("/detectors"));
  const [adding, setAdding] = useState(false);
  useEffect(() => {
    const again = setInterval(streams.reload, LOOK_MS);
    return () => clearInterval(again);
  }, []);
  const all = [streams, detectors];
  const broken = all.find((one) => one.error && !one.value);
  if (broken) return html`<${Failure} error=${broken.error} retry=${() => all.forEach((one) => one.reload())} />`;
  if (all.some((one) => !one.value)) return html`<${Loading} />`;
  const list = streams.value;
  const trained = detectors.value.filter((one) => one.in_use);
  const begin = html`<button type="button" class="primary" onClick=${() => setAdding(true)}>New stream</button>`;
  const watched = list.filter((one) => one.state === "watched").length;
  return html`<div class="stack">
    ${adding ? html`<${Form} detectors=${trained} onCancel=${() => setAdding(false)} onDone=${() => { setAdding(false); streams.reload(); }} />`
      : list.length > 0 && html`<div class="row apart"><p class="muted lead">${plural(list.length, "stream")}, ${watched} watched now. These are cameras that cannot run elfowl themselves: the cloud looks at them.</p>${begin}</div>`}
    ${streams.error && html`<${Failure} error=${streams.error} retry=${streams.reload} />`}
    ${list.length > 0 ? html`<ul class="plain stack" aria-label="Streams">${list.map((one) => html`<${Card} key=${one.id} stream=${one} onChange=${streams.reload} />`)}</ul>`
      : !adding && html`<${Empty} title="No stream yet"><p>The cloud can watch a camera that cannot run elfowl itself, for ever, with any of your detectors. Every second in which nobody watched is told.</p>
        ${trained.length ? begin : html`<p><a href="/">Teach and train a detector first.</a></p>`}<//>`}
  </div>`;
}

mount(Page);
