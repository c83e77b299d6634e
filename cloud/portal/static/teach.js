// Teach: pictures in, boxes on them, saved by themselves.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { BoxEditor } from "./boxeditor.js";
import { Classes } from "./classes.js";
import { PickFiles, Unfinished, UploadList, useDrop, useUploads } from "./dropping.js";
import { FillLine, NO_GAPS, fillingAt, framesOf, withGap } from "./filling.js";
import { cellKey, cellsOf, isVideo, nextUnlabelled, stepped } from "./filmstrip.js";
import { moved, resized } from "./geometry.js";
import { KeySheet, useKeys } from "./keys.js";
import { LabelBook, isLabelled } from "./labelbook.js";
import { LiveLine, useLiveBoxes, useReady } from "./live.js";
import { nextProposed, seenWords, unseen } from "./livewords.js";
import { OfferLine, useOfferedFrames, useOffers } from "./offers.js";
import { Strip, VideoBar } from "./strip.js";
import { Empty, Failure, api, html } from "./ui.js";
import { plural } from "./words.js";

const NUDGE = 0.005;
const NEW_BOX = [0.35, 0.35, 0.65, 0.65];
export const framePath = (mediaId, index) => `/api/v1/media/${mediaId}/frames/${index}.jpg`;

const SAVE_WORDS = { saved: "Saved", waiting: "Saving …", saving: "Saving …", loading: "Loading …" };

function SaveMark({ page, onTheirs, onMine, onRetry }) {
  const { state, error, revision } = page;
  if (state === "conflict") {
    return html`<div class="note bad" role="alert"><p>Somebody else changed this frame meanwhile. Which boxes shall stay?</p>
      <div class="row"><button type="button" onClick=${onTheirs}>Show theirs</button><button type="button" onClick=${onMine}>Keep mine</button></div></div>`;
  }
  if (state === "failed" || state === "unknown") return html`<${Failure} error=${error} retry=${state === "failed" ? onRetry : onTheirs} />`;
  const saved = state === "saved" && revision > 0;
  const words = state === "saved" && !saved ? "Not labelled yet" : SAVE_WORDS[state];
  return html`<span class=${saved ? "state good" : "state calm"} role="status"><span aria-hidden="true">${saved ? "✓" : "○"}</span> ${words}</span>`;
}

/** The boxes as a list: the twin of the picture for keyboard and screen reader. */
function BoxList({ boxes, labels, chosen, onChoose, onRemove, onRelabel }) {
  if (!boxes.length) return null;
  return html`<ul class="boxes" aria-label="Boxes on this frame">${boxes.map((item, i) => html`<li key=${i} class="row">
    <button type="button" class="chip" aria-pressed=${i === chosen} onClick=${() => onChoose(i === chosen ? -1 : i)}
      style=${`--class:var(--class-${(Math.max(0, labels.indexOf(item.label)) % 9) + 1})`}><span class="clip">${item.label}</span> ${i + 1}</button>
    ${i === chosen && labels.length > 1 && html`<select aria-label="Class of this box" value=${item.label} onChange=${(e) => onRelabel(e.currentTarget.value)}>
      ${labels.map((label) => html`<option value=${label}>${label}</option>`)}</select>`}
    <button type="button" class="quiet" aria-label=${`Delete box ${i + 1}, ${item.label}`} onClick=${() => onRemove(i)}>Delete ${i === chosen && html`<kbd>Del</kbd>`}</button>
  </li>`)}</ul>`;
}

/**
 * @param detector  as the API gives it
 * @param media     its pictures and videos
 * @param onMedia   something was uploaded
 * @param onLabels  the classes changed
 * @param onLabelled labels were saved: (media id, index, whether the frame is labelled now)
 * @param teaching  what `useLive` gives: the live detector
 */
