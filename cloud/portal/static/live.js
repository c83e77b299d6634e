// The live detector: learns while one draws. Nothing here waits for it, and nothing it says changes a label by itself.
import { useCallback, useEffect, useState } from "preact/hooks";
import { curvePoints, isLearning, knownWords, learningWords, qualityWords, troubleWords } from "./livewords.js";
import { Failure, State, api, html, useAction } from "./ui.js";
import { ap50, plural } from "./words.js";

const AGAIN_MS = 2000;
const TICK_MS = 5000;
const KEEP = "elfowl.live";

function remembered() {
  try { return localStorage.getItem(KEEP) !== "off"; } catch { return true; }
}

function remember(on) {
  try { localStorage.setItem(KEEP, on ? "on" : "off"); } catch { /* private windows may refuse: then it is asked again */ }
}

/** Follow live teaching of a detector once it was begun: {live, on, turn, begin, cancel, error}. */
export function useLive(detectorId) {
  const [on, setOn] = useState(remembered);
  const [begun, setBegun] = useState(false);
  const [live, setLive] = useState(null);
  const [cancel, , error] = useAction(() => api(`/detectors/${detectorId}/teaching/cancel`, { method: "POST" }));
  const begin = useCallback(() => setBegun(true), []);
  const turn = (isOn) => {
    remember(isOn);
    setOn(isOn);
    if (isOn) setBegun(true);
    else if (isLearning(live)) cancel();
  };
  useEffect(() => {
    if (!on || !begun) return undefined;
    let source = null;
    let timer = 0;
    const open = () => {
      source = new EventSource(`/api/v1/detectors/${detectorId}/teaching/events`);
      source.onmessage = (e) => setLive(JSON.parse(e.data));
      // The browser opens a cut stream again by itself, until it gives up.
      source.onerror = () => { if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, AGAIN_MS); };
    };
    open();
    return () => { clearTimeout(timer); source.close(); setLive(null); };
  }, [detectorId, on, begun]);
  return { live: on ? live : null, on, turn, begin, cancel, error };
}

/** Let the worker start while somebody draws the first boxes, so that the first lesson need not wait for it. */
export function useReady(detectorId, isWanted) {
  useEffect(() => {
    // Without it teaching works as well, only the first lesson comes later.
    if (isWanted) api(`/detectors/${detectorId}/teaching/ready`, { method: "POST" }).catch(() => {});
  }, [detectorId, isWanted]);
}

/** What the live detector sees on a frame: null until it is known. */
export function useLiveBoxes(live, cell) {
  const [seen, setSeen] = useState(null);
  const learned = live?.learned ?? null;
  const path = cell && `/media/${cell.media.id}/frames/${cell.index}/live`;
  useEffect(() => {
    if (learned === null || !path) return undefined;
    let isWanted = true;
    // A detector that is busy or being read again says so later by a new `learned`; what was seen before stays.
    api(path).then((answer) => isWanted && setSeen({ path, detections: answer.detections })).catch(() => {});
    return () => { isWanted = false; };
  }, [learned, path]);
  return learned !== null && seen && seen.path === path ? seen.detections : null;
}

/** Now in seconds since 1970, every few seconds anew. */
function useNow() {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** The line below the picture: how far it is, or what it knows. */
export function LiveLine({ live, onCancel }) {
  const now = useNow();
  if (!live) return null;
  const learning = learningWords(live);
  const known = knownWords(live, Math.max(now, live.learned ?? 0));
  const trouble = troubleWords(live);
  return html`<div class="live row" role="status">
    ${known && html`<${State} tone="good" sign="✓">${known}<//>`}
    ${learning && html`<${State} tone="calm" sign="○">${learning}<//> <progress max="1" value=${live.progress} aria-label="Learning"></progress>
      <button type="button" class="quiet" onClick=${onCancel}>Stop</button>`}
    ${trouble && html`<${State} tone=${live.stage === "failed" ? "bad" : "calm"} sign=${live.stage === "failed" ? "✕" : "○"}>${trouble}<//>`}
  </div>`;
}

const WIDTH = 280;
const HEIGHT = 90;

/** AP50 by number of frames: a line, and the same as a list for who cannot see it. */
function Curve({ curve }) {
  if (!curve.length) return html`<p class="muted">After the second labelled frame a curve shows here how it gets better.</p>`;
  const points = curvePoints(curve, WIDTH, HEIGHT);
  const last = curve.at(-1);
  return html`<figure class="curve">
    <svg viewBox=${`-26 -8 ${WIDTH + 34} ${HEIGHT + 28}`} aria-hidden="true">
      ${[0, 0.5, 1].map((share) => html`<line class="grid" x1="0" x2=${WIDTH} y1=${share * HEIGHT} y2=${share * HEIGHT} />
        <text x="-6" y=${share * HEIGHT + 4} text-anchor="end">${1 - share}</text>`)}
      <text x="0" y=${HEIGHT + 16}>0</text><text x=${WIDTH} y=${HEIGHT + 16} text-anchor="end">${plural(last.frames, "frame")}</text>
      <polyline points=${points.map((point) => point.join(",")).join(" ")} />
      ${points.map(([x, y]) => html`<circle cx=${x} cy=${y} r="3.5" />`)}
    </svg>
    <figcaption class="muted">Accuracy by labelled frames: an estimate, no test score.</figcaption>
    <ul class="sr">${curve.map((point) => html`<li>${plural(point.frames, "frame")}: ${ap50(point.ap50)}</li>`)}</ul>
  </figure>`;
}

/** The card beside the picture. */
export function LiveCard({ teaching, frames }) {
  const { live, on, turn, begin, error } = teaching;
  return html`<div class="stack tight">
    <label class="inline"><input type="checkbox" checked=${on} onChange=${(e) => turn(e.currentTarget.checked)} /> Learn while I draw</label>
    ${on && !live && (frames > 0
      ? html`<button type="button" onClick=${begin}>Show what it sees now</button>`
      : html`<p class="muted">Draw a box: it learns at once, and shows what it sees as dashed boxes.</p>`)}
    ${qualityWords(live) && html`<p>${qualityWords(live)}</p>`}
    ${live && html`<${Curve} curve=${live.curve} />`}
    ${live && live.learned != null && html`<p class="muted">The live detector is a draft: “Train” makes a version that stays.</p>`}
    ${error && html`<${Failure} error=${error} />`}
  </div>`;
}
