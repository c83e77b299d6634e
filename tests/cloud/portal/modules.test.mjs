// Tests of the browser's pure modules; run by test_modules.py, which lays the modules beside this file.
import assert from "node:assert/strict";
import test from "node:test";
import { merged, query } from "./static/eventlist.js";
import { cellsOf, nextUnlabelled, proposed, stepped } from "./static/filmstrip.js";
import { cornerAt, fromCorners, hit, iou, isBigEnough, moved, oppositeCorner, resized } from "./static/geometry.js";
import { begun, changed, redone, undone } from "./static/history.js";
import { isTyping, keyOf, shownKey } from "./static/keymap.js";
import { LabelBook } from "./static/labelbook.js";
import { curvePoints, knownWords, learningWords, nextProposed, qualityWords, seenWords, troubleWords, unseen } from "./static/livewords.js";
import { nextStep, stateOf } from "./static/nextstep.js";
import { nextWords, saidAbout } from "./static/said.js";
import { deviceState, settingsWords } from "./static/states.js";
import { Turns } from "./static/turns.js";
import { ago, ap50, duration, figureWords, kilobytes, measuredOn, plural } from "./static/words.js";

const BOX = [0.2, 0.2, 0.4, 0.6];
const near = (got, expected) => got.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-9, `${got} is not ${expected}`));

test("a box drawn from any corner is the same box", () => {
  for (const [a, b] of [[[0.2, 0.2], [0.4, 0.6]], [[0.4, 0.6], [0.2, 0.2]], [[0.4, 0.2], [0.2, 0.6]]]) near(fromCorners(a, b), BOX);
});
test("a box drawn beyond the picture ends at its edge", () => near(fromCorners([-0.5, 0.5], [2, 0.9]), [0, 0.5, 1, 0.9]));
test("a box moved against the edge keeps its size", () => near(moved(BOX, 5, -5), [0.8, 0, 1, 0.4]));
test("a box cannot be resized to nothing", () => assert.ok(isBigEnough(resized(BOX, -1, -1))));
test("of two boxes the smaller one is hit", () => assert.equal(hit([[0, 0, 1, 1], BOX], [0.3, 0.3]), 1));
test("beside all boxes nothing is hit", () => assert.equal(hit([BOX], [0.9, 0.9]), -1));
test("each corner is found, and its opposite is another one", () => {
  [[0.2, 0.2], [0.4, 0.2], [0.4, 0.6], [0.2, 0.6]].forEach((corner, i) => {
    assert.equal(cornerAt(BOX, corner, 0.01, 0.01), i);
    near(oppositeCorner(BOX, i), oppositeCorner(BOX, (i + 2) % 4).map((v, j) => BOX[j] + BOX[j + 2] - v));
  });
});

test("undo and redo go back and forth without end", () => {
  let steps = begun(0);
  for (let i = 1; i <= 100; i += 1) steps = changed(steps, i);
  for (let i = 0; i < 100; i += 1) steps = undone(steps);
  assert.equal(steps.value, 0);
  assert.equal(undone(steps).value, 0);
  assert.equal(redone(redone(steps)).value, 2);
  assert.equal(redone(changed(steps, 7)).value, 7);
});

test("keys have names that do not depend on capitals", () => {
  const press = (key, more = {}) => keyOf({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });
  assert.equal(press("G", { shiftKey: false }), "g");
  assert.equal(press("Z", { ctrlKey: true, shiftKey: true }), "Ctrl+Shift+z");
  assert.equal(press("z", { metaKey: true }), "Ctrl+z");
  assert.equal(press("?", { shiftKey: true }), "?");
  assert.equal(press("ArrowLeft", { altKey: true, shiftKey: true }), "Alt+Shift+ArrowLeft");
  assert.equal(shownKey("Shift+ArrowLeft"), "Shift+←");
  assert.equal(shownKey("Ctrl+z"), "Ctrl+Z");
});
test("a field keeps its keys, a slider only its own", () => {
  assert.ok(isTyping({ tagName: "INPUT", type: "text" }, "g"));
  assert.ok(isTyping({ tagName: "TEXTAREA" }, "g"));
  assert.ok(isTyping({ tagName: "INPUT", type: "range" }, "ArrowLeft"));
  assert.ok(!isTyping({ tagName: "INPUT", type: "range" }, "g"));
  assert.ok(!isTyping({ tagName: "BUTTON" }, "g"));
  for (const key of [" ", "Enter"]) assert.ok(isTyping({ tagName: "BUTTON" }, key));
});

