// The labels of all frames that were looked at: loaded once, undone without limit, saved by themselves.
// Knows no page: `send` speaks to the API, signals tell who shows a frame.
import { signal } from "./vendor/signals-core.mjs";
import { begun, changed, redone, undone } from "./history.js";

const PAUSE_MS = 350;
const EMPTY = { boxes: [], nothing_here: false, trusted: null };
const contentOf = ({ boxes, nothing_here, trusted }) => ({ boxes, nothing_here, trusted: trusted ?? null });

export const isLabelled = ({ boxes, nothing_here: nothing }) => boxes.length > 0 || nothing;

export class LabelBook {
  /** @param send api(path, options) @param onSaved called with (media id, index, content) after each save */
  constructor(send, { onSaved = () => {}, pauseMs = PAUSE_MS } = {}) {
    this.send = send;
    this.onSaved = onSaved;
    this.pauseMs = pauseMs;
    this.pages = new Map();
  }

  /** The signal of one frame: {history, revision, state, error}; state is loading, saved, waiting, saving, conflict or failed. */
  page(mediaId, index) {
    const path = `/media/${mediaId}/frames/${index}/labels`;
    if (!this.pages.has(path)) {
      const first = { mediaId, index, history: begun(EMPTY), revision: 0, state: "loading", error: null };
      this.pages.set(path, { path, signal: signal(first), timer: 0, busy: null });
      this.load(mediaId, index);
    }
    return this.pages.get(path).signal;
  }

  /** Take what the server has; what was changed here since is given up. */
  async load(mediaId, index) {
    const page = this.pages.get(`/media/${mediaId}/frames/${index}/labels`);
    this.#set(page, { state: "loading", error: null });
    try {
      const { revision, ...content } = await this.send(page.path);
      this.#set(page, { history: begun(contentOf(content)), revision, state: "saved" });
    } catch (error) {
      this.#set(page, { state: "unknown", error });
    }
  }

  change(mediaId, index, content) { this.#edit(mediaId, index, (history) => changed(history, { ...history.value, ...content })); }
  undo(mediaId, index) { this.#edit(mediaId, index, undone); }
  redo(mediaId, index) { this.#edit(mediaId, index, redone); }

  /** Keep what stands here although somebody else changed the frame. */
  async overrule(mediaId, index) {
    const page = this.pages.get(`/media/${mediaId}/frames/${index}/labels`);
    try {
      const { revision } = await this.send(page.path);
      this.#set(page, { revision, state: "waiting", error: null });
      await this.save(page);
    } catch (error) {
      this.#set(page, { state: "failed", error });
    }
  }

  retry(mediaId, index) { return this.save(this.pages.get(`/media/${mediaId}/frames/${index}/labels`)); }

  /** Save everything now; resolves when nothing is under way. */
  async flush() {
    for (const page of this.pages.values()) {
      if (page.signal.peek().state === "waiting") await this.save(page);
      await page.busy;
    }
  }

  get isSettled() {
    return [...this.pages.values()].every((page) => ["saved", "loading", "unknown"].includes(page.signal.peek().state));
  }

  async save(page) {
    clearTimeout(page.timer);
    await page.busy;
    page.busy = this.#put(page);
    await page.busy;
  }

  async #put(page) {
    const { history, revision, mediaId, index } = page.signal.peek();
    this.#set(page, { state: "saving", error: null });
    try {
      const saved = await this.send(page.path, { method: "PUT", json: { revision, ...history.value } });
      const isNewest = page.signal.peek().history.value === history.value;
      this.#set(page, { revision: saved.revision, state: isNewest ? "saved" : "waiting" });
      this.onSaved(mediaId, index, history.value);
      if (!isNewest) this.#soon(page);
    } catch (error) {
      this.#set(page, { state: error.status === 409 ? "conflict" : "failed", error });
    }
  }

  #edit(mediaId, index, step) {
    const signalOfPage = this.page(mediaId, index);
    const { history, state } = signalOfPage.peek();
    // Before the labels are known, a change would overwrite them unseen.
    if (state === "loading" || state === "unknown") return;
    const next = step(history);
    if (next.value === history.value) return;
    const page = this.pages.get(`/media/${mediaId}/frames/${index}/labels`);
    this.#set(page, { history: next, state: state === "conflict" ? "conflict" : state === "saving" ? "saving" : "waiting" });
    if (state !== "conflict" && state !== "saving") this.#soon(page);
  }

  #soon(page) {
    clearTimeout(page.timer);
    page.timer = setTimeout(() => this.save(page), this.pauseMs);
  }

  #set(page, fields) { page.signal.value = { ...page.signal.peek(), ...fields }; }
}
