// The review queue: which events are asked about, in which order, and what was said. Knows no page: `send` speaks to the API.
import { signal } from "./vendor/signals-core.mjs";

export const UNSURE = 0.15;

/** How far above the threshold of its version and class an event was at its best: the less, the less sure. */
export const marginOf = ({ top_score: score, label, detector }, thresholds) => score - (thresholds[detector.version]?.[label] ?? 0.5);

/** The events of which nobody has said anything, the least sure first; unless `all`, only those that are near their threshold. */
export function queueOf(items, thresholds, all = false) {
  return items
    .filter((item) => !item.correction)
    .map((item) => ({ ...item, margin: marginOf(item.event, thresholds) }))
    .filter(({ margin }) => all || margin < UNSURE)
    .sort((a, b) => a.margin - b.margin || b.event.start_time - a.event.start_time);
}

/** What to send for a verdict about an event. */
function bodyOf({ event, verdict, label }) {
  const { device, camera } = event;
  if (verdict === "missed") return { verdict, device, camera, time: event.frame_time, detector_id: event.detector.id, source: "portal" };
  return { verdict, device, event_id: event.id, ...(label ? { label } : {}), source: "portal" };
}

/** One way through a queue: each answer leads on at once and is saved behind it, in order; each can be taken back. */
export class ReviewBook {
  constructor(send, queue) {
    Object.assign(this, { send, queue, todo: [], working: null });
    this.state = signal({ steps: [], name: "saved", error: null }); // saved, saving or failed
  }

  get steps() { return this.state.value.steps; }
  /** How many events were gone through; what was missed beside one leads no further. */
  get count() { return this.steps.filter((one) => one.verdict !== "missed").length; }
  get current() { return this.queue[this.count] ?? null; }
  get isSettled() { return this.state.peek().name === "saved"; }

  /** Say of the current event: right, wrong, other_class (with `label`), missed or skipped. */
  say(verdict, label = null) {
    if (!this.current) return;
    const step = { event: this.current.event, verdict, label, id: null };
    this.#set({ steps: [...this.steps, step] });
    if (verdict !== "skipped") this.#work({ step, send: () => this.#record(step) });
  }

  /** Take the last answer back; its event is asked about again. */
  undo() {
    const step = this.steps.at(-1);
    if (!step) return;
    this.#set({ steps: this.steps.slice(0, -1) });
    if (step.verdict !== "skipped") this.#work({ step, send: () => this.send(`/corrections/${step.id}`, { method: "DELETE" }) });
  }

  /** Go on saving after a failure. */
  retry() { return this.#go(); }

  /** Resolves once everything is saved, or something failed. */
  async settled() { await this.working; }

  async #record(step) {
    const { correction } = await this.send("/corrections", { method: "POST", json: bodyOf(step) });
    step.id = correction.id;
  }

  #work(job) {
    this.todo.push(job);
    if (this.state.peek().name !== "failed") this.#go();
  }

  #go() {
    this.working ??= this.#workOff().finally(() => { this.working = null; });
    return this.working;
  }

  async #workOff() {
    this.#set({ name: "saving", error: null });
    try {
      while (this.todo.length) {
        await this.todo[0].send();
        this.todo.shift();
      }
      this.#set({ name: "saved" });
    } catch (error) {
      this.#set({ name: "failed", error });
    }
  }

  #set(fields) { this.state.value = { ...this.state.peek(), ...fields }; }
}
