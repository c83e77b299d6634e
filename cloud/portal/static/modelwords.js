// What the model cache tells, in words. Pure functions.
import { kilobytes, percent } from "./words.js";

const sized = (bytes) => (bytes < 1e9 ? kilobytes(bytes) : `${(bytes / 1e9).toFixed(1)} GB`);

/** Of what was asked of a tier, how much was there. */
export function foundWords({ hits, misses }) {
  const asked = hits + misses;
  return asked ? `${hits} of ${asked} (${percent(hits / asked)})` : "not asked yet";
}

/** How full a tier is; the store at the bottom has no bound of ours. */
export const heldWords = ({ models, used_bytes: used, budget_bytes: budget }) => (budget ? `${models}, ${sized(used)} of ${sized(budget)}` : "all");

/** What is wrong with a tier: {tone, sign, words}. */
export function tierState({ tier, corrupt, failures }) {
  if (corrupt) return { tone: "bad", sign: "▲", words: `${corrupt} damaged${tier === "disk" ? ", fetched again" : ""}` };
  if (failures) return { tone: "warn", sign: "▲", words: failures === 1 ? "1 load failed" : `${failures} loads failed` };
  return { tone: "good", sign: "✓", words: "no fault" };
}