export function Teach({ detector, media, onMedia, onLabels, onLabelled, teaching }) {
  const { labels } = detector;
  const [label, setLabel] = useState(labels[0] ?? null);
  const [cell, setCell] = useState(null);
  const [chosen, setChosen] = useState(-1);
  const [sheet, setSheet] = useState(false);
  const lastBoxes = useRef([]);
  const notify = useRef(onLabelled);
  notify.current = onLabelled;
  const book = useMemo(() => new LabelBook(api, { onSaved: (id, index, content) => notify.current(id, index, isLabelled(content)) }), []);
  const uploads = useUploads(onMedia);
  const add = (files) => uploads.add(detector.id, files);
  const over = useDrop(add);

  const offered = useOfferedFrames(detector.id);
  const [filled, setFilled] = useState(NO_GAPS);
  const cells = useMemo(() => cellsOf(media, (one) => [...one.labelled, ...(offered.get(one.id) ?? []), ...framesOf(filled, one.id)]), [media, offered, filled]);
  const labelledFrames = useMemo(() => new Set(media.flatMap((one) => one.labelled.map((index) => `${one.id}:${index}`))), [media]);
  const isDone = (one) => labelledFrames.has(cellKey(one));
  const kept = cell && media.some((one) => one.id === cell.media.id) ? cell : null;
  const here = kept ?? cells.find((one) => !isDone(one)) ?? cells[0] ?? null;
  const page = here ? book.page(here.media.id, here.index).value : null;
  const seen = useLiveBoxes(teaching.live, here);
  const offers = useOffers(here);
  useReady(detector.id, teaching.on && here !== null);
  const filling = fillingAt(book, filled, here, media.find((one) => one.id === here?.media.id)?.labelled ?? []);

  // The first unlabelled frame is chosen once; it stays when its own labels come.
  useEffect(() => { if (!kept && here) setCell(here); }, [kept, here]);
  useEffect(() => { if (!labels.includes(label)) setLabel(labels[0] ?? null); }, [labels]);
  useEffect(() => {
    const warn = (e) => { if (!book.isSettled) { book.flush(); e.preventDefault(); } };
    addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  }, [book]);

  if (!here) {
    return html`<div class="stack">
      <${Empty} title="Show what to look for" over=${over}>
        <p>Drop pictures or a video anywhere on this page. Eight frames are a good start; show the thing as the camera will see it.</p>
        <${PickFiles} onFiles=${add} primary words="Choose pictures or videos" />
      <//>
      <${UploadList} rows=${uploads.rows} onRetry=${(row) => uploads.retry(detector.id, row)} onForget=${uploads.forget} />
      <${Unfinished} detectorId=${detector.id} rows=${uploads.rows} onFiles=${add} />
      ${over && html`<div class="dropveil" aria-hidden="true">Drop to add</div>`}
    </div>`;
  }

  const { boxes, trusted } = page.history.value;
  const nothing = page.history.value.nothing_here;
  const change = (content) => book.change(here.media.id, here.index, content);
  const setBoxes = (next) => { change({ boxes: next, nothing_here: false }); if (next.length) lastBoxes.current = next; };
  const go = (next) => {
    if (!next) return;
    if (boxes.length) lastBoxes.current = boxes;
    setCell(next);
    setChosen(-1);
  };
  const mend = (shape) => { if (boxes[chosen]) setBoxes(boxes.map((b, i) => (i === chosen ? { ...b, box: shape(b.box) } : b))); };
  const remove = (i) => { if (boxes[i]) { setBoxes(boxes.filter((_, other) => other !== i)); setChosen(-1); } };
  const takeClass = (name) => { setLabel(name); if (boxes[chosen]) setBoxes(boxes.map((b, i) => (i === chosen ? { ...b, label: name } : b))); };
  const addBox = () => { if (label) { setBoxes([...boxes, { label, box: NEW_BOX }]); setChosen(boxes.length); } };
  const repeat = () => { if (lastBoxes.current.length) setBoxes([...boxes, ...lastBoxes.current]); };
  const nothingHere = () => { change({ boxes: [], nothing_here: !nothing }); setChosen(-1); };
  const undo = () => { book.undo(here.media.id, here.index); setChosen(-1); };
  const redo = () => { book.redo(here.media.id, here.index); setChosen(-1); };
  const next = () => go(nextUnlabelled(cells, here, isDone));
  const between = nothing ? [] : unseen(filling.boxes, boxes);
  const others = unseen(seen ?? offers, [...boxes, ...filling.boxes]);
  const proposals = [...between, ...others];
  const fill = () => { if (filling.gap) setFilled((before) => withGap(before, here.media.id, filling.gap)); };
  const takeProposals = () => { if (proposals.length) setBoxes([...boxes, ...proposals.map(({ label: name, box }) => ({ label: name, box }))]); };
  const useful = nextProposed(teaching.live, media, here, isDone);
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const nudge = (key, step) => { const [x, y] = arrows[key.split("+").at(-1)]; mend((box) => step(box, x * NUDGE, y * NUDGE)); };
  const withArrows = (before) => Object.keys(arrows).map((arrow) => `${before}+${arrow}`);

  const table = [
    { keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], shown: ["1 … 9"], words: "Class of the next box, or of the chosen one", run: (key) => labels[key - 1] && takeClass(labels[key - 1]) },
    { keys: ["b"], words: "Add a box in the middle", run: addBox },
    { keys: ["g"], words: "Repeat the last boxes", run: repeat },
    { keys: ["i"], words: "Fill the frames up to the nearest drawn one: dotted boxes on the way", run: fill },
    { keys: ["0"], words: "Nothing here", run: nothingHere },
    { keys: ["Delete", "Backspace"], shown: ["Delete"], words: "Delete the chosen box", run: () => remove(chosen) },
    { keys: withArrows("Alt"), shown: ["Alt+← ↑ ↓ →"], words: "Move the chosen box", run: (key) => nudge(key, moved) },
    { keys: withArrows("Alt+Shift"), shown: ["Alt+Shift+← ↑ ↓ →"], words: "Resize the chosen box", run: (key) => nudge(key, resized) },
    { keys: ["Ctrl+z"], words: "Undo", run: undo },
    { keys: ["Ctrl+Shift+z", "Ctrl+y"], shown: ["Ctrl+Shift+z"], words: "Redo", run: redo },
    { keys: ["ArrowLeft", "ArrowRight"], words: "One frame (of pictures: one picture) back or on", run: (key) => go(stepped(cells, here, key === "ArrowLeft" ? -1 : 1)) },
    { keys: ["Shift+ArrowLeft", "Shift+ArrowRight"], words: "Ten frames back or on", run: (key) => go(stepped(cells, here, key.endsWith("Left") ? -10 : 10)) },
    { keys: ["n"], words: "Next frame without labels", run: next },
    { keys: ["t"], words: "Take the dotted boxes: what the live detector sees, what was offered or filled", run: takeProposals },
    { keys: ["p"], words: "Go to the frame that helps most", run: () => go(useful?.cell) },
    { keys: ["Escape"], words: "Choose no box", run: () => setChosen(-1) },
    { keys: ["?"], words: "This sheet", run: () => setSheet(true) },
  ];

  return html`<div class="stack">
    <${TeachKeys} table=${table} />
    <${UploadList} rows=${uploads.rows} onRetry=${(row) => uploads.retry(detector.id, row)} onForget=${uploads.forget} />
    <${Unfinished} detectorId=${detector.id} rows=${uploads.rows} onFiles=${add} />
    <div class="row apart top">
      <${Classes} detector=${detector} label=${label} onTake=${takeClass} onLabels=${onLabels} beforeRename=${() => book.flush()} />
      <${PickFiles} onFiles=${add} words="Add pictures or videos" />
    </div>
    <${BoxEditor} src=${framePath(here.media.id, here.index)} alt=${`Frame ${here.index} of ${here.media.name}`} size=${[here.media.width_px, here.media.height_px]}
      boxes=${boxes} proposals=${proposals} labels=${labels} label=${label} chosen=${chosen} onChange=${setBoxes} onChoose=${setChosen} readOnly=${["loading", "unknown"].includes(page.state)} />
    ${!labelledFrames.size && !boxes.length && !nothing && label && html`<p class="note">Drag a box around each “${label}” in the picture, from corner to corner; it is saved by itself. Is there none, press <kbd>0</kbd>. <kbd>N</kbd> goes to the next picture.</p>`}
    <div class="row apart">
      <${LiveLine} live=${teaching.live} onCancel=${teaching.cancel} />
      ${!teaching.live && html`<${OfferLine} proposals=${others} onTake=${takeProposals} />`}
      ${teaching.live && html`<div class="row">
        <span class="muted">${seenWords(seen, others)}</span>
        <button type="button" onClick=${takeProposals} disabled=${!proposals.length} aria-keyshortcuts="T">Take its boxes <kbd>T</kbd></button>
        <button type="button" onClick=${() => go(useful.cell)} disabled=${!useful} title=${useful?.reason} aria-keyshortcuts="P">Most useful next <kbd>P</kbd></button>
      </div>`}
    </div>
    <${FillLine} filling=${filling} left=${between} onTake=${takeProposals} />
    <div class="row apart">
      <div class="row">
        <button type="button" onClick=${() => go(stepped(cells, here, -10))} aria-label="−10: ten frames back" aria-keyshortcuts="Shift+ArrowLeft">−10</button>
        <button type="button" onClick=${() => go(stepped(cells, here, -1))} aria-label="One frame back" aria-keyshortcuts="ArrowLeft">◀</button>
        <button type="button" onClick=${() => go(stepped(cells, here, 1))} aria-label="One frame on" aria-keyshortcuts="ArrowRight">▶</button>
        <button type="button" onClick=${() => go(stepped(cells, here, 10))} aria-label="+10: ten frames on" aria-keyshortcuts="Shift+ArrowRight">+10</button>
        <button type="button" onClick=${next} aria-keyshortcuts="N">Next unlabelled <kbd>N</kbd></button>
      </div>
      <${SaveMark} page=${page} onTheirs=${() => book.load(here.media.id, here.index)} onMine=${() => book.overrule(here.media.id, here.index)} onRetry=${() => book.retry(here.media.id, here.index)} />
    </div>
    ${isVideo(here.media) && html`<${VideoBar} media=${here.media} index=${here.index} onGo=${(index) => go({ media: here.media, index })} />`}
    <div class="row">
      <button type="button" onClick=${nothingHere} aria-pressed=${nothing} aria-keyshortcuts="0">${nothing ? "✓ " : ""}Nothing here <kbd>0</kbd></button>
      <button type="button" onClick=${repeat} disabled=${!lastBoxes.current.length} aria-keyshortcuts="G">Repeat boxes <kbd>G</kbd></button>
      ${isVideo(here.media) && html`<button type="button" onClick=${fill} disabled=${!filling.gap || filling.isFilled} aria-keyshortcuts="I"
        title=${filling.gap ? `between frames ${filling.gap[0]} and ${filling.gap[1]}` : "draw the same thing on two frames of the video first"}>Fill between <kbd>I</kbd></button>`}
      <button type="button" onClick=${addBox} disabled=${!label} aria-keyshortcuts="B">Add a box <kbd>B</kbd></button>
      <button type="button" onClick=${undo} disabled=${!page.history.past.length} aria-keyshortcuts="Control+Z">Undo <kbd>Ctrl+Z</kbd></button>
      <button type="button" onClick=${redo} disabled=${!page.history.future.length} aria-keyshortcuts="Control+Shift+Z">Redo</button>
      <button type="button" class="quiet" onClick=${() => setSheet(true)} aria-keyshortcuts="?">Keys <kbd>?</kbd></button>
    </div>
    ${here.media.role === "test" && html`<p class="note">This file is kept for the test: versions are measured on it, never taught with it.</p>`}
    ${trusted && html`<div class="note"><p>Only parts of this frame were checked so far.</p><button type="button" onClick=${() => change({ trusted: null })}>I have looked at all of it</button></div>`}
    <${BoxList} boxes=${boxes} labels=${labels} chosen=${chosen} onChoose=${setChosen} onRemove=${remove} onRelabel=${takeClass} />
    <${Strip} cells=${cells} here=${here} isDone=${isDone} onGo=${go} />
    <p class="muted">${plural(labelledFrames.size, "frame")} labelled of ${plural(cells.length, "frame")} proposed. Drop more files anywhere on this page.</p>
    ${over && html`<div class="dropveil" aria-hidden="true">Drop to add</div>`}
    <${KeySheet} table=${table} open=${sheet} onClose=${() => setSheet(false)} />
  </div>`;
}

/** Keys as a component of its own: hooks must not come after the early return of an empty detector. */
function TeachKeys({ table }) {
  useKeys(table);
  return null;
}
