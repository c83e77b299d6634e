// Search: when was A seen, with B, near B, before B. The text and its chips edit the same search.
import { useEffect, useRef, useState } from "preact/hooks";
import { KeySheet, useKeys } from "./keys.js";
import { Moments } from "./moments.js";
import { SavedSearches } from "./savedsearches.js";
import { Chips } from "./searchchips.js";
import { cutAt } from "./searchparts.js";
import { Empty, Failure, Loading, api, html, mount, useAction, useLoad } from "./ui.js";
import { plural, when } from "./words.js";

const PAUSE_MS = 250;
const timezone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const linkTo = (text) => `/search?${new URLSearchParams({ q: text })}`;

function Mistake({ text, mistake, onGo }) {
  const cut = mistake.place == null ? null : cutAt(text, mistake.place);
  return html`<div id="mistake" class="note bad" role="alert">
    ${cut && html`<p class="mistake"><code>${cut.before}<mark>${cut.wrong}</mark>${cut.after}</code></p>`}
    <p>${mistake.message}</p>
    ${cut && html`<button type="button" onClick=${() => onGo(mistake.place - 1, cut.wrong.length)}>Go there</button>`}
  </div>`;
}

function Nearest({ found }) {
  return html`<div class="stack">
    ${found.labels && html`<p>${found.labels.length ? html`Seen so far: ${found.labels.map((one) => html`<a key=${one} class="button chip" href=${linkTo(/^[^\s"=>]+$/.test(one) ? one : `"${one}"`)}>${one}</a> `)}` : "Nothing was seen yet."}</p>`}
    ${found.nearest.length > 0 && html`<p>These come nearest:</p>
      <ul class="plain stack tight nearest">${found.nearest.map((one) => html`<li key=${one.query}><a href=${linkTo(one.query)}>${one.given_up}</a> <span class="muted">newest ${when(one.newest.at)}</span><br /><code>${one.query}</code></li>`)}</ul>`}
    ${!found.labels && !found.nearest.length && html`<p>Nothing that is like it either.</p>`}
  </div>`;
}

function Examples({ known }) {
  if (!known.labels.length) return html`<${Empty} title="Nothing was seen yet"><p>Once your cameras have seen something, ask here when it was. <a href="/devices">Look at your cameras</a></p><//>`;
  const quoted = known.labels.map((one) => (/^[^\s"=>]+$/.test(one) ? one : `"${one}"`));
  const [a, b = a] = quoted;
  const list = [a, `${a} since 7d`, `${a} between 22:00 and 06:00`, `${a} near ${b} within 5s`, `${a} then ${b} within 1m`];
  return html`<${Empty} title="When was it seen?"><p>Write it above, or begin with one of these:</p>
    <ul class="plain stack tight">${list.map((one) => html`<li key=${one}><a href=${linkTo(one)}><code>${one}</code></a></li>`)}</ul><//>`;
}

const Moved = ({ found }) => found.not_before && !found.after && html`<p class="note">Events up to ${when(found.not_before)} were moved into files: <a href="/analytics">Analytics</a> counts them, searches do not look there.</p>`;

function Found({ found, chosen, onChoose, onMore, busy }) {
  const none = !found.moments.length && !found.after;
  if (none) return html`<${Empty} title="None found"><${Nearest} found=${found} /><${Moved} found=${found} /><//>`;
  return html`<p class="muted" role="status">${found.moments.length ? `${plural(found.moments.length, "moment")}${found.after ? ", and older ones" : ""}, newest first` : "None among the newest events."}</p>
    <${Moments} moments=${found.moments} chosen=${chosen} onChoose=${onChoose} />
    <${Moved} found=${found} />
    ${found.after && html`<button type="button" disabled=${busy} onClick=${onMore}>${busy ? "Looking …" : "Look further back"}</button>`}`;
}

function Page() {
  const [text, setText] = useState(() => new URLSearchParams(location.search).get("q") ?? "");
  const [parts, setParts] = useState(null);
  const [mistake, setMistake] = useState(null);
  const [found, setFound] = useState(null);
  const [chosen, setChosen] = useState(-1);
  const [sheet, setSheet] = useState(false);
  const known = useLoad(() => api("/search/known"));
  const saved = useLoad(() => api("/searches"));
  const field = useRef(null);
  const newest = useRef(text);
  newest.current = text;

  const [search, searching, searchError] = useAction(async (wanted, after) => {
    const page = await api(`/search?${new URLSearchParams({ q: wanted, timezone, ...(after && { after }) })}`);
    setFound((before) => (after && before ? { ...page, moments: [...before.moments, ...page.moments] } : page));
    if (!after) setChosen(-1);
  });
  const take = (read) => { setParts((before) => read.query ?? before); setMistake(read.mistake); return read.query !== null; };
  const [read, , readError] = useAction(async (wanted, run) => {
    const answer = await api(`/search/read?${new URLSearchParams({ q: wanted })}`);
    if (wanted !== newest.current) return; // it was changed meanwhile
    if (take(answer) && run) await open(wanted);
  });
  const open = async (wanted) => {
    if (new URLSearchParams(location.search).get("q") !== wanted) history.pushState(null, "", linkTo(wanted));
    await search(wanted);
  };
  const [change, , changeError] = useAction(async (query) => {
    const answer = await api("/search/read", { method: "POST", json: query });
    take(answer);
    setText(answer.text);
    await open(answer.text);
  });
  useEffect(() => {
    if (text) read(text, true);
    const back = () => { const wanted = new URLSearchParams(location.search).get("q") ?? ""; setText(wanted); newest.current = wanted; if (wanted) read(wanted, true); else setFound(null); };
    addEventListener("popstate", back);
    return () => removeEventListener("popstate", back);
  }, []);
  useEffect(() => {
    if (!text.trim()) { setMistake(null); return undefined; }
    const timer = setTimeout(() => read(text, false), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);

  const moments = found?.moments ?? [];
  const step = (by) => moments.length && setChosen(Math.min(moments.length - 1, Math.max(0, chosen + by)));
  const table = [
    { keys: ["/"], words: "Write a search", run: () => field.current.focus() },
    { keys: ["ArrowDown", "j"], words: "Next moment", run: () => step(1) },
    { keys: ["ArrowUp", "k"], words: "Moment before", run: () => step(-1) },
    { keys: ["Enter"], words: "Open the event of the chosen moment", run: () => moments[chosen] && location.assign(`/events/${moments[chosen].events.at(-1).event_id}`) },
    { keys: ["?"], words: "This sheet", run: () => setSheet(true) },
  ];
  useKeys(table);
  const go = (at, length) => { field.current.focus(); field.current.setSelectionRange(at, at + length); };

  if (known.error && !known.value) return html`<${Failure} error=${known.error} retry=${known.reload} />`;
  if (!known.value) return html`<${Loading} />`;
  const errors = [searchError, readError, changeError, saved.error].filter(Boolean);
  return html`<div class="two">
    <div class="stack">
      <form class="stack tight" role="search" onSubmit=${(e) => { e.preventDefault(); if (text.trim()) read(text, true); }}>
        <div class="row searchbar">
          <input ref=${field} type="search" aria-label="Search" class="grow" value=${text} onInput=${(e) => setText(e.currentTarget.value)} placeholder="person near dog within 5s since 30d" spellcheck="false" autocomplete="off"
            aria-invalid=${mistake !== null} aria-describedby=${mistake ? "mistake" : undefined} />
          <button class="primary" disabled=${searching || !text.trim()}>${searching ? "Looking …" : "Search"}</button>
          <button type="button" class="quiet" onClick=${() => setSheet(true)}>Keys <kbd>?</kbd></button>
        </div>
        ${mistake && html`<${Mistake} text=${text} mistake=${mistake} onGo=${go} />`}
        ${parts && html`<${Chips} query=${parts} known=${known.value} onQuery=${change} disabled=${mistake !== null} />`}
      </form>
      ${errors.map((one) => html`<${Failure} error=${one} />`)}
      ${found ? html`<${Found} found=${found} chosen=${chosen} onChoose=${setChosen} busy=${searching} onMore=${() => search(found.query, found.after)} />`
        : searching ? html`<${Loading} />` : !text && html`<${Examples} known=${known.value} />`}
    </div>
    <div class="side stack"><${SavedSearches} list=${saved.value ?? []} text=${found && !mistake ? found.query : null} timezone=${timezone} onChange=${saved.reload} /></div>
    <${KeySheet} table=${table} open=${sheet} onClose=${() => setSheet(false)} />
  </div>`;
}

mount(Page);
