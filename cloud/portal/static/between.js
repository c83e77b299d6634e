// Boxes between two drawn frames of a video, along straight lines. Pure functions.
// A drawn frame is {index, boxes}; boxes are {label, box}.

const MOST = 16;
const centre = ([x1, y1, x2, y2]) => [(x1 + x2) / 2, (y1 + y2) / 2];
const apart = (a, b) => { const [[ax, ay], [bx, by]] = [centre(a), centre(b)]; return Math.hypot(ax - bx, ay - by); };

/** The boxes of two frames that are taken for the same thing: of one class, the nearest first; the rest has no partner. */
export function paired(first, last) {
  const all = first.flatMap((a, i) => last.flatMap((b, j) => (a.label === b.label ? [{ a, b, i, j, apart: apart(a.box, b.box) }] : [])));
  const [usedA, usedB] = [new Set(), new Set()];
  return all.sort((one, other) => one.apart - other.apart).filter(({ i, j }) => {
    if (usedA.has(i) || usedB.has(j)) return false;
    usedA.add(i);
    usedB.add(j);
    return true;
  }).map(({ a, b }) => [a, b]);
}

/** Where the things of two drawn frames are on a frame between them, if they move evenly. */
export function boxesBetween(first, last, index) {
  if (!(first.index < index && index < last.index)) return [];
  const share = (index - first.index) / (last.index - first.index);
  return paired(first.boxes, last.boxes).map(([a, b]) => ({ label: a.label, box: a.box.map((value, i) => value + share * (b.box[i] - value)) }));
}

/** The drawn frames nearest to a frame on both sides, or null; `drawn` in ascending order. */
export function sidesOf(drawn, index) {
  const before = drawn.findLast((one) => one < index);
  const after = drawn.find((one) => one > index);
  return before === undefined || after === undefined ? null : [before, after];
}

/** What is filled from a frame: the gap around it, or beside a drawn one the gap before it, else the one after; or null. */
export function gapAt(drawn, index) {
  if (!drawn.includes(index)) return sidesOf(drawn, index);
  const before = drawn.findLast((one) => one < index);
  if (before !== undefined && index - before > 1) return [before, index];
  const after = drawn.find((one) => one > index);
  return after !== undefined && after - index > 1 ? [index, after] : null;
}

/** The frames of a gap that are shown to be looked at: all, or `most` of them spread evenly. */
export function framesBetween([first, last], most = MOST) {
  const count = Math.min(most, last - first - 1);
  return Array.from({ length: count }, (_, i) => first + Math.round(((i + 1) * (last - first)) / (count + 1)));
}
