// Settings: where detectors that answer for cameras are kept, and how often each place has what is asked for.
import { foundWords, heldWords, tierState } from "./modelwords.js";
import { Failure, Loading, State, api, html, useLoad } from "./ui.js";

const TIERS = { gpu: "Graphics processor", ram: "Memory", disk: "Local disk", store: "Object store" };

function Health({ tier }) {
  const { tone, sign, words } = tierState(tier);
  return html`<${State} tone=${tone} sign=${sign}>${words}<//>`;
}

/** The tiers of the model cache, all workers together. */
export function ModelCachePart() {
  const cache = useLoad(() => api("/model-cache"));
  const told = cache.value;
  return html`<section class="card stack" aria-labelledby="cache-title">
    <h2 id="cache-title">Where detectors are kept</h2>
    <p class="muted">Detectors that answer for cameras are kept as near to where they run as their use deserves. What is in use stays.</p>
    ${cache.error && html`<${Failure} error=${cache.error} retry=${cache.reload} />`}
    ${!told && !cache.error && html`<${Loading} />`}
    ${told && !told.workers && html`<p class="muted">No worker runs. Workers start with the first detector that is trained, or with the first picture that a camera asks about.</p>`}
    ${told?.workers > 0 && html`<div class="scroll"><table>
      <thead><tr><th scope="col">Where</th><th scope="col">Found there</th><th scope="col">Held</th><th scope="col">Went to make room</th><th scope="col">State</th></tr></thead>
      <tbody>${told.tiers.map((tier) => html`<tr key=${tier.tier}>
        <td>${TIERS[tier.tier] ?? tier.tier}</td><td>${foundWords(tier)}</td><td>${heldWords(tier)}</td><td>${tier.budget_bytes ? tier.evictions : "–"}</td><td><${Health} tier=${tier} /></td>
      </tr>`)}</tbody>
    </table></div>
    <div class="row"><button type="button" onClick=${cache.reload}>Look again</button><span class="muted">${told.workers === 1 ? "One worker, since it started." : `${told.workers} workers together, since they started.`}</span></div>`}
  </section>`;
}