const picture = (id) => ({ id, kind: "image", frame_count: 1, labelled: [] });
const video = { id: "v", kind: "video", frame_count: 100, labelled: [7] };
test("proposed frames are spread over the whole video", () => {
  assert.deepEqual(proposed(100, 4), [12, 37, 62, 87]);
  assert.deepEqual(proposed(2, 16), [0, 1]);
});
test("labelled frames stand in the strip among the proposed ones", () => {
  const indices = cellsOf([picture("a"), video], (media) => media.labelled).map((cell) => cell.index);
  assert.equal(indices.length, 18);
  assert.ok(indices.includes(7));
});
test("next unlabelled goes once around, or nowhere", () => {
  const cells = cellsOf(["a", "b", "c"].map(picture), () => []);
  assert.equal(nextUnlabelled(cells, cells[2], () => false).media.id, "a");
  assert.equal(nextUnlabelled(cells, cells[0], (cell) => cell.media.id === "b").media.id, "c");
  assert.equal(nextUnlabelled(cells, cells[0], () => true), null);
});
test("stepping stays inside a video, and goes to the neighbour of a picture", () => {
  const cells = cellsOf([picture("a"), picture("b")], () => []);
  assert.equal(stepped(cells, { media: video, index: 95 }, 10).index, 99);
  assert.equal(stepped(cells, { media: video, index: 0 }, -1).index, 0);
  assert.equal(stepped(cells, cells[0], 1).media.id, "b");
});

/** A server with one frame, as the API behaves. */
function fakeServer() {
  const stored = { revision: 0, boxes: [], nothing_here: false, trusted: null };
  const server = { stored, puts: 0, fail: null };
  server.send = async (_path, { method = "GET", json } = {}) => {
    if (server.fail) throw server.fail;
    if (method === "PUT") {
      server.puts += 1;
      if (json.revision !== stored.revision) throw Object.assign(new Error("changed meanwhile"), { status: 409 });
      Object.assign(stored, json, { revision: stored.revision + 1 });
    }
    return structuredClone(stored);
  };
  return server;
}
const opened = async (server) => {
  const book = new LabelBook(server.send, { pauseMs: 1 });
  const page = book.page("m", 0);
  await new Promise((resolve) => setTimeout(resolve, 5));
  return [book, page];
};
const one = [{ label: "box", box: BOX }];

test("a change is saved by itself, quick ones together", async () => {
  const server = fakeServer();
  const [book, page] = await opened(server);
  book.change("m", 0, { boxes: one });
  book.change("m", 0, { boxes: [...one, ...one] });
  assert.ok(!book.isSettled);
  await book.flush();
  assert.equal(page.value.state, "saved");
  assert.equal(server.stored.boxes.length, 2);
  assert.equal(server.puts, 1);
});
test("undo is saved too", async () => {
  const server = fakeServer();
  const [book] = await opened(server);
  book.change("m", 0, { boxes: one });
  await book.flush();
  book.undo("m", 0);
  await book.flush();
  assert.deepEqual(server.stored.boxes, []);
});
test("when somebody else was faster, both ways out work", async () => {
  const server = fakeServer();
  const [book, page] = await opened(server);
  server.stored.revision = 5;
  book.change("m", 0, { boxes: one });
  await book.flush();
  assert.equal(page.value.state, "conflict");
  assert.deepEqual(server.stored.boxes, []);
  await book.overrule("m", 0);
  assert.equal(page.value.state, "saved");
  assert.equal(server.stored.boxes.length, 1);
  server.stored.revision = 9;
  book.change("m", 0, { boxes: [] });
  await book.flush();
  await book.load("m", 0);
  assert.equal(page.value.state, "saved");
  assert.equal(page.value.history.value.boxes.length, 1);
});
test("a failed save keeps the boxes and can be tried again", async () => {
  const server = fakeServer();
  const [book, page] = await opened(server);
  server.fail = new Error("no server");
  book.change("m", 0, { boxes: one });
  await book.flush();
  assert.equal(page.value.state, "failed");
  server.fail = null;
  await book.retry("m", 0);
  assert.equal(server.stored.boxes.length, 1);
});
test("labels that could not be loaded cannot be overwritten unseen", async () => {
  const server = fakeServer();
  server.fail = new Error("no server");
  const [book, page] = await opened(server);
  server.fail = null;
  book.change("m", 0, { boxes: one });
  await book.flush();
  assert.equal(page.value.state, "unknown");
  assert.equal(server.puts, 0);
});

