// One bundle: what compression removed and what it cost, from its measured receipt.
import { useEffect } from "preact/hooks";
import { barsOf, chosenForm } from "./receipt.js";
import { Failure, Loading, State, api, html, mount, setTitle, useLoad } from "./ui.js";
import { kilobytes, milliseconds, percent, plural, when } from "./words.js";

const exact = (value) => (value == null ? "not measured" : value.toFixed(3));
const ROWS = [
  { words: "Kind of numbers", of: (one) => one.precision },
  { words: "Runs in", of: (one) => one.runtime },
  { words: "Size of the network", of: (one) => kilobytes(one.bytes) },
  { words: "Weights", of: (one) => one.parameters?.toLocaleString() ?? "–" },
  { words: "Accuracy on unseen pictures (AP50)", of: (one) => exact(one.ap50) },
  { words: "… with boxes that fit closely (AP)", of: (one) => exact(one.ap) },
  { words: "Pictures measured on", of: (one) => one.images },
  { words: "Same boxes as the full detector", of: (one) => percent(one.agreement_f1) },
  { words: "A picture takes (median)", of: (one) => milliseconds(one.ms_p50) },
  { words: "99 of 100 take at most", of: (one) => milliseconds(one.ms_p99) },
  { words: "Most memory", of: (one) => kilobytes(one.peak_memory_bytes) },
  { words: "Size of the bundle", of: (one) => kilobytes(one.bundle_bytes) },
];

function Table({ receipt }) {
  const forms = [receipt.before, ...receipt.after];
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Before and after"><table>
    <thead><tr><td></td>${forms.map((one, i) => html`<th scope="col" class="number">${i ? one.form.replaceAll("_", " ") : "before"}
      ${one.form === receipt.chosen && html` <span class="badge">in this bundle</span>`}</th>`)}</tr></thead>
    <tbody>${ROWS.map(({ words, of }) => html`<tr><th scope="row">${words}</th>${forms.map((one) => html`<td class="number">${of(one)}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

/** What it cost and what it brought, to be seen at a glance. */
function Bars({ receipt }) {
  return html`<div class="halves">${barsOf(receipt.before, chosenForm(receipt)).map(({ words, bars }) => html`<figure class="card pair" key=${words}>
    <figcaption>${words}</figcaption>${bars.map((bar, i) => html`<p><span class="muted">${i ? "small" : "full"}</span><span class="track" aria-hidden="true"><span class=${i ? "now" : "was"} style=${`width:${Math.max(1, bar.share * 100)}%`}></span></span><strong>${bar.words}</strong></p>`)}</figure>`)}</div>`;
}

function Verdict({ receipt }) {
  const small = chosenForm(receipt);
  const { before } = receipt;
  const times = before.bytes / small.bytes;
  const measured = before.ap50 != null && small.ap50 != null;
  const cost = !measured ? "What it cost was not measured: no unseen pictures were kept." : `Its accuracy went from ${exact(before.ap50)} to ${exact(small.ap50)}.`;
  return html`<p class="lead">${times >= 1 ? `${times.toFixed(1)} times smaller` : `${(1 / times).toFixed(1)} times larger`}: ${kilobytes(before.bytes)} became ${kilobytes(small.bytes)}. ${cost}</p>`;
}

function Page({ bundle: id }) {
  const bundle = useLoad(() => api(`/bundles/${id}`));
  useEffect(() => { if (bundle.value) setTitle(`Receipt: ${bundle.value.receipt.detector.name} v${bundle.value.detector_version}`); }, [bundle.value]);
  if (bundle.error) return html`<${Failure} error=${bundle.error} retry=${bundle.reload} />`;
  if (!bundle.value) return html`<${Loading} />`;
  const { receipt } = bundle.value;
  return html`<div class="stack">
    <p class="row"><span>For ${receipt.profile}</span><span class="muted">made ${when(receipt.created)} on ${receipt.machine}</span>
      ${bundle.value.state === "published" ? html`<${State} tone="good" sign="✓">Signed and published<//>` : html`<${State} sign="○">Not signed yet<//>`}
      <a href=${`/detectors/${bundle.value.detector_id}#shrink`}>Back to the detector</a></p>
    <${Verdict} receipt=${receipt} />
    ${receipt.warnings.map((words) => html`<p class="note">${words}</p>`)}
    <${Bars} receipt=${receipt} />
    <details><summary>All figures</summary><${Table} receipt=${receipt} /></details>
    ${receipt.removed.length > 0 && html`<section><h2>What was removed</h2><ul>${receipt.removed.map((one) => html`<li>${one.stage}: ${one.what}
      ${one.parameters_before != null && one.parameters_after != null && html` <span class="muted">(${one.parameters_before.toLocaleString()} → ${one.parameters_after.toLocaleString()} weights)</span>`}</li>`)}</ul></section>`}
    <section><h2>How it was measured</h2>
      <p>Calibrated on ${plural(receipt.calibration_images, "picture")}. To measure it again:</p><pre>${receipt.reproduce}</pre>
      <p class="muted clip">sha256 ${bundle.value.sha256}</p>
    </section>
    <details><summary>The whole receipt, as it came from the compression</summary>
      <p><a href=${`/api/v1/bundles/${id}/receipt.html`}>Open it on its own</a></p>
      <iframe class="receipt" src=${`/api/v1/bundles/${id}/receipt.html`} title="Receipt" loading="lazy" sandbox=""></iframe>
    </details>
  </div>`;
}

mount(Page);
