// Analytics: how often, when, with whom, how long and where things were seen; everything also as a file.
import { useState } from "preact/hooks";
import { DEFAULT_PERIOD, PERIODS, beginOf, filterQuery, halfWords, searchOf, stayWords, stepOf, table, timeOf, timeline } from "./figures.js";
import { TimeBars, colourOf } from "./plot.js";
import { Empty, Failure, Loading, api, html, mount, useLoad } from "./ui.js";
import { plural, when } from "./words.js";

const NAMES = ["period", "camera", "device", "label"];
const timezone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const now = () => Date.now() / 1000;

function Filter({ words, value, options, any, onChange }) {
  return html`<label>${words}<select value=${value ?? ""} onChange=${(e) => onChange(e.currentTarget.value)}>
    ${any && html`<option value="">${any}</option>`}${options.map(([key, shown]) => html`<option key=${key} value=${key}>${shown}</option>`)}</select></label>`;
}

/** Load a figure again whenever the filter changes. */
const useFigure = (path, filter, more) => useLoad(() => api(`${path}?${filterQuery(filter, now(), more)}`), [JSON.stringify(filter), JSON.stringify(more)]);

function Figure({ title, figure, empty, children }) {
  const { value, error, reload } = figure;
  return html`<section class="card stack" aria-label=${title}><h2>${title}</h2>
    ${error && html`<${Failure} error=${error} retry=${reload} />`}
    ${!value && !error && html`<${Loading} />`}
    ${value && (empty(value) ? html`<p class="muted">Nothing of that kind in this time.</p>` : children(value))}
  </section>`;
}

function Shade({ events, most }) {
  const share = Math.round((events / most) * 60);
  return html`<td class="number" style=${{ background: `color-mix(in srgb, var(--accent) ${share}%, transparent)` }}>${events || "–"}</td>`;
}

function Times({ filter }) {
  const step = stepOf(filter.period);
  const figure = useFigure("/counts", filter, [["by", step], ["by", "label"], ["timezone", timezone]]);
  return html`<${Figure} title=${`Events by ${step}`} figure=${figure} empty=${(counts) => !counts.length}>${(counts) => {
    // An answer to the filter before may still be shown: its keys tell what it counts by.
    const of = counts[0].key.hour ? "hour" : "day";
    const { times, series, end } = timeline(counts, of, timeOf(filter.period, now()));
    const all = counts.reduce((sum, one) => sum + one.events, 0);
    return html`<${TimeBars} times=${times} end=${end} series=${series} words=${`${plural(all, "event")} by ${of}: ${series.map((one) => one.label).join(", ")}`} />
      <ul class="plain row legend">${series.map((one, i) => html`<li key=${one.label}><span class="dot" style=${{ background: colourOf(i) }} aria-hidden="true"></span> ${one.label} <span class="muted">${one.events.reduce((sum, n) => sum + n, 0)}</span></li>`)}</ul>
      <details><summary>As a table</summary><div class="scroll"><table><thead><tr><th>${of}</th><th>label</th><th class="number">events</th></tr></thead>
        <tbody>${counts.map((one) => html`<tr><td>${of === "day" ? one.key.day : when(beginOf(one.key.hour))}</td><td>${one.key.label}</td><td class="number">${one.events}</td></tr>`)}</tbody></table></div></details>`;
  }}<//>`;
}

function Cameras({ filter }) {
  const figure = useFigure("/counts", filter, [["by", "device"], ["by", "camera"], ["by", "label"]]);
  return html`<${Figure} title="Events by camera" figure=${figure} empty=${(counts) => !counts.length}>${(counts) => {
    const { rows, columns, cell, most } = table(counts, (key) => `${key.camera} on ${key.device}`, "label");
    return html`<div class="scroll"><table><thead><tr><th>Camera</th>${columns.map((one) => html`<th class="number" key=${one}>${one}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${row}><th scope="row">${row}</th>${columns.map((one) => html`<${Shade} key=${one} events=${cell(row, one)} most=${most} />`)}</tr>`)}</tbody></table></div>`;
  }}<//>`;
}

function Together({ filter }) {
  const figure = useFigure("/analytics/together", filter);
  return html`<${Figure} title="In sight together" figure=${figure} empty=${(found) => !found.pairs.length}>${(found) => html`
    ${!found.complete && html`<p class="note">Only the newest ${found.events} events were looked at.</p>`}
    <div class="scroll"><table><thead><tr><th>Both at once</th><th class="number">Moments</th><th></th></tr></thead>
      <tbody>${found.pairs.slice(0, 20).map(({ labels, moments }) => html`<tr key=${labels.join()}><td>${labels[0]} with ${labels[1]}</td><td class="number">${moments}</td>
        <td><a href=${`/search?${new URLSearchParams({ q: searchOf(labels, filter.period) })}`}>Show them<span class="sr">: ${labels[0]} with ${labels[1]}</span></a></td></tr>`)}</tbody></table></div>`}<//>`;
}

function Spread({ spread, ends }) {
  const most = Math.max(1, ...spread);
  const words = spread.map((count, i) => (count ? `${count} ${i < ends.length ? `up to ${stayWords(ends[i])}` : "longer"}` : "")).filter(Boolean).join(", ");
  return html`<svg class="spread" viewBox=${`0 0 ${spread.length * 10} 24`} role="img" aria-label=${words}><title>${words}</title>
    ${spread.map((count, i) => html`<rect key=${i} x=${i * 10 + 1} width="8" y=${24 - Math.max(1, (count / most) * 24)} height=${Math.max(1, (count / most) * 24)} />`)}</svg>`;
}