const detector = (more) => ({ id: "d", name: "cup", versions: [], counts: { media: 0, labelled_frames: 0 }, job: null, ...more });
test("each detector has a state in words", () => {
  assert.equal(stateOf(detector()).words, "Needs pictures");
  assert.equal(stateOf(detector({ counts: { media: 3, labelled_frames: 0 } })).words, "Needs boxes");
  assert.equal(stateOf(detector({ counts: { media: 3, labelled_frames: 3 } })).words, "Ready to train");
  assert.equal(stateOf(detector({ job: { kind: "train", state: "running" } })).words, "Training");
  assert.equal(stateOf(detector({ versions: [{ version: 1 }], job: { kind: "train", state: "done" } })).words, "Trained");
});
test("the next step leads from pictures to events", () => {
  const trained = detector({ versions: [{ version: 1 }] });
  const steps = [
    nextStep([detector()], []),
    nextStep([detector({ counts: { media: 1, labelled_frames: 1 } })], []),
    nextStep([trained], []),
    nextStep([trained], [{ reported: null }]),
    nextStep([trained], [{ reported: { installed: {} } }]),
  ];
  assert.deepEqual(steps.map((step) => step.href), ["/detectors/d#teach", "/detectors/d#train", "/devices", "/detectors/d#shrink", "/events"]);
});

const bundle = { sha256: "a", detector_name: "cup", detector_version: 2 };
const camera = (more) => ({ state: "enrolled", online: true, last_seen: 1, desired: { bundle }, reported: { phase: "idle", outcomes: [] }, ...more });
test("a camera says what it does about its detector", () => {
  assert.match(deviceState(camera({ reported: { phase: "download", outcomes: [] } })).words, /^downloading: cup v2/);
  assert.match(deviceState(camera({ online: false })).words, /once it is back/);
  const outcomes = [{ bundle_sha256: "a", outcome: "failure", reason: "signature is wrong" }];
  assert.match(deviceState(camera({ reported: { phase: "idle", outcomes } })).words, /kept the old one: signature is wrong/);
  const settled = camera({ reported: { phase: "idle", outcomes: [], installed: bundle } });
  assert.equal(deviceState(settled).words, "online");
  assert.equal(deviceState(settled, { onlyInstall: true }).words, "runs cup v2");
  assert.equal(deviceState(camera({ state: "revoked" })).tone, "bad");
});
test("settings of a camera are told in words, a threshold only where there is one", () => {
  const all = { detect: true, snapshots: true, offload: true, threshold: null };
  assert.equal(settingsWords(all), "looks · shows pictures · may ask the cloud");
  assert.equal(settingsWords({ detect: false, snapshots: false, offload: false, threshold: 0.614 }), "does not look · shows no pictures · asks nobody · tells from 61 %");
});

const event = (id, start, more = {}) => ({ event: { id, start_time: start, ...more } });
test("fresh events join at the top, newer states replace older ones", () => {
  const list = merged([event("b", 2), event("a", 1)], [event("c", 3), event("a", 1, { score: 0.9 })]);
  assert.deepEqual(list.map((item) => item.event.id), ["c", "b", "a"]);
  assert.equal(list[2].event.score, 0.9);
});
test("the query names only filters that are set", () => assert.equal(String(query({ label: "a b", camera: "" }, 7.5)), "label=a+b&limit=40&before=7.5"));

test("what was said about an event is found, with what was missed at its moment", () => {
  const seen = { id: "e", device: "porch", camera: "door", start_time: 10, frame_time: 12, end_time: null };
  const missed = (time, device = "porch") => ({ correction: { verdict: "missed", device, camera: "door", time }, key_frame: false });
  const own = { correction: { verdict: "wrong", event_id: "e" }, key_frame: true };
  const said = saidAbout(seen, [missed(12), missed(99), missed(12, "garage"), own]);
  assert.equal(said.own, own);
  assert.equal(said.missed.length, 1);
  assert.match(nextWords(own), /now an example/);
  assert.match(nextWords({ ...own, standing: "no_picture", meaning: "teaches nothing" }), /teaches nothing/);
  assert.match(nextWords(said.missed[0]), /asked for the clear frame.*draw a box/);
});

