// Streams in words. Pure functions.
import { clockTime, when } from "./words.js";

const TONES = { watched: ["good", "●"], "not watched": ["bad", "✕"], paused: ["calm", "○"], starting: ["", "…"] };

/** Sign, colour and words of how a stream is. */
export function standing({ state, reason, address }) {
  const [tone, sign] = TONES[state] ?? ["", "?"];
  return { tone, sign, words: state === "watched" && reason === "pictures are coming" ? "watched" : `${state}: ${plainReason(reason, address)}` };
}

/** A reason without the address that it begins with: that stands beside it. */
export const plainReason = (reason, address) => (address && reason.startsWith(`${address}: `) ? reason.slice(address.length + 2) : reason);

/** "today 12:03:10 – 12:03:24 (14 s)"; the day only where it is not obvious. */
export function gapWords({ began, ended }, now = Date.now() / 1000) {
  const length = (ended ?? now) - began;
  const until = ended == null ? "now" : clockTime(ended);
  const sameDay = new Date(began * 1000).toDateString() === new Date(now * 1000).toDateString();
  return `${sameDay ? clockTime(began) : when(began)} – ${until} (${lasted(length)})`;
}

function lasted(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 129600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

/** How well a stream is followed: "4.9 pictures/s, looked at 31 % of them, answers within 140 ms". */
export function figuresWords({ fps, pictures, looked, delay_p99_ms: delay }) {
  if (!pictures) return "";
  const words = [`${fps.toFixed(1)} pictures/s`, `looked at ${Math.round((100 * looked) / pictures)} % of them`];
  return [...words, ...(delay == null ? [] : [`99 of 100 answers within ${delay < 1000 ? `${Math.round(delay)} ms` : `${(delay / 1000).toFixed(1)} s`}`])].join(", ");
}

/** What is sent for a form; fields that are left open are left to the server. */
export function bodyOf({ name, address, detectors, fps, threshold }) {
  const settings = { ...(fps ? { fps: Number(fps) } : {}), ...(threshold ? { threshold: Number(threshold) / 100 } : {}) };
  return { name: name.trim(), address: address.trim(), detectors, settings };
}
