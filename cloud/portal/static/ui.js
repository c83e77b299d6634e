// What all pages share: rendering, the HTTP API, progress of a job, live news, words for states.
import { h, render } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";
import { signal } from "@preact/signals";
import htm from "htm";
import { wayIn } from "./way.js";
import { duration, figureWords } from "./words.js";

export const html = htm.bind(h);

/** Render `view` below the page's heading; `view` sees the data-* values of <main>. */
export function mount(view) {
  const main = document.getElementById("main");
  const root = document.createElement("div");
  main.append(root);
  render(html`<${view} ...${{ ...main.dataset }} />`, root);
}

/** Set the page's heading once its name is known. */
export function setTitle(title) {
  document.title = `${title} · elfowl`;
  document.querySelector("#main h1").textContent = title;
}

export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const SAFE = ["GET", "HEAD"];
let asked = null;

/** Who is here, asked once a page: {name, role, accounts, csrf …}. */
export function whoAmI() {
  asked ??= api("/me").catch((error) => { asked = null; throw error; });
  return asked;
}

/** What every request that changes something carries, so that no other site can send it for us. */
async function proof(path, method) {
  if (SAFE.includes(method) || ["/login", "/setup"].includes(path)) return {};
  const { csrf } = await whoAmI();
  return csrf ? { "x-elfowl-csrf": csrf } : {};
}

/** Call the API; problem+json becomes an ApiError whose message can be shown as it is. */
export async function api(path, { method = "GET", json, body, headers: more = {} } = {}) {
  const headers = { ...more, ...(await proof(path, method)), ...(json === undefined ? {} : { "content-type": "application/json" }) };
  let response;
  try {
    response = await fetch(`/api/v1${path}`, { method, headers, body: json === undefined ? body : JSON.stringify(json) });
  } catch {
    throw new ApiError("The server cannot be reached. It may be restarting; this page tries again when you do.", 0);
  }
  if (response.status === 401) location.assign(wayIn(location.pathname, location.search));
  // 204 has no body, whatever its content-type says.
  const isJson = response.status !== 204 && (response.headers.get("content-type") ?? "").includes("json");
  const document = isJson ? await response.json() : null;
  if (!response.ok) throw new ApiError(document?.detail ?? document?.title ?? response.statusText, response.status);
  return document;
}

/** What `load` resolves to: {value, error, reload}; while it loads for the first time both are null. */
export function useLoad(load, inputs = []) {
  const [result, setResult] = useState({ value: null, error: null });
  const reload = useCallback(async () => {
    try {
      setResult({ value: await load(), error: null });
    } catch (error) {
      setResult((before) => ({ value: before.value, error }));
    }
  }, inputs);
  useEffect(() => { reload(); }, [reload]);
  return { ...result, reload };
}

/** Run something that may fail from a button: [run, busy, error]. */
export function useAction(action) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const run = async (...given) => {
    setBusy(true);
    setError(null);
    try {
      return await action(...given);
    } catch (caught) {
      setError(caught);
      return undefined;
    } finally {
      setBusy(false);
    }
  };
  return [run, busy, error];
}

/** Upload a file with progress; `onProgress` gets 0..1. */
export function upload(path, file, onProgress) {
  const form = new FormData();
  form.append("file", file, file.name);
  return transfer("POST", path, form, { onSent: (sent, total) => onProgress(sent / total), cut: `${file.name}: the upload was cut; drop the file again.` });
}

/** Send one part of an upload that goes on after a cut; `onSent` gets the bytes that went. */
export const sendPart = (path, part, headers, onSent, signal) => transfer("PATCH", path, part, { headers, onSent, signal, cut: "The line to the server is cut." });

