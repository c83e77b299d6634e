// The threshold explorer: what a version would report from another score on, before that is saved.
import { useEffect, useState } from "preact/hooks";
import { Failure, api, html, useAction, useLoad } from "./ui.js";
import { curveLine, falsePerHour, falsePerHundred, workingAt } from "./versionlines.js";
import { eventsOf, scoresOf } from "./watchlines.js";
import { percent } from "./words.js";

const SIDE = 300;
const EDGE = 44;
const GAP_S = 0.5;
const MOST_FRAMES = 10_000;

function Curve({ name, one, at }) {
  const place = ({ recall, precision }) => ({ cx: recall * SIDE, cy: (1 - precision) * SIDE });
  return html`<figure class="curve prcurve"><svg viewBox=${`${-EDGE} -8 ${SIDE + EDGE + 8} ${SIDE + EDGE + 8}`} role="img" aria-label=${`Precision against recall of ${name}`}>
      ${[0, 0.5, 1].map((tick) => html`<line class="grid" x1="0" x2=${SIDE} y1=${SIDE * tick} y2=${SIDE * tick} /><line class="grid" y1="0" y2=${SIDE} x1=${SIDE * tick} x2=${SIDE * tick} />
        <text x="-6" y=${SIDE * (1 - tick) + 4} text-anchor="end">${tick}</text><text x=${SIDE * tick} y=${SIDE + 16} text-anchor="middle">${tick}</text>`)}
      <text x=${SIDE / 2} y=${SIDE + 30} text-anchor="middle">recall: found of all that is there</text>
      <text transform=${`translate(-32 ${SIDE / 2}) rotate(-90)`} text-anchor="middle">precision: right of all it says</text>
      <polyline points=${curveLine(one.curve, SIDE)} />
      <circle class="best" r="8" ...${place(one.best)} />
      ${at && html`<circle class="inuse" r="5" ...${place(at)} />`}
    </svg><figcaption class="muted">Dot: the threshold of the slider. Ring: recommended.</figcaption></figure>`;
}

/** The scores of a class in a video that this version has watched: {name, scores, fps}; null where there is none. */
function useFootage(detectorId, version, label) {
  const [seen, setSeen] = useState(null);
  useEffect(() => {
    let isWanted = true;
    const look = async () => {
      const videos = (await api(`/detectors/${detectorId}/media`)).filter((one) => one.kind === "video" && one.state === "ready");
      for (const media of videos) {
        const view = await api(`/detectors/${detectorId}/watch/${media.id}?version=${version}&count=${MOST_FRAMES}`);
        if (view.until > 0) return { media, view };
      }
      return null;
    };
    // It only adds a line: without footage the rest is as good.
    look().then((found) => isWanted && setSeen(found)).catch(() => {});
    return () => { isWanted = false; };
  }, [detectorId, version]);
  if (!seen) return null;
  const until = Math.min(seen.view.until, MOST_FRAMES);
  const looked = [];
  seen.view.looked.forEach((one) => { looked[one.frame] = one.seen; });
  return { name: seen.media.name, fps: seen.media.fps, scores: scoresOf({ looked, until }, label, until) };
}

function Hourly({ one, footage, threshold, alarms }) {
  if (footage) {
    const events = eventsOf(footage.scores, threshold, Math.round(GAP_S * footage.fps)).length;
    const perHour = falsePerHour(one, events, footage.scores.length / footage.fps, threshold);
    return html`<div><dt>False alarms an hour</dt><dd>about ${perHour < 10 ? perHour.toFixed(1) : Math.round(perHour)} <span class="muted">in ${footage.name}: its events an hour, times the share that is wrong on the test frames</span></dd></div>`;
  }
  if (alarms.length) return html`<div><dt>False alarms an hour</dt><dd>${alarms[0].per_hour.toFixed(1)} <span class="muted">in ${alarms[0].footage}, at the thresholds at which it was measured</span></dd></div>`;
  return html`<div><dt>False alarms an hour</dt><dd class="muted">not known: watch a video with this version first</dd></div>`;
}

export function Explorer({ detector, version, report }) {
  const names = Object.keys(report.per_class);
  const path = `/detectors/${detector.id}/versions/${version}/thresholds`;
  const own = useLoad(() => api(path), [path]);
  const [name, setName] = useState(names[0]);
  const [wanted, setWanted] = useState({});
  const one = report.per_class[name];
  const footage = useFootage(detector.id, version, name);
  const [save, busy, error] = useAction(async () => {
    await api(path, { method: "PUT", json: { thresholds: wanted } });
    await own.reload();
    setWanted({});
  });
  if (own.error) return html`<${Failure} error=${own.error} retry=${own.reload} />`;
  const kept = own.value?.thresholds[name] ?? one.in_use.threshold;
  const threshold = wanted[name] ?? kept;
  const best = one.best.threshold;
  const at = workingAt(one, threshold);
  const alarms = falsePerHundred(one, report.images, threshold);
  const changed = Object.keys(wanted).length > 0;
  const turn = (value) => setWanted({ ...wanted, [name]: value });

  return html`<div class="stack tight">
    ${names.length > 1 && html`<label class="inline">Class <select value=${name} onChange=${(e) => setName(e.currentTarget.value)}>${names.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select></label>`}
    <div class="explorer"><${Curve} name=${name} one=${one} at=${at} />
      <div class="stack tight">
        <label class="rangemark">Threshold of ${name}: ${percent(threshold)}
          <input type="range" min="0.05" max="0.99" step="0.01" value=${threshold} onInput=${(e) => turn(Number(e.currentTarget.value))} aria-valuetext=${`${percent(threshold)}; ${percent(best)} is recommended`} /></label>
        <div class="row"><button type="button" onClick=${() => turn(Math.round(best * 100) / 100)}>Recommended: ${percent(best)}</button>
          ${changed && html`<button type="button" class="quiet" onClick=${() => setWanted({})}>As it was</button>`}</div>
        <dl class="wide" aria-live="polite">
          <div><dt>Precision</dt><dd>${at ? percent(at.precision) : "reports nothing"} <span class="muted">of what it reports is right</span></dd></div>
          <div><dt>Recall</dt><dd>${percent(at?.recall ?? 0)} <span class="muted">of what is there is found</span></dd></div>
          <div><dt>False alarms</dt><dd>${alarms === null ? "only those" : alarms.toFixed(1)} <span class="muted">in 100 test frames</span></dd></div>
          <${Hourly} one=${one} footage=${footage} threshold=${threshold} alarms=${report.alarms} />
        </dl>
        <div class="row"><button type="button" class="primary" disabled=${busy || !changed} onClick=${save}>Save</button>
          <span class=${changed ? "state calm" : "state good"} role="status">${changed ? "Not saved yet" : "✓ This is what it uses"}</span></div>
        <p class="muted">Bundles that were made before keep their threshold: shrink again to bring it to cameras.</p>
        ${error && html`<${Failure} error=${error} />`}
      </div></div>
  </div>`;
}
