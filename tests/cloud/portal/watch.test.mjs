// Tests of what the player is made of; run by test_modules.py, which lays the modules beside this file.
import assert from "node:assert/strict";
import test from "node:test";
import { Basket, boxesAt } from "./static/basket.js";
import { clockAt, frameAt, mediumWords, middleOf, pictureWords, taughtFirst } from "./static/frames.js";
import { FramePlayer } from "./static/frameplayer.js";
import { confusionRows, falsePerHour, falsePerHundred, workingAt } from "./static/versionlines.js";
import { speechOf } from "./static/watchspeech.js";
import { after, before, columnsOf, differences, doubtsOf, eventsOf, scoresOf, seenAt } from "./static/watchlines.js";

const BOX = [0.2, 0.2, 0.4, 0.6];
const FAR = [0.7, 0.7, 0.9, 0.9];
const person = (score, box = BOX) => ({ label: "person", score, box });

test("a frame is found again from where it is sought and from what the browser says", () => {
  for (const fps of [7.5, 10, 24000 / 1001, 29.97, 60]) {
    for (let frame = 0; frame < 500; frame += 1) {
      assert.equal(frameAt(frame / fps, fps, 500), frame);
      assert.equal(Math.floor(middleOf(frame, fps) * fps), frame);
    }
  }
  assert.equal(frameAt(99, 10, 5), 4);
  assert.equal(clockAt(125, 10), "0:12.50");
  assert.equal(clockAt(750, 10), "1:15.00");
});

class FakeVideo extends EventTarget {
  paused = true;
  times = [];
  callback = null;
  requestVideoFrameCallback(callback) { this.callback = callback; return 1; }
  cancelVideoFrameCallback() { this.callback = null; }
  play() { this.paused = false; this.dispatchEvent(new Event("play")); return Promise.resolve(); }
  pause() { this.paused = true; this.dispatchEvent(new Event("pause")); }
  set currentTime(time) { this.times.push(time); }
  show(frame) { this.callback(0, { mediaTime: frame / 10 }); }
}

test("of many steps during one seek the last one counts, and a stale frame is told as what it is", () => {
  const video = new FakeVideo();
  const told = [];
  const player = new FramePlayer(video, { fps: 10, count: 100, onFrame: (frame) => told.push(frame), onPlaying: () => {} });
  video.show(0);
  player.step(1);
  player.step(1);
  player.step(10);
  assert.deepEqual(video.times, [0.15]);
  video.show(0);
  video.dispatchEvent(new Event("seeked"));
  video.show(1);
  assert.deepEqual(video.times, [0.15, 1.25]);
  video.dispatchEvent(new Event("seeked"));
  video.show(12);
  assert.deepEqual(told, [0, 0, 1, 12]);
  assert.equal(player.here, 12);
  player.step(-100);
  assert.equal(video.times.at(-1), 0.05);
  player.stop();
});

/** A player at frame 0 that was asked for frame 20, and whose timers the test moves on. */
function asked(t) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const video = new FakeVideo();
  const player = new FramePlayer(video, { fps: 10, count: 100, onFrame: () => {}, onPlaying: () => {} });
  video.show(0);
  player.seek(20);
  return { video, player, wait: () => t.mock.timers.tick(1000) };
}

test("a seek that brought no picture is made again, and one that did is not", (t) => {
  const { video, player, wait } = asked(t);
  wait();
  assert.deepEqual(video.times, [2.05, 2.05]);
  video.dispatchEvent(new Event("seeked"));
  video.show(20);
  wait();
  assert.equal(player.here, 20);
  assert.equal(video.times.length, 2);
});

test("a seek that is under way, or of a video that cannot be played, is not made again", (t) => {
  const { video, wait } = asked(t);
  video.seeking = true;
  wait();
  assert.equal(video.times.length, 1);
  Object.assign(video, { seeking: false, error: { code: 3 } });
  wait();
  assert.equal(video.times.length, 1);
});

test("after a lost seek and a wish for what is shown, the next wish is heard", (t) => {
  const { video, player, wait } = asked(t);
  player.seek(0);
  wait();
  player.seek(30);
  assert.equal(video.times.at(-1), 3.05);
});

test("a player that was stopped seeks no more", (t) => {
  const { video, player, wait } = asked(t);
  player.stop();
  wait();
  assert.equal(video.times.length, 1);
});

const looked = [];
looked[0] = [];
looked[2] = [person(0.3), person(0.8)];
looked[4] = [person(0.55)];
looked[7] = [];
const watched = { looked, until: 9 };

test("what was passed over keeps what was seen before, what is not done is unknown", () => {
  const held = seenAt(watched, 3);
  assert.equal(held.held, true);
  assert.equal(held.seen.length, 2);
  assert.equal(seenAt(watched, 2).held, false);
  assert.equal(seenAt(watched, 9), null);
  assert.deepEqual([...scoresOf(watched, "person", 11)].map((one) => Math.round(one * 100)), [0, 0, 80, 80, 55, 55, 55, 0, 0, NaN, NaN]);
});

