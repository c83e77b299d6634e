// Polygons of zones, without a browser.
import assert from "node:assert/strict";
import test from "node:test";
import { closes, cornerNear, inside, tidy, withCorner, withCornerAt, zoneName } from "./static/polygons.js";

const SQUARE = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]];

test("corners stay inside the picture, and a double click adds one only", () => {
  assert.deepEqual(tidy([-0.2, 1.00001]), [0, 1]);
  assert.deepEqual(withCorner(withCorner([], [0.5, 0.5]), [0.501, 0.5]), [[0.5, 0.5]]);
  assert.equal(withCorner([[0.5, 0.5]], [0.6, 0.5]).length, 2);
});

test("a click on the first corner closes what has three", () => {
  assert.equal(closes(SQUARE.slice(0, 2), [0.2, 0.2], [0.02, 0.02]), false);
  assert.equal(closes(SQUARE.slice(0, 3), [0.21, 0.19], [0.02, 0.02]), true);
  assert.equal(closes(SQUARE.slice(0, 3), [0.3, 0.2], [0.02, 0.02]), false);
});

test("a point is inside or not, also of what is not convex", () => {
  const arrow = [[0, 0], [1, 0], [0.5, 0.5], [1, 1], [0, 1]];
  assert.equal(inside(SQUARE, [0.5, 0.5]), true);
  assert.equal(inside(SQUARE, [0.1, 0.5]), false);
  assert.equal(inside(arrow, [0.25, 0.5]), true);
  assert.equal(inside(arrow, [0.9, 0.5]), false);
});

test("a corner is found and moved alone", () => {
  const index = cornerNear(SQUARE, [0.79, 0.21], [0.02, 0.02]);
  assert.equal(index, 1);
  assert.deepEqual(withCornerAt(SQUARE, index, [0.9, 0.1]), [[0.2, 0.2], [0.9, 0.1], [0.8, 0.8], [0.2, 0.8]]);
});

test("a name fits the wire and is free", () => {
  assert.equal(zoneName(" Vor der Tür! ", []), "Vor-der-Tur");
  assert.equal(zoneName("<b>", ["b"]), "b-2");
  assert.equal(zoneName("", ["zone", "zone-2"]), "zone-3");
});
