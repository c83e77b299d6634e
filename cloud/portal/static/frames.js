// Frames of a playback copy, which has a constant rate: frame f is shown from f / fps on. Pure functions.

const clampTo = (frame, count) => Math.min(Math.max(0, count - 1), Math.max(0, frame));

/** The frame that the browser says it shows, from the `mediaTime` that comes with it. */
export const frameAt = (mediaTimeS, fps, count) => clampTo(Math.round(mediaTimeS * fps), count);

/** Where to seek for a frame: into its middle. Its very beginning shows the frame before, in some browsers. */
export const middleOf = (frame, fps) => (frame + 0.5) / fps;

export const clampFrame = clampTo;

/** "1:23.48": when a frame is shown. */
export function clockAt(frame, fps) {
  const seconds = frame / fps;
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(2).padStart(5, "0")}`;
}