test("events are stretches over the threshold, and doubts are nearest to it", () => {
  const scores = scoresOf(watched, "person", 11);
  assert.deepEqual(eventsOf(scores, 0.5, 0).map(({ first, last, peak }) => [first, last, peak]), [[2, 6, 2]]);
  assert.deepEqual(eventsOf([0.9, 0, 0.9, 0, 0, 0.9], 0.5, 1).map(({ first, last }) => [first, last]), [[0, 2], [5, 5]]);
  assert.deepEqual(doubtsOf(scores, 0.5, 0), [4]);
  assert.equal(after([2, 5, 9], 5), 9);
  assert.equal(before([2, 5, 9], 5), 2);
  assert.equal(after([2], 5), null);
  assert.deepEqual([...columnsOf([0.25, 0.75, NaN, NaN], 2)], [0.75, NaN]);
});

test("two versions differ where one alone reports something", () => {
  const other = { looked: [[], [], [person(0.7)], [person(0.7)], [person(0.7), person(0.7, FAR)], [person(0.7)], [person(0.7)], [], []], until: 9 };
  const found = differences(watched, other, 11, [{ person: 0.5 }, { person: 0.5 }], 0);
  assert.deepEqual(found.map(({ first, last, only }) => [first, last, only.map((some) => some.length)]), [[4, 4, [0, 1]]]);
  assert.deepEqual(differences(watched, watched, 11, [{ person: 0.5 }, { person: 0.9 }], 0).map(({ first, last }) => [first, last]), [[2, 6]]);
});

/** A server that keeps corrections, and fails while `broken`. */
function server() {
  const rows = new Map();
  const state = { rows, broken: false, calls: [] };
  state.send = async (path, { method = "GET", json } = {}) => {
    state.calls.push(`${method} ${path.split("?")[0]}`);
    if (state.broken) throw new Error("no server");
    const id = path.split("/")[2];
    if (method === "GET") return [...rows.values()].map((correction) => ({ correction }));
    if (method === "DELETE") { rows.delete(id); return {}; }
    if (method === "PATCH") { Object.assign(rows.get(id), json); return {}; }
    const correction = { ...json, id: `cor_${state.calls.length}`, created: 1 };
    rows.set(correction.id, correction);
    return { correction };
  };
  return state;
}

const ABOUT = { detector: "det_1", media: "med_1", ref: { id: "det_1", name: "persons", version: 1 } };
const opened = async (host) => { const basket = new Basket(host.send, ABOUT, { pauseMs: 0 }); await basket.load(); return basket; };
const standing = ({ rows }) => [...rows.values()].map(({ verdict, frame_index: frame, label }) => [verdict, frame, label]);

test("what is said reaches the server, and is taken back and said again by undo and redo", async () => {
  const host = server();
  const basket = await opened(host);
  const key = basket.say({ frame: 3, verdict: "wrong", label: "person", box: BOX });
  await basket.flush();
  assert.deepEqual(standing(host), [["wrong", 3, "person"]]);
  basket.change(key, { verdict: "other_class", label: "dog" });
  await basket.flush();
  assert.deepEqual(standing(host), [["other_class", 3, "dog"]]);
  basket.undo();
  basket.undo();
  await basket.flush();
  assert.deepEqual(standing(host), []);
  basket.redo();
  await basket.flush();
  assert.deepEqual(standing(host), [["wrong", 3, "person"]]);
  assert.equal(basket.state.value.name, "saved");
});

test("a box that is moved again and again is one correction", async () => {
  const host = server();
  const basket = await opened(host);
  const key = basket.say({ frame: 0, verdict: "missed", label: "person", box: BOX });
  for (let i = 0; i < 5; i += 1) basket.change(key, { box: BOX.map((side) => side + i / 100) });
  await basket.flush();
  basket.change(key, { box: FAR });
  await basket.flush();
  assert.deepEqual([...host.rows.values()].map((one) => one.box), [FAR]);
  assert.deepEqual(host.calls.filter((call) => call.startsWith("POST")).length, 1);
});

test("what could not be saved stays, says so, and is saved when tried again", async () => {
  const host = server();
  const basket = await opened(host);
  host.broken = true;
  basket.say({ frame: 1, verdict: "right", label: "person", box: BOX });
  await basket.flush();
  assert.equal(basket.state.value.name, "failed");
  assert.equal(basket.isSettled, false);
  host.broken = false;
  basket.retry();
  await basket.flush();
  assert.equal(basket.state.value.name, "saved");
  assert.deepEqual(standing(host), [["right", 1, "person"]]);
});

test("nothing can be said before it is known what was said", async () => {
  const host = server();
  host.broken = true;
  const basket = await opened(host);
  assert.equal(basket.state.value.name, "unknown");
  assert.equal(basket.say({ frame: 1, verdict: "right", label: "person", box: BOX }), null);
});

