// Review: the events of which a detector was least sure, of all cameras, gone through with one key each.
import { useEffect, useMemo, useState } from "preact/hooks";
import { KeySheet, useKeys } from "./keys.js";
import { ReviewBook, queueOf } from "./reviewbook.js";
import { verdictWords } from "./said.js";
import { answeredBy, detectorName } from "./states.js";
import { isRunning, useJob } from "./training.js";
import { Empty, Failure, Loading, Progress, State, api, html, mount, setTitle, useLoad } from "./ui.js";
import { ago, percent, plural, when } from "./words.js";

const MOST = 500;
const LAST = 8;
const SKIPPED = { tone: "calm", sign: "→", words: "skipped" };
const pictureOf = ({ event }) => `/api/v1/events/${event.id}/thumbnail.jpg?at=${event.frame_time}`;
const wordsOf = (step) => (step.verdict === "skipped" ? SKIPPED : verdictWords(step));

/** The thresholds of every version that saw one of the events: {version: {class: score}}; versions that are gone have none. */
async function thresholdsOf(detector, items) {
  const seen = new Set(items.map((one) => one.event.detector.version));
  const versions = detector.versions.map((one) => one.version).filter((one) => seen.has(one));
  const found = await Promise.all(versions.map((one) => api(`/detectors/${detector.id}/versions/${one}/thresholds`)));
  return Object.fromEntries(versions.map((version, i) => [version, found[i].thresholds]));
}

async function loadAll(id) {
  const [detector, items, corrections] = await Promise.all([
    api(`/detectors/${id}`),
    api(`/events?${new URLSearchParams({ detector: id, limit: MOST })}`),
    api(`/corrections?${new URLSearchParams({ detector: id })}`),
  ]);
  const newest = Math.max(0, ...detector.versions.map((one) => one.created));
  const fresh = corrections.filter(({ correction }) => correction.created > newest).length;
  return { detector, items, fresh, thresholds: await thresholdsOf(detector, items) };
}

function Facts({ item }) {
  const { event, margin } = item;
  const answer = answeredBy(event);
  const near = margin > 0 ? `${percent(margin)} above its threshold` : "at its threshold";
  return html`<div>
    <h2><a href=${`/events/${event.id}`}>${event.label}</a> <span class="muted">${percent(event.top_score)}, ${near}</span></h2>
    <p class="muted clip">${event.camera} on ${event.device} · <time datetime=${new Date(event.start_time * 1000).toISOString()} title=${when(event.start_time)}>${ago(event.start_time)}</time> · answered by ${answer.words} · ${detectorName(event.detector)}</p>
  </div>`;
}

function Question({ item, labels, act }) {
  const { event } = item;
  const others = labels.filter((one) => one !== event.label);
  return html`<section class="card stack tight review" aria-label="Is this right?">
    <${Facts} item=${item} />
    ${item.thumbnail ? html`<img key=${event.id} src=${pictureOf(item)} alt=${`Blurred picture of ${event.label}`} />` : html`<div class="nopicture">This event came without a picture. Skip it, or open it.</div>`}
    <div class="row">
      <button type="button" onClick=${() => act.say("right")} aria-keyshortcuts="R">✓ Right <kbd>R</kbd></button>
      <button type="button" onClick=${() => act.say("wrong")} aria-keyshortcuts="W">✕ Wrong <kbd>W</kbd></button>
      <button type="button" onClick=${() => act.say("missed")} aria-keyshortcuts="M">Missed something here <kbd>M</kbd></button>
      <button type="button" onClick=${() => act.say("skipped")} aria-keyshortcuts="S">Skip <kbd>S</kbd></button>
    </div>
    ${others.length > 0 && html`<div class="row"><span>It is something else:</span>${others.slice(0, 9).map((one, i) => html`<button type="button" key=${one} class="chip"
      style=${`--class:var(--class-${(labels.indexOf(one) % 9) + 1})`} onClick=${() => act.say("other_class", one)} aria-keyshortcuts=${String(i + 1)}><span class="clip">${one}</span> <kbd>${i + 1}</kbd></button>`)}</div>`}
  </section>`;
}

