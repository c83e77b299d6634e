// How good each version is on the frozen test frames, what a new one fixed and broke, and which one is in use.
import { useEffect, useState } from "preact/hooks";
import { Explorer } from "./explorer.js";
import { pictureWords } from "./frames.js";
import { isRunning, useJob } from "./training.js";
import { Empty, Failure, Loading, Progress, State, api, html, mount, setTitle, useAction, useLoad } from "./ui.js";
import { confusionRows, figureWithRange } from "./versionlines.js";
import { ACCURACY_MEANS, ago, ap50, measuredOn, percent, plural, when } from "./words.js";

const askedVersion = Number(new URLSearchParams(location.search).get("version")) || null;
function Row({ detector, version, chosen, onChoose, onUse, busy }) {
  const used = version.version === detector.in_use;
  const { metrics } = version;
  return html`<tr aria-current=${chosen ? "true" : undefined}>
    <th scope="row"><button type="button" class=${chosen ? "chip" : "quiet"} aria-pressed=${chosen} onClick=${() => onChoose(version.version)}>Version ${version.version}</button></th>
    <td class="number">${ap50(metrics.ap50)}</td><td>${measuredOn(metrics)}</td><td title=${when(version.created)}>${ago(version.created)}</td>
    <td>${used ? html`<${State} tone="good" sign="✓">in use<//>` : html`<button type="button" disabled=${busy} onClick=${() => onUse(version.version)}>${version.version < (detector.in_use ?? 0) ? "Go back to this version" : "Use this version"}</button>`}</td>
    <td><a href=${`/detectors/${detector.id}/watch?version=${version.version}`} aria-label=${`Watch a video with version ${version.version}`}>Watch</a></td>
  </tr>`;
}

function VersionTable({ detector, chosen, onChoose, onChanged }) {
  const [use, busy, error] = useAction(async (version) => onChanged(await api(`/detectors/${detector.id}/versions/${version}/use`, { method: "POST" })));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="All versions"><table>
      <thead><tr><th scope="col">Version</th><th scope="col" class="number" title=${ACCURACY_MEANS}>Accuracy</th><th scope="col">Measured on</th><th scope="col">Trained</th><th scope="col">Use</th><th scope="col">Watch</th></tr></thead>
      <tbody>${[...detector.versions].reverse().map((version) => html`<${Row} key=${version.version} detector=${detector} version=${version} chosen=${version.version === chosen} onChoose=${onChoose} onUse=${use} busy=${busy} />`)}</tbody>
    </table></div>
    ${error && html`<${Failure} error=${error} />`}`;
}

/** A button that starts a job which makes what is missing here. */
function MakeIt({ detector, kind, path, words, onDone }) {
  const { job, start, cancel, busy, error } = useJob(detector, kind, onDone);
  return html`<div class="stack tight">
    <div class="row"><button type="button" class="primary" disabled=${busy || isRunning(job)} onClick=${() => start(path)}>${isRunning(job) ? "Working …" : words}</button></div>
    ${job && html`<${Progress} job=${job} onCancel=${cancel} />`}
    ${error && html`<${Failure} error=${error} />`}</div>`;
}

function Figures({ report }) {
  return html`<dl class="wide">
      <div><dt>Accuracy</dt><dd>${figureWithRange(report.ap50)}</dd></div>
      <div><dt>… with boxes that fit closely</dt><dd>${figureWithRange(report.ap)}</dd></div>
      <div><dt>Measured on</dt><dd>${plural(report.images, "test frame")} with ${plural(report.objects, "object")}; nobody taught with them</dd></div>
      <div><dt>When</dt><dd>${when(report.created)}</dd></div>
    </dl>
    <p class="muted">${ACCURACY_MEANS}</p>
    ${report.warnings.map((words) => html`<p class="note">${words}</p>`)}
    <div class="scroll" tabindex="0" role="region" aria-label="Figures of each class"><table>
      <thead><tr><th scope="col">Class</th><th scope="col" class="number">Accuracy</th><th scope="col" class="number">Objects</th><th scope="col" class="number">Right of what it says</th><th scope="col" class="number">Found of what is there</th></tr></thead>
      <tbody>${Object.entries(report.per_class).map(([name, one]) => html`<tr><th scope="row">${name}</th><td class="number">${ap50(one.ap50)}</td><td class="number">${one.truth}</td><td class="number">${percent(one.in_use.precision)}</td><td class="number">${percent(one.in_use.recall)}</td></tr>`)}</tbody>
    </table></div>`;
}

