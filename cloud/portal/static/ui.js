// What all pages share: rendering, the HTTP API, progress of a job, live news, words for states.
import { h, render } from "preact";
import { signal } from "@preact/signals";
import htm from "htm";

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

/** Call the API; problem+json becomes an ApiError whose message can be shown as it is. */
export async function api(path, { method = "GET", json, body } = {}) {
  let response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      body: json === undefined ? body : JSON.stringify(json),
      headers: json === undefined ? {} : { "content-type": "application/json" },
    });
  } catch {
    throw new ApiError("The server cannot be reached. It may be restarting; this page tries again when you do.", 0);
  }
  const isJson = (response.headers.get("content-type") ?? "").includes("json");
  const document = isJson ? await response.json() : null;
  if (!response.ok) throw new ApiError(document?.detail ?? document?.title ?? response.statusText, response.status);
  return document;
}

/** Upload a file with progress; `onProgress` gets 0..1. */
export function upload(path, file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.upload.onprogress = (e) => e.lengthComputable && onProgress(e.loaded / e.total);
    request.onload = () => {
      let document = null;
      try { document = JSON.parse(request.responseText); } catch { /* not JSON: the status says enough */ }
      if (request.status < 400) resolve(document);
      else reject(new ApiError(document?.detail ?? request.statusText, request.status));
    };
    request.onerror = () => reject(new ApiError(`${file.name}: the upload was cut; drop the file again.`, 0));
    const form = new FormData();
    form.append("file", file, file.name);
    request.open("POST", `/api/v1${path}`);
    request.send(form);
  });
}

/** Follow a job by server-sent events; returns a signal of its newest state. */
export function followJob(id) {
  const state = signal({ state: "queued", progress: 0, stage: "", message: "", seconds_left: null });
  const source = new EventSource(`/api/v1/jobs/${id}/events`);
  source.onmessage = (e) => {
    state.value = JSON.parse(e.data);
    if (["done", "failed", "cancelled"].includes(state.value.state)) source.close();
  };
  return state;
}

/** News of events and devices over one WebSocket, reopened with a growing pause. */
export function liveNews(onNews) {
  let pause = 500;
  const open = () => {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/live`);
    socket.onopen = () => { pause = 500; };
    socket.onmessage = (e) => onNews(JSON.parse(e.data));
    socket.onclose = () => setTimeout(open, (pause = Math.min(pause * 2, 15000)));
  };
  open();
}

export function Progress({ job, onCancel }) {
  const { state, progress, stage, message, seconds_left: left } = job.value;
  if (state === "failed") return html`<p class="note bad" role="alert">${message || "It failed."}</p>`;
  if (state === "cancelled") return html`<p class="note">Cancelled. Nothing was changed.</p>`;
  const words = [stage || state, left == null ? "" : `about ${Math.ceil(left)} s left`].filter(Boolean).join(" · ");
  return html`<div class="progress">
    <progress max="1" value=${progress} aria-label=${words}></progress>
    <span role="status">${words}</span>
    ${onCancel && state !== "done" && html`<button type="button" class="quiet" onClick=${onCancel}>Cancel</button>`}
  </div>`;
}

export function Failure({ error, retry }) {
  return html`<div class="note bad" role="alert"><p>${error.message}</p>
    ${retry && html`<button type="button" onClick=${retry}>Try again</button>`}</div>`;
}

export function Empty({ title, children }) {
  return html`<section class="empty"><img src="/static/owl.svg" alt="" width="56" height="56" /><h2>${title}</h2>${children}</section>`;
}

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
export const when = (seconds) => (seconds == null ? "never" : clock.format(new Date(seconds * 1000)));
export const percent = (share) => (share == null ? "–" : `${Math.round(share * 100)} %`);
export const kilobytes = (bytes) => (bytes == null ? "–" : bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

export function ago(seconds) {
  if (seconds == null) return "never";
  const age = Math.max(0, Date.now() / 1000 - seconds);
  if (age < 90) return `${Math.round(age)} s ago`;
  if (age < 5400) return `${Math.round(age / 60)} min ago`;
  return age < 129600 ? `${Math.round(age / 3600)} h ago` : `${Math.round(age / 86400)} days ago`;
}
