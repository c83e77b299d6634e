// Files from anywhere onto the page: dropped, chosen, pasted; whole folders too. One upload after the other;
// large ones go in parts, so that they go on after a cut, a pause, or on another page.
import { useEffect, useRef, useState } from "preact/hooks";
import { prepared } from "./preparing.js";
import { CancelledError, LARGE_BYTES, Sending } from "./sending.js";
import { api, html, sendPart, upload } from "./ui.js";
import { kilobytes, percent } from "./words.js";

export const ACCEPTED = "image/*,video/*,.mkv,.avi,.mov";

/** All files of a drop, those in folders included. */
async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  return (await Promise.all(entries.map(filesBelow))).flat();
}

async function filesBelow(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    found.push(...some);
  }
  const files = (await Promise.all(found.map(filesBelow))).flat();
  return files.filter((file) => !file.name.startsWith("."));
}

/** Call `onFiles` with whatever is dropped or pasted on the page; returns whether files hover over it. */
export function useDrop(onFiles) {
  const [over, setOver] = useState(false);
  const newest = useRef(onFiles);
  newest.current = onFiles;
  useEffect(() => {
    const hasFiles = (e) => [...(e.dataTransfer?.types ?? [])].includes("Files");
    const onOver = (e) => { if (hasFiles(e)) { e.preventDefault(); setOver(true); } };
    const onLeave = (e) => { if (!e.relatedTarget) setOver(false); };
    const onDrop = async (e) => {
      if (!hasFiles(e)) return;
      e.preventDefault();
      setOver(false);
      newest.current(await filesOf(e.dataTransfer));
    };
    const onPaste = (e) => { if (e.clipboardData?.files.length) newest.current([...e.clipboardData.files]); };
    const listeners = { dragover: onOver, dragleave: onLeave, drop: onDrop, paste: onPaste };
    Object.entries(listeners).forEach(([name, listener]) => document.addEventListener(name, listener));
    return () => Object.entries(listeners).forEach(([name, listener]) => document.removeEventListener(name, listener));
  }, []);
  return over;
}

/** A button that opens the file dialog. */
export function PickFiles({ onFiles, words = "Choose files", primary }) {
  const input = useRef(null);
  const chosen = (e) => { onFiles([...e.currentTarget.files]); e.currentTarget.value = ""; };
  return html`<button type="button" class=${primary ? "primary" : ""} onClick=${() => input.current.click()}>${words}</button>
    <input ref=${input} type="file" multiple accept=${ACCEPTED} hidden onChange=${chosen} aria-label=${words} />`;
}

/** A queue of uploads to one detector: {rows, add, retry, forget}; a row is {id, file, share, state, sending, error}. */
export function useUploads(onDone) {
  const [rows, setRows] = useState([]);
  const queue = useRef(Promise.resolve());
  const count = useRef(0);
  const change = (id, fields) => setRows((all) => all.map((row) => (row.id === id ? { ...row, ...fields } : row)));
  const leave = (id) => setRows((all) => all.filter((one) => one.id !== id));
  const take = async (row, coming) => {
    try {
      const media = await prepared(await coming, (share) => change(row.id, { share, state: "preparing", sending: null }));
      leave(row.id);
      await onDone(media);
    } catch (error) {
      if (error instanceof CancelledError) leave(row.id);
      else change(row.id, { error, sending: null });
    }
  };
  const send = (detectorId, row) => {
    let taken = null;
    queue.current = queue.current.then(() => {
      if (row.file.size < LARGE_BYTES) return (taken = take(row, upload(`/detectors/${detectorId}/media`, row.file, (share) => change(row.id, { share }))));
      const sending = new Sending({ call: api, sendPart, onChange: (now) => change(row.id, now) }, detectorId, row.file);
      change(row.id, { sending });
      taken = take(row, sending.run().then(mediumOf));
      // What waits behind a paused one goes on.
      return Promise.race([taken, sending.parked]);
    });
    return queue.current.then(() => taken);
  };
  const add = (detectorId, files) => {
    const fresh = files.map((file) => ({ id: (count.current += 1), file, share: 0, state: "queued", sending: null, error: null }));
    setRows((all) => [...all, ...fresh]);
    return Promise.all(fresh.map((row) => send(detectorId, row)));
  };
  const retry = (detectorId, row) => { change(row.id, { error: null, share: 0, state: "queued" }); return send(detectorId, row); };
  return { rows, add, retry, forget: (row) => leave(row.id) };
}

