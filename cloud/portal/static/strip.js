// The strip of frames below the picture, and the bar to reach any frame of a video.
import { useEffect, useRef, useState } from "preact/hooks";
import { cellKey, isVideo } from "./filmstrip.js";
import { Turns } from "./turns.js";
import { html } from "./ui.js";

const THUMB_PX = 160;
const SETTLE_MS = 120;
// Decoding a frame of a video costs the server time: the big picture must not wait for the small ones.
const turns = new Turns(2);

/** A small picture that loads once it is in view and its turn has come. */
function Thumb({ src, ...more }) {
  const image = useRef(null);
  useEffect(() => {
    let release = null;
    const done = () => { release?.(); release = null; };
    const watch = new IntersectionObserver(async ([entry]) => {
      if (!entry.isIntersecting) return;
      watch.disconnect();
      release = await turns.take();
      if (image.current) image.current.src = src;
      else done();
    });
    image.current.addEventListener("load", done);
    image.current.addEventListener("error", done);
    watch.observe(image.current);
    return () => { watch.disconnect(); done(); };
  }, [src]);
  return html`<img ref=${image} alt="" ...${more} />`;
}

function Cell({ cell, current, done, onGo }) {
  const button = useRef(null);
  useEffect(() => {
    // Only the strip scrolls, never the page below the person's hands.
    const strip = button.current.parentElement;
    if (current) strip.scrollLeft = button.current.offsetLeft - (strip.clientWidth - button.current.offsetWidth) / 2;
  }, [current]);
  const name = isVideo(cell.media) ? `${cell.media.name}, frame ${cell.index}` : cell.media.name;
  return html`<button type="button" ref=${button} aria-current=${current} aria-label=${`${name}${done ? ", labelled" : ""}`} title=${name} onClick=${() => onGo(cell)}>
    <${Thumb} src=${`/api/v1/media/${cell.media.id}/frames/${cell.index}.jpg?width=${THUMB_PX}`} width=${Math.round((54 * cell.media.width_px) / cell.media.height_px)} height="54" />
    ${done && html`<span class="done" aria-hidden="true">✓</span>`}
  </button>`;
}

export function Strip({ cells, here, isDone, onGo }) {
  return html`<div class="strip" role="group" aria-label="Frames">${cells.map((cell) =>
    html`<${Cell} key=${cellKey(cell)} cell=${cell} current=${cellKey(cell) === cellKey(here)} done=${isDone(cell)} onGo=${onGo} />`)}</div>`;
}

const clockOf = (media, index) => (media.fps ? `${(index / media.fps).toFixed(2)} s` : "");

/** The number of a frame; what somebody is typing stays, whatever the page shows anew meanwhile. */
function FrameNumber({ value, last, onGo }) {
  const [typed, setTyped] = useState(null);
  const take = (text) => { setTyped(null); onGo(Math.min(last, Math.max(0, Math.round(Number(text) || 0)))); };
  return html`<input type="number" min="0" max=${last} value=${typed ?? value} onInput=${(e) => setTyped(e.currentTarget.value)}
    onChange=${(e) => take(e.currentTarget.value)} onBlur=${() => setTyped(null)} />`;
}

/** Slider and number; while the slider is dragged only its rest is shown, not every frame on the way. */
export function VideoBar({ media, index, onGo }) {
  const last = media.frame_count - 1;
  const [wanted, setWanted] = useState(index);
  useEffect(() => setWanted(index), [index, media.id]);
  useEffect(() => {
    if (wanted === index) return undefined;
    const timer = setTimeout(() => onGo(wanted), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [wanted]);
  return html`<div class="videobar">
    <input type="range" min="0" max=${last} value=${wanted} aria-label="Frame" aria-valuetext=${`frame ${wanted} of ${last}, ${clockOf(media, wanted)}`}
      onInput=${(e) => setWanted(Number(e.currentTarget.value))} />
    <label class="inline">Frame <${FrameNumber} value=${wanted} last=${last} onGo=${onGo} /></label>
    <span class="muted">of ${last} · ${clockOf(media, wanted)}</span>
  </div>`;
}
