// Draws and mends boxes on a picture: drag to draw, click to choose, drag to move, corners to resize.
// All state belongs to the caller: `boxes` is a list of {label, box}, every change is one call of `onChange`.
import { useRef, useState } from "preact/hooks";
import { cornerAt, fromCorners, hit, isBigEnough, moved, oppositeCorner } from "./geometry.js";
import { html } from "./ui.js";

export const classColour = (labels, label) => `var(--class-${(Math.max(0, labels.indexOf(label)) % 9) + 1})`;
const REACH_PX = 9;

function Shape({ item, labels, chosen, proposal }) {
  const [x1, y1, x2, y2] = item.box;
  return html`<rect x=${x1} y=${y1} width=${x2 - x1} height=${y2 - y1} stroke=${classColour(labels, item.label)}
    class=${[chosen ? "chosen" : "", proposal ? "proposal" : ""].join(" ")} />`;
}

function Tag({ item, labels }) {
  const style = `left:${item.box[0] * 100}%;top:${Math.max(0.035, item.box[1]) * 100}%;--tag:${classColour(labels, item.label)}`;
  const score = item.score == null ? "" : ` ${Math.round(item.score * 100)} %`;
  return html`<span class="tag" style=${style}>${item.label}${score}</span>`;
}

/**
 * @param src       address of the picture
 * @param boxes     what is labelled: solid
 * @param proposals what a detector sees: dotted, never part of the labels until accepted
 * @param chosen    index of the chosen box, or -1
 */
export function BoxEditor({ src, alt, boxes, proposals = [], labels, label, chosen = -1, onChange, onChoose, readOnly }) {
  const stage = useRef(null);
  const drag = useRef(null);
  const [ghost, setGhost] = useState(null);
  const [failed, setFailed] = useState(false);

  const at = (e) => {
    const r = stage.current.getBoundingClientRect();
    return { point: [(e.clientX - r.left) / r.width, (e.clientY - r.top) / r.height], reach: [REACH_PX / r.width, REACH_PX / r.height] };
  };
  const begin = ({ point, reach }) => {
    const corner = chosen >= 0 ? cornerAt(boxes[chosen].box, point, ...reach) : -1;
    if (corner >= 0) return { kind: "resize", index: chosen, anchor: oppositeCorner(boxes[chosen].box, corner) };
    const index = hit(boxes.map((b) => b.box), point);
    if (index >= 0) return { kind: "move", index, from: point, box: boxes[index].box };
    return { kind: "draw", anchor: point };
  };
  const shapeOf = (d, point) =>
    d.kind === "move" ? moved(d.box, point[0] - d.from[0], point[1] - d.from[1]) : fromCorners(d.anchor, point);

  const down = (e) => {
    if (readOnly || e.button !== 0) return;
    drag.current = begin(at(e));
    stage.current.setPointerCapture(e.pointerId);
    onChoose?.(drag.current.index ?? -1);
  };
  const move = (e) => {
    if (!drag.current) return;
    const d = drag.current;
    setGhost({ index: d.index ?? -1, label: d.index == null ? label : boxes[d.index].label, box: shapeOf(d, at(e).point) });
  };
  const up = () => {
    const d = drag.current;
    drag.current = null;
    setGhost(null);
    if (!d || !ghost || !isBigEnough(ghost.box)) return;
    const next = [...boxes];
    if (d.kind === "draw") next.push({ label, box: ghost.box });
    else next[d.index] = { ...boxes[d.index], box: ghost.box };
    onChange(next);
    onChoose?.(d.kind === "draw" ? next.length - 1 : d.index);
  };
  const cancel = () => { drag.current = null; setGhost(null); };

  const shown = ghost && ghost.index >= 0 ? boxes.map((b, i) => (i === ghost.index ? ghost : b)) : boxes;
  const all = ghost && ghost.index < 0 ? [...shown, ghost] : shown;
  return html`<div class="stage" ref=${stage} onPointerDown=${down} onPointerMove=${move} onPointerUp=${up} onPointerCancel=${cancel}>
    ${failed
      ? html`<p class="note bad" role="alert">This picture cannot be shown. Reload the page; if it stays so, drop the file again.</p>`
      : html`<img src=${src} alt=${alt} draggable=${false} onError=${() => setFailed(true)} onLoad=${() => setFailed(false)} />`}
    <svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
      ${proposals.map((item) => html`<${Shape} item=${item} labels=${labels} proposal />`)}
      ${all.map((item, i) => html`<${Shape} item=${item} labels=${labels} chosen=${i === chosen} />`)}
    </svg>
    ${[...proposals, ...all].map((item) => html`<${Tag} item=${item} labels=${labels} />`)}
  </div>`;
}
