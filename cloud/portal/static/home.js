// Home: the detectors, what to do next, and a new detector in one step.
import { useEffect, useRef, useState } from "preact/hooks";
import { nextStep, stateOf } from "./nextstep.js";
import { PickFiles, UploadList, useDrop, useUploads } from "./dropping.js";
import { Empty, Failure, Loading, State, api, html, mount, useAction, useLoad } from "./ui.js";
import { ap50, plural } from "./words.js";

const usedOf = (detector) => detector.versions.find(({ version }) => version === detector.in_use) ?? null;

function Card({ detector }) {
  const used = usedOf(detector);
  const { tone, sign, words } = stateOf(detector);
  return html`<li class="card detector">
    <a href=${`/detectors/${detector.id}`} class="whole">
      ${detector.poster
        ? html`<img class="poster" src=${detector.poster} alt="" loading="lazy" />`
        : html`<div class="poster none" aria-hidden="true">no pictures yet</div>`}
      <h3 title=${detector.name}>${detector.name}</h3>
    </a>
    <p class="muted clip">${detector.labels.join(", ") || "no classes yet"}</p>
    <div class="row apart">
      <${State} tone=${tone} sign=${sign}>${words}<//>
      <span class="muted">${used ? `v${used.version} · accuracy ${ap50(used.metrics.ap50)}` : detector.counts.labelled_frames ? `${detector.counts.labelled_frames} labelled` : ""}</span>
    </div>
  </li>`;
}

/** Name and files at once; the page of the detector opens when all files are there. */
function NewDetector({ open, given, onClose }) {
  const dialog = useRef(null);
  const [name, setName] = useState("");
  const [files, setFiles] = useState([]);
  const [made, setMade] = useState(null);
  const uploads = useUploads(() => {});
  useEffect(() => { if (open && !dialog.current.open) dialog.current.showModal(); }, [open]);
  useEffect(() => { if (given.length) setFiles((before) => [...before, ...given]); }, [given]);

  const [create, busy, error] = useAction(async () => {
    const detector = made ?? (await api("/detectors", { method: "POST", json: { name, labels: [name.trim()] } }));
    setMade(detector);
    await uploads.add(detector.id, files);
    setFiles([]);
  });
  useEffect(() => {
    if (made && !busy && !error && !uploads.rows.length) location.assign(`/detectors/${made.id}`);
  }, [made, busy, error, uploads.rows]);
  const submit = (e) => { e.preventDefault(); create(); };
  const close = () => { if (made) location.assign(`/detectors/${made.id}`); else onClose(); };

  return html`<dialog ref=${dialog} onClose=${close} aria-labelledby="new-title">
    <form class="stack" onSubmit=${submit}>
      <h2 id="new-title">New detector</h2>
      <label>What shall it see?
        <input value=${name} onInput=${(e) => setName(e.currentTarget.value)} required maxlength="80" placeholder="for example: parcel at the door" disabled=${made !== null} autofocus />
      </label>
      <div class="drop">
        <p>Drop pictures or a video here, as many as you like, or add them later.</p>
        <${PickFiles} onFiles=${(more) => setFiles((before) => [...before, ...more])} />
        ${files.length > 0 && html`<p class="muted" role="status">${plural(files.length, "file")} chosen</p>`}
      </div>
      <${UploadList} rows=${uploads.rows} onRetry=${(row) => uploads.retry(made.id, row)} onForget=${uploads.forget} />
      ${uploads.rows.length > 0 && html`<p class="muted">The detector's page opens by itself once its files are ready. A video is prepared first, so that each of its frames can be shown exactly.</p>`}
      ${error && html`<${Failure} error=${error} />`}
      <div class="row end">
        <button type="button" class="quiet" onClick=${() => dialog.current.close()}>Cancel</button>
        <button class="primary" disabled=${busy || !name.trim()}>${busy ? "Making …" : "Make detector"}</button>
      </div>
    </form>
  </dialog>`;
}

function NextStep({ step }) {
  return html`<section class="card next" aria-labelledby="next-title">
    <div><h2 id="next-title">${step.title}</h2><p class="muted">${step.words}</p></div>
    <a class="button primary" href=${step.href}>${step.button}</a>
  </section>`;
}

function Home() {
  const detectors = useLoad(() => api("/detectors"));
  const devices = useLoad(() => api("/devices"));
  const [making, setMaking] = useState(false);
  const [given, setGiven] = useState([]);
  const start = (files = []) => { setGiven(files); setMaking(true); };
  const over = useDrop(start);

  if (detectors.error && !detectors.value) return html`<${Failure} error=${detectors.error} retry=${detectors.reload} />`;
  if (!detectors.value) return html`<${Loading} />`;
  const list = detectors.value;
  const step = list.length && devices.value ? nextStep(list, devices.value) : null;
  return html`<div class="stack">
    ${list.length > 0 && html`<div class="row apart">
      <p class="muted lead">Teach a camera to see what matters to you: show examples, train, shrink, send.</p>
      <button type="button" class="primary" onClick=${() => start()}>New detector</button>
    </div>`}
    ${detectors.error && html`<${Failure} error=${detectors.error} retry=${detectors.reload} />`}
    ${devices.error && html`<${Failure} error=${devices.error} retry=${devices.reload} />`}
    ${step && html`<${NextStep} step=${step} />`}
    ${list.length
      ? html`<ul class="cards">${list.map((detector) => html`<${Card} key=${detector.id} detector=${detector} />`)}</ul>`
      : html`<${Empty} title="Make your first detector" over=${over}>
          <p>Drop a few pictures or a video of the thing that a camera shall see. Draw boxes around it; training takes under a minute.</p>
          <button type="button" class="primary" onClick=${() => start()}>New detector</button>
        <//>`}
    ${over && html`<div class="dropveil" aria-hidden="true">Drop to make a new detector</div>`}
    <${NewDetector} open=${making} given=${given} onClose=${() => setMaking(false)} />
  </div>`;
}

mount(Home);
