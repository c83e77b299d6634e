// Boxes that a detector offered beforehand (prelabel): shown dotted until somebody takes them; nothing is learned before.
import { useEffect, useState } from "preact/hooks";
import { api, html } from "./ui.js";
import { plural } from "./words.js";

const NONE = [];
const NO_FRAMES = new Map();

/** What was offered for a frame: a list of {label, score, box}, empty until it is known. */
export function useOffers(cell) {
  const [found, setFound] = useState(null);
  const path = cell && `/media/${cell.media.id}/frames/${cell.index}/proposals`;
  useEffect(() => {
    if (!path) return undefined;
    let isWanted = true;
    // Without offers one draws as ever: a failure here is no reason to disturb.
    api(path).then((offers) => isWanted && setFound({ path, offers })).catch(() => {});
    return () => { isWanted = false; };
  }, [path]);
  return found && found.path === path ? found.offers : NONE;
}

/** The frames of a detector for which boxes were offered when the page was opened: their indices by medium. */
export function useOfferedFrames(detectorId) {
  const [frames, setFrames] = useState(NO_FRAMES);
  useEffect(() => {
    let isWanted = true;
    const take = (pairs) => {
      const found = new Map();
      pairs.forEach(([id, index]) => found.set(id, [...(found.get(id) ?? []), index]));
      if (isWanted && found.size) setFrames(found);
    };
    api(`/detectors/${detectorId}/proposals`).then(take).catch(() => {});
    return () => { isWanted = false; };
  }, [detectorId]);
  return frames;
}

/** Takes the offered boxes over where no live detector does. */
export function OfferLine({ proposals, onTake }) {
  if (!proposals.length) return null;
  return html`<div class="row">
    <span class="muted">${plural(proposals.length, "box", "boxes")} offered here.</span>
    <button type="button" onClick=${onTake} aria-keyshortcuts="T">Take these boxes <kbd>T</kbd></button>
  </div>`;
}