/** What was said, newest first, and whether it is saved. */
function Said({ book }) {
  const { steps, name, error } = book.state.value;
  if (!steps.length) return html`<p class="muted">Nothing said yet: one key an event, and the next one comes.</p>`;
  return html`<div class="stack tight">
    ${name === "failed" ? html`<${Failure} error=${error} retry=${() => book.retry()} />` : html`<p class=${name === "saved" ? "state good" : "state calm"} role="status">${name === "saved" ? "✓ Saved" : "Saving …"}</p>`}
    <ol class="plain times" aria-label="What was said last">${steps.slice(-LAST).reverse().map((step) => html`<li key=${`${step.event.id}${step.verdict}`} class="row apart">
      <span class="clip"><a href=${`/events/${step.event.id}`}>${step.event.label}</a> <span class="muted">at ${step.event.camera}</span></span><${State} ...${wordsOf(step)}>${wordsOf(step).words}${step.label ? `: ${step.label}` : ""}<//></li>`)}</ol>
    ${steps.some((one) => one.verdict === "missed") && html`<p class="muted">What was missed is drawn on the event's own page, once the camera has sent the clear frame: the link above leads there.</p>`}
  </div>`;
}

/** Corrections that no version has learned yet, and the button that learns them. */
function Learn({ detector, fresh, book, onTrained }) {
  const retrain = useJob(detector, "train", onTrained);
  const running = isRunning(retrain.job);
  const isDone = retrain.job?.value.state === "done";
  const count = fresh + book.steps.filter((one) => one.verdict !== "skipped").length;
  const start = async () => { await book.settled(); await retrain.start(`/detectors/${detector.id}/train`, {}); };
  return html`<div class="stack tight">
    ${!isDone && html`<p>${count ? `${plural(count, "correction")} since the newest version.` : html`<span class="muted">No correction since the newest version.</span>`}</p>`}
    <button type="button" class="primary" disabled=${!count || running || retrain.busy} onClick=${start}>${running ? "Training …" : "Retrain"}</button>
    ${retrain.job && html`<${Progress} job=${retrain.job} onCancel=${retrain.cancel} />`}
    ${isDone && html`<p class="state good" role="status"><span aria-hidden="true">✓</span> Trained. <a href=${`/detectors/${detector.id}/versions`}>How good it is</a></p>`}
    ${retrain.error && html`<${Failure} error=${retrain.error} />`}
  </div>`;
}

function Ended({ book, unsure, onAll, onAgain }) {
  const count = (verdict) => book.steps.filter((one) => one.verdict === verdict).length;
  const parts = ["right", "wrong", "other_class", "skipped"].flatMap((one) => (count(one) ? [`${count(one)} ${wordsOf({ verdict: one }).words}`] : []));
  return html`<${Empty} title=${book.count ? "All gone through" : unsure ? "Nothing unsure is left" : "Nothing is left to ask"}>
    <p>${book.count ? `${parts.join(", ")}.` : `Every event ${unsure ? "near its threshold " : ""}has an answer.`} ${unsure ? "The sure ones may still be wrong: look through them too." : "What cameras see from now on is asked about next time."}</p>
    <div class="row middle">${unsure && html`<button type="button" class="primary" onClick=${onAll}>Go through the sure ones</button>`}
      <button type="button" onClick=${onAgain}>Look for new events</button></div>
  <//>`;
}

