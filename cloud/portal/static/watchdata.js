// What a version saw in a video: asked for in parts, also while the server is still looking.
import { useEffect, useState } from "preact/hooks";
import { api } from "./ui.js";

const AGAIN_MS = 1000;
const PART = 2000;

/**
 * What a version saw: {looked, until, frames, job, error, begin, stop}; null until it is known.
 * @param version number of the version, or null: nothing is asked
 */
export function useWatched(detectorId, mediaId, version) {
  const [watched, setWatched] = useState(null);
  const [error, setError] = useState(null);
  const [round, setRound] = useState(0);
  const path = `/detectors/${detectorId}/watch`;
  useEffect(() => {
    if (!mediaId || version == null) return undefined;
    let isWanted = true;
    let timer = 0;
    const known = { looked: [], until: 0 };
    const take = async () => {
      try {
        const view = await api(`${path}/${mediaId}?version=${version}&first=${known.until}&count=${PART}`);
        if (!isWanted) return;
        if (known.until && view.frames !== known.frames) {
          // Another pass, which looked at more, has come as far.
          Object.assign(known, { looked: [], until: 0, frames: view.frames });
          take();
          return;
        }
        known.frames = view.frames;
        view.looked.forEach((one) => { known.looked[one.frame] = one.seen; });
        known.until = view.next ?? view.until;
        setWatched({ ...known, version, job: view.job, count: view.frame_count });
        setError(null);
        if (view.next != null) take();
        else if (view.job) timer = setTimeout(take, AGAIN_MS);
      } catch (caught) {
        if (!isWanted) return;
        setError(caught);
        if (caught.status === 0) timer = setTimeout(take, 5 * AGAIN_MS);
      }
    };
    take();
    return () => { isWanted = false; clearTimeout(timer); };
  }, [detectorId, mediaId, version, round]);

  const begin = async (frames = "motion") => {
    try {
      await api(path, { method: "POST", json: { media_id: mediaId, version, frames } });
      setRound((n) => n + 1);
    } catch (caught) {
      setError(caught);
    }
  };
  const stop = async () => {
    // It may have ended by itself meanwhile: then there is nothing to stop.
    if (watched?.job) await api(`/jobs/${watched.job.id}/cancel`, { method: "POST" }).catch(() => {});
    setRound((n) => n + 1);
  };
  const mine = watched && watched.version === version ? watched : null;
  return { watched: mine, error, begin, stop, reload: () => setRound((n) => n + 1) };
}
