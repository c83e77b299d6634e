// What the cameras saw, newest first, as it comes; right or wrong in one key.
import { useEffect, useRef, useState } from "preact/hooks";
import { FILTERS, PAGE, merged, query } from "./eventlist.js";
import { KeySheet, useKeys } from "./keys.js";
import { verdictWords } from "./said.js";
import { answeredBy, detectorName } from "./states.js";
import { Empty, Failure, Loading, State, api, html, liveNews, mount, useAction, useLoad } from "./ui.js";
import { ago, percent, when } from "./words.js";

const THROTTLE_MS = 1000;

function Filter({ name, words, value, options, onChange }) {
  return html`<label>${words}<select value=${value} onChange=${(e) => onChange(name, e.currentTarget.value)}>
    <option value="">all</option>
    ${options.map(([key, shown]) => html`<option key=${key} value=${key}>${shown}</option>`)}
  </select></label>`;
}

function Row({ item, chosen, onChoose, onSay, busy }) {
  const row = useRef(null);
  const { event, correction } = item;
  const answer = answeredBy(event);
  useEffect(() => { if (chosen) row.current.scrollIntoView({ block: "nearest" }); }, [chosen]);
  const verdict = correction && verdictWords(correction);
  return html`<li ref=${row} class=${chosen ? "event chosen" : "event"} aria-current=${chosen} onClick=${() => onChoose(event.id)}>
    ${item.thumbnail
      ? html`<img src=${`/api/v1/events/${event.id}/thumbnail.jpg?at=${event.frame_time}`} alt="" loading="lazy" />`
      : html`<div class="nopicture">no picture</div>`}
    <div class="what">
      <h2 class="small"><a href=${`/events/${event.id}`} class="clip">${event.label}</a> <span class="muted">${percent(event.top_score)}</span></h2>
      <p class="clip">${event.camera} <span class="muted">on ${event.device}</span></p>
      <p class="muted"><time datetime=${new Date(event.start_time * 1000).toISOString()} title=${when(event.start_time)}>${ago(event.start_time)}</time>${event.end_time ? ` · for ${Math.max(1, Math.round(event.end_time - event.start_time))} s` : " · still there"}</p>
    </div>
    <div class="who muted">
      <p><span aria-hidden="true">${answer.sign}</span> answered by ${answer.words}${answer.why ? `: ${answer.why}` : ""}</p>
      <p class="clip">${detectorName(event.detector)}</p>
    </div>
    <div class="say">
      ${verdict && html`<${State} ...${verdict}>${verdict.words}<//>`}
      <div class="row">
        <button type="button" disabled=${busy} aria-pressed=${correction?.verdict === "right"} onClick=${() => onSay(item, "right")}>Right ${chosen && html`<kbd>R</kbd>`}</button>
        <button type="button" disabled=${busy} aria-pressed=${correction?.verdict === "wrong"} onClick=${() => onSay(item, "wrong")}>Wrong ${chosen && html`<kbd>W</kbd>`}</button>
      </div>
    </div>
  </li>`;
}

function Page() {
  const [filter, setFilter] = useState(() => Object.fromEntries(new URLSearchParams(location.search)));
  const [items, setItems] = useState(null);
  const [more, setMore] = useState(false);
  const [error, setError] = useState(null);
  const [connected, setConnected] = useState(true);
  const [chosen, setChosen] = useState(null);
  const [sheet, setSheet] = useState(false);
  const detectors = useLoad(() => api("/detectors"));
  const seen = useRef({ camera: new Set(), label: new Set() });
  const current = useRef(filter);
  current.current = filter;

  const load = async ({ before, first = false } = {}) => {
    const asked = current.current;
    try {
      const page = await api(`/events?${query(asked, before)}`);
      if (asked !== current.current) return; // the filter was changed meanwhile
      setItems((known) => merged(known ?? [], page));
      if (before || first) setMore(page.length === PAGE);
      setError(null);
    } catch (caught) {
      setError(caught);
    }
  };
  useEffect(() => { setItems(null); load({ first: true }); }, [filter]);
  useEffect(() => {
    let timer = 0;
    liveNews((news) => {
      if (news.type === "event" || news.type === "correction") timer ||= setTimeout(() => { timer = 0; load(); }, THROTTLE_MS);
    }, setConnected);
  }, []);

  const list = items ?? [];
  list.forEach(({ event }) => { seen.current.camera.add(event.camera); seen.current.label.add(event.label); });
  const at = list.findIndex((item) => item.event.id === chosen);
  const [say, busy, failed] = useAction(async (item, verdict) => {
    setChosen(item.event.id);
    const said = await api("/corrections", { method: "POST", json: { verdict, event_id: item.event.id, source: "portal" } });
    setItems((known) => merged(known, [{ ...item, correction: said.correction }]));
  });
  const step = (by) => { const next = list[Math.min(list.length - 1, Math.max(0, at + by))]; if (next) setChosen(next.event.id); };
  const table = [
    { keys: ["ArrowDown", "j"], words: "Next event", run: () => step(1) },
    { keys: ["ArrowUp", "k"], words: "Event before", run: () => step(-1) },
    { keys: ["r"], words: "The chosen event is right", run: () => list[at] && say(list[at], "right") },
    { keys: ["w"], words: "The chosen event is wrong", run: () => list[at] && say(list[at], "wrong") },
    { keys: ["Enter"], words: "Open the chosen event", run: () => list[at] && location.assign(`/events/${chosen}`) },
    { keys: ["?"], words: "This sheet", run: () => setSheet(true) },
  ];
  useKeys(table);
  const change = (name, value) => {
    const next = { ...filter, [name]: value };
    history.replaceState(null, "", `?${new URLSearchParams(Object.entries(next).filter(([, given]) => given))}`);
    setFilter(next);
  };
  const options = (name) => [...new Set([...seen.current[name], ...(filter[name] ? [filter[name]] : [])])].sort().map((one) => [one, one]);
  const filtered = FILTERS.some((name) => filter[name]);

  return html`<div class="stack">
    <div class="row apart end">
      <div class="row filters">
        <${Filter} name="camera" words="Camera" value=${filter.camera ?? ""} options=${options("camera")} onChange=${change} />
        <${Filter} name="detector" words="Detector" value=${filter.detector ?? ""} options=${(detectors.value ?? []).map((one) => [one.id, one.name])} onChange=${change} />
        <${Filter} name="label" words="Class" value=${filter.label ?? ""} options=${options("label")} onChange=${change} />
        ${filter.detector && html`<a class="button" href=${`/detectors/${filter.detector}/review`}>Go through the unsure ones</a>`}
        ${filter.device && html`<button type="button" class="quiet" onClick=${() => change("device", "")}>only ${filter.device} ✕</button>`}
      </div>
      <div class="row">
        ${connected ? html`<${State} tone="good" sign="●">live<//>` : html`<${State} tone="warn" sign="○">reconnecting …<//>`}
        <button type="button" class="quiet" onClick=${() => setSheet(true)}>Keys <kbd>?</kbd></button>
      </div>
    </div>
    ${[error, failed, detectors.error].filter(Boolean).map((one) => html`<${Failure} error=${one} retry=${one === error ? () => load({ first: items === null }) : undefined} />`)}
    ${items === null && !error && html`<${Loading} />`}
    ${items?.length === 0 && (filtered
      ? html`<${Empty} title="Nothing like this was seen"><p>No event fits the filter.</p><button type="button" onClick=${() => { history.replaceState(null, "", "?"); setFilter({}); }}>Show all events</button><//>`
      : html`<${Empty} title="Nothing was seen yet"><p>Events of your cameras appear here by themselves. <a href="/devices">Look at your cameras</a></p><//>`)}
    <ul class="events" aria-label="Events">${list.map((item) => html`<${Row} key=${item.event.id} item=${item} chosen=${item.event.id === chosen} onChoose=${setChosen} onSay=${say} busy=${busy} />`)}</ul>
    ${more && html`<button type="button" onClick=${() => load({ before: list.at(-1).event.start_time })}>Older events</button>`}
    <${KeySheet} table=${table} open=${sheet} onClose=${() => setSheet(false)} />
  </div>`;
}

mount(Page);
