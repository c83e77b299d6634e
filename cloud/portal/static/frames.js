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

export const isTaught = (medium) => medium.role !== "test";

/** What is being taught comes before what is kept for the test. */
export const taughtFirst = (media) => [...media.filter(isTaught), ...media.filter((one) => !isTaught(one))];

/** "vtest.avi (kept for the test)". */
export const mediumWords = (medium) => (isTaught(medium) ? medium.name : `${medium.name} (kept for the test)`);

/** "frame 600" of the name that a report gives a picture: of a frame of a video; else the name as it is. */
export const pictureWords = (name) => name.replace(/^.*#0*(\d+)$/, "frame $1");
