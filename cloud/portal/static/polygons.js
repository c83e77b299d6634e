// Polygons as lists of [x, y], fractions of the picture. Pure functions; nothing here touches the page.

export const LEAST_CORNERS = 3;
const clamp = (value) => Math.min(1, Math.max(0, value));
const rounded = (value) => Math.round(clamp(value) * 1e4) / 1e4;

/** The point as it is kept: inside the picture, to a ten-thousandth. */
export const tidy = ([x, y]) => [rounded(x), rounded(y)];

/** The corners with one more, unless it lies on the last one: a double click adds nothing. */
export function withCorner(corners, point, reach = 0.005) {
  const last = corners.at(-1);
  const next = tidy(point);
  return last && Math.hypot(last[0] - next[0], last[1] - next[1]) < reach ? corners : [...corners, next];
}

/** Whether a click at `point` closes the polygon: it is at its first corner. */
export const closes = (corners, [x, y], reach) =>
  corners.length >= LEAST_CORNERS && Math.abs(corners[0][0] - x) <= reach[0] && Math.abs(corners[0][1] - y) <= reach[1];

/** Index of the corner within reach of a point, or -1. */
export const cornerNear = (corners, [x, y], reach) =>
  corners.findIndex(([cx, cy]) => Math.abs(cx - x) <= reach[0] && Math.abs(cy - y) <= reach[1]);

/** The polygon with one corner elsewhere. */
export const withCornerAt = (corners, index, point) => corners.map((corner, i) => (i === index ? tidy(point) : corner));

/** Whether a point is inside, by the number of edges that a ray from it crosses. */
export function inside(corners, [x, y]) {
  let is = false;
  corners.forEach(([ax, ay], i) => {
    const [bx, by] = corners.at(i - 1);
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) is = !is;
  });
  return is;
}

/** A name that is free and fits the wire: letters, digits, _ and -. */
export function zoneName(wanted, taken) {
  const plain = wanted.trim().normalize("NFKD").replace(/\p{M}/gu, "").replace(/[^A-Za-z0-9_-]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60) || "zone";
  if (!taken.includes(plain)) return plain;
  let number = 2;
  while (taken.includes(`${plain}-${number}`)) number += 1;
  return `${plain}-${number}`;
}
