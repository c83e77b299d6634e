// What is said and drawn about the live detector. Pure functions.
import { iou } from "./geometry.js";
import { ago, ap50, duration, plural } from "./words.js";

const SAME_IOU = 0.5;
export const BUSY = ["starting", "looking", "learning", "checking"];
export const isLearning = (live) => live !== null && BUSY.includes(live.stage);

const HOW = { cross_validation: "cross-validation", held_out: "on frames kept aside" };

/** One line about how far learning is; "" when nothing is under way. */
export function learningWords(live) {
  if (!isLearning(live)) return "";
  const percent = live.progress > 0 ? ` ${Math.round(live.progress * 100)} %` : "";
  const left = live.seconds_left == null ? "" : `, ${duration(live.seconds_left)} left`;
  return `${live.stage === "starting" ? "Getting ready" : "Learning"} …${percent}${left}`;
}

/** One line about what the live detector knows; "" when there is none yet. */
export function knownWords(live, now) {
  if (!live || live.learned == null) return "";
  return `Learned from ${plural(live.frames, "frame")}, ${ago(live.learned, now)}`;
}

/** How good the live detector is, with how that was found out: never a test score. */
export function qualityWords(live) {
  const newest = live?.curve.at(-1);
  return newest ? `Accuracy ${ap50(newest.ap50)} with ${plural(newest.frames, "frame")} (${HOW[newest.how] ?? "estimate"})` : "";
}

/** Why it does not learn, in words; "" when it does. */
export function troubleWords(live) {
  if (live?.stage === "failed") return live.error || "Learning failed; the server's log says why.";
  if (live?.stage === "waiting") return live.message || "It learns as soon as there is a box.";
  if (live?.stage === "cancelled") return "Stopped. It learns again with the next label.";
  return "";
}

/** What the live detector sees beyond what is drawn already. */
export function unseen(detections, boxes) {
  return detections.filter((one) => !boxes.some((box) => box.label === one.label && iou(box.box, one.box) >= SAME_IOU));
}

/** One line about what it sees on this frame. */
export function seenWords(detections, extra) {
  if (!detections) return "";
  if (!detections.length) return "It sees nothing here.";
  const objects = plural(detections.length, "object");
  return extra.length ? `It sees ${objects} here, ${extra.length} not drawn yet.` : `It sees ${objects} here, as drawn.`;
}

/** The first proposed frame that is known here, not labelled and not the one shown; or null. */
export function nextProposed(live, media, here, isDone) {
  for (const { media_id: id, frame_index: index, reason } of live?.next_frames ?? []) {
    const medium = media.find((one) => one.id === id);
    const isHere = here && here.media.id === id && here.index === index;
    if (medium && !isHere && !isDone({ media: medium, index })) return { cell: { media: medium, index }, reason };
  }
  return null;
}

/** Points of the curve in a box of `width` by `height`: AP50 0..1 upwards, frames from 0 to the most. */
export function curvePoints(curve, width, height) {
  const most = Math.max(1, ...curve.map((point) => point.frames));
  return curve.map((point) => [(point.frames / most) * width, (1 - point.ap50) * height]);
}
