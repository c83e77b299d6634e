// Which frames the strip shows, and which comes next. Pure functions.
// A cell is {media, index}: one frame of one picture or video.

export const PROPOSED_FRAMES = 16;
export const cellKey = ({ media, index }) => `${media.id}:${index}`;
export const isVideo = (media) => media.kind === "video";

/** `count` frames spread evenly over a video, each in the middle of its share. */
export function proposed(frameCount, count = PROPOSED_FRAMES) {
  const n = Math.min(count, frameCount);
  return Array.from({ length: n }, (_, i) => Math.floor(((i + 0.5) * frameCount) / n));
}

/** The cells of the strip: every picture; of a video the proposed frames and those that `framesOf` names as labelled. */
export function cellsOf(mediaList, framesOf) {
  return mediaList.flatMap((media) => {
    if (!isVideo(media)) return [{ media, index: 0 }];
    const indices = new Set([...proposed(media.frame_count), ...framesOf(media)]);
    return [...indices].sort((a, b) => a - b).map((index) => ({ media, index }));
  });
}

/** The next cell after `from` without labels, once around; or null. */
export function nextUnlabelled(cells, from, isLabelled) {
  const start = cells.findIndex((cell) => cell.media.id === from.media.id && cell.index >= from.index);
  for (let step = 1; step <= cells.length; step += 1) {
    const cell = cells[(Math.max(0, start) + step) % cells.length];
    if (cellKey(cell) !== cellKey(from) && !isLabelled(cell)) return cell;
  }
  return null;
}

/** `by` frames on within a video; pictures step to their neighbours in the strip. */
export function stepped(cells, from, by) {
  if (isVideo(from.media)) {
    const index = Math.min(from.media.frame_count - 1, Math.max(0, from.index + by));
    return { media: from.media, index };
  }
  const at = cells.findIndex((cell) => cellKey(cell) === cellKey(from));
  return cells[Math.min(cells.length - 1, Math.max(0, at + by))] ?? from;
}