function Confusion({ table }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="What was taken for what"><table class="shaded">
    <thead><tr><th scope="col">It was</th>${[...table.classes, "nothing (missed)"].map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
    <tbody>${confusionRows(table).map(({ name, cells }) => html`<tr><th scope="row">${name}</th>${cells.map(({ count, share }) => html`<td style=${`--share:${Math.round(share * 55)}%`}>${count}</td>`)}</tr>`)}</tbody>
  </table></div><p class="muted">Rows: what it was. Columns: what the version said, from its thresholds on. A stronger colour is a greater share of the row.</p>`;
}

/** Of many only the first have a picture; the others are told as a number. */
function Gallery({ title, findings, none }) {
  const shown = findings.filter((one) => one.picture);
  const more = findings.length - shown.length;
  return html`<section aria-label=${title}><h3>${title}</h3>
    ${findings.length === 0 && html`<p class="muted">${none}</p>`}
    ${shown.length > 0 && html`<ul class="gallery">${shown.map((one) => html`<li>
      <img src=${one.picture} alt=${`${one.label}, ${one.kind}`} />
      <span>${one.kind}: ${one.label}${one.score == null ? "" : ` ${percent(one.score)}`}</span><span class="muted clip" title=${one.frame}>${pictureWords(one.frame)}</span></li>`)}</ul>`}
    ${more > 0 && html`<p class="muted">${shown.length ? "and " : ""}${more}${shown.length ? " more" : ""}, without a picture here</p>`}</section>`;
}

/** What a version fixed and broke against the one before it. */
function Against({ detector, version, old }) {
  const compared = useLoad(async () => {
    const { compared_with: others } = await api(`/detectors/${detector.id}/versions/${version}/measured`);
    return others.includes(old) ? { document: await api(`/detectors/${detector.id}/compare?a=${old}&b=${version}`) } : {};
  }, [detector.id, version, old]);
  if (compared.error) return html`<${Failure} error=${compared.error} retry=${compared.reload} />`;
  if (!compared.value) return html`<${Loading} />`;
  if (!compared.value.document) {
    return html`<p class="muted">Not compared with version ${old} yet: both look at the test frames that neither has learned from.</p>
      <${MakeIt} detector=${detector} kind="compare" path=${`/detectors/${detector.id}/compare?a=${old}&b=${version}`} words=${`Compare with version ${old}`} onDone=${compared.reload} />`;
  }
  const { words, fixed, broken, images } = compared.value.document;
  return html`<p class="lead">${words}.</p>
    <${Gallery} title=${`Fixed since version ${old}`} findings=${fixed} none=${`Nothing that version ${old} got wrong is right now.`} />
    <${Gallery} title=${`Broken since version ${old}`} findings=${broken} none=${`Nothing that version ${old} got right is wrong now.`} />
    <p class="muted">On the same ${plural(images, "test frame")}. <a href=${`/api/v1/detectors/${detector.id}/compare.html?a=${old}&b=${version}`}>The whole comparison</a></p>`;
}

function Measured({ detector, version }) {
  const report = useLoad(async () => {
    const path = `/detectors/${detector.id}/versions/${version}`;
    return (await api(`${path}/measured`)).report ? { document: await api(`${path}/report`) } : {};
  }, [detector.id, version]);
  if (report.error) return html`<${Failure} error=${report.error} retry=${report.reload} />`;
  if (!report.value) return html`<${Loading} />`;
  if (!report.value.document) {
    return html`<section class="card stack tight" aria-labelledby="measured-title"><h2 id="measured-title">How good version ${version} is</h2>
      <p>It was not measured in full yet. It looks at the frozen test frames, also made darker, blurred and small, and keeps what it finds.</p>
      <${MakeIt} detector=${detector} kind="evaluate" path=${`/detectors/${detector.id}/versions/${version}/evaluate`} words="Measure it" onDone=${report.reload} /></section>`;
  }
  const found = report.value.document;
  return html`<section class="card stack tight" aria-labelledby="measured-title"><h2 id="measured-title">How good version ${version} is</h2>
      <${Figures} report=${found} /><p><a href=${`/api/v1/detectors/${detector.id}/versions/${version}/report.html`}>The whole report</a></p></section>
    <section class="card stack tight" aria-labelledby="explorer-title"><h2 id="explorer-title">From which score on it reports</h2>
      <${Explorer} detector=${detector} version=${version} report=${found} /></section>
    <section class="card stack tight" aria-labelledby="confusion-title"><h2 id="confusion-title">What it takes for what</h2><${Confusion} table=${found.confusion} /></section>
    <section class="card stack tight" aria-labelledby="mistakes-title"><h2 id="mistakes-title">What it still gets wrong</h2>
      <${Gallery} title=${Object.entries(found.mistake_counts).map(([kind, n]) => `${n} ${kind}`).join(", ") || "Mistakes"} findings=${found.mistakes} none="Nothing on these frames." /></section>`;
}

function Page({ detector: id }) {
  const loaded = useLoad(() => Promise.all([api(`/detectors/${id}`), api(`/detectors/${id}/jobs`)]));
  const [changed, setChanged] = useState(null);
  const [chosen, setChosen] = useState(askedVersion);
  const detector = changed ?? loaded.value?.[0] ?? null;
  useEffect(() => { if (detector) setTitle(`Versions of “${detector.name}”`); }, [detector?.name]);
  if (loaded.error && !detector) return html`<${Failure} error=${loaded.error} retry=${loaded.reload} />`;
  if (!detector) return html`<${Loading} />`;
  const back = html`<p><a href=${`/detectors/${detector.id}`}>← Teach “${detector.name}”</a></p>`;
  if (!detector.versions.length) {
    return html`<div class="stack">${back}<${Empty} title="No version yet"><p>Each training makes one. Draw boxes on a few frames, then train.</p>
      <a class="button primary" href=${`/detectors/${detector.id}#train`}>Train it</a><//></div>`;
  }
  const numbers = detector.versions.map((one) => one.version);
  const version = numbers.includes(chosen) ? chosen : detector.in_use ?? numbers.at(-1);
  const old = Math.max(0, ...numbers.filter((one) => one < version));
  const choose = (number) => { setChosen(number); history.replaceState(null, "", `?version=${number}`); };
  // A job of the kind that is asked for may be under way since before this page was opened.
  const withJob = (kind) => ({ ...detector, job: loaded.value[1].find((job) => job.kind === kind && ["queued", "running"].includes(job.state)) ?? null });

  return html`<div class="stack">${back}
    <${VersionTable} detector=${detector} chosen=${version} onChoose=${choose} onChanged=${setChanged} />
    <${Measured} key=${version} detector=${withJob("evaluate")} version=${version} />
    ${old > 0 && html`<section class="card stack tight" key=${`against-${version}`} aria-labelledby="against-title"><h2 id="against-title">Against version ${old}</h2>
      <${Against} detector=${withJob("compare")} version=${version} old=${old} /></section>`}
  </div>`;
}

mount(Page);
