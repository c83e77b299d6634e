// What a measured version would report from another threshold on. Pure functions over its report; nothing is measured anew.

/** How it does from `threshold` on: {precision, recall}; null where it reports nothing. `curve` goes from the highest score down. */
export function workingAt({ curve }, threshold) {
  return curve.findLast((point) => point.threshold >= threshold) ?? null;
}

/** False alarms in a hundred test pictures. */
export function falsePerHundred({ truth, curve }, images, threshold) {
  const working = workingAt({ curve }, threshold);
  if (!working || !images) return 0;
  if (working.precision === 0) return null;
  const hits = working.recall * truth;
  return ((hits / working.precision - hits) * 100) / images;
}

/** False alarms an hour: of the events of a video, the share that is wrong on the test pictures. */
export function falsePerHour(report, events, seconds, threshold) {
  const working = workingAt(report, threshold);
  return working && seconds > 0 ? ((events * 3600) / seconds) * (1 - working.precision) : 0;
}

/** The points of a curve in a picture of `side` by `side`, recall to the right, precision upwards. */
export const curveLine = (curve, side) => curve.map(({ recall, precision }) => `${(recall * side).toFixed(1)},${((1 - precision) * side).toFixed(1)}`).join(" ");

/** Rows of the table of what was taken for what: {name, cells: [{count, share}]}; the share is of the row. */
export function confusionRows({ classes, counts }) {
  return counts.map((row, i) => {
    const total = row.reduce((sum, one) => sum + one, 0);
    return { name: classes[i] ?? "nothing (false alarm)", cells: row.map((count) => ({ count, share: total ? count / total : 0 })) };
  });
}

/** "0.83 (0.71 to 0.92)". */
export const figureWithRange = ({ value, low, high }) => (low == null || high == null ? value.toFixed(2) : `${value.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`);
