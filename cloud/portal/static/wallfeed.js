// The wire of the live wall: one WebSocket for all tiles. Says what is on the screen, and when a picture is drawn: only then the next comes.

const HEADER_BYTES = 4;

/** A binary message: 4 bytes of length, JSON of that length, JPEG. */
export function parsePicture(buffer) {
  const length = new DataView(buffer).getUint32(0);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, HEADER_BYTES, length)));
  return { ...header, jpeg: new Blob([new Uint8Array(buffer, HEADER_BYTES + length)], { type: "image/jpeg" }) };
}

export const tileKey = ({ device, camera }) => `${device}/${camera}`;

/** Open the wall: {watch(tiles), close()}. `draw(picture)` may be slow: the camera's next picture waits for it. */
export function openWall({ draw, onConnected }) {
  let pause = 500;
  let socket = null;
  let watched = [];
  let closed = false;
  let timer = 0;
  const say = (words) => socket?.readyState === WebSocket.OPEN && socket.send(JSON.stringify(words));
  const open = () => {
    socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/wall`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => { pause = 500; onConnected(true); say({ watch: watched }); };
    socket.onmessage = async (e) => {
      const picture = parsePicture(e.data);
      try {
        await draw(picture);
      } finally {
        say({ shown: { device: picture.device, camera: picture.camera } });
      }
    };
    socket.onclose = () => {
      if (closed) return;
      onConnected(false);
      timer = setTimeout(open, (pause = Math.min(pause * 2, 15000)));
    };
  };
  open();
  return {
    watch(tiles) { watched = tiles; say({ watch: tiles }); },
    close() { closed = true; clearTimeout(timer); socket.close(); },
  };
}

// What is wanted counts more than what was said last: it is on its way.
const settingsOf = (device, camera) => device.desired?.cameras?.[camera] ?? device.reported.cameras[camera];

/** Every camera of every device, in a fixed order: [{device, camera, online, why}]. */
export function tilesOf(devices) {
  return devices
    .filter((device) => device.state === "enrolled")
    .flatMap((device) => Object.keys(device.reported?.cameras ?? {}).sort().map((camera) => ({ device: device.name, camera, online: device.online, last_seen: device.last_seen, settings: settingsOf(device, camera) })))
    .sort((a, b) => tileKey(a).localeCompare(tileKey(b)));
}

/** What a tile says while it has no fresh picture: null once one is there. */
export function waitingWords({ online, seconds, hasPicture }) {
  if (!online) return "The device is not connected.";
  if (seconds < 3) return hasPicture ? null : "Waiting for the first picture …";
  if (seconds < 10) return hasPicture ? null : "Waiting for the camera …";
  return hasPicture
    ? `No new picture for ${Math.round(seconds)} s.`
    : "No picture comes. The camera may be off, its agent older than this server, or its owner lets no pictures leave (never_send_pictures).";
}

/** What is in view, each class once: "3 × person, dog". */
export function viewWords(detections) {
  const counts = new Map();
  detections.forEach(({ label }) => counts.set(label, (counts.get(label) ?? 0) + 1));
  return [...counts].map(([label, count]) => (count > 1 ? `${count} × ${label}` : label)).join(", ") || "nothing in view";
}
