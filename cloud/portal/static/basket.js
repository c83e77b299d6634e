// What people say about a video: kept at once, taken back without end. The server follows what stands here.
// Knows no page: `send` speaks to the API, `items` and `state` tell what stands.
import { signal } from "./vendor/signals-core.mjs";
import { iou } from "./geometry.js";

const PAUSE_MS = 250;
const SAME_IOU = 0.5;
const contentOf = ({ frame, verdict, label, box }) => ({ frame, verdict, label, box });
const isSame = (a, b) => a === b || (a && b && JSON.stringify(contentOf(a)) === JSON.stringify(contentOf(b)));

export class Basket {
  /** @param about {detector: its id, media: the video's id, ref: {id, name, version}} @param send api(path, options) */
  constructor(send, about, { pauseMs = PAUSE_MS } = {}) {
    Object.assign(this, { send, about, pauseMs });
    this.items = signal([]); // {key, frame, verdict, label, box, created}
    this.state = signal({ name: "loading", error: null }); // loading, unknown, saved, saving or failed
    this.kept = new Map(); // key -> what the server has, with its id
    this.busy = new Map();
    this.timers = new Map();
    this.past = signal([]);
    this.future = signal([]);
    this.count = 0;
  }

  /** Take over what was said before. */
  async load() {
    this.state.value = { name: "loading", error: null };
    try {
      const all = await this.send(`/corrections?${new URLSearchParams({ detector: this.about.detector })}`);
      const mine = all.map((one) => one.correction).filter((one) => one.media_id === this.about.media);
      const items = mine.map((one) => ({ key: one.id, frame: one.frame_index, verdict: one.verdict, label: one.label, box: one.box, created: one.created }));
      items.forEach((item) => this.kept.set(item.key, { ...item, id: item.key }));
      this.items.value = items;
      this.state.value = { name: "saved", error: null };
    } catch (error) {
      this.state.value = { name: "unknown", error };
    }
  }

  /** Say something new; returns its key. Before what was said is known, nothing can be said. */
  say(item) {
    const key = `new-${(this.count += 1)}`;
    return this.#do(key, null, { ...item, key, created: Date.now() / 1000 }) ? key : null;
  }

  change(key, fields) {
    const now = this.find(key);
    this.#do(key, now, { ...now, ...fields });
  }

  remove(key) { this.#do(key, this.find(key), null); }
  find(key) { return this.items.peek().find((one) => one.key === key) ?? null; }
  at(frame) { return this.items.value.filter((one) => one.frame === frame); }

  undo() { this.#move(this.past, this.future, ({ key, from }) => this.#put(key, from)); }
  redo() { this.#move(this.future, this.past, ({ key, to }) => this.#put(key, to)); }

  /** Save everything now. */
  async flush() {
    for (const key of [...this.timers.keys()]) this.#follow(key);
    await Promise.all(this.busy.values());
  }

  retry() {
    const keys = new Set([...this.kept.keys(), ...this.items.peek().map((one) => one.key)]);
    keys.forEach((key) => { if (!this.#isKept(key)) this.#soon(key); });
  }

  get isSettled() { return ["saved", "loading", "unknown"].includes(this.state.peek().name); }

  #do(key, from, to) {
    if (["loading", "unknown"].includes(this.state.peek().name)) return false;
    this.past.value = [...this.past.peek(), { key, from, to }];
    this.future.value = [];
    this.#put(key, to);
    return true;
  }

  #move(stack, other, apply) {
    const step = stack.peek().at(-1);
    if (!step) return;
    stack.value = stack.peek().slice(0, -1);
    other.value = [...other.peek(), step];
    apply(step);
  }

  #put(key, item) {
    const rest = this.items.peek().filter((one) => one.key !== key);
    this.items.value = item ? [...rest, item] : rest;
    this.#soon(key);
  }

  #soon(key) {
    this.state.value = { name: "saving", error: null };
    clearTimeout(this.timers.get(key));
    this.timers.set(key, setTimeout(() => this.#follow(key), this.pauseMs));
  }

  #isKept(key) { return isSame(this.find(key), this.kept.get(key) ?? null); }

  #follow(key) {
    clearTimeout(this.timers.get(key));
    this.timers.delete(key);
    const turn = (this.busy.get(key) ?? Promise.resolve()).then(() => this.#bring(key));
    this.busy.set(key, turn);
    turn.then(() => { if (this.busy.get(key) === turn) this.busy.delete(key); this.#tell(); });
    return turn;
  }

  async #bring(key) {
    try {
      while (!this.#isKept(key)) await this.#step(key, this.find(key), this.kept.get(key) ?? null);
      if (this.failure?.key === key) this.failure = null;
    } catch (error) {
      this.failure = { key, error };
    }
  }

  async #step(key, wanted, kept) {
    if (kept && wanted && kept.verdict === wanted.verdict && kept.frame === wanted.frame) {
      await this.send(`/corrections/${kept.id}`, { method: "PATCH", json: { box: wanted.box, label: wanted.label } });
      this.kept.set(key, { ...wanted, id: kept.id });
    } else if (kept) {
      await this.send(`/corrections/${kept.id}`, { method: "DELETE" });
      this.kept.delete(key);
    } else {
      const { frame, verdict, label, box } = wanted;
      const json = { verdict, label, box, media_id: this.about.media, frame_index: frame, detector: this.about.ref, source: "player" };
      const { correction } = await this.send("/corrections", { method: "POST", json });
      this.kept.set(key, { ...wanted, id: correction.id });
    }
  }

  #tell() {
    if (this.failure) this.state.value = { name: "failed", error: this.failure.error };
    else if (!this.busy.size && !this.timers.size) this.state.value = { name: "saved", error: null };
  }
}

const SIGNS = { right: "✓", wrong: "✕ not", other_class: "↔", missed: "+" };

/** The boxes of a frame as they are shown: what the version saw, with what was said about it, and what was drawn. */
export function boxesAt(seen, said) {
  const left = [...said];
  const take = (one) => {
    const at = left.findIndex((item) => item.verdict !== "missed" && iou(item.box, one.box) >= SAME_IOU);
    return at < 0 ? null : left.splice(at, 1)[0];
  };
  const shown = seen.map((one) => withSaid(one, take(one)));
  return [...shown, ...left.map((item) => withSaid(null, item))];
}

function withSaid(seen, item) {
  if (!item) return { ...seen, seen, key: null, sign: "" };
  const label = item.label ?? seen?.label ?? "?";
  return { label, score: item.verdict === "missed" ? null : seen?.score ?? null, box: item.box, seen, key: item.key, verdict: item.verdict, sign: SIGNS[item.verdict] };
}
