// What pages read out of a receipt. Pure functions.

import { kilobytes, milliseconds } from "./words.js";

const FIGURES = [
  { words: "Size of the network", of: (one) => one.bytes, say: kilobytes },
  { words: "Time for a picture", of: (one) => one.ms_p50, say: milliseconds },
  { words: "Memory at most", of: (one) => one.peak_memory_bytes, say: kilobytes },
  { words: "Accuracy (1.00: without a mistake)", of: (one) => one.ap50, say: (value) => value.toFixed(3), whole: 1 },
];

/** What compression changed, as pairs of bars: [{words, bars: [{words, share} before, after]}]; only what both have. */
export function barsOf(before, small) {
  const both = FIGURES.filter(({ of }) => of(before) != null && of(small) != null);
  return both.map(({ words, of, say, whole }) => {
    const values = [of(before), of(small)];
    const most = whole ?? (Math.max(...values) || 1);
    return { words, bars: values.map((value) => ({ words: say(value), share: value / most })) };
  });
}

/** The measurement of what the bundle carries. */
export const chosenForm = (receipt) => receipt.after.find((one) => one.form === receipt.chosen) ?? receipt.after[0];
