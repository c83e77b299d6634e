// Train: one button, progress, and the list of versions with what was measured.
import { useEffect, useState } from "preact/hooks";
import { ENDED, Failure, Progress, api, followJob, html, useAction } from "./ui.js";
import { ACCURACY_MEANS, ago, ap50, measuredOn, percent, plural, when } from "./words.js";

const GOOD_START = 8;

/** What still helps, in words; "" when there is enough for a start. */
export function hint(labelledFrames) {
  if (labelledFrames === 0) return "Draw a box on at least one frame, then train.";
  const more = GOOD_START - labelledFrames;
  return more > 0 ? `Label ${plural(more, "more frame")} for a good start; it can be trained now already.` : "";
}

/** Follow the job of one kind that the detector has now, or that was just started: [signal or null, start, cancel, error]. */
export function useJob(detector, kind, onDone) {
  const [job, setJob] = useState(null);
  const follow = (id) => {
    const state = followJob(id);
    setJob(state);
    const stop = state.subscribe((now) => { if (ENDED.includes(now.state)) { queueMicrotask(() => stop()); onDone(now); } });
  };
  useEffect(() => {
    const now = detector.job;
    if (now && now.kind === kind && !ENDED.includes(now.state) && job?.peek().id !== now.id) follow(now.id);
  }, [detector.job?.id]);
  const [start, busy, startError] = useAction(async (path, json) => { follow((await api(path, { method: "POST", json })).id); });
  const [cancel, , cancelError] = useAction(() => api(`/jobs/${job.peek().id}/cancel`, { method: "POST" }));
  return { job, start, cancel, busy, error: startError ?? cancelError };
}

export const isRunning = (job) => job !== null && !ENDED.includes(job.value.state);

export function Train({ detector, frames, onDone }) {
  const { job, start, cancel, busy, error } = useJob(detector, "train", onDone);
  const running = isRunning(job);
  const words = detector.versions.length ? "Train next version" : "Train";
  const advice = hint(frames);
  return html`<div class="stack tight">
    <p class="muted">${plural(frames, "labelled frame")}${detector.counts.corrections ? `, ${plural(detector.counts.corrections, "correction")} from cameras` : ""}</p>
    ${advice && html`<p class="note" id="train-hint">${advice}</p>`}
    <button type="button" class="primary" disabled=${busy || running || frames === 0} aria-describedby=${advice ? "train-hint" : undefined}
      onClick=${() => start(`/detectors/${detector.id}/train`, {})}>${running ? "Training …" : words}</button>
    ${job && html`<${Progress} job=${job} onCancel=${cancel} />`}
    ${job && job.value.state === "done" && html`<p class="state good" role="status"><span aria-hidden="true">✓</span> Trained; the new version is below.</p>`}
    ${error && html`<${Failure} error=${error} />`}
  </div>`;
}

function Row({ version, newest, used }) {
  const { metrics } = version;
  return html`<li class="version">
    <div class="row apart"><strong>Version ${version.version}</strong>${used ? html`<span class="badge">in use</span>` : newest && html`<span class="badge">newest, not in use</span>`}</div>
    <dl>
      <div><dt title=${ACCURACY_MEANS}>Accuracy</dt><dd>${ap50(metrics.ap50)}</dd></div>
      <div><dt>Counts as seen from</dt><dd>${percent(metrics.threshold)}</dd></div>
      <div><dt>Measured on</dt><dd>${measuredOn(metrics)}</dd></div>
      <div><dt>Trained</dt><dd title=${when(version.created)}>${ago(version.created)}</dd></div>
    </dl>
    ${metrics.compared && html`<p class="muted">${metrics.compared.words}</p>`}
  </li>`;
}

export function Versions({ detector }) {
  const versions = [...detector.versions].reverse();
  if (!versions.length) return html`<p class="muted">No version yet. Each training makes one; older ones stay.</p>`;
  return html`<p class="row"><a class="button primary" href=${`/detectors/${detector.id}/watch`}>Watch a video with it</a>
      <a class="button" href=${`/detectors/${detector.id}/versions`}>How good they are</a>
      <a class="button" href=${`/detectors/${detector.id}/review`}>Review what it was unsure of</a></p>
    <ol class="versions" reversed>${versions.map((version, i) => html`<${Row} key=${version.version} version=${version} used=${version.version === detector.in_use} newest=${i === 0} />`)}</ol>
    ${versions.some((one) => one.metrics.ap50 != null) && html`<p class="muted">${ACCURACY_MEANS}</p>`}
    ${versions[0].metrics.ap50 == null && html`<p class="muted">The newest version was not measured: label a few more frames, so that some can be kept for the test.</p>`}`;
}
