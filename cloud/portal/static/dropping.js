// Files from anywhere onto the page: dropped, chosen, pasted; whole folders too. One upload after the other.
import { useEffect, useRef, useState } from "preact/hooks";
import { prepared } from "./preparing.js";
import { html, upload } from "./ui.js";

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

/** A queue of uploads to one detector: [rows, add, retry, forget]; a row is {id, file, share, error, done}. */
export function useUploads(onDone) {
  const [rows, setRows] = useState([]);
  const queue = useRef(Promise.resolve());
  const count = useRef(0);
  const change = (id, fields) => setRows((all) => all.map((row) => (row.id === id ? { ...row, ...fields } : row)));
  const send = (detectorId, row) => {
    queue.current = queue.current.then(async () => {
      try {
        const sent = await upload(`/detectors/${detectorId}/media`, row.file, (share) => change(row.id, { share }));
        const media = await prepared(sent, (share) => change(row.id, { share, preparing: true }));
        setRows((all) => all.filter((one) => one.id !== row.id));
        await onDone(media);
      } catch (error) {
        change(row.id, { error });
      }
    });
    return queue.current;
  };
  const add = (detectorId, files) => {
    const fresh = files.map((file) => ({ id: (count.current += 1), file, share: 0, error: null }));
    setRows((all) => [...all, ...fresh]);
    return Promise.all(fresh.map((row) => send(detectorId, row)));
  };
  const retry = (detectorId, row) => { change(row.id, { error: null, share: 0 }); return send(detectorId, row); };
  const forget = (row) => setRows((all) => all.filter((one) => one.id !== row.id));
  return { rows, add, retry, forget };
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
      : html`<progress max="1" value=${row.share} aria-label=${`Upload of ${row.file.name}`}></progress>
          <span class="muted">${row.preparing ? `preparing, ${Math.round(row.share * 100)} %` : row.share < 1 ? `${Math.round(row.share * 100)} %` : "reading …"}</span>`}
  </li>`)}</ul>`;
}
