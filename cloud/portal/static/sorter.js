// Sorting crops of drawn boxes under the values of an attribute, by mouse or by keys.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { countWords, nextAt } from "./attributewords.js";
import { KeySheet, useKeys } from "./keys.js";
import { Failure, Loading, api, html } from "./ui.js";
import { plural } from "./words.js";

const SHOWN = 60;

const colour = (i) => `--class:var(--class-${(i % 9) + 1})`;

/**
 * The state of a sorting, changed here at once and on the server in the same order. What the server lists is taken
 * over only when nothing was changed since it was asked: else a crop that was put just now would come back.
 */
function useSorting(path, onChanged) {
  const [state, setState] = useState(null); // {examples, boxes, total}
  const [error, setError] = useState(null);
  const [shown, setShown] = useState(SHOWN);
  const last = useRef([]); // what was put lately, for taking back
  const work = useRef({ tail: Promise.resolve(), changes: 0, pending: 0, isStale: false });
  const limit = useRef(shown);
  limit.current = shown;

  const refresh = async () => {
    const now = work.current;
    const before = now.changes;
    try {
      const [examples, unsorted] = await Promise.all([api(`${path}/examples`), api(`${path}/unsorted?limit=${limit.current}`)]);
      if (now.pending || now.changes !== before) now.isStale = true;
      else setState({ examples, boxes: unsorted.boxes, total: unsorted.total });
    } catch (caught) {
      setError(caught);
    }
  };
  useEffect(() => { refresh(); }, [path, shown]);

  const tell = (change, isStale) => {
    const now = work.current;
    setError(null);
    now.changes += 1;
    now.pending += 1;
    now.isStale ||= isStale;
    const failed = (caught) => { now.isStale = true; setError(caught); };
    const settle = async () => {
      now.pending -= 1;
      if (now.pending || !now.isStale) return;
      now.isStale = false;
      await refresh();
    };
    now.tail = now.tail.then(change).then(onChanged, failed).then(settle);
  };
  const put = (box, value) => {
    const { media_id, frame_index, box: corners } = box;
    last.current.push(box.id);
    setState((now) => ({ examples: [...now.examples.filter((one) => one.id !== box.id), { ...box, value }], boxes: now.boxes.filter((one) => one.id !== box.id), total: now.total - 1 }));
    const isRunningOut = state.boxes.length < SHOWN / 2 && state.total > state.boxes.length;
    tell(() => api(`${path}/examples`, { method: "POST", json: { media_id, frame_index, box: corners, value } }), isRunningOut);
  };
  const takeBack = (example) => {
    last.current = last.current.filter((id) => id !== example.id);
    setState((now) => ({ ...now, examples: now.examples.filter((one) => one.id !== example.id) }));
    tell(() => api(`${path}/examples/${example.id}`, { method: "DELETE" }), true);
  };
  const newest = state?.examples.find((one) => one.id === last.current.at(-1)) ?? null;
  const reload = () => { setError(null); refresh(); };
  return { state, error, reload, put, takeBack, newest, more: () => setShown((n) => n + SHOWN) };
}

function Pile({ value, i, examples, isChosen, needs, onChoose, onTakeBack }) {
  return html`<section class="pile stack tight" style=${colour(i)} aria-label=${`Examples of ${value}`}>
    <div class="row">
      <button type="button" class="chip" title=${value} aria-pressed=${isChosen} onClick=${onChoose} aria-keyshortcuts=${i < 9 ? String(i + 1) : undefined}><span class="clip">${value}</span> ${i < 9 && html`<kbd>${i + 1}</kbd>`}</button>
      <span class=${examples.length < needs.least ? "state warn" : "muted"}>${countWords(examples.length, needs)}</span>
    </div>
    ${examples.length > 0 && html`<ul class="crops small">${examples.map((one, at) => html`<li key=${one.id}>
      <button type="button" class="crop" title="Take back" aria-label=${`Take back example ${at + 1} of ${value}`} onClick=${() => onTakeBack(one)}><img src=${one.picture} alt="" loading="lazy" width="56" height="56" /></button>
    </li>`)}</ul>`}
  </section>`;
}

/**
 * @param attribute as the API gives it
 * @param needs     {least, good}: how many examples of each value
 * @param onChanged something was put or taken back, and the server knows
 * @param learn     what is shown below the piles
 */