/** The medium that an upload became, with the job that prepares it. */
const mediumOf = async ({ media_id: id, job }) => ({ ...(await api(`/media/${id}`)), job });

function uploadWords({ share, state, file }) {
  const done = Math.round(share * 100);
  const words = {
    preparing: `preparing, ${done} %`,
    sending: `${done} % of ${kilobytes(file.size)}`,
    waiting: `the line is cut at ${done} %; trying again …`,
    paused: `paused at ${done} %`,
  };
  return words[state] ?? (share < 1 ? `${done} %` : "reading …");
}

function Sent({ row }) {
  const { sending, file, state } = row;
  const paused = state === "paused";
  return html`<progress max="1" value=${row.share} aria-label=${`Upload of ${file.name}`}></progress>
    <span class="muted" role=${sending ? "status" : undefined}>${uploadWords(row)}</span>
    ${sending && state !== "reading" && html`<span class="row">
      <button type="button" class="quiet" onClick=${() => (paused ? sending.resume() : sending.pause())} aria-label=${`${paused ? "Go on with" : "Pause"} ${file.name}`}>${paused ? "Go on" : "Pause"}</button>
      <button type="button" class="quiet" onClick=${() => sending.cancel()} aria-label=${`Cancel ${file.name}`}>Cancel</button>
    </span>`}`;
}

/** What is on its way, and what was refused and why. */
export function UploadList({ rows, onRetry, onForget }) {
  if (!rows.length) return null;
  return html`<ul class="uploads" aria-label="Uploads">${rows.map((row) => html`<li key=${row.id} class=${row.error ? "note bad" : ""}>
    <span class="name">${row.file.name}</span>
    ${row.error
      ? html`<span role="alert">${row.error.message}</span>
          <span class="row">
            <button type="button" onClick=${() => onRetry(row)}>Try again</button>
            <button type="button" class="quiet" onClick=${() => onForget(row)} aria-label=${`Leave out ${row.file.name}`}>Leave it out</button>
          </span>`
      : html`<${Sent} row=${row} />`}
  </li>`)}</ul>`;
}

/** What was begun on another page, or before this one was loaded again: the same file, chosen again, goes on. */
export function Unfinished({ detectorId, rows, onFiles }) {
  const [begun, setBegun] = useState([]);
  const look = () => api(`/detectors/${detectorId}/uploads`).then(setBegun, () => {});
  useEffect(() => { look(); }, [detectorId, rows.length]);
  const ours = new Set(rows.map((row) => `${row.file.name} ${row.file.size}`));
  const waiting = begun.filter((one) => one.purpose === "media" && one.state === "open" && !ours.has(`${one.name} ${one.length_bytes}`));
  if (!waiting.length) return null;
  const forget = async (one) => { await api(`/uploads/${one.id}`, { method: "DELETE", headers: { "tus-resumable": "1.0.0" } }).catch(() => {}); look(); };
  return html`<ul class="uploads" aria-label="Unfinished uploads">${waiting.map((one) => html`<li key=${one.id} class="note">
    <span><b class="name">${one.name}</b>: ${percent(one.offset_bytes / one.length_bytes)} of ${kilobytes(one.length_bytes)} came before the upload was cut. Choose or drop the same file again, and only the rest is sent.</span>
    <span class="row"><${PickFiles} onFiles=${onFiles} words="Choose the file" />
      <button type="button" class="quiet" onClick=${() => forget(one)} aria-label=${`Forget ${one.name}`}>Forget</button></span>
  </li>`)}</ul>`;
}
