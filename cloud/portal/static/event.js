// One event: what was seen, who said so, and what people say about it.
import { useEffect, useState } from "preact/hooks";
import { BoxEditor } from "./boxeditor.js";
import { KeySheet, useKeys } from "./keys.js";
import { nextWords, saidAbout, verdictWords } from "./said.js";
import { answeredBy, detectorWords } from "./states.js";
import { Failure, Loading, State, api, html, liveNews, mount, setTitle, useAction, useLoad } from "./ui.js";
import { ago, clockTime, percent, when } from "./words.js";

const keyFrame = (id) => `/api/v1/corrections/${id}/frame.jpg`;
const TYPES = { new: "seen", update: "seen better", end: "gone" };

function Missed({ said, labels, onDone }) {
  const { correction } = said;
  const [boxes, setBoxes] = useState([]);
  const [label, setLabel] = useState(correction.label ?? labels[0]);
  const [save, busy, error] = useAction(async () => {
    await api(`/corrections/${correction.id}`, { method: "PATCH", json: { box: boxes[0].box, label: boxes[0].label } });
    await onDone();
  });
  const done = correction.box ? [{ label: correction.label, box: correction.box }] : null;
  return html`<section class="card stack tight" aria-label="Missed object">
    <h2>Something was missed here</h2>
    <p role="status">${nextWords(said)}</p>
    ${said.key_frame && html`
      ${!done && labels.length > 1 && html`<label class="inline">Class <select value=${label} onChange=${(e) => setLabel(e.currentTarget.value)}>
        ${labels.map((one) => html`<option value=${one}>${one}</option>`)}</select></label>`}
      <${BoxEditor} src=${keyFrame(correction.id)} alt="Clear frame of that moment" boxes=${done ?? boxes} labels=${labels} label=${label} readOnly=${done !== null}
        onChange=${(next) => setBoxes(next.slice(-1))} chosen=${done || !boxes.length ? -1 : 0} />
      ${!done && html`<div class="row">
        <button type="button" onClick=${() => setBoxes([{ label, box: [0.35, 0.35, 0.65, 0.65] }])}>Put a box in the middle</button>
        <button type="button" class="primary" disabled=${busy || !boxes.length} onClick=${save}>Use this box</button></div>`}`}
    ${error && html`<${Failure} error=${error} />`}
  </section>`;
}

function History({ history }) {
  return html`<ol class="plain history">${history.map((one) => {
    const answer = answeredBy(one);
    return html`<li><time datetime=${new Date(one.frame_time * 1000).toISOString()}>${clockTime(one.frame_time)}</time> <strong>${TYPES[one.event_type]}</strong> <span>${one.label} ${percent(one.score)}</span> <span class="muted">${answer.words} · ${detectorWords(one.detector)}</span></li>`;
  })}</ol>`;
}

function Provenance({ event }) {
  const answer = answeredBy(event);
  return html`<dl class="wide">
    <div><dt>Camera</dt><dd class="clip">${event.camera} on ${event.device}</dd></div>
    <div><dt>Began</dt><dd>${when(event.start_time)} <span class="muted">(${ago(event.start_time)})</span></dd></div>
    <div><dt>Ended</dt><dd>${event.end_time ? when(event.end_time) : "still there"}</dd></div>
    <div><dt>Best score</dt><dd>${percent(event.top_score)}</dd></div>
    <div><dt>Answered by</dt><dd>${answer.sign} ${answer.words}${answer.why ? `: ${answer.why}` : ""}</dd></div>
    <div><dt>Detector</dt><dd>${detectorWords(event.detector)}</dd></div>
    ${event.zones.entered.length > 0 && html`<div><dt>Zones</dt><dd class="clip">${event.zones.entered.join(", ")}</dd></div>`}
    <div><dt>Event</dt><dd class="clip"><code>${event.id}</code></dd></div>
  </dl>`;
}

function Picture({ item, own, labels }) {
  const { event } = item;
  if (own?.key_frame && own.correction.box) {
    const said = own.correction.verdict === "wrong" ? "not " : "";
    return html`<${BoxEditor} src=${keyFrame(own.correction.id)} alt="Clear frame that the camera sent for your correction" labels=${labels} readOnly
      boxes=${[{ label: `${said}${own.correction.label}`, box: own.correction.box }]} onChange=${() => {}} />
      <p class="muted">The clear frame, sent by the camera because you corrected it.</p>`;
  }
  if (!item.thumbnail) return html`<p class="note">This event came without a picture.</p>`;
  return html`<img class="blurred" src=${`/api/v1/events/${event.id}/thumbnail.jpg?at=${event.frame_time}`} alt=${`Blurred picture of ${event.label}`} />
    <p class="muted">Blurred on the camera. ${own ? "The clear frame was asked for." : "The clear frame stays there unless you say whether this event is right."}</p>`;
}

