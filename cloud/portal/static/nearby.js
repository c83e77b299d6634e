// Cameras around a device: it looks for them, a person chooses one and types its password, done.
import { useEffect, useRef, useState } from "preact/hooks";
import { bodyFor, calledItself, commandFor, proposedName, streamWords } from "./nearbywords.js";
import { canSeal, seal } from "./sealing.js";
import { Copy, Failure, State, api, html, useAction } from "./ui.js";
import { plural } from "./words.js";

const LOOK_MS = 1000;
const PATIENCE_MS = 90000;
const FRESH_S = 600;
const pathOf = (device) => `/devices/${encodeURIComponent(device.name)}/nearby`;

/** What is proposed for each channel, or why nothing is yet. */
function Streams({ camera }) {
  if (camera.error) return html`<p class="state warn">${camera.error.replace(`${camera.host}: `, "")}</p>`;
  if (camera.wants_login) return html`<p class="muted">Tells its streams to those who know its password. The smallest one that is large enough is taken.</p>`;
  return camera.channels.map((one) => html`<p key=${one.channel} class="muted">${camera.channels.length > 1 ? `Channel ${one.channel}: ` : ""}${streamWords(one.detect)}${one.note ? ` – ${one.note}` : ""}</p>`);
}

/** Name, user and password of one camera; the password is closed here, before it goes anywhere. */
function Form({ camera, device, sealKey, isBusy, progress, onAsked, onCancel }) {
  const [form, setForm] = useState({ name: proposedName(camera, Object.keys(device.reported?.cameras ?? {})), user: "", password: "", channel: 1 });
  const set = (fields) => setForm((before) => ({ ...before, ...fields }));
  const [add, busy, error] = useAction(async () => {
    const login = form.user ? await seal({ user: form.user, password: form.password }, camera.service, sealKey) : null;
    onAsked(await api(`${pathOf(device)}/cameras`, { method: "POST", json: bodyFor(camera, form, login) }));
  });
  const field = (name, words, more) => html`<label>${words} <input value=${form[name]} onInput=${(e) => set({ [name]: e.currentTarget.value })} ...${more} /></label>`;
  return html`<form class="stack tight" onSubmit=${(e) => { e.preventDefault(); add(); }}>
    ${field("name", "Call it", { maxlength: 64, pattern: "[a-zA-Z0-9_\\-]+", title: "Letters, digits, - and _", required: true })}
    ${canSeal() ? html`
      ${field("user", camera.wants_login ? "User of the camera" : "User of the camera, if it wants one", { required: camera.wants_login, autocomplete: "off", spellcheck: false })}
      ${field("password", "Its password", { type: "password", autocomplete: "off" })}
      ${camera.wants_login && html`<details><summary>It is a recorder with several channels</summary>${field("channel", "Channel", { type: "number", min: 1, max: 96 })}</details>`}
      ${camera.channels.length > 1 && field("channel", "Channel", { type: "number", min: 1, max: camera.channels.length })}
      <p class="muted">Your browser closes the password so that only ${device.name} can open it; this server cannot.</p>
      ${error ? html`<${Failure} error=${error} />` : progress}
      <div class="row"><button class="primary" disabled=${busy || isBusy}>Add it</button><button type="button" class="quiet" onClick=${onCancel}>Cancel</button></div>`
    : html`<p>This page came over plain http, where browsers close no passwords. Open it over https, or type this on ${device.name}:</p>
      <div class="command"><pre>${commandFor(camera, form.name)}</pre><${Copy} text=${commandFor(camera, form.name)} /></div>
      <div class="row end"><button type="button" class="quiet" onClick=${onCancel}>Cancel</button></div>`}
  </form>`;
}

function Found({ view, device, chosen, done, isBusy, progress, onChoose, onAsked }) {
  if (!view.cameras.length) {
    return html`<div class="note"><p>No camera answered. Switch ONVIF on in the camera's own settings: many are sold with it off. It has to be in the same network as ${device.name}.</p>
      <p>A camera without ONVIF is named by its address, in the file agent.yaml on ${device.name}.</p></div>`;
  }
  return html`<ul class="plain stack" aria-label="Cameras that were found">${view.cameras.map((camera) => html`<li key=${camera.service} class="card stack tight">
    <div class="row apart"><h3 class="clip">${calledItself(camera)}</h3><span class="muted">${camera.host}</span></div>
    <${Streams} camera=${camera} />
    ${chosen === camera.service
      ? html`<${Form} camera=${camera} device=${device} sealKey=${view.seal_key} isBusy=${isBusy} progress=${progress} onAsked=${onAsked} onCancel=${() => onChoose(null)} />`
      : done[camera.service] ? html`<p><${State} tone="good" sign="✓">added as ${done[camera.service]}<//></p>`
      : !camera.error && html`<div class="row"><button type="button" disabled=${isBusy} onClick=${() => onChoose(camera.service)}>Add this one</button></div>`}
  </li>`)}</ul>`;
}

