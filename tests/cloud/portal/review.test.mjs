// The review queue, in Node.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ReviewBook, queueOf } from "./static/reviewbook.js";

const item = (id, score, more = {}) => ({
  event: { id, top_score: score, label: "dog", camera: "yard", device: "porch", start_time: 1, frame_time: 2, detector: { id: "det_1", version: 1 }, ...more },
  correction: null,
});
const THRESHOLDS = { 1: { dog: 0.6 } };
const QUEUE = queueOf([item("a", 0.61), item("b", 0.65)], THRESHOLDS);

/** An API that keeps what it was sent; `fails` says which call fails once. */
function api({ fails = -1 } = {}) {
  const calls = [];
  const send = async (path, { method, json }) => {
    calls.push(method === "POST" ? `${json.verdict} ${json.event_id ?? json.time}${json.label ? ` ${json.label}` : ""}` : `${method} ${path}`);
    if (calls.length - 1 === fails) throw new Error("away");
    return { correction: { id: `cor_${calls.length}` } };
  };
  return { calls, send };
}

test("the queue has what nobody spoke of, the least sure first, unsure ones only", () => {
  const items = [item("sure", 0.9), item("near", 0.7), item("nearest", 0.62), { ...item("said", 0.61), correction: { verdict: "right" } }];
  assert.deepEqual(queueOf(items, THRESHOLDS).map((one) => one.event.id), ["nearest", "near"]);
  assert.deepEqual(queueOf(items, THRESHOLDS, true).map((one) => one.event.id), ["nearest", "near", "sure"]);
});

test("an event of an unknown version is measured against one half", () => {
  const other = item("x", 0.55, { detector: { id: "det_1", version: 9 } });
  assert.equal(queueOf([other], THRESHOLDS).length, 1);
});

test("each answer leads on at once and is saved in order", async () => {
  const { calls, send } = api();
  const book = new ReviewBook(send, QUEUE);
  book.say("right");
  book.say("other_class", "cat");
  assert.equal(book.current, null);
  assert.equal(book.isSettled, false);
  await book.settled();
  assert.deepEqual(calls, ["right a", "other_class b cat"]);
  assert.equal(book.isSettled, true);
});

test("what was missed stays with its event", async () => {
  const { calls, send } = api();
  const book = new ReviewBook(send, QUEUE);
  book.say("missed");
  assert.equal(book.current.event.id, "a");
  await book.settled();
  assert.deepEqual(calls, ["missed 2"]);
});

test("undo takes the last answer back, also one that is still on its way", async () => {
  const { calls, send } = api();
  const book = new ReviewBook(send, QUEUE);
  book.say("wrong");
  book.undo();
  assert.equal(book.current.event.id, "a");
  await book.settled();
  assert.deepEqual(calls, ["wrong a", "DELETE /corrections/cor_1"]);
});

test("a skipped event is neither sent nor taken back", async () => {
  const { calls, send } = api();
  const book = new ReviewBook(send, QUEUE);
  book.say("skipped");
  assert.equal(book.current.event.id, "b");
  book.undo();
  assert.equal(book.current.event.id, "a");
  book.undo();
  await book.settled();
  assert.deepEqual(calls, []);
});

test("a failure keeps what was said, and trying again goes on from there", async () => {
  const { calls, send } = api({ fails: 0 });
  const book = new ReviewBook(send, QUEUE);
  book.say("right");
  await book.settled();
  book.say("wrong");
  assert.equal(book.state.value.error.message, "away");
  assert.deepEqual(calls, ["right a"]);
  await book.retry();
  assert.deepEqual(calls, ["right a", "right a", "wrong b"]);
  assert.equal(book.isSettled, true);
});
