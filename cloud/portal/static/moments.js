// The moments that a search found: pictures, a strip of who was in sight when, links to the events.
import { useEffect, useRef, useState } from "preact/hooks";
import { playerLink, stripOf } from "./searchparts.js";
import { api, html } from "./ui.js";
import { ago, clockTime, plural, when } from "./words.js";

const WIDE = 1000;
const HIGH = 14;

function Picture({ event }) {
  if (!event.thumbnail) return html`<a class="nopicture" href=${`/events/${event.event_id}`}>no picture<span class="sr"> of ${event.label}</span></a>`;
  return html`<a href=${`/events/${event.event_id}`}><img src=${`/api/v1/events/${event.event_id}/thumbnail.jpg`} alt=${`${event.label} at ${event.camera}`} loading="lazy" /></a>`;
}

const media = new Map();

/** The medium of an id, asked for once a page; null when it is gone. */
function mediumOf(id) {
  if (!media.has(id)) media.set(id, api(`/media/${id}`).catch(() => null));
  return media.get(id);
}

/** A link into the player where a scan saw it in a video that is kept here. */
function Watch({ event }) {
  const [medium, setMedium] = useState(null);
  const { media: id } = event.recorded;
  useEffect(() => { if (id) mediumOf(id).then(setMedium); }, [id]);
  return medium && html`<a class="button" href=${playerLink(medium.detector_id, event.recorded)}>Watch<span class="sr"> ${event.label} in ${event.recorded.name}</span></a>`;
}

const Where = ({ event }) => (event.recorded ? html`in ${event.recorded.name}, picture ${event.recorded.frame}` : html`${event.camera} on ${event.device}`);

function Strip({ moment }) {
  const { at, bars } = stripOf(moment);
  const words = moment.events.map((one) => `${one.label} from ${clockTime(one.start)} to ${clockTime(one.end)}`).join(", ");
  return html`<svg class="timestrip" viewBox=${`0 0 ${WIDE} ${HIGH * bars.length}`} preserveAspectRatio="none" role="img" aria-label=${words}>
    ${bars.map((bar, i) => html`<rect key=${i} class=${`bar${i + 1}`} x=${bar.from * WIDE} y=${i * HIGH + 2} width=${Math.max(8, (bar.to - bar.from) * WIDE)} height=${HIGH - 4} rx="3" />`)}
    <line x1=${at * WIDE} x2=${at * WIDE} y1="0" y2=${HIGH * bars.length} vector-effect="non-scaling-stroke" />
  </svg>`;
}

function Moment({ moment, chosen, onChoose, number }) {
  const row = useRef(null);
  useEffect(() => { if (chosen) row.current.scrollIntoView({ block: "nearest" }); }, [chosen]);
  const seconds = Math.max(1, Math.round(moment.end - moment.start));
  return html`<li ref=${row} class=${chosen ? "moment chosen" : "moment"} aria-current=${chosen} onClick=${() => onChoose(number)}>
    <div class="pictures">${moment.events.map((one) => html`<${Picture} key=${one.event_id} event=${one} />`)}</div>
    <div class="what stack tight">
      <h3><time datetime=${new Date(moment.at * 1000).toISOString()}>${when(moment.at)}</time> <span class="muted">${ago(moment.at)} · ${seconds} s</span></h3>
      <ul class="plain whos">${moment.events.map((one, i) => html`<li key=${one.event_id}><span class=${`dot bar${i + 1}`} aria-hidden="true"></span> <a href=${`/events/${one.event_id}`}>${one.label}</a> <span class="muted"><${Where} event=${one} /> · ${Math.round(one.top_score * 100)} %</span> ${one.recorded && html`<${Watch} event=${one} />`}</li>`)}</ul>
      <${Strip} moment=${moment} />
    </div>
  </li>`;
}

/** @param chosen number of the chosen moment, -1 for none */
export function Moments({ moments, chosen, onChoose }) {
  return html`<ol class="moments" aria-label=${plural(moments.length, "moment")}>
    ${moments.map((one, i) => html`<${Moment} key=${`${one.at} ${one.events.map((event) => event.event_id)}`} moment=${one} number=${i} chosen=${i === chosen} onChoose=${onChoose} />`)}
  </ol>`;
}
