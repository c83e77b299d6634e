// Beside the video: its events as a list, what was said (the basket), and where two versions differ.
import { clockAt } from "./frames.js";
import { Failure, Progress, html } from "./ui.js";
import { percent, plural } from "./words.js";

const MOST = 100;
const SAID = { right: "✓ right", wrong: "✕ wrong", other_class: "↔ is", missed: "+ missed" };

function More({ rows }) {
  return rows.length > MOST ? html`<p class="muted">and ${rows.length - MOST} more, on the lines below the video</p>` : null;
}

/** The text twin of the lines: every event as a button. */
export function EventList({ events, looking, fps, onGo }) {
  if (!events.length && looking) return html`<p class="muted">None yet: it is still looking.</p>`;
  if (!events.length) return html`<p class="muted">No event: nothing reaches the threshold. Lower it beside the line of a class.</p>`;
  return html`<ol class="times">${events.slice(0, MOST).map((one) => html`<li key=${`${one.label}${one.first}`}>
      <button type="button" class="quiet" onClick=${() => onGo(one.first)}>
        <span class="figures">${clockAt(one.first, fps)}–${clockAt(one.last + 1, fps)}</span> <span class="clip">${one.label}</span> <span class="muted">${percent(one.score)}</span>
      </button></li>`)}</ol>
    <${More} rows=${events} />`;
}

function KeptWords({ basket }) {
  const { name, error } = basket.state.value;
  if (name === "failed") return html`<${Failure} error=${error} retry=${() => basket.retry()} />`;
  if (name === "unknown") return html`<${Failure} error=${error} retry=${() => basket.load()} />`;
  const words = { loading: "Loading …", saving: "Saving …", saved: "✓ Saved" }[name];
  return html`<span class=${name === "saved" ? "state good" : "state calm"} role="status">${words}</span>`;
}

/**
 * What was said since the newest version, and the button that learns from it.
 * @param retrain what `useJob` gives for training @param fresh what was said since the newest version
 */
export function BasketCard({ basket, fresh, older, fps, onGo, retrain, running, onRetrain }) {
  return html`<div class="stack tight">
    <div class="row apart"><span>${fresh.length ? plural(fresh.length, "correction") : "Nothing said yet"}${older ? html` <span class="muted">and ${older} learned before</span>` : ""}</span><${KeptWords} basket=${basket} /></div>
    ${fresh.length === 0 && html`<p class="muted">Press <kbd>R</kbd> right, <kbd>W</kbd> wrong or <kbd>D</kbd> to draw what was missed; each one makes the next version better.</p>`}
    ${fresh.length > 0 && html`<ol class="times">${fresh.slice(0, MOST).map((item) => html`<li key=${item.key} class="row apart">
      <button type="button" class="quiet" onClick=${() => onGo(item.frame)}><span class="figures">${clockAt(item.frame, fps)}</span> ${SAID[item.verdict]} <span class="clip">${item.label ?? ""}</span></button>
      <button type="button" class="quiet" aria-label=${`Take back: ${SAID[item.verdict]} ${item.label ?? ""} at ${clockAt(item.frame, fps)}`} onClick=${() => basket.remove(item.key)}>Take back</button>
    </li>`)}</ol><${More} rows=${fresh} />`}
    <button type="button" class="primary" disabled=${!fresh.length || running || retrain.busy} onClick=${onRetrain}>${running ? "Training …" : "Retrain"}</button>
    ${retrain.job && html`<${Progress} job=${retrain.job} onCancel=${retrain.cancel} />`}
    ${retrain.error && html`<${Failure} error=${retrain.error} />`}
  </div>`;
}

/** Which corrections a list of differences shows, in words. */
const onlyWords = (only, names) =>
  only.flatMap((some, i) => (some.length ? [`${plural(some.length, some[0].label)} only in ${names[i]}`] : [])).join(", ");

/** Where two versions report something else. */
export function DifferenceList({ found, names, fps, until, count, onGo }) {
  const part = until < count ? `, as far as both have looked (${clockAt(until, fps)})` : "";
  if (!found.length) return html`<p class="muted">${names[0]} and ${names[1]} report the same${part}.</p>`;
  return html`<p class="muted">${plural(found.length, "stretch", "stretches")} in which they differ${part}.</p>
    <ol class="times">${found.slice(0, MOST).map((one) => html`<li key=${one.first}>
      <button type="button" class="quiet" onClick=${() => onGo(one.first)}><span class="figures">${clockAt(one.first, fps)}</span> <span>${onlyWords(one.only, names)}</span></button></li>`)}</ol>
    <${More} rows=${found} />`;
}