export function Sorter({ detector, attribute, needs, onChanged, learn }) {
  const values = attribute.values.map((one) => one.name);
  const sorting = useSorting(`/detectors/${detector}/attributes/${attribute.slug}`, onChanged);
  const [chosen, setChosen] = useState(values[0]);
  const [at, setAt] = useState(0);
  const [said, setSaid] = useState("");
  const [sheet, setSheet] = useState(false);
  const grid = useRef(null);
  const wantsFocus = useRef(false);
  const boxes = sorting.state?.boxes ?? [];
  const value = values.includes(chosen) ? chosen : values[0];
  const here = nextAt(at, boxes.length);

  // The crop that had the focus is gone: the next one gets it, else the grid, so that keys go on. At once, before
  // another key is heard: a focus that comes later would undo a step that was taken meanwhile.
  useLayoutEffect(() => {
    if (!wantsFocus.current) return;
    wantsFocus.current = false;
    (grid.current?.querySelectorAll(".crop")[here] ?? grid.current)?.focus();
  }, [boxes, here]);

  const put = (i, name) => {
    if (!boxes[i] || !name) return;
    wantsFocus.current = grid.current.contains(document.activeElement);
    setAt(i);
    setSaid(`Put under ${name}.`);
    sorting.put(boxes[i], name);
  };
  const takeBack = (example) => { if (example) { setSaid("Taken back."); sorting.takeBack(example); } };
  const undo = () => takeBack(sorting.newest);
  const step = (by) => { if (boxes.length) { setAt(Math.max(0, Math.min(boxes.length - 1, here + by))); wantsFocus.current = true; } };
  const table = [
    { keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], shown: ["1 … 9"], words: "Put the marked crop under this value", run: (key) => { if (values[key - 1]) { setChosen(values[key - 1]); put(here, values[key - 1]); } } },
    { keys: ["ArrowLeft", "ArrowRight"], words: "Mark the crop before or after", run: (key) => step(key === "ArrowLeft" ? -1 : 1) },
    { keys: ["Ctrl+z"], words: "Take back what was put last", run: undo },
    { keys: ["?"], words: "This sheet", run: () => setSheet(true) },
  ];
  useKeys(table);

  if (!sorting.state) return sorting.error ? html`<${Failure} error=${sorting.error} retry=${sorting.reload} />` : html`<${Loading} />`;
  const { examples, total } = sorting.state;
  return html`<div class="two">
    <section class="card stack tight" aria-labelledby="unsorted-title">
      <div class="row apart"><h2 id="unsorted-title">Not sorted yet</h2><span class="muted">${plural(total, "crop")}</span></div>
      ${boxes.length > 0 && html`<p class="muted">Click a crop to put it under <strong>${value}</strong>, or press the number of its value. Leave out what you are not sure of.</p>`}
      <ul class="crops" ref=${grid} tabindex="-1" aria-label="Crops that are not sorted yet">${boxes.map((box, i) => html`<li key=${box.id}>
        <button type="button" class="crop" tabindex=${i === here ? 0 : -1} aria-current=${i === here ? "true" : undefined} onFocus=${() => setAt(i)} onClick=${() => put(i, value)}
          title=${`${box.media_name}, frame ${box.frame_index}`} aria-label=${`Crop ${i + 1}: ${box.label} in ${box.media_name}, frame ${box.frame_index}. Put it under ${value}`}><img src=${box.picture} alt="" loading="lazy" width="96" height="96" /></button>
      </li>`)}</ul>
      ${boxes.length === 0 && html`<p class="note">${examples.length ? "All drawn boxes are sorted." : `No box of ${attribute.labels.join(", ")} is drawn yet.`} <a href=${`/detectors/${detector}#teach`}>Draw ${examples.length ? "more " : ""}boxes</a></p>`}
      <div class="row">
        ${total > boxes.length && html`<button type="button" onClick=${sorting.more}>Show more</button>`}
        <button type="button" onClick=${undo} disabled=${!sorting.newest} aria-keyshortcuts="Control+Z">Take back <kbd>Ctrl+Z</kbd></button>
        <button type="button" class="quiet" onClick=${() => setSheet(true)} aria-keyshortcuts="?">Keys <kbd>?</kbd></button>
      </div>
      <p class="sr" role="status">${said} ${plural(total, "crop")} left.</p>
      ${sorting.error && html`<${Failure} error=${sorting.error} retry=${sorting.reload} />`}
    </section>
    <div class="stack side">
      <section class="card stack" aria-labelledby="values-title"><h2 id="values-title">Values</h2>
        ${values.map((name, i) => html`<${Pile} key=${name} value=${name} i=${i} examples=${examples.filter((one) => one.value === name)} isChosen=${name === value} needs=${needs}
          onChoose=${() => setChosen(name)} onTakeBack=${takeBack} />`)}
      </section>
      ${learn(values.map((name) => ({ name, examples: examples.filter((one) => one.value === name).length })))}
    </div>
    <${KeySheet} table=${table} open=${sheet} onClose=${() => setSheet(false)} />
  </div>`;
}