function Dwell({ filter }) {
  const figure = useFigure("/analytics/dwell", filter);
  return html`<${Figure} title="How long they stayed" figure=${figure} empty=${(rows) => !rows.length}>${(rows) => html`
    <div class="scroll"><table><thead><tr><th>What</th><th class="number">Events</th><th>Half of them</th><th class="number">Mean</th><th class="number">Longest</th><th>Short to long</th></tr></thead>
      <tbody>${rows.map((one) => html`<tr key=${`${one.label} ${one.device} ${one.camera}`}><td>${one.label} <span class="muted">${one.camera} on ${one.device}</span></td><td class="number">${one.events}</td><td>${halfWords(one)}</td>
        <td class="number">${stayWords(one.mean)}</td><td class="number">${stayWords(one.longest)}</td><td><${Spread} spread=${one.spread} ends=${one.ends} /></td></tr>`)}</tbody></table></div>
    <p class="muted">“Half of them” tells in which class of lengths the middle one lies.</p>`}<//>`;
}

function HeatMap({ found }) {
  const most = Math.max(1, ...found.cells.flat());
  const [rows, columns] = [found.cells.length, found.cells[0].length];
  return html`<figure class="heat">
    ${found.picture_of ? html`<img src=${`/api/v1/events/${found.picture_of}/thumbnail.jpg`} alt="Newest small picture of this camera" />` : html`<div class="nopicture">no picture came</div>`}
    <svg viewBox=${`0 0 ${columns} ${rows}`} preserveAspectRatio="none" role="img" aria-label="Where things were, the stronger the more often">
      ${found.cells.flatMap((row, y) => row.map((count, x) => count > 0 && html`<rect key=${`${x} ${y}`} x=${x} y=${y} width="1" height="1" opacity=${0.15 + (0.6 * count) / most} />`))}</svg>
    <figcaption class="muted">${plural(found.events, "event")}${found.complete ? "" : ", the newest ones"}; at the strongest place ${most}. Boxes are those of the last look at each thing.</figcaption>
  </figure>`;
}

function Heat({ filter, cameras }) {
  const given = cameras.find((one) => one.camera === filter.camera && (!filter.device || one.device === filter.device)) ?? cameras[0];
  const [place, setPlace] = useState(null);
  const chosen = filter.camera ? given : (cameras.find((one) => JSON.stringify(one) === place) ?? given);
  const figure = useFigure("/analytics/heat", { ...filter, camera: chosen.camera, device: chosen.device });
  return html`<${Figure} title=${`Where in the picture of ${chosen.camera}`} figure=${figure} empty=${(found) => !found.events}>${(found) => html`
    ${!filter.camera && cameras.length > 1 && html`<div class="filters"><${Filter} words="Camera of the map" value=${JSON.stringify(chosen)} options=${cameras.map((one) => [JSON.stringify(one), `${one.camera} on ${one.device}`])} onChange=${setPlace} /></div>`}
    <${HeatMap} found=${found} />`}<//>`;
}

function Page() {
  const [filter, setFilter] = useState(() => ({ period: DEFAULT_PERIOD, ...Object.fromEntries([...new URLSearchParams(location.search)].filter(([name]) => NAMES.includes(name))) }));
  const known = useLoad(() => api("/search/known"));
  if (known.error && !known.value) return html`<${Failure} error=${known.error} retry=${known.reload} />`;
  if (!known.value) return html`<${Loading} />`;
  const { cameras, labels } = known.value;
  if (!cameras.length) return html`<${Empty} title="Nothing was seen yet"><p>Figures appear here once your cameras have seen something. <a href="/devices">Look at your cameras</a></p><//>`;
  const change = (fields) => {
    const next = { ...filter, ...fields };
    history.replaceState(null, "", `?${new URLSearchParams(NAMES.filter((name) => next[name] != null && (next[name] !== "" || name === "period")).map((name) => [name, next[name]]))}`);
    setFilter(next);
  };
  const place = filter.camera ? JSON.stringify({ device: filter.device, camera: filter.camera }) : "";
  const file = (ending) => `/api/v1/analytics/events.${ending}?${filterQuery(filter, now())}`;
  return html`<div class="stack">
    <div class="row apart end">
      <div class="row filters">
        <${Filter} words="Time" value=${filter.period} options=${PERIODS} onChange=${(period) => change({ period })} />
        <${Filter} words="Camera" any="all" value=${place} options=${cameras.map((one) => [JSON.stringify({ device: one.device, camera: one.camera }), `${one.camera} on ${one.device}`])}
          onChange=${(value) => change(value ? JSON.parse(value) : { camera: "", device: "" })} />
        <${Filter} words="Class" any="all" value=${filter.label} options=${labels.map((one) => [one, one])} onChange=${(label) => change({ label })} />
      </div>
      <div class="row"><a class="button" href=${file("csv")} download>Download CSV</a><a class="button" href=${file("parquet")} download>Download Parquet</a></div>
    </div>
    <${Times} filter=${filter} />
    <div class="halves"><${Cameras} filter=${filter} /><${Together} filter=${filter} /></div>
    <${Dwell} filter=${filter} />
    <${Heat} filter=${filter} cameras=${cameras} />
  </div>`;
}

mount(Page);
