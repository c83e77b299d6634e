// One line a class below the video: how sure the version was at each moment, its events, and the threshold.
import { useEffect, useRef } from "preact/hooks";
import { clockAt } from "./frames.js";
import { html } from "./ui.js";
import { columnsOf } from "./watchlines.js";
import { percent } from "./words.js";

const HEIGHT_PX = 44;
const EVENT_PX = 5;

function paint(canvas, scores, threshold, events) {
  const width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  const height = Math.round(HEIGHT_PX * devicePixelRatio);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const style = getComputedStyle(canvas);
  const draw = canvas.getContext("2d");
  draw.clearRect(0, 0, width, height);
  const low = EVENT_PX * devicePixelRatio;
  const rise = height - low;
  columnsOf(scores, width).forEach((score, x) => {
    if (Number.isNaN(score)) { draw.fillStyle = style.getPropertyValue("--line"); draw.fillRect(x, rise / 2, 1, 1); return; }
    draw.fillStyle = style.color;
    draw.globalAlpha = score >= threshold ? 1 : 0.45;
    draw.fillRect(x, rise * (1 - score), 1, rise * score);
    draw.globalAlpha = 1;
  });
  draw.fillStyle = style.color;
  events.forEach(({ first, last }) => {
    const left = (first * width) / scores.length;
    draw.fillRect(left, rise + 1, Math.max(2, ((last + 1) * width) / scores.length - left), low - 1);
  });
  draw.strokeStyle = style.getPropertyValue("--text");
  draw.setLineDash([4, 4]);
  draw.beginPath();
  draw.moveTo(0, rise * (1 - threshold));
  draw.lineTo(width, rise * (1 - threshold));
  draw.stroke();
}

/** The moving line; alone it follows each frame. */
function Playhead({ here, count }) {
  return html`<span class="playhead" style=${`left:${((here.value + 0.5) * 100) / count}%`} aria-hidden="true"></span>`;
}

function Line({ label, colour, scores, threshold, events, here, fps, onGo }) {
  const canvas = useRef(null);
  const line = useRef(null);
  const count = scores.length;
  useEffect(() => {
    const again = () => canvas.current && paint(canvas.current, scores, threshold, events);
    again();
    const watch = new ResizeObserver(again);
    watch.observe(canvas.current);
    const theme = new MutationObserver(again);
    theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => { watch.disconnect(); theme.disconnect(); };
  }, [scores, threshold, events]);
  const at = (e) => {
    const area = line.current.getBoundingClientRect();
    return Math.min(count - 1, Math.max(0, Math.floor(((e.clientX - area.left) * count) / area.width)));
  };
  const down = (e) => { if (e.button === 0) { line.current.setPointerCapture(e.pointerId); onGo(at(e)); } };
  const move = (e) => { if (line.current.hasPointerCapture(e.pointerId)) onGo(at(e)); };
  return html`<div class="scoreline" ref=${line} onPointerDown=${down} onPointerMove=${move} title=${`${label}: ${events.length} events`}>
    <canvas ref=${canvas} style=${`color:${colour}`} aria-hidden="true"></canvas>
    <${Playhead} here=${here} count=${count} />
  </div>`;
}

/**
 * @param label       the class @param colour of the class
 * @param scores      its best score at each frame, NaN where nothing is known
 * @param threshold   from where on it counts @param recommended the version's own threshold
 * @param here        signal of the frame that is shown
 */
export function ScoreStrip({ label, colour, scores, threshold, recommended, events, here, fps, onGo, onThreshold }) {
  const marks = `recommended-${encodeURIComponent(label)}`;
  return html`<div class="scorestrip">
    <span class="chip" style=${`--class:${colour}`}><span class="clip">${label}</span></span>
    <${Line} label=${label} colour=${colour} scores=${scores} threshold=${threshold} events=${events} here=${here} fps=${fps} onGo=${onGo} />
    <div class="stack threshold">
      <input type="range" min="0.1" max="0.99" step="0.01" list=${marks} value=${threshold} aria-label=${`${label}: shown from which score`}
        aria-valuetext=${`${percent(threshold)}${Math.abs(threshold - recommended) < 0.006 ? ", as recommended" : ""}`} onInput=${(e) => onThreshold(Number(e.currentTarget.value))} />
      <datalist id=${marks}><option value=${recommended}></option></datalist>
      <span class="muted">from ${percent(threshold)} · ${Math.abs(threshold - recommended) < 0.006
        ? "recommended"
        : html`<button type="button" class="link" onClick=${() => onThreshold(recommended)}>back to ${percent(recommended)}</button>`}</span>
    </div>
  </div>`;
}

/** The bar by which keys and pointer reach any moment. */
export function MomentBar({ here, count, fps, onGo }) {
  const frame = here.value;
  return html`<div class="videobar">
    <input type="range" min="0" max=${count - 1} value=${frame} aria-label="Moment" aria-valuetext=${`${clockAt(frame, fps)}, frame ${frame} of ${count - 1}`}
      onInput=${(e) => onGo(Number(e.currentTarget.value))} />
    <span class="muted figures">${clockAt(frame, fps)} of ${clockAt(count, fps)} · frame ${frame} of ${count - 1}</span>
  </div>`;
}
