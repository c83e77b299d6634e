// Boxes as [left, top, right, bottom], fractions of the picture. Pure functions; nothing here touches the page.

export const MIN_SIDE = 0.004;
const clamp = (value, low = 0, high = 1) => Math.min(high, Math.max(low, value));

/** The box between two corners, in whatever order they were drawn. */
export function fromCorners([ax, ay], [bx, by]) {
  return [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)].map((v) => clamp(v));
}

/** The box moved, kept whole inside the picture. */
export function moved([x1, y1, x2, y2], dx, dy) {
  const stepX = clamp(dx, -x1, 1 - x2);
  const stepY = clamp(dy, -y1, 1 - y2);
  return [x1 + stepX, y1 + stepY, x2 + stepX, y2 + stepY];
}

/** The box with its right and bottom edges moved; never smaller than can be seen. */
export function resized([x1, y1, x2, y2], dx, dy) {
  return [x1, y1, clamp(x2 + dx, x1 + MIN_SIDE), clamp(y2 + dy, y1 + MIN_SIDE)];
}

export const isBigEnough = ([x1, y1, x2, y2]) => x2 - x1 >= MIN_SIDE && y2 - y1 >= MIN_SIDE;
export const contains = ([x1, y1, x2, y2], [x, y]) => x >= x1 && x <= x2 && y >= y1 && y <= y2;
const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);

/** Index of the smallest box under a point (a small one inside a large one can still be hit), or -1. */
export function hit(boxes, point) {
  let best = -1;
  boxes.forEach((box, i) => {
    if (contains(box, point) && (best < 0 || area(box) < area(boxes[best]))) best = i;
  });
  return best;
}

/** Index of the corner of `box` within `reach` of a point: 0 top left, clockwise; or -1. */
export function cornerAt([x1, y1, x2, y2], [x, y], reachX, reachY) {
  const corners = [[x1, y1], [x2, y1], [x2, y2], [x1, y2]];
  return corners.findIndex(([cx, cy]) => Math.abs(cx - x) <= reachX && Math.abs(cy - y) <= reachY);
}

/** The corner that stays in place while corner `index` is dragged. */
export function oppositeCorner([x1, y1, x2, y2], index) {
  return [[x2, y2], [x1, y2], [x1, y1], [x2, y1]][index];
}

/** Intersection over union of two boxes, 0..1. */
export function iou(a, b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  return (width * height) / (area(a) + area(b) - width * height);
}
