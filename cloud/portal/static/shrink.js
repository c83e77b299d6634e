// Shrink: a version becomes a small bundle for one kind of camera; signed, then sent.
import { useEffect, useState } from "preact/hooks";
import { isRunning, useJob } from "./training.js";
import { chosenForm } from "./receipt.js";
import { deviceState } from "./states.js";
import { Failure, Loading, Progress, State, api, html, liveNews, useAction, useLoad } from "./ui.js";
import { ago, ap50, kilobytes, milliseconds } from "./words.js";

const EFFORTS = [
  ["quick", "Quick: the same network in 8 bits, about a minute"],
  ["normal", "Normal: look for a smaller, faster one, ten minutes"],
  ["best", "Best: look longer, an hour"],
];

/** What a device does about a bundle: {tone, sign, words}. */
function sending(device, bundle) {
  const wanted = device.desired.bundle?.sha256 === bundle.sha256;
  if (!wanted) return null;
  return deviceState(device, { onlyInstall: true });
}

const fittingOf = (bundle, devices) => devices.filter((device) => device.profile === bundle.profile && device.state === "enrolled");

/** To one camera; what is not signed yet is signed first: nobody sends anything unsigned. */
function Send({ bundle, devices, onSent, sign }) {
  const fitting = fittingOf(bundle, devices);
  const [name, setName] = useState("");
  const chosen = name || fitting[0]?.name || "";
  const [send, busy, error] = useAction(async () => {
    if (sign) await sign();
    await api(`/devices/${encodeURIComponent(chosen)}/assign`, { method: "POST", json: { bundle_id: bundle.id } });
    await onSent();
  });
  const under = fitting.map((device) => ({ device, state: sending(device, bundle) })).filter((one) => one.state);
  if (!fitting.length) return html`<p class="note">No camera of this kind has joined yet. <a href="/devices">Add a camera</a></p>`;
  return html`<div class="row">
      <label class="inline">Camera <select value=${chosen} onChange=${(e) => setName(e.currentTarget.value)}>
        ${fitting.map((device) => html`<option value=${device.name}>${device.name}</option>`)}</select></label>
      <button type="button" class="primary" disabled=${busy} onClick=${send}>${busy ? "Sending …" : sign ? "Sign and send" : "Send"}</button>
    </div>
    ${under.map(({ device, state }) => html`<p key=${device.name}><span class="clip">${device.name}</span>: <${State} ...${state}>${state.words}<//></p>`)}
    ${error && html`<${Failure} error=${error} />`}`;
}

function Bundle({ bundle, profiles, devices, onChange }) {
  const whole = useLoad(() => api(`/bundles/${bundle.id}`), [bundle.id]);
  const sign = () => api(`/detectors/${bundle.detector_id}/publish`, { method: "POST", json: { bundle: bundle.id } });
  const [publish, busy, error] = useAction(async () => {
    await sign();
    await onChange();
  });
  const published = bundle.state === "published";
  const small = whole.value ? chosenForm(whole.value.receipt) : null;
  const title = profiles.find((one) => one.name === bundle.profile)?.title ?? bundle.profile;
  return html`<li class="version">
    <div class="row apart"><strong>Version ${bundle.detector_version} for ${title}</strong><span class="muted">${ago(bundle.created)}</span></div>
    <dl>
      <div><dt>Size</dt><dd>${kilobytes(bundle.length_bytes)}</dd></div>
      <div><dt>A picture takes</dt><dd>${small ? milliseconds(small.ms_p50) : "…"}</dd></div>
      <div><dt>Accuracy</dt><dd>${small ? ap50(small.ap50) : "…"}</dd></div>
      <div><dt>Receipt</dt><dd><a href=${`/bundles/${bundle.id}`}>before and after</a></dd></div>
    </dl>
    ${whole.error && html`<${Failure} error=${whole.error} retry=${whole.reload} />`}
    ${published && html`<p><${State} tone="good" sign="✓">Signed and published<//></p>`}
    ${(published || fittingOf(bundle, devices).length > 0) && html`<${Send} bundle=${bundle} devices=${devices} onSent=${onChange} sign=${published ? null : sign} />`}
    ${!published && html`<button type="button" class="quiet" disabled=${busy} onClick=${publish}>${busy ? "Signing …" : "Only sign and publish"}</button>`}
    ${error && html`<${Failure} error=${error} />`}
  </li>`;
}

export function Shrink({ detector, onDone }) {
  const bundles = useLoad(() => api(`/detectors/${detector.id}/bundles`), [detector.id]);
  const profiles = useLoad(() => api("/profiles"));
  const devices = useLoad(() => api("/devices"));
  const [picked, setPicked] = useState("");
  const [effort, setEffort] = useState("quick");
  const { job, start, cancel, busy, error } = useJob(detector, "compress", () => { bundles.reload(); onDone(); });
  useEffect(() => liveNews((news) => news.type === "device" && devices.reload()), []);

  const failed = [bundles, profiles, devices].find((one) => one.error);
  if (failed) return html`<${Failure} error=${failed.error} retry=${failed.reload} />`;
  if (!bundles.value || !profiles.value || !devices.value) return html`<${Loading} />`;
  const profile = picked || devices.value[0]?.profile || profiles.value[0]?.name;
  const running = isRunning(job);
  return html`<div class="stack tight">
    ${detector.versions.length === 0 && html`<p class="muted">Train a version first; then it can be cut down until it fits a camera.</p>`}
    <label>For which device?
      <select value=${profile} onChange=${(e) => setPicked(e.currentTarget.value)} disabled=${!detector.versions.length}>
        ${profiles.value.map((one) => html`<option value=${one.name}>${one.title}</option>`)}
      </select>
    </label>
    <label>How hard to try?
      <select value=${effort} onChange=${(e) => setEffort(e.currentTarget.value)} disabled=${!detector.versions.length}>
        ${EFFORTS.map(([value, words]) => html`<option value=${value}>${words}</option>`)}
      </select>
    </label>
    <button type="button" class="primary" disabled=${busy || running || !detector.versions.length}
      onClick=${() => start(`/detectors/${detector.id}/compress`, { profile, effort })}>${running ? "Shrinking …" : "Shrink"}</button>
    ${job && html`<${Progress} job=${job} onCancel=${cancel} />`}
    ${error && html`<${Failure} error=${error} />`}
    <ul class="versions">${bundles.value.map((bundle) => html`<${Bundle} key=${`${bundle.id}${bundle.state}`} bundle=${bundle}
      profiles=${profiles.value} devices=${devices.value} onChange=${() => Promise.all([bundles.reload(), devices.reload()])} />`)}</ul>
  </div>`;
}
