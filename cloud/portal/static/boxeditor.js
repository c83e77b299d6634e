// Draws and mends boxes on a picture: drag to draw, click to choose, drag the chosen one to move it, its corners to resize.
// All state belongs to the caller: `boxes` is a list of {label, box}, every change is one call of `onChange`.
import { useRef, useState } from "preact/hooks";
import { cornerAt, fromCorners, hit, isBigEnough, moved, oppositeCorner } from "./geometry.js";
import { html } from "./ui.js";

export const classColour = (labels, label) => `var(--class-${(Math.max(0, labels.indexOf(label)) % 9) + 1})`;
const REACH_PX = 9;
const CLICK_PX = 4;

function Shape({ item, labels, chosen, proposal }) {
  const [x1, y1, x2, y2] = item.box;
  return html`<rect x=${x1} y=${y1} width=${x2 - x1} height=${y2 - y1} stroke=${classColour(labels, item.label)}
    class=${[chosen ? "chosen" : "", proposal ? "proposal" : ""].join(" ")} />`;
}

function Tag({ item, labels, proposal }) {
  const style = `left:${item.box[0] * 100}%;top:${Math.max(0.035, item.box[1]) * 100}%;--tag:${classColour(labels, item.label)}`;
  const score = item.score == null ? "" : ` ${Math.round(item.score * 100)} %`;
  const sign = item.sign ? `${item.sign} ` : "";
  return html`<span class=${proposal ? "tag proposal" : "tag"} style=${style}>${sign}${item.label}${score}</span>`;
}

const Handles = ({ box: [x1, y1, x2, y2] }) =>
  [[x1, y1], [x2, y1], [x2, y2], [x1, y2]].map(([x, y]) => html`<span class="handle" style=${`left:${x * 100}%;top:${y * 100}%`}></span>`);

/**
 * @param src       address of the picture
 * @param picture   what is shown instead of a picture: a video
 * @param size      [width, height] of the picture in pixels, so that nothing jumps while it loads
 * @param boxes     what is labelled: solid
 * @param proposals what a detector sees: dotted, never part of the labels until accepted
 * @param chosen    index of the chosen box, or -1
 * @param label     class of the next box; none: nothing can be drawn
 */
export function BoxEditor({ src, picture, alt, size, boxes, proposals = [], labels, label, chosen = -1, onChange, onChoose, readOnly }) {
  const stage = useRef(null);
  const drag = useRef(null);
  const [ghost, setGhost] = useState(null);
  const [failed, setFailed] = useState(null);
  const [natural, setNatural] = useState(null);

  const at = (e) => {
    const r = stage.current.getBoundingClientRect();
    return { point: [(e.clientX - r.left) / r.width, (e.clientY - r.top) / r.height], reach: [REACH_PX / r.width, REACH_PX / r.height] };
  };
  // Only the chosen box is moved: so a box can be drawn inside another one. Shift draws in any case.
  const begin = ({ point, reach }, e) => {
    const corner = chosen >= 0 && !e.shiftKey ? cornerAt(boxes[chosen].box, point, ...reach) : -1;
    if (corner >= 0) return { kind: "resize", index: chosen, anchor: oppositeCorner(boxes[chosen].box, corner) };
    const under = hit(boxes.map((b) => b.box), point);
    if (under >= 0 && under === chosen && !e.shiftKey) return { kind: "move", index: under, from: point, box: boxes[under].box };
    return { kind: "draw", anchor: point, under };
  };
  const shapeOf = (d, point) =>
    d.kind === "move" ? moved(d.box, point[0] - d.from[0], point[1] - d.from[1]) : fromCorners(d.anchor, point);
  const isClick = (d, e) => Math.hypot(e.clientX - d.clientX, e.clientY - d.clientY) < CLICK_PX;

  const down = (e) => {
    if (readOnly || e.button !== 0) return;
    drag.current = { ...begin(at(e), e), clientX: e.clientX, clientY: e.clientY };
    stage.current.setPointerCapture(e.pointerId);
  };
  const move = (e) => {
    const d = drag.current;
    if (!d || isClick(d, e) || (d.kind === "draw" && !label)) return;
    setGhost({ index: d.index ?? -1, label: d.index == null ? label : boxes[d.index].label, box: shapeOf(d, at(e).point) });
  };
  const up = (e) => {
    const d = drag.current;
    cancel();
    if (!d) return;
    if (isClick(d, e)) { if (d.kind === "draw") onChoose?.(d.under); return; }
    const box = shapeOf(d, at(e).point);
    if (!isBigEnough(box) || (d.kind === "draw" && !label)) return;
    const isNew = d.kind === "draw";
    onChange(isNew ? [...boxes, { label, box }] : boxes.map((b, i) => (i === d.index ? { ...b, box } : b)));
    onChoose?.(isNew ? boxes.length : d.index);
  };
  const cancel = () => { drag.current = null; setGhost(null); };

  const shown = ghost && ghost.index >= 0 ? boxes.map((b, i) => (i === ghost.index ? ghost : b)) : boxes;
  const all = ghost && ghost.index < 0 ? [...shown, ghost] : shown;
  const [width, height] = size ?? natural ?? [4, 3];
  return html`<div class=${readOnly ? "stage still" : "stage"} style=${`--ratio:${width / height}`} ref=${stage}
      onPointerDown=${down} onPointerMove=${move} onPointerUp=${up} onPointerCancel=${cancel}>
    ${picture ?? (failed === src
      ? html`<p class="note bad" role="alert">This picture cannot be shown. Reload the page; if it stays so, drop the file again.</p>`
      : html`<img src=${src} alt=${alt} draggable=${false} onError=${() => setFailed(src)}
          onLoad=${(e) => setNatural([e.currentTarget.naturalWidth, e.currentTarget.naturalHeight])} />`)}
    <svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
      ${proposals.map((item) => html`<${Shape} item=${item} labels=${labels} proposal />`)}
      ${all.map((item, i) => html`<${Shape} item=${item} labels=${labels} chosen=${i === chosen} />`)}
    </svg>
    ${proposals.map((item) => html`<${Tag} item=${item} labels=${labels} proposal />`)}
    ${all.map((item) => html`<${Tag} item=${item} labels=${labels} />`)}
    ${!readOnly && all[chosen] && html`<${Handles} box=${all[chosen].box} />`}
  </div>`;
}
