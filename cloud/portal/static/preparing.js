// Videos get a playback copy before anything is drawn on them; this waits for it.
import { ENDED, api, followJob } from "./ui.js";

const LOOK_MS = 500;

/** The medium once it is ready; `onShare` hears 0..1 meanwhile. Throws when the video is damaged. */
export async function prepared(media, onShare) {
  let now = media;
  if (now.state === "preparing" && now.job) {
    onShare(0);
    const state = await ended(now.job, onShare);
    now = await api(`/media/${media.id}`);
    if (now.state === "preparing" && state !== "done") throw new Error(`${now.name} was not prepared; drop it again.`);
  }
  // Uploaded twice, the job is another's.
  while (now.state === "preparing") {
    now = await api(`/media/${media.id}`);
    if (now.state === "preparing") await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  if (now.state === "broken") throw new Error(now.reason);
  return now;
}

/** The state in which a job ends. */
function ended(id, onShare) {
  const job = followJob(id);
  return new Promise((resolve) => {
    const stop = job.subscribe(({ state, progress }) => {
      onShare(progress);
      if (!ENDED.includes(state)) return;
      // The signal may call before `subscribe` has returned.
      queueMicrotask(() => stop());
      resolve(state);
    });
  });
}
