// Boxes between two drawn frames, in Node.
import assert from "node:assert/strict";
import test from "node:test";
import { boxesBetween, framesBetween, gapAt, paired, sidesOf } from "./static/between.js";

const box = (label, left, top = 0.2) => ({ label, box: [left, top, left + 0.1, top + 0.2] });
const near = (got, expected) => got.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-9, `${got} is not ${expected}`));

test("a box moves and grows evenly between two drawn frames", () => {
  const first = { index: 10, boxes: [{ label: "cup", box: [0, 0, 0.2, 0.2] }] };
  const last = { index: 20, boxes: [{ label: "cup", box: [0.4, 0.2, 0.8, 0.6] }] };
  near(boxesBetween(first, last, 15)[0].box, [0.2, 0.1, 0.5, 0.4]);
  near(boxesBetween(first, last, 11)[0].box, [0.04, 0.02, 0.26, 0.24]);
});

test("on the drawn frames themselves and beyond them nothing is filled", () => {
  const [first, last] = [{ index: 10, boxes: [box("cup", 0.1)] }, { index: 20, boxes: [box("cup", 0.5)] }];
  for (const index of [9, 10, 20, 21]) assert.deepEqual(boxesBetween(first, last, index), []);
});

test("several things of a class are paired by nearness, each once", () => {
  const pairs = paired([box("cup", 0.1), box("cup", 0.7)], [box("cup", 0.65), box("cup", 0.2), box("cup", 0.9)]);
  assert.deepEqual(pairs.map(([a, b]) => [a.box[0], b.box[0]]).sort(), [[0.1, 0.2], [0.7, 0.65]]);
});

test("things of different classes are never taken for the same", () => assert.deepEqual(paired([box("cup", 0.1)], [box("plate", 0.1)]), []));

test("the gap of a frame is around it, or beside it when it is drawn", () => {
  const drawn = [10, 20, 21, 40];
  assert.deepEqual(gapAt(drawn, 15), [10, 20]);
  assert.deepEqual(gapAt(drawn, 20), [10, 20]);
  assert.deepEqual(gapAt(drawn, 21), [21, 40]); // the frame before it is drawn
  assert.deepEqual(gapAt(drawn, 10), [10, 20]);
  assert.equal(gapAt(drawn, 50), null);
  assert.equal(gapAt([10, 11], 11), null);
  assert.deepEqual(sidesOf(drawn, 21), [20, 40]);
  assert.equal(sidesOf(drawn, 5), null);
});

test("all frames of a short gap are shown, of a long one some, evenly and inside", () => {
  assert.deepEqual(framesBetween([3, 6]), [4, 5]);
  assert.deepEqual(framesBetween([3, 4]), []);
  const some = framesBetween([0, 1000], 4);
  assert.deepEqual(some, [200, 400, 600, 800]);
  assert.equal(new Set(framesBetween([100, 118])).size, 16);
});