/** How far the device is. */
function Progress({ view, device, isLate }) {
  const doing = (view.looking && `${device.name} looks around; that takes some seconds …`) || (view.adding && `${device.name} opens ${view.adding} …`) || (view.removing && `${device.name} takes ${view.removing} out …`);
  if (doing && isLate) return html`<p class="note bad" role="alert">${device.name} does not answer. Is it still online? An agent that is older than this server does not know how to look around: update it.</p>`;
  if (doing) return html`<p class="muted" role="status">${doing}</p>`;
  if (view.error) return html`<p class="note bad" role="alert">${view.error}</p>`;
  if (view.added) return html`<p role="status"><${State} tone="good" sign="✓">${view.added} was added<//>. It shows in <a href=${`/wall?device=${encodeURIComponent(device.name)}&camera=${encodeURIComponent(view.added)}`}>Live</a> in a moment.</p>`;
  if (view.removed) return html`<p role="status"><${State} tone="good" sign="✓">${view.removed} was taken out<//>; its events stay.</p>`;
  return html`<p class="muted" role="status">${view.cameras.length ? `${plural(view.cameras.length, "camera")} answered.` : ""}</p>`;
}

/** Cameras that the device looks at already; one that was added here can be taken out again. */
function Known({ device, onAsked }) {
  const [sure, setSure] = useState(null);
  const [remove, busy, error] = useAction(async (name) => { onAsked(await api(`${pathOf(device)}/cameras/${encodeURIComponent(name)}`, { method: "DELETE" })); setSure(null); });
  const names = Object.keys(device.reported?.cameras ?? {});
  if (!names.length) return null;
  return html`<section class="stack tight"><h3>What ${device.name} looks at</h3><ul class="plain">${names.map((name) => html`<li key=${name} class="row apart"><span class="clip">${name}</span>
    ${sure === name ? html`<span class="row"><button type="button" disabled=${busy} onClick=${() => remove(name)}>Take ${name} out</button><button type="button" class="quiet" onClick=${() => setSure(null)}>Keep</button></span>`
      : html`<button type="button" class="quiet" aria-label=${`Take ${name} out`} onClick=${() => setSure(name)}>Take out</button>`}</li>`)}</ul>
    ${error && html`<${Failure} error=${error} />`}</section>`;
}

/** The dialog; `device` none: closed. */
export function Nearby({ device, onClose }) {
  const dialog = useRef(null);
  const [view, setView] = useState(null);
  const [chosen, setChosen] = useState(null);
  const [done, setDone] = useState({});
  const [askedAt, setAskedAt] = useState(0);
  const take = (next) => { setView(next); setAskedAt(Date.now()); };
  const [look, , lookError] = useAction(async () => take(await api(pathOf(device), { method: "POST" })));
  const [begin, , beginError] = useAction(async () => {
    const known = await api(pathOf(device));
    const isFresh = known.found_at != null && Date.now() / 1000 - known.found_at < FRESH_S;
    // How an earlier visit ended is no news.
    if (isFresh || known.looking || known.adding) take({ ...known, added: null, removed: null, error: null }); else await look();
  });
  const [again] = useAction(async () => setView(await api(pathOf(device))));
  const isBusy = Boolean(view && (view.looking || view.adding || view.removing));
  useEffect(() => {
    if (!device || dialog.current.open) return;
    setView(null);
    setChosen(null);
    setDone({});
    dialog.current.showModal();
    begin();
  }, [device]);
  useEffect(() => {
    if (!isBusy || !device) return undefined;
    const timer = setInterval(again, LOOK_MS);
    return () => clearInterval(timer);
  }, [isBusy, device?.name]);
  useEffect(() => {
    if (!chosen || !view?.added) return;
    setDone((before) => ({ ...before, [chosen]: view.added }));
    setChosen(null);
  }, [view?.added]);
  const error = lookError ?? beginError;
  const progress = view && html`<${Progress} view=${view} device=${device} isLate=${isBusy && Date.now() - askedAt > PATIENCE_MS} />`;
  const choose = (service) => { setChosen(service); setView((before) => ({ ...before, added: null, removed: null, error: null })); };
  return html`<dialog ref=${dialog} onClose=${onClose} aria-labelledby="nearby-title">${device && html`<div class="stack">
    <h2 id="nearby-title">Cameras around ${device.name}</h2>
    ${error && html`<${Failure} error=${error} retry=${begin} />`}
    ${!view && !error && html`<p class="muted" role="status">Asking ${device.name} …</p>`}
    ${!chosen && progress}
    ${view?.found_at != null && !view.looking && html`<${Found} view=${view} device=${device} chosen=${chosen} done=${done} isBusy=${isBusy} progress=${progress} onChoose=${choose} onAsked=${take} />`}
    <${Known} device=${device} onAsked=${take} />
    <div class="row end">${view && html`<button type="button" disabled=${isBusy} onClick=${look}>Look again</button>`}<button type="button" onClick=${() => dialog.current.close()}>Close</button></div>
  </div>`}</dialog>`;
}
