// One large file on its way, in parts: a cut, a pause or another page costs little of what was sent.
// Knows no page: `call` is api(path, options), `sendPart(path, part, headers, onSent, signal)` sends one part.

/** Files from here on are sent in parts. */
export const LARGE_BYTES = 16e6;
const PART_BYTES = 8e6;
const TUS = { "tus-resumable": "1.0.0" };
const PART_TYPE = "application/offset+octet-stream";
// What may be well again by itself: no line, another connection, a damaged part, a server that starts.
const PASSING = new Set([0, 409, 460, 502, 503, 504]);
const PAUSES_S = [1, 2, 4, 8, 15];

/** Somebody cancelled it: no error to show. */
export class CancelledError extends Error {}

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

/** The metadata of tus: pairs of a key and its value in base64. */
export const metadataOf = (pairs) => Object.entries(pairs).map(([key, value]) => `${key} ${base64(String(value))}`).join(",");

/** Whether an upload that began earlier is of this very file. */
export const isOf = (view, file) => view.purpose === "media" && view.name === file.name && view.length_bytes === file.size && view.modified_ms === file.lastModified;

export class Sending {
  #paused = null;
  #cancelled = false;
  #abort = null;
  #wake = () => {};
  #gone = Promise.resolve();
  #park = () => {};

  /** @param onChange called with {share, state}: sending, waiting (for the line), paused, or reading (all has come) */
  constructor({ call, sendPart, onChange = () => {}, wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms)) }, detector, file) {
    Object.assign(this, { call, sendPart, onChange, wait, detector, file });
    this.view = null;
    /** Resolves when it is paused for the first time: what waits behind it may go on. */
    this.parked = new Promise((resolve) => { this.#park = resolve; });
  }

  /** Send what is missing; resolves to the upload once it is a medium. Throws in words. */
  async run() {
    try {
      return await this.#send();
    } catch (error) {
      // Who looks what is unfinished now shall not find it any more.
      if (error instanceof CancelledError) await this.#gone;
      throw error;
    }
  }

  async #send() {
    this.view = (await this.#begun()) ?? (await this.#begin());
    for (let failures = 0; this.view.state === "open";) {
      await this.#mayGoOn();
      try {
        await this.#part();
        failures = 0;
      } catch (error) {
        if (this.#cancelled || (!this.#paused && !PASSING.has(error.status))) throw this.#cancelled ? new CancelledError() : error;
        if (!this.#paused) await this.#waitForLine(failures++);
      }
      await this.#look();
    }
    if (this.view.state === "refused") throw new Error(this.view.reason);
    return this.view;
  }

  pause() {
    if (this.#paused) return;
    this.#paused = new Promise((resolve) => { this.resume = () => { this.#paused = null; resolve(); }; });
    this.#tell("paused");
    this.#park();
    this.#abort?.abort();
    this.#wake();
  }

  resume() { /* replaced while it is paused */ }

  /** Give up, also on the server. */
  async cancel() {
    this.#cancelled = true;
    if (this.view) this.#gone = this.call(`/uploads/${this.view.id}`, { method: "DELETE", headers: TUS }).catch(() => {});
    this.#abort?.abort();
    this.#wake();
    this.resume();
    await this.#gone;
  }

  async #begun() {
    const begun = await this.call(`/detectors/${this.detector}/uploads`);
    return begun.find((view) => isOf(view, this.file)) ?? null;
  }

  #begin() {
    const told = metadataOf({ filename: this.file.name, modified: this.file.lastModified });
    return this.call(`/detectors/${this.detector}/uploads`, { method: "POST", headers: { ...TUS, "upload-length": String(this.file.size), "upload-metadata": told } });
  }

  async #mayGoOn() {
    while (this.#paused && !this.#cancelled) await this.#paused;
    if (this.#cancelled) throw new CancelledError();
  }

  async #part() {
    const { offset_bytes: offset, id } = this.view;
    const part = this.file.slice(offset, offset + PART_BYTES);
    this.#abort = new AbortController();
    this.#tell(offset < this.file.size ? "sending" : "reading");
    const headers = { ...TUS, "upload-offset": String(offset), "content-type": PART_TYPE };
    const onSent = (bytes) => this.#tell(offset + bytes < this.file.size ? "sending" : "reading", offset + bytes);
    await this.sendPart(`/uploads/${id}`, part, headers, onSent, this.#abort.signal);
  }

  async #look() {
    try {
      this.view = await this.call(`/uploads/${this.view.id}`);
    } catch (error) {
      if (this.#cancelled) throw new CancelledError();
      if (!PASSING.has(error.status)) throw error;
    }
  }

  async #waitForLine(failures) {
    this.#tell("waiting");
    const woken = new Promise((resolve) => { this.#wake = resolve; });
    const pause_s = PAUSES_S[Math.min(failures, PAUSES_S.length - 1)];
    await Promise.race([woken, this.wait(pause_s * 1000)]);
  }

  #tell(state, bytes = this.view?.offset_bytes ?? 0) {
    this.onChange({ state: this.#paused ? "paused" : state, share: bytes / this.file.size });
  }
}
