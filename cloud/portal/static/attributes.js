// Attributes of a detector: what things of one class are like, told from a handful of crops.
import { useEffect, useState } from "preact/hooks";
import { ChangeAttribute, NewAttribute } from "./attributeform.js";
import { adviceOf, missingWords, qualityWords } from "./attributewords.js";
import { Sorter } from "./sorter.js";
import { isRunning, useJob } from "./training.js";
import { Empty, Failure, Loading, Progress, State, api, html, mount, setTitle, useLoad } from "./ui.js";

/** How the examples of each value were told when they were left out, as a table. */
function Answers({ quality }) {
  const { values, confusion } = quality;
  return html`<div class="scroll"><table>
    <caption class="sr">Examples of each value, by what was said of them when they were left out</caption>
    <thead><tr><th scope="col">It is</th>${values.map((name) => html`<th scope="col" class="number">told ${name}</th>`)}<th scope="col" class="number">left open</th></tr></thead>
    <tbody>${values.map((name, i) => html`<tr><th scope="row">${name}</th>${confusion[i].map((count) => html`<td class="number">${count}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

function Learn({ detector, attribute, values, needs, onDone }) {
  const { job, start, cancel, busy, error } = useJob({ job: attribute.job }, "attribute", onDone);
  const running = isRunning(job);
  const missing = missingWords(values, needs);
  const { quality } = attribute;
  const advice = quality && adviceOf(quality, needs);
  return html`<section class="card stack tight" aria-labelledby="learn-title"><h2 id="learn-title">Learn</h2>
    ${missing && html`<p class="note" id="learn-hint">${missing}</p>`}
    <button type="button" class="primary" disabled=${busy || running || missing !== ""} aria-describedby=${missing ? "learn-hint" : undefined}
      onClick=${() => start(`/detectors/${detector}/attributes/${attribute.slug}/train`, undefined)}>${running ? "Learning …" : quality ? "Learn again" : "Learn"}</button>
    ${job && html`<${Progress} job=${job} onCancel=${cancel} />`}
    ${error && html`<${Failure} error=${error} />`}
    ${quality && html`<div class="stack tight" aria-live="polite">
      ${!attribute.is_current && html`<p class="note">The examples changed since it was learned. Learn again, so that it knows them.</p>`}
      <p>${qualityWords(quality)}</p>
      <p><${State} tone=${advice.tone} sign=${advice.sign}>${advice.words}<//></p>
      <${Answers} quality=${quality} />
      <p class="muted">The next bundle carries it: <a href=${`/detectors/${detector}#shrink`}>shrink and send</a></p>
    </div>`}
  </section>`;
}

const WHAT = "A detector says what is there, and where: a can. An attribute says what it is like: diet or regular, full or empty. Name two values or more, sort at least three crops under each, better ten, and let it learn; your camera then tells it with each event.";

function Page({ detector: id }) {
  const detector = useLoad(() => api(`/detectors/${id}`));
  const list = useLoad(() => api(`/detectors/${id}/attributes`));
  const [slug, setSlug] = useState(decodeURIComponent(location.hash.slice(1)));
  const [form, setForm] = useState(null); // "new", "change" or null
  useEffect(() => { if (detector.value) setTitle(`${detector.value.name}: attributes`); }, [detector.value?.name]);
  useEffect(() => { if (slug) history.replaceState(null, "", `#${slug}`); }, [slug]);

  const failure = detector.error ?? list.error;
  const retry = () => { detector.reload(); list.reload(); };
  if (failure && !(detector.value && list.value)) return html`<${Failure} error=${failure} retry=${retry} />`;
  if (!detector.value || !list.value) return html`<${Loading} />`;
  const { attributes, labels } = list.value;
  const shown = attributes.find((one) => one.slug === slug) ?? attributes[0] ?? null;
  const take = async (attribute) => { setSlug(attribute?.slug ?? ""); setForm(null); await list.reload(); };
  const back = html`<p><a href=${`/detectors/${id}`}>← ${detector.value.name}</a></p>`;

  if (!labels.length) {
    return html`<div class="stack">${back}<${Empty} title="First draw some boxes"><p>${WHAT}</p><a class="button primary" href=${`/detectors/${id}#teach`}>Draw boxes</a><//></div>`;
  }
  return html`<div class="stack">
    ${back}
    ${failure && html`<${Failure} error=${failure} retry=${retry} />`}
    ${!shown && form === null && html`<${Empty} title="What are they like?"><p>${WHAT}</p><button type="button" class="primary" onClick=${() => setForm("new")}>New attribute</button><//>`}
    ${shown && html`<div class="row apart">
      <div class="row" role="group" aria-label="Attributes">
        ${attributes.map((one) => html`<button type="button" key=${one.slug} aria-pressed=${one === shown && form !== "new"} onClick=${() => { setSlug(one.slug); setForm(null); }}><span class="clip">${one.name}</span> <span class="muted clip">of ${one.labels.join(", ")}</span></button>`)}
        <button type="button" class="quiet" onClick=${() => setForm("new")}>+ Attribute</button>
      </div>
      ${form === null && html`<button type="button" class="quiet" onClick=${() => setForm("change")}>Change or remove it</button>`}
    </div>`}
    ${form === "new" && html`<${NewAttribute} detector=${id} labels=${labels} onMade=${take} onCancel=${() => setForm(null)} />`}
    ${shown && form === "change" && html`<${ChangeAttribute} key=${shown.slug} detector=${id} attribute=${shown} onChanged=${take} onCancel=${() => setForm(null)} />`}
    ${shown && form === null && html`
      ${shown.allowed_by && html`<p class="muted">${shown.allowed_by} allowed that people are told apart here.</p>`}
      <${Sorter} key=${shown.slug} detector=${id} attribute=${shown} needs=${list.value} onChanged=${list.reload}
        learn=${(values) => html`<${Learn} key=${shown.slug} detector=${id} attribute=${shown} values=${values} needs=${list.value} onDone=${list.reload} />`} />`}
  </div>`;
}

mount(Page);
