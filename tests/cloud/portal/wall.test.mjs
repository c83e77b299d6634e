// The live wall's words and wire, without a browser.
import assert from "node:assert/strict";
import test from "node:test";
import { parsePicture, tileKey, tilesOf, viewWords, waitingWords } from "./static/wallfeed.js";

const message = (header, jpeg) => {
  const head = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(4 + head.length + jpeg.length);
  new DataView(bytes.buffer).setUint32(0, head.length);
  bytes.set(head, 4);
  bytes.set(jpeg, 4 + head.length);
  return bytes.buffer;
};

test("picture of the wire is header and JPEG", async () => {
  const picture = parsePicture(message({ device: "porch", camera: "Tür", detections: [] }, [255, 216, 7]));
  assert.equal(tileKey(picture), "porch/Tür");
  assert.deepEqual([...new Uint8Array(await picture.jpeg.arrayBuffer())], [255, 216, 7]);
});

test("tiles are all cameras of enrolled devices in a fixed order", () => {
  const device = (name, cameras, state = "enrolled") => ({ name, state, online: true, last_seen: 1, reported: cameras && { cameras } });
  const tiles = tilesOf([device("b", { z: {}, a: {} }), device("a", { c: {} }), device("new", null), device("gone", { x: {} }, "revoked")]);
  assert.deepEqual(tiles.map(tileKey), ["a/c", "b/a", "b/z"]);
});

test("a tile says why there is no picture, and nothing while they come", () => {
  assert.match(waitingWords({ online: false, seconds: 0, hasPicture: true }), /not connected/);
  assert.match(waitingWords({ online: true, seconds: 1, hasPicture: false }), /first picture/);
  assert.match(waitingWords({ online: true, seconds: 30, hasPicture: false }), /lets no pictures leave/);
  assert.match(waitingWords({ online: true, seconds: 30, hasPicture: true }), /30 s/);
  assert.equal(waitingWords({ online: true, seconds: 1, hasPicture: true }), null);
});

test("what is in view is told once a class, however many there are", () => {
  assert.equal(viewWords([{ label: "person" }, { label: "dog" }, { label: "person" }]), "2 × person, dog");
  assert.equal(viewWords([]), "nothing in view");
});
