// Zones on a live picture: click the corners, Enter closes; drag a corner to mend. Each change is sent to the camera at once.
import { useEffect, useRef, useState } from "preact/hooks";
import { closes, cornerNear, inside, LEAST_CORNERS, withCorner, withCornerAt, zoneName } from "./polygons.js";
import { useKeys } from "./keys.js";
import { Failure, State, api, html, useAction } from "./ui.js";
import { plural } from "./words.js";

const REACH_PX = 12;
const points = (corners) => corners.map(([x, y]) => `${x},${y}`).join(" ");

/** Zones of one camera as they are wanted, and what can be done with them. */
export function useZones(device, camera, settings) {
  const rules = settings?.rules ?? null;
  const [zones, setZones] = useState(rules?.zones ?? []);
  const [drawn, setDrawn] = useState(null);
  const [chosen, setChosen] = useState(-1);
  const [send, busy, error] = useAction((next) => api(`/devices/${device}/cameras/${camera}`, { method: "PUT", json: { rules: { ...rules, zones: next } } }));
  useEffect(() => setZones(rules?.zones ?? []), [JSON.stringify(rules?.zones)]);
  // One after the other: of two requests at once the older one could come last, and would stay.
  const last = useRef(Promise.resolve());
  const put = (next) => { setZones(next); last.current = last.current.then(() => send(next)); };
  const finish = () => {
    if (!drawn || drawn.length < LEAST_CORNERS) return;
    setDrawn(null);
    setChosen(zones.length);
    put([...zones, { name: zoneName("zone", zones.map((zone) => zone.name)), corners: drawn }]);
  };
  const remove = (index) => { setChosen(-1); put(zones.filter((_, i) => i !== index)); };
  const rename = (index, name) => {
    const others = zones.filter((_, i) => i !== index).map((zone) => zone.name);
    put(zones.map((zone, i) => (i === index ? { ...zone, name: zoneName(name, others) } : zone)));
  };
  return { zones, setZones, put, drawn, setDrawn, chosen, setChosen, finish, remove, rename, busy, error, ofFile: rules === null };
}

/** The polygons over the picture. */
export function ZoneLayer({ editor }) {
  const { zones, setZones, put, drawn, setDrawn, chosen, setChosen, finish } = editor;
  const layer = useRef(null);
  const dragged = useRef(-1);
  const at = (e) => {
    const area = layer.current.getBoundingClientRect();
    return { point: [(e.clientX - area.left) / area.width, (e.clientY - area.top) / area.height], reach: [REACH_PX / area.width, REACH_PX / area.height] };
  };
  const down = (e) => {
    if (e.button !== 0) return;
    const { point, reach } = at(e);
    if (drawn) {
      if (closes(drawn, point, reach)) finish();
      else setDrawn(withCorner(drawn, point));
      return;
    }
    dragged.current = chosen >= 0 ? cornerNear(zones[chosen].corners, point, reach) : -1;
    if (dragged.current >= 0) layer.current.setPointerCapture(e.pointerId);
    else setChosen(zones.findLastIndex((zone) => inside(zone.corners, point)));
  };
  const mended = (e) => zones.map((zone, i) => (i === chosen ? { ...zone, corners: withCornerAt(zone.corners, dragged.current, at(e).point) } : zone));
  const move = (e) => dragged.current >= 0 && setZones(mended(e));
  const up = (e) => {
    if (dragged.current < 0) return;
    put(mended(e));
    dragged.current = -1;
  };
  return html`<div ref=${layer} class=${drawn ? "zones drawing" : "zones"} onPointerDown=${down} onPointerMove=${move} onPointerUp=${up}>
    <svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
      ${zones.map((zone, i) => html`<polygon points=${points(zone.corners)} class=${i === chosen ? "chosen" : ""} />`)}
      ${drawn && html`<polyline points=${points(drawn)} />`}
    </svg>
    ${zones.map((zone) => html`<span class="zonename" style=${`left:${zone.corners[0][0] * 100}%;top:${zone.corners[0][1] * 100}%`}>${zone.name}</span>`)}
    ${(drawn ?? zones[chosen]?.corners ?? []).map(([x, y]) => html`<span class="handle" style=${`left:${x * 100}%;top:${y * 100}%`}></span>`)}
  </div>`;
}

/** A name that is being typed is nobody's but the typist's until it is finished: pictures come all the time. */
function ZoneName({ name, onFocus, onRename }) {
  const [draft, setDraft] = useState(name);
  useEffect(() => setDraft(name), [name]);
  return html`<label class="grow"><span class="sr">Name of the zone</span>
    <input value=${draft} maxlength="60" onFocus=${onFocus} onInput=${(e) => setDraft(e.currentTarget.value)} onChange=${(e) => onRename(e.currentTarget.value)} /></label>`;
}

/** The list beside it. */
export function ZonePanel({ editor }) {
  const { zones, drawn, setDrawn, chosen, setChosen, finish, remove, rename, busy, error, ofFile } = editor;
  useKeys([
    { keys: ["z"], words: "Draw a zone", run: () => setDrawn([]) },
    { keys: ["Enter"], words: "Close the zone", run: finish },
    { keys: ["Escape"], words: "Draw no zone", run: () => { setDrawn(null); setChosen(-1); } },
    { keys: ["Backspace"], words: "Take the last corner back", run: () => drawn && setDrawn(drawn.slice(0, -1)) },
    { keys: ["Delete"], words: "Remove the chosen zone", run: () => chosen >= 0 && !drawn && remove(chosen) },
  ]);
  return html`<section class="stack tight" aria-labelledby="zones-title">
    <div class="row apart"><h3 id="zones-title">Zones</h3>
      ${drawn
        ? html`<div class="row"><button type="button" class="primary" disabled=${drawn.length < LEAST_CORNERS} onClick=${finish}>Close it <kbd>Enter</kbd></button>
            <button type="button" onClick=${() => setDrawn(null)}>Cancel <kbd>Esc</kbd></button></div>`
        : html`<button type="button" onClick=${() => setDrawn([])}>Draw a zone <kbd>Z</kbd></button>`}
    </div>
    ${drawn && html`<p role="status">Click the corners on the picture: ${plural(drawn.length, "corner")} so far${drawn.length < LEAST_CORNERS ? `, ${LEAST_CORNERS} are needed` : "; click the first one again, or press Enter"}.</p>`}
    ${!drawn && !zones.length && html`<p class="muted">No zones: everything in the picture counts, and events name no place. A thing is in a zone when the middle of its lower edge is.</p>`}
    <ul class="plain">${zones.map((zone, i) => html`<li key=${i} class="row">
      <${ZoneName} name=${zone.name} onFocus=${() => setChosen(i)} onRename=${(name) => rename(i, name)} />
      <span class="muted">${plural(zone.corners.length, "corner")}</span>
      <button type="button" class="quiet" onClick=${() => remove(i)}>Remove</button></li>`)}</ul>
    ${ofFile && html`<p class="muted">The first zone drawn here takes the place of all rules in the camera's config file.</p>`}
    ${busy ? html`<p class="muted" role="status">Telling the camera …</p>` : zones.length > 0 && !error && html`<${State} tone="good" sign="✓">The camera is told at once<//>`}
    ${error && html`<${Failure} error=${error} />`}
  </section>`;
}