function Say({ event, own, labels, onDone }) {
  const others = labels.filter((one) => one !== event.label);
  const [other, setOther] = useState("");
  const [sheet, setSheet] = useState(false);
  const [say, busy, error] = useAction(async (body) => {
    await api("/corrections", { method: "POST", json: { source: "portal", ...body } });
    await onDone();
  });
  const [takeBack, taking, refusal] = useAction(async () => {
    await api(`/corrections/${own.correction.id}`, { method: "DELETE" });
    await onDone();
  });
  const about = (verdict, more = {}) => say({ verdict, event_id: event.id, ...more });
  const missed = () => say({ verdict: "missed", device: event.device, camera: event.camera, time: event.frame_time, detector_id: event.detector.id });
  const table = [
    { keys: ["r"], words: "Right", run: () => about("right") },
    { keys: ["w"], words: "Wrong", run: () => about("wrong") },
    { keys: ["m"], words: "Missed something here", run: missed },
    ...(others.length ? [{ keys: others.slice(0, 9).map((_, i) => String(i + 1)), shown: ["1 … 9"], words: "It is another class", run: (key) => about("other_class", { label: others[key - 1] }) }] : []),
    { keys: ["Escape"], words: "Back to the events", run: () => location.assign("/events") },
    { keys: ["?"], words: "This sheet", run: () => setSheet(true) },
  ];
  useKeys(table);
  const is = (verdict) => own?.correction.verdict === verdict;
  return html`<section class="card stack tight" aria-labelledby="say-title">
    <div class="row apart"><h2 id="say-title">Is this right?</h2><button type="button" class="quiet" onClick=${() => setSheet(true)}>Keys <kbd>?</kbd></button></div>
    <div class="row">
      <button type="button" disabled=${busy} aria-pressed=${is("right")} onClick=${() => about("right")}>✓ Right <kbd>R</kbd></button>
      <button type="button" disabled=${busy} aria-pressed=${is("wrong")} onClick=${() => about("wrong")}>✕ Wrong <kbd>W</kbd></button>
      <button type="button" disabled=${busy} onClick=${missed}>Missed something here <kbd>M</kbd></button>
    </div>
    ${others.length > 0 && html`<div class="row"><span>It is something else:</span>${others.map((one, i) => html`<button type="button" key=${one} class="chip" disabled=${busy}
      aria-pressed=${is("other_class") && own.correction.label === one} style=${`--class:var(--class-${(labels.indexOf(one) % 9) + 1})`}
      onClick=${() => about("other_class", { label: one })}><span class="clip">${one}</span> ${i < 9 && html`<kbd>${i + 1}</kbd>`}</button>`)}</div>`}
    <form class="row" onSubmit=${(e) => { e.preventDefault(); if (other.trim()) about("other_class", { label: other.trim() }); }}>
      <input value=${other} onInput=${(e) => setOther(e.currentTarget.value)} maxlength="80" aria-label="Name of another class" placeholder="another class" />
      <button disabled=${busy || !other.trim()}>Other class</button>
    </form>
    ${own && html`<p role="status"><${State} ...${verdictWords(own.correction)}>${verdictWords(own.correction).words}${is("other_class") ? `: ${own.correction.label}` : ""}<//><br />${nextWords(own)}</p>
      <div class="row"><button type="button" class="quiet" disabled=${taking} onClick=${takeBack}>Take it back</button></div>`}
    ${refusal && html`<${Failure} error=${refusal} />`}
    ${error && html`<${Failure} error=${error} />`}
    <${KeySheet} table=${table} open=${sheet} onClose=${() => setSheet(false)} />
  </section>`;
}

function Page({ event: id }) {
  const loaded = useLoad(async () => {
    const item = await api(`/events/${encodeURIComponent(id)}`);
    const detector = item.event.detector.id;
    // The detector may have been removed since; its events stay.
    const known = await api(`/detectors/${encodeURIComponent(detector)}`).catch(() => null);
    const corrections = await api(`/corrections?${new URLSearchParams({ detector })}`);
    return { item, labels: known?.labels ?? [item.event.label], said: saidAbout(item.event, corrections) };
  });
  useEffect(() => {
    let timer = 0;
    liveNews((news) => {
      const mine = news.type === "event" ? news.event.id === id : ["correction", "key_frame"].includes(news.type);
      if (!mine) return;
      clearTimeout(timer);
      timer = setTimeout(loaded.reload, 300);
    });
  }, []);
  const waits = [loaded.value?.said.own, ...(loaded.value?.said.missed ?? [])].some((one) => one?.standing === "waiting");
  useEffect(() => {
    if (!waits) return undefined;
    const again = setInterval(loaded.reload, 4000);
    return () => clearInterval(again);
  }, [waits]);
  useEffect(() => { if (loaded.value) setTitle(loaded.value.item.event.label); }, [loaded.value]);

  if (loaded.error && !loaded.value) return html`<${Failure} error=${loaded.error} retry=${loaded.reload} />`;
  if (!loaded.value) return html`<${Loading} />`;
  const { item, labels, said } = loaded.value;
  return html`<div class="stack">
    <p><a href="/events">← All events</a></p>
    ${loaded.error && html`<${Failure} error=${loaded.error} retry=${loaded.reload} />`}
    <div class="two">
      <div class="stack">
        <div><${Picture} item=${item} own=${said.own} labels=${labels} /></div>
        ${said.missed.map((one) => html`<${Missed} key=${one.correction.id} said=${one} labels=${labels} onDone=${loaded.reload} />`)}
      </div>
      <div class="stack">
        <${Say} event=${item.event} own=${said.own} labels=${labels} onDone=${loaded.reload} />
        <section class="card"><h2>Who said so</h2><${Provenance} event=${item.event} /></section>
        <section class="card"><h2>What happened</h2><${History} history=${item.history} /></section>
      </div>
    </div>
  </div>`;
}

mount(Page);