/** A request whose progress is told; `fetch` tells none. */
async function transfer(method, path, body, { headers = {}, onSent, signal, cut }) {
  const all = { ...headers, ...(await proof(path, method)) };
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.upload.onprogress = (e) => e.lengthComputable && onSent(e.loaded, e.total);
    request.onload = () => {
      let document = null;
      try { document = JSON.parse(request.responseText); } catch { /* not JSON: the status says enough */ }
      if (request.status < 400) resolve(document);
      else reject(new ApiError(document?.detail ?? request.statusText, request.status));
    };
    request.onerror = request.onabort = () => reject(new ApiError(cut, 0));
    request.open(method, `/api/v1${path}`);
    Object.entries(all).forEach(([name, value]) => request.setRequestHeader(name, value));
    signal?.addEventListener("abort", () => request.abort());
    if (signal?.aborted) reject(new ApiError(cut, 0));
    else request.send(body);
  });
}

export const ENDED = ["done", "failed", "cancelled"];

/** Follow a job by server-sent events; returns a signal of its newest state. */
export function followJob(id) {
  const state = signal({ id, state: "queued", progress: 0, stage: "", message: "", seconds_left: null });
  const source = new EventSource(`/api/v1/jobs/${id}/events`);
  const take = (job) => {
    state.value = { ...state.peek(), ...job };
    if (ENDED.includes(state.peek().state)) source.close();
  };
  source.onmessage = (e) => take(JSON.parse(e.data));
  source.onerror = async () => {
    // The browser opens a cut stream again; once it gives up, ask how it ended.
    if (source.readyState === EventSource.CLOSED) take(await api(`/jobs/${id}`).catch((error) => ({ state: "failed", message: error.message })));
  };
  return state;
}

/** News of events and devices over one WebSocket, reopened with a growing pause. */
export function liveNews(onNews, onConnected = () => {}) {
  let pause = 500;
  const open = () => {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/live`);
    socket.onopen = () => { pause = 500; onConnected(true); };
    socket.onmessage = (e) => onNews(JSON.parse(e.data));
    socket.onclose = () => { onConnected(false); setTimeout(open, (pause = Math.min(pause * 2, 15000))); };
  };
  open();
}

/** How far a job is, in words and as a bar; `onCancel` gives it a button. */
export function Progress({ job, onCancel }) {
  const { state, progress, stage, message, error, figures, seconds_left: left } = job.value;
  if (state === "failed") return html`<p class="note bad" role="alert">${error || message || "It failed; the server's log says why."}</p>`;
  if (state === "done") return null;
  if (state === "cancelled") return html`<p class="note" role="status">Cancelled. Nothing was changed.</p>`;
  const words = [message || stage || (state === "queued" ? "waiting for its turn" : state), figureWords(figures), left == null ? "" : `${duration(left)} left`];
  const text = words.filter(Boolean).join(" · ");
  return html`<div class="progress">
    <progress max="1" value=${progress} aria-label=${stage || state}></progress>
    <span role="status">${text}</span>
    ${onCancel && html`<button type="button" class="quiet" onClick=${onCancel}>Cancel</button>`}
  </div>`;
}

export function Failure({ error, retry }) {
  return html`<div class="note bad" role="alert"><p>${error.message}</p>
    ${retry && html`<button type="button" onClick=${retry}>Try again</button>`}</div>`;
}

export const Loading = () => html`<p class="muted" role="status">Loading …</p>`;

/** A state in words and with a sign, never by colour alone. */
export function State({ tone = "", sign, children }) {
  return html`<span class=${`state ${tone}`}><span aria-hidden="true">${sign}</span> ${children}</span>`;
}

/** Text to be copied, or what gives it, with its button. */
export function Copy({ text, words = "Copy" }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    const whole = typeof text === "function" ? text() : text;
    try {
      await navigator.clipboard.writeText(whole);
    } catch {
      copyBySelection(whole); // plain http from another machine has no clipboard
    }
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return html`<button type="button" onClick=${copy}><span aria-live="polite">${copied ? "Copied" : words}</span></button>`;
}

function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** The address of a file beside this one, which browsers keep like this one. */
export const fileBeside = (name) => new URL(name, import.meta.url).pathname;

export function Empty({ title, children, over }) {
  return html`<section class=${over ? "empty over" : "empty"}><img src=${fileBeside("owl.svg")} alt="" width="56" height="56" /><h2>${title}</h2>${children}</section>`;
}
