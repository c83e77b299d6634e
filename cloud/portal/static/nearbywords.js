// Cameras that a device found around it, in words. Pure functions.

/** What a camera is called by itself. */
export const calledItself = ({ name, model, host }) => [model, name && `“${name}”`].filter(Boolean).join(" ") || `Camera at ${host}`;

/** Size, codec and rate of a stream, as far as the camera told them. */
export function streamWords({ width_px: width, height_px: height, codec, fps }) {
  const size = width && height ? `${width} × ${height}` : "size unknown";
  return [size, codec, fps && `${Math.round(fps)} pictures/s`].filter(Boolean).join(" · ");
}

/** A name for a camera that can be part of an address, and that none of the others has. */
export function proposedName({ name, model }, taken) {
  const plain = (name || model || "").toLowerCase().normalize("NFKD").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 40) || "camera";
  for (let n = 1; ; n += 1) {
    const one = n === 1 ? plain : `${plain}-${n}`;
    if (!taken.includes(one)) return one;
  }
}

/** What to type on the device itself, where this page may not close a password. */
export const commandFor = ({ host }, name) => `elfowl-agent discover --user USER --host ${host} --add ${name} --config agent.yaml`;

/** What goes to the server; `login` is closed already, or there is none. */
export const bodyFor = (camera, { name, channel }, login) => ({ name: name.trim(), service: camera.service, channel: Number(channel) || 1, ...(login ? { login } : {}) });