test("what was said is shown at what was seen, and what was drawn beside it", () => {
  const said = [{ key: "a", verdict: "wrong", label: "person", box: BOX }, { key: "b", verdict: "missed", label: "dog", box: FAR }];
  const shown = boxesAt([person(0.8)], said);
  assert.deepEqual(shown.map(({ label, key, sign }) => [label, key, sign]), [["person", "a", "✕ not"], ["dog", "b", "+"]]);
  assert.deepEqual(boxesAt([person(0.8)], []).map(({ key, sign }) => [key, sign]), [[null, ""]]);
});

const CURVE = [{ threshold: 0.9, precision: 1, recall: 0.5 }, { threshold: 0.6, precision: 0.8, recall: 0.8 }, { threshold: 0.2, precision: 0.5, recall: 1 }];
test("another threshold gives the working point that was measured there", () => {
  assert.equal(workingAt({ curve: CURVE }, 0.95), null);
  assert.equal(workingAt({ curve: CURVE }, 0.9).recall, 0.5);
  assert.equal(workingAt({ curve: CURVE }, 0.3).recall, 0.8);
  assert.equal(workingAt({ curve: CURVE }, 0.1).recall, 1);
});
test("false alarms come from precision and recall", () => {
  const one = { curve: CURVE, truth: 10 };
  assert.equal(falsePerHundred(one, 20, 0.95), 0);
  assert.ok(Math.abs(falsePerHundred(one, 20, 0.5) - 10) < 1e-9);
  assert.equal(falsePerHundred(one, 20, 0.1), 50);
  assert.ok(Math.abs(falsePerHour(one, 6, 1800, 0.5) - 12 * 0.2) < 1e-9);
});
test("the shares of a row of what was taken for what are of its own row", () => {
  const rows = confusionRows({ classes: ["cat"], counts: [[3, 1], [2, 0]] });
  assert.deepEqual(rows.map(({ name, cells }) => [name, cells.map(({ share }) => share)]), [["cat", [0.75, 0.25]], ["nothing (false alarm)", [1, 0]]]);
  assert.deepEqual(confusionRows({ classes: [], counts: [[0]] })[0].cells, [{ count: 0, share: 0 }]);
});

async function speaker(seen, chosenBox = -1) {
  const basket = await opened(server());
  const heard = [];
  const here = { peek: () => 7 };
  const now = () => boxesAt(seen, basket.items.peek().filter((item) => item.frame === 7));
  const speech = speechOf({ basket, here, now, chosenBox, label: "dog", tell: (words) => heard.push(words) });
  return { speech, heard, standing: () => basket.items.peek().map(({ verdict, label, box }) => [verdict, label, box]) };
}
test("without a choice the surest box of which nothing was said is meant", async () => {
  const { speech, standing, heard } = await speaker([person(0.7, FAR), person(0.9)]);
  speech.say("wrong");
  speech.say("right");
  speech.say("right");
  assert.deepEqual(standing(), [["wrong", "person", BOX], ["right", "person", FAR]]);
  assert.deepEqual(heard, ["wrong person", "right person", "no box to speak of"]);
});
test("another class and the same class are told apart, and what was said last counts", async () => {
  const { speech, standing } = await speaker([person(0.9)], 0);
  speech.takeClass("dog", false);
  assert.deepEqual(standing(), [["other_class", "dog", BOX]]);
  speech.takeClass("person", false);
  assert.deepEqual(standing(), [["right", "person", BOX]]);
  speech.mend(() => [0.25, 0.25, 0.45, 0.6]);
  assert.deepEqual(standing(), [["right", "person", [0.25, 0.25, 0.45, 0.6]]]);
  speech.remove();
  assert.deepEqual(standing(), []);
});
test("a drawn box is missed, takes another class, and goes when it is called wrong", async () => {
  const { speech, standing } = await speaker([], 0);
  assert.equal(speech.changed([{ label: "dog", box: FAR }]), true);
  speech.takeClass("person", true);
  assert.deepEqual(standing(), [["missed", "person", FAR]]);
  assert.equal(speech.changed([{ label: "person", box: BOX }]), false);
  assert.deepEqual(standing(), [["missed", "person", BOX]]);
  speech.say("wrong");
  assert.deepEqual(standing(), []);
});

test("what is taught comes before what is kept for the test, and the latter says so", () => {
  const [kept, taught] = [{ name: "a.mp4", role: "test" }, { name: "a.mp4", role: "teach" }];
  assert.deepEqual(taughtFirst([kept, taught]), [taught, kept]);
  assert.deepEqual([kept, taught].map(mediumWords), ["a.mp4 (kept for the test)", "a.mp4"]);
});

test("a frame of a video is called by its number, a picture by its name", () => {
  assert.deepEqual(["med_1.avi#000600", "med_1.avi#000000", "yard.jpg"].map(pictureWords), ["frame 600", "frame 0", "yard.jpg"]);
});