test("turns let only so many pass at once", async () => {
  const turns = new Turns(2);
  const [first] = [await turns.take(), await turns.take()];
  let third = false;
  const waiting = turns.take().then(() => { third = true; });
  await Promise.resolve();
  assert.equal(third, false);
  first();
  first();
  await waiting;
  assert.equal(third, true);
});

test("numbers in words", () => {
  assert.equal(plural(1, "frame"), "1 frame");
  assert.equal(plural(0, "frame"), "0 frames");
  assert.equal(ap50(null), "not measured");
  assert.equal(kilobytes(3_600_000), "3.6 MB");
  assert.equal(duration(200), "about 4 min");
  assert.equal(ago(100, 160), "60 s ago");
  assert.equal(ago(null), "never");
});

const LIVE = { stage: "ready", progress: 1, seconds_left: null, frames: 5, learned: 100, curve: [{ frames: 3, ap50: 0.5, how: null }, { frames: 4, ap50: 0.834, how: "cross_validation" }], message: "", error: null, next_frames: [] };
test("what is shared of two boxes is counted once", () => {
  assert.equal(iou(BOX, BOX), 1);
  assert.equal(iou(BOX, [0.5, 0.7, 0.9, 0.9]), 0);
  assert.ok(Math.abs(iou([0, 0, 0.5, 1], [0.25, 0, 0.75, 1]) - 1 / 3) < 1e-9);
});
test("the live detector is told in words, and an estimate never as a test", () => {
  assert.equal(knownWords(LIVE, 112), "Learned from 5 frames, 12 s ago");
  assert.equal(knownWords({ ...LIVE, learned: null }, 112), "");
  assert.equal(qualityWords(LIVE), "Accuracy 0.83 with 4 frames (cross-validation)");
  assert.equal(qualityWords({ ...LIVE, curve: [] }), "");
  assert.equal(learningWords(LIVE), "");
  assert.equal(learningWords({ ...LIVE, stage: "learning", progress: 0.42, seconds_left: 2.1 }), "Learning … 42 %, about 3 s left");
  assert.equal(learningWords({ ...LIVE, stage: "starting", progress: 0 }), "Getting ready …");
  assert.equal(troubleWords({ ...LIVE, stage: "failed", error: "disk full" }), "disk full");
  assert.equal(troubleWords(LIVE), "");
});
test("boxes that are drawn already are not offered again", () => {
  const same = { label: "cup", box: [0.21, 0.2, 0.4, 0.6], score: 0.9 };
  const other = { label: "plate", box: BOX, score: 0.8 };
  assert.deepEqual(unseen([same, other], [{ label: "cup", box: BOX }]), [other]);
  assert.equal(seenWords(null, []), "");
  assert.equal(seenWords([], []), "It sees nothing here.");
  assert.equal(seenWords([same, other], [other]), "It sees 2 objects here, 1 not drawn yet.");
  assert.equal(seenWords([same], []), "It sees 1 object here, as drawn.");
});
test("the proposed frame is never one that is labelled, shown or gone", () => {
  const media = [{ id: "m" }];
  const live = { next_frames: [{ media_id: "gone", frame_index: 0 }, { media_id: "m", frame_index: 1 }, { media_id: "m", frame_index: 2 }, { media_id: "m", frame_index: 3, reason: "far" }] };
  const proposed = nextProposed(live, media, { media: media[0], index: 1 }, ({ index }) => index === 2);
  assert.deepEqual([proposed.cell.index, proposed.reason], [3, "far"]);
  assert.equal(nextProposed(null, media, null, () => false), null);
});
test("the curve rises to the right", () => {
  near(curvePoints([{ frames: 2, ap50: 0.5 }, { frames: 4, ap50: 1 }], 100, 50).flat(), [50, 25, 100, 0]);
});
test("what a job measures is told in words", () => {
  assert.equal(figureWords({ loss: 0.414, ap50: 0.9 }), "loss 0.41 · accuracy 0.90");
  assert.equal(figureWords(undefined), "");
});
test("an estimate by cross-validation is never called a test", () => {
  assert.equal(measuredOn({ images: 14, how: "cross_validation" }), "14 taught pictures, each left out in turn: an estimate");
  assert.equal(measuredOn({ images: 1, how: "held_out" }), "1 picture kept back while learning");
  assert.equal(measuredOn({ images: 25, how: "test" }), "25 test pictures");
  assert.equal(measuredOn({}), "nothing yet");
});
