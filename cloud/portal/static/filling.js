// Filling between drawn frames of a video: dotted boxes on the way from one to the next, until somebody takes them.
// Gaps are kept by medium: a Map of its id to a list of [first, last], both drawn.
import { boxesBetween, framesBetween, gapAt, sidesOf } from "./between.js";
import { isVideo } from "./filmstrip.js";
import { html } from "./ui.js";
import { plural } from "./words.js";

const NOTHING = { gap: null, isFilled: false, sides: null, boxes: [], isKnown: true };
export const NO_GAPS = new Map();
const gapsOf = (filled, mediaId) => filled.get(mediaId) ?? [];

export const withGap = (filled, mediaId, gap) => new Map(filled).set(mediaId, [...gapsOf(filled, mediaId), gap]);

/** The frames that the strip shows of what was filled. */
export const framesOf = (filled, mediaId) => gapsOf(filled, mediaId).flatMap((gap) => framesBetween(gap));

/**
 * What is filled where one is: {gap, isFilled, sides, boxes, isKnown}. `gap` is what would be filled from here, `sides` are the drawn frames between which it is.
 * @param book the labels of all frames @param here the frame that is shown @param drawn the labelled frames of its medium, ascending
 */
export function fillingAt(book, filled, here, drawn) {
  if (!here || !isVideo(here.media)) return NOTHING;
  const { media, index } = here;
  const gap = gapAt(drawn, index);
  const covers = ([from, to]) => gapsOf(filled, media.id).some(([first, last]) => first <= from && to <= last);
  const isInside = gapsOf(filled, media.id).some(([first, last]) => first < index && index < last);
  // A frame that was taken or mended meanwhile is drawn too: what lies between goes by the nearest ones.
  const sides = isInside ? sidesOf(drawn, index) : null;
  const pages = (sides ?? []).map((at) => ({ index: at, ...book.page(media.id, at).value }));
  const ends = pages.map((page) => ({ index: page.index, boxes: page.history.value.boxes }));
  const boxes = sides ? boxesBetween(...ends, index).map((one) => ({ ...one, sign: "↔" })) : [];
  return { gap, isFilled: gap !== null && covers(gap), sides, boxes, isKnown: pages.every((page) => page.state !== "loading") };
}

/** What was filled here, in words. @param left what is not drawn yet */
export function FillLine({ filling, left, onTake }) {
  const { sides, boxes, gap, isFilled, isKnown } = filling;
  if (!isKnown) return null;
  if (sides && left.length) {
    return html`<div class="row"><span class="muted" role="status">${plural(left.length, "box", "boxes")} on the way from frame ${sides[0]} to ${sides[1]}. Nothing is learned from this before you take it.</span>
      <button type="button" onClick=${onTake} aria-keyshortcuts="T">Take these boxes <kbd>T</kbd></button></div>`;
  }
  if (sides && !boxes.length) return html`<p class="muted" role="status">Frames ${sides[0]} and ${sides[1]} have no box of the same class: there is nothing to fill between them.</p>`;
  if (isFilled && !sides) return html`<p class="muted" role="status">The frames between ${gap[0]} and ${gap[1]} show dotted boxes now: <kbd>N</kbd> goes to the next one, <kbd>T</kbd> takes its boxes.</p>`;
  return null;
}
