// The chips beside the text of a search: one for each part; both edit the same search.
import { RELATIONS, SCORES, SINCE_S, WITHIN_PERCENT, WITHIN_S, changeAttribute, changeRelation, changeThing, clock, dayOf, lengthWords, withOwn } from "./searchparts.js";
import { html } from "./ui.js";

function Chip({ words, value, any, options, onChange, disabled }) {
  return html`<label class="part"><span class="sr">${words}</span>
    <select class=${value === "" ? "" : "set"} value=${value} disabled=${disabled} onChange=${(e) => onChange(e.currentTarget.value)}>
      ${any != null && html`<option value="">${any}</option>`}
      ${options.map(([key, shown]) => html`<option key=${key} value=${key}>${shown}</option>`)}
    </select></label>`;
}

const names = (list, own) => [...new Set([...list, ...(own ? [own] : [])])].map((one) => [one, one]);

function Thing({ query, which, known, onQuery, disabled }) {
  const thing = query[which];
  const words = which === "first" ? "First thing" : "Second thing";
  const change = (fields) => onQuery(changeThing(query, which, fields));
  const cameras = known.cameras.map((one) => one.camera);
  return html`<div class="row parts" role="group" aria-label=${words}>
    <${Chip} words=${words} value=${thing.label} options=${names(known.labels, thing.label)} onChange=${(label) => change({ label })} disabled=${disabled} />
    <${Chip} words="Camera" any="any camera" value=${thing.camera ?? ""} options=${names(cameras, thing.camera)} onChange=${(camera) => change({ camera: camera || null })} disabled=${disabled} />
    ${(known.zones.length > 0 || thing.zone) && html`<${Chip} words="Zone" any="any zone" value=${thing.zone ?? ""} options=${names(known.zones, thing.zone)} onChange=${(zone) => change({ zone: zone || null })} disabled=${disabled} />`}
    ${Object.entries({ ...Object.fromEntries(thing.attributes.map(([slug]) => [slug, []])), ...known.attributes }).map(([slug, values]) => {
      const own = thing.attributes.find(([name]) => name === slug)?.[1] ?? "";
      return html`<${Chip} key=${slug} words=${slug} any=${`any ${slug}`} value=${own} options=${names(values, own).map(([value]) => [value, `${slug} ${value}`])}
        onChange=${(value) => onQuery(changeAttribute(query, which, slug, value))} disabled=${disabled} />`;
    })}
    <${Chip} words="Score" any="any score" value=${thing.above_score == null ? "" : String(thing.above_score)}
      options=${withOwn(SCORES, thing.above_score).map((one) => [String(one), `score over ${one}`])} onChange=${(score) => change({ above_score: score ? Number(score) : null })} disabled=${disabled} />
  </div>`;
}

function Together({ query, known, onQuery, disabled }) {
  const other = known.labels.find((one) => one !== query.first.label) ?? query.first.label;
  return html`<div class="row parts" role="group" aria-label="How they belong together">
    <${Chip} words="Together with another thing" value=${query.relation ?? ""} options=${RELATIONS} onChange=${(relation) => onQuery(changeRelation(query, relation, other))} disabled=${disabled} />
    ${["near", "then"].includes(query.relation) && html`<${Chip} words="Time between them" any=${query.relation === "then" ? "within 10 s" : "at the same time"} value=${query.within_s ?? ""}
      options=${withOwn(WITHIN_S, query.within_s).map((one) => [one, `within ${lengthWords(one)}`])} onChange=${(value) => onQuery({ ...query, within_s: value ? Number(value) : null })} disabled=${disabled} />`}
    ${query.relation === "near" && html`<${Chip} words="Distance between them" any="at most a quarter of the picture apart" value=${query.within_percent ?? ""}
      options=${withOwn(WITHIN_PERCENT, query.within_percent).map((one) => [one, `at most ${one} % of the picture apart`])} onChange=${(value) => onQuery({ ...query, within_percent: value ? Number(value) : null })} disabled=${disabled} />`}
  </div>`;
}

function When({ query, onQuery, disabled }) {
  const ago = query.since?.seconds ?? null;
  const since = query.since?.local;
  const setDay = (from, until) => {
    const day = dayOf(from, until);
    if (day || (!from && !until)) onQuery({ ...query, day });
  };
  const [from, until] = query.day ? [clock(query.day.begin_min), clock(query.day.end_min)] : ["", ""];
  return html`<div class="row parts" role="group" aria-label="When">
    <${Chip} words="How far back" any="ever" value=${ago ?? (since ? "date" : "")}
      options=${[...withOwn(SINCE_S, ago).map((one) => [one, `in the last ${lengthWords(one)}`]), ...(since ? [["date", `since ${since.slice(0, 10)}`]] : [])]}
      onChange=${(value) => value !== "date" && onQuery({ ...query, since: value ? { seconds: Number(value) } : null })} disabled=${disabled} />
    <label class="part inline">between <input type="time" key=${from} defaultValue=${from} disabled=${disabled} onChange=${(e) => setDay(e.currentTarget.value, e.currentTarget.closest(".row").querySelectorAll("input")[1].value)} /></label>
    <label class="part inline">and <input type="time" key=${until} defaultValue=${until} disabled=${disabled} onChange=${(e) => setDay(e.currentTarget.closest(".row").querySelectorAll("input")[0].value, e.currentTarget.value)} /></label>
    ${query.day && html`<button type="button" class="quiet" disabled=${disabled} onClick=${() => onQuery({ ...query, day: null })}>any time of day</button>`}
    ${query.until && html`<button type="button" class="quiet" disabled=${disabled} onClick=${() => onQuery({ ...query, until: null })}>without its end ✕</button>`}
  </div>`;
}

/** @param onQuery gets the changed parts */
export function Chips({ query, known, onQuery, disabled }) {
  return html`<div class="stack tight chips" aria-label="Parts of the search" role="group">
    <${Thing} query=${query} which="first" known=${known} onQuery=${onQuery} disabled=${disabled} />
    <${Together} query=${query} known=${known} onQuery=${onQuery} disabled=${disabled} />
    ${query.second && html`<${Thing} query=${query} which="second" known=${known} onQuery=${onQuery} disabled=${disabled} />`}
    <${When} query=${query} onQuery=${onQuery} disabled=${disabled} />
  </div>`;
}
