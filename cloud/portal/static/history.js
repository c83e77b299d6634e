// Unlimited undo of one value. Pure functions.

export const begun = (value) => ({ past: [], value, future: [] });
export const changed = ({ past, value }, next) => ({ past: [...past, value], value: next, future: [] });

/** One step back; the same when there is none. */
export function undone({ past, value, future }) {
  if (!past.length) return { past, value, future };
  return { past: past.slice(0, -1), value: past.at(-1), future: [value, ...future] };
}

/** One step forth again; the same when nothing was undone. */
export function redone({ past, value, future }) {
  if (!future.length) return { past, value, future };
  return { past: [...past, value], value: future[0], future: future.slice(1) };
}
