// Watch and correct: a video, what a version sees in it, and what people say about that.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { signal } from "@preact/signals";
import { Basket, boxesAt } from "./basket.js";
import { classColour } from "./boxeditor.js";
import { clockAt } from "./frames.js";
import { moved, resized } from "./geometry.js";
import { KeySheet, useKeys } from "./keys.js";
import { MomentBar, ScoreStrip } from "./scorestrip.js";
import { isRunning, useJob } from "./training.js";
import { Copy, Failure, Progress, api, html } from "./ui.js";
import { playerKeys } from "./watchkeys.js";
import { speechOf } from "./watchspeech.js";
import { after, before, differences, doubtsOf, eventsOf, isShown, scoresOf, seenAt } from "./watchlines.js";
import { BasketCard, DifferenceList, EventList } from "./watchside.js";
import { PlayerButtons, Stage, usePlayer } from "./watchstage.js";
import { percent } from "./words.js";

const NUDGE = 0.005;
const NEW_BOX = [0.35, 0.35, 0.65, 0.65];
const GAP_S = 0.5;
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const way = (key) => WAYS[key.split("+").at(-1)].map((by) => by * NUDGE);
const NOTHING = { looked: [], until: 0 };

const boxWords = (boxes, at) => `box ${at + 1} of ${boxes.length}: ${boxes[at].sign ?? ""} ${boxes[at].label} ${boxes[at].score == null ? "" : percent(boxes[at].score)}`;

/** How far the version has looked, and what can be done about it. */
function LookLine({ name, version, source, count }) {
  const { watched, error, begin, stop } = source;
  if (error) return html`<${Failure} error=${error} retry=${source.reload} />`;
  if (!watched) return html`<p class="muted" role="status">Loading …</p>`;
  if (watched.job) return html`<${Progress} job=${{ value: watched.job }} onCancel=${stop} />`;
  if (watched.until < count) {
    return html`<div class="row" role="status"><span>${watched.until ? `${name} has looked at ${watched.until} of ${count} frames.` : `${name} has not looked at this video yet.`}</span>
      <button type="button" class="primary" onClick=${() => begin(watched.frames ?? "motion")}>${watched.until ? "Go on" : `Look with version ${version}`}</button></div>`;
  }
  if (watched.frames === "every") return html`<p class="muted" role="status">${name} has looked at every frame.</p>`;
  return html`<div class="row" role="status"><span class="muted">${name} has looked wherever something moved.</span>
    <button type="button" class="quiet" onClick=${() => begin("every")}>Look at every frame</button></div>`;
}

/** Lines of all classes: scores, events and doubts of one version. */
function useLines(watched, labels, thresholds, count, fps) {
  const gap = Math.round(GAP_S * fps);
  const scores = useMemo(() => labels.map((label) => scoresOf(watched ?? NOTHING, label, count)), [watched, labels, count]);
  return useMemo(() => {
    const lines = labels.map((label, i) => ({ label, scores: scores[i], threshold: thresholds[label] ?? 0.5, events: eventsOf(scores[i], thresholds[label] ?? 0.5, gap) }));
    const events = lines.flatMap(({ label, events: some }) => some.map((one) => ({ ...one, label }))).sort((a, b) => a.first - b.first);
    const doubts = [...new Set(lines.flatMap(({ threshold }, i) => doubtsOf(scores[i], threshold, gap)))].sort((a, b) => a - b);
    return { lines, events, doubts };
  }, [scores, thresholds]);
}

/**
 * @param detector   as the API gives it @param media the video
 * @param version    the version that is watched @param source what it saw, as `useWatched` gives it
 * @param own        its thresholds by class
 * @param other      the version beside it: {version, source, own}; version null: none
 * @param first      the frame to begin with @param onHere told where somebody rests, for the address
 * @param onTrained  a new version was made
 */