function Room({ detector, items, fresh, thresholds, onReload }) {
  const [all, setAll] = useState(false);
  const [sheet, setSheet] = useState(false);
  const book = useMemo(() => new ReviewBook(api, queueOf(items, thresholds, all)), [items, all]);
  useEffect(() => {
    const warn = (e) => { if (!book.isSettled) e.preventDefault(); };
    addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  }, [book]);
  const { queue, count, current } = book;
  useEffect(() => { queue.slice(count + 1, count + 3).filter((one) => one.thumbnail).forEach((one) => { new Image().src = pictureOf(one); }); }, [book, count]);
  const { labels } = detector;
  const others = current ? labels.filter((one) => one !== current.event.label) : [];
  const act = { say: (verdict, label) => book.say(verdict, label) };
  const table = [
    { keys: ["r"], words: "Right", run: () => act.say("right") },
    { keys: ["w"], words: "Wrong: nothing of that is there", run: () => act.say("wrong") },
    { keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], shown: ["1 … 9"], words: "It is another class", run: (key) => others[key - 1] && act.say("other_class", others[key - 1]) },
    { keys: ["m"], words: "Something was missed in this picture; the event is asked about all the same", run: () => act.say("missed") },
    { keys: ["s", "ArrowRight"], words: "Skip it: it comes again another time", run: () => act.say("skipped") },
    { keys: ["Ctrl+z", "ArrowLeft"], words: "Take the last answer back", run: () => book.undo() },
    { keys: ["Enter"], words: "Open the event", run: () => current && location.assign(`/events/${current.event.id}`) },
    { keys: ["?"], words: "This sheet", run: () => setSheet(true) },
  ];
  useKeys(table);
  const leave = async (then) => { await book.settled(); then(); };
  return html`<div class="two">
    <div class="stack">
      <div class="row apart">
        <div class="progress"><progress max=${Math.max(1, queue.length)} value=${count} aria-label="Gone through"></progress>
          <span role="status">${queue.length ? `${count} of ${queue.length} gone through` : "nothing to go through"}</span></div>
        <div class="row"><button type="button" aria-pressed=${all} onClick=${() => leave(() => setAll(!all))}>${all ? "✓ " : ""}Sure ones too</button>
          <button type="button" disabled=${!book.steps.length} onClick=${() => book.undo()} aria-keyshortcuts="Control+Z">Undo <kbd>Ctrl+Z</kbd></button>
          <button type="button" class="quiet" onClick=${() => setSheet(true)}>Keys <kbd>?</kbd></button></div>
      </div>
      ${current ? html`<${Question} item=${current} labels=${labels} act=${act} />` : html`<${Ended} book=${book} unsure=${!all} onAll=${() => leave(() => setAll(true))} onAgain=${() => leave(onReload)} />`}
      <p class="muted">The least sure ones come first, from all cameras. ${items.length === MOST ? `Of the newest ${MOST} events.` : ""}</p>
    </div>
    <div class="stack side">
      <section class="card" aria-labelledby="said-title"><h2 id="said-title">What you said</h2><${Said} book=${book} /></section>
      <section class="card" aria-labelledby="learn-title"><h2 id="learn-title">Corrections</h2><${Learn} detector=${detector} fresh=${fresh} book=${book} onTrained=${() => {}} /></section>
    </div>
    <${KeySheet} table=${table} open=${sheet} onClose=${() => setSheet(false)} />
  </div>`;
}

function Page({ detector: id }) {
  const loaded = useLoad(() => loadAll(id));
  const name = loaded.value?.detector.name;
  useEffect(() => { if (name) setTitle(`Review “${name}”`); }, [name]);
  if (loaded.error && !loaded.value) return html`<${Failure} error=${loaded.error} retry=${loaded.reload} />`;
  if (!loaded.value) return html`<${Loading} />`;
  const { detector, items } = loaded.value;
  const path = `/detectors/${detector.id}`;
  return html`<div class="stack">
    <p class="row"><a href=${path}>Teach</a> <a href=${`${path}/watch`}>Watch</a> <a href=${`${path}/versions`}>Versions</a> <a href=${`/events?detector=${detector.id}`}>All its events</a></p>
    ${loaded.error && html`<${Failure} error=${loaded.error} retry=${loaded.reload} />`}
    ${items.length ? html`<${Room} ...${loaded.value} onReload=${loaded.reload} />`
      : html`<${Empty} title="No camera has seen anything with it yet"><p>Once “${detector.name}” runs on a camera or watches a stream, what it was unsure of is asked here.</p>
          <a class="button primary" href=${detector.versions.length ? `${path}#shrink` : `${path}#teach`}>${detector.versions.length ? "Shrink and send it" : "Teach it"}</a><//>`}
  </div>`;
}

mount(Page);
