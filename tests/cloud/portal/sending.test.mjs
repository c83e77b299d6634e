// Tests of how a large file is sent; run by test_modules.py, which lays the modules beside this file.
import assert from "node:assert/strict";
import test from "node:test";
import { CancelledError, Sending, isOf, metadataOf } from "./static/sending.js";

const SIZE = 20e6;
const file = { name: "Straße.mp4", size: SIZE, lastModified: 17, slice: (from, to) => ({ from, size: Math.min(to, SIZE) - from }) };
const failed = (status, message = "no") => Object.assign(new Error(message), { status });

/** A server of one upload; `bad` says which part ends how. */
class FakeServer {
  view = null;
  sent = [];
  asked = [];
  bad = {};
  call = async (path, { method = "GET" } = {}) => {
    this.asked.push(`${method} ${path}`);
    if (method === "DELETE") { this.view = null; return null; }
    if (method === "POST") this.view = { id: "upl_1", name: file.name, length_bytes: SIZE, modified_ms: 17, purpose: "media", state: "open", offset_bytes: 0, media_id: null };
    if (path.startsWith("/detectors")) return method === "POST" ? { ...this.view } : this.view ? [{ ...this.view }] : [];
    if (!this.view) throw failed(404);
    return { ...this.view };
  };
  sendPart = async (path, part, headers, onSent, signal) => {
    this.sent.push(part.size);
    assert.equal(headers["upload-offset"], String(part.from));
    const bad = this.bad[this.sent.length];
    onSent(part.size);
    if (bad) await bad(part, signal);
    this.view.offset_bytes += part.size;
    if (this.view.offset_bytes === SIZE) Object.assign(this.view, { state: "done", media_id: "med_1" });
  };
}

function sendingTo(server) {
  const told = [];
  const waits = [];
  const sending = new Sending({ call: server.call, sendPart: server.sendPart, onChange: (one) => told.push(one), wait: async (ms) => { waits.push(ms); } }, "det_1", file);
  return { sending, told, waits, states: () => told.map((one) => one.state).filter((one, i, all) => one !== all[i - 1]) };
}

test("a file goes in parts and becomes a medium", async () => {
  const server = new FakeServer();
  const { sending, told, states } = sendingTo(server);
  assert.equal((await sending.run()).media_id, "med_1");
  assert.deepEqual(server.sent, [8e6, 8e6, 4e6]);
  assert.deepEqual(states(), ["sending", "reading"]);
  assert.equal(told.at(-1).share, 1);
});

test("a cut line is waited for, longer each time, and only what is missing is sent", async () => {
  const server = new FakeServer();
  const cut = async () => { throw failed(0); };
  const half = async (part) => { server.view.offset_bytes += part.size / 2; throw failed(0); };
  server.bad = { 2: half, 3: cut, 4: cut };
  const { sending, waits, states } = sendingTo(server);
  await sending.run();
  assert.deepEqual(waits, [1000, 2000, 4000]);
  assert.deepEqual(server.sent, [8e6, 8e6, 8e6, 8e6, 8e6]);
  assert.ok(states().includes("waiting"));
});

test("what began on another page goes on", async () => {
  const server = new FakeServer();
  await server.call("/detectors/det_1/uploads", { method: "POST" });
  server.view.offset_bytes = 16e6;
  await sendingTo(server).sending.run();
  assert.deepEqual(server.sent, [4e6]);
});

test("a refusal is told and not tried again", async () => {
  const server = new FakeServer();
  server.bad = { 1: async () => { throw failed(413, "too large"); } };
  const { sending, waits } = sendingTo(server);
  await assert.rejects(sending.run(), /too large/);
  assert.deepEqual(waits, []);
});

test("a pause ends the part, lets others go on, and goes on when it is wanted", async () => {
  const server = new FakeServer();
  const { sending, states } = sendingTo(server);
  server.bad = { 2: async (_part, signal) => { sending.pause(); assert.ok(signal.aborted); throw failed(0); } };
  const running = sending.run();
  await sending.parked;
  assert.equal(states().at(-1), "paused");
  setTimeout(() => sending.resume(), 5);
  assert.equal((await running).media_id, "med_1");
  assert.deepEqual(server.sent, [8e6, 8e6, 8e6, 4e6]);
});

test("cancelling ends it on the server too and is no error to show", async () => {
  const server = new FakeServer();
  const { sending } = sendingTo(server);
  server.bad = { 2: async () => { await sending.cancel(); throw failed(0); } };
  await assert.rejects(sending.run(), CancelledError);
  assert.equal(server.asked.at(-1), "DELETE /uploads/upl_1");
});

test("a paused upload can be cancelled", async () => {
  const server = new FakeServer();
  const { sending } = sendingTo(server);
  server.bad = { 1: async () => { sending.pause(); throw failed(0); } };
  const running = sending.run();
  await sending.parked;
  setTimeout(() => sending.cancel(), 5);
  await assert.rejects(running, CancelledError);
});

test("names in any writing are told in base64 of UTF-8", () => {
  assert.equal(metadataOf({ filename: "Straße.mp4", modified: 17 }), "filename U3RyYcOfZS5tcDQ=,modified MTc=");
  assert.ok(!isOf({ purpose: "import", name: file.name, length_bytes: SIZE, modified_ms: 17 }, file));
});