export function WatchRoom({ detector, media, version, source, own, other, first, onHere, onTrained, linkTo }) {
  const { labels } = detector;
  const { fps, frame_count: count } = media;
  const here = useMemo(() => signal(0), [media.id]);
  const playing = useMemo(() => signal(false), [media.id]);
  const { video, player } = usePlayer(media, first, here, playing);
  const about = { detector: detector.id, media: media.id, ref: { id: detector.id, name: detector.name, version } };
  const basket = useMemo(() => new Basket(api, about), [media.id]);
  basket.about = about;
  useEffect(() => { basket.load(); }, [basket]);
  const [thresholds, setThresholds] = useState(own);
  useEffect(() => setThresholds(own), [own]);
  const [chosenBox, setChosen] = useState(-1);
  const [drawing, setDrawing] = useState(false);
  const [label, setLabel] = useState(labels[0] ?? null);
  const [boxesShown, setBoxesShown] = useState(true);
  const [sheet, setSheet] = useState(false);
  const [heard, setHeard] = useState("");
  const room = useRef(null);
  const retrain = useJob(detector, "train", onTrained);
  const { lines, events, doubts } = useLines(source.watched, labels, thresholds, count, fps);
  const found = useMemo(
    () => (other.source.watched && source.watched ? differences(source.watched, other.source.watched, count, [thresholds, other.own], Math.round(GAP_S * fps)) : null),
    [source.watched, other.source.watched, thresholds, other.own],
  );

  useEffect(() => here.subscribe(() => setChosen(-1)), [here]);
  const rests = useRef(onHere);
  rests.current = onHere;
  useEffect(() => {
    let timer = 0;
    const stop = here.subscribe((frame) => { clearTimeout(timer); timer = setTimeout(() => rests.current(frame), 400); });
    return () => { clearTimeout(timer); stop(); };
  }, [here]);
  useEffect(() => {
    const warn = (e) => { if (!basket.isSettled) { basket.flush(); e.preventDefault(); } };
    addEventListener("beforeunload", warn);
    return () => { removeEventListener("beforeunload", warn); basket.flush(); };
  }, [basket]);

  const said = basket.items.value;
  const boxesOf = (frame) => {
    if (!boxesShown) return { boxes: [], others: [] };
    const seen = seenAt(source.watched ?? NOTHING, frame)?.seen.filter(isShown(thresholds)) ?? [];
    const others = other.source.watched ? (seenAt(other.source.watched, frame)?.seen.filter(isShown(other.own)) ?? []) : [];
    return { boxes: boxesAt(seen, said.filter((item) => item.frame === frame)), others: others.map((one) => ({ ...one, sign: `v${other.version}` })) };
  };
  const now = () => boxesOf(here.peek()).boxes;
  const tell = (words) => setHeard(`${words} at ${clockAt(here.peek(), fps)}`);
  const speech = speechOf({ basket, here, now, chosenBox, label, tell });
  const { chosen, lastDrawn } = speech;
  const go = (frame) => { if (frame !== null) player.current.seek(frame); };
  const walk = (by) => {
    const boxes = now();
    const next = chosenBox + by;
    const isThere = !playing.peek() && next >= 0 && next < boxes.length;
    setChosen(isThere ? next : -1);
    if (isThere) setHeard(boxWords(boxes, next));
    return isThere;
  };
  const starts = [...new Set(events.map((one) => one.first))];
  const act = {
    toggle: () => player.current.toggle(),
    step: (by) => player.current.step(by),
    seconds: (by) => player.current.step(Math.round(by * fps)),
    nextEvent: () => go(after(starts, player.current.here)),
    previousEvent: () => go(before(starts, player.current.here)),
    nextDoubt: () => go(after(doubts, player.current.here) ?? doubts[0] ?? null),
    right: () => { video.current.pause(); speech.say("right"); },
    wrong: () => { video.current.pause(); speech.say("wrong"); },
    draw: () => { video.current.pause(); setDrawing(true); },
    takeClass: (i) => { if (!labels[i]) return; setLabel(labels[i]); speech.takeClass(labels[i], drawing); },
    nextBox: () => { if (!walk(1)) walk(1); },
    move: (key) => speech.mend((box) => moved(box, ...way(key))),
    resize: (key) => speech.mend((box) => resized(box, ...way(key))),
    remove: speech.remove,
    undo: () => basket.undo(),
    redo: () => basket.redo(),
    toggleBoxes: () => setBoxesShown(!boxesShown),
    repeat: speech.repeat,
    middleBox: () => { speech.addMissed(NEW_BOX); setDrawing(false); },
    help: () => setSheet(true),
    escape: () => { setDrawing(false); setChosen(-1); },
  };
  const changed = (next) => { if (speech.changed(next)) setDrawing(false); };
  const table = playerKeys(act);
  useKeys(table);
  // After a click keys belong to the player again: Space must not press the same button once more.
  const giveBack = (e) => { if (e.detail > 0 && e.target.closest("button") && !sheet) room.current.querySelector(".watchstage").focus({ preventScroll: true }); };

  const newest = Math.max(0, ...detector.versions.map((one) => one.created));
  const fresh = said.filter((item) => item.created > newest).sort((a, b) => a.frame - b.frame);
  const startRetrain = async () => {
    await basket.flush();
    // One job runs at a time: who waits for a new version need not watch the old one to its end.
    if (source.watched?.job) await source.stop();
    await retrain.start(`/detectors/${detector.id}/train`, {});
  };

  return html`<div class="two" ref=${room} onClick=${giveBack}>
    <div class="stack">
      <${Stage} media=${media} video=${video} here=${here} playing=${playing} boxesOf=${boxesOf} labels=${labels} drawing=${drawing} label=${label}
        chosen=${chosenBox} onChoose=${setChosen} onChange=${changed} onNextBox=${walk} />
      <${MomentBar} here=${here} count=${count} fps=${fps} onGo=${go} />
      <div class="stack tight" role="group" aria-label="Lines of the classes">${lines.map((line) => html`<${ScoreStrip} key=${line.label} ...${line} colour=${classColour(labels, line.label)} recommended=${own[line.label] ?? 0.5}
        here=${here} fps=${fps} onGo=${go} onThreshold=${(value) => setThresholds({ ...thresholds, [line.label]: value })} />`)}</div>
      <${LookLine} name=${`Version ${version}`} version=${version} source=${source} count=${count} />
      ${other.version != null && html`<${LookLine} name=${`Version ${other.version} (dotted)`} version=${other.version} source=${other.source} count=${count} />`}
      <${PlayerButtons} act=${act} playing=${playing} drawing=${drawing} boxesShown=${boxesShown} chosen=${chosen()} labels=${labels}
        canUndo=${basket.past.value.length > 0} canRedo=${basket.future.value.length > 0} canRepeat=${lastDrawn().length > 0} />
      ${drawing && html`<p class="note" role="status">Draw a box around the ${label ?? "thing"} that was missed. <kbd>1</kbd> … <kbd>9</kbd> take another class.</p>`}
      <p class="sr" aria-live="polite">${heard}</p>
      ${media.role === "test" && html`<p class="note">This video is kept for the test: what is said about it is never learned from.</p>`}
    </div>
    <div class="stack side">
      <section class="card" aria-labelledby="basket-title"><h2 id="basket-title">Corrections</h2>
        <${BasketCard} basket=${basket} fresh=${fresh} older=${said.length - fresh.length} fps=${fps} onGo=${go} retrain=${retrain} running=${isRunning(retrain.job)} onRetrain=${startRetrain} />
      </section>
      ${found && html`<section class="card" aria-labelledby="differ-title"><h2 id="differ-title">Where they differ</h2>
        <${DifferenceList} found=${found} names=${[`v${version}`, `v${other.version}`]} fps=${fps} until=${Math.min(source.watched.until, other.source.watched.until)} count=${count} onGo=${go} /></section>`}
      <section class="card" aria-labelledby="events-title"><h2 id="events-title">Events</h2>
        <${EventList} events=${events} looking=${!source.watched || source.watched.job || !source.watched.until} fps=${fps} onGo=${go} />
      </section>
      <${Copy} words="Copy the link to this moment" text=${() => linkTo(here.peek())} />
    </div>
    <${KeySheet} table=${table} open=${sheet} onClose=${() => setSheet(false)} />
  </div>`;
}
