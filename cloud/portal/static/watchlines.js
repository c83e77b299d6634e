// What a version saw in a video, as lines over its frames: scores, events, doubts, differences. Pure functions.
// `looked` has, at each frame that was looked at, a list of {label, score, box}; frames that were passed over are missing.
import { iou } from "./geometry.js";

const SAME_IOU = 0.5;
export const DOUBT = 0.15;

/** What is seen at a frame: {seen, held}; held: passed over, for nothing had moved since. Null: not looked at yet. */
export function seenAt({ looked, until }, frame) {
  if (frame >= until) return null;
  for (let at = frame; at >= 0; at -= 1) if (looked[at]) return { seen: looked[at], held: at < frame };
  return { seen: [], held: true };
}

/** The best score of a class at each frame; what was passed over keeps what was seen before, what is not done is NaN. */
export function scoresOf({ looked, until }, label, count) {
  const scores = new Float32Array(count).fill(NaN);
  let last = 0;
  for (let frame = 0; frame < Math.min(until, count); frame += 1) {
    if (looked[frame]) last = looked[frame].reduce((best, one) => (one.label === label ? Math.max(best, one.score) : best), 0);
    scores[frame] = last;
  }
  return scores;
}

/** The frames from `threshold` on as stretches {first, last, peak, score}; gaps up to `gap` frames do not end one. */
export function eventsOf(scores, threshold, gap) {
  const found = [];
  scores.forEach((score, frame) => {
    if (!(score >= threshold)) return;
    const open = found.at(-1);
    if (!open || frame - open.last > gap + 1) { found.push({ first: frame, last: frame, peak: frame, score }); return; }
    open.last = frame;
    if (score > open.score) Object.assign(open, { peak: frame, score });
  });
  return found;
}

/** The frames that are nearest to the threshold, one of each stretch of doubt. */
export function doubtsOf(scores, threshold, gap) {
  const nearness = scores.map((score) => (score > 0 ? 1 - Math.abs(score - threshold) : NaN));
  return eventsOf(nearness, 1 - DOUBT, gap).map((one) => one.peak);
}

export const after = (frames, here) => frames.find((frame) => frame > here) ?? null;
export const before = (frames, here) => frames.findLast((frame) => frame < here) ?? null;

/** `width` columns, each the greatest of its share of the frames, at least one; NaN where nothing is known. */
export function columnsOf(scores, width) {
  return Float32Array.from({ length: width }, (_, x) => {
    const first = Math.floor((x * scores.length) / width);
    const end = Math.max(first + 1, Math.floor(((x + 1) * scores.length) / width));
    let best = NaN;
    for (let frame = first; frame < end; frame += 1) if (!(best >= scores[frame])) best = scores[frame] >= 0 ? scores[frame] : best;
    return best;
  });
}

export const isShown = (thresholds) => (one) => one.score >= (thresholds[one.label] ?? 0);

/** Those of `some` that no one of `others` is: same class, same place. */
const alone = (some, others) => some.filter((one) => !others.some((other) => other.label === one.label && iou(one.box, other.box) >= SAME_IOU));

/** Where two versions report something else: stretches {first, last, only: [by the first, by the second]}. */
export function differences(first, second, count, [firstThresholds, secondThresholds], gap) {
  const found = [];
  for (let frame = 0; frame < Math.min(count, first.until, second.until); frame += 1) {
    const one = seenAt(first, frame).seen.filter(isShown(firstThresholds));
    const other = seenAt(second, frame).seen.filter(isShown(secondThresholds));
    const only = [alone(one, other), alone(other, one)];
    if (!only[0].length && !only[1].length) continue;
    const open = found.at(-1);
    if (open && frame - open.last <= gap + 1) { open.last = frame; open.only = open.only.map((most, i) => (only[i].length > most.length ? only[i] : most)); }
    else found.push({ first: frame, last: frame, only });
  }
  return found;
}
