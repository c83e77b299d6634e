// The list of events: which to ask for, and how fresh ones join those that are shown. Pure functions.

export const PAGE = 40;
export const FILTERS = ["device", "camera", "detector", "label"];

/** Newer states of the same events replace older ones; the newest event comes first. */
export function merged(known, fresh) {
  const byId = new Map([...known, ...fresh].map((item) => [item.event.id, item]));
  return [...byId.values()].sort((a, b) => b.event.start_time - a.event.start_time || (a.event.id < b.event.id ? 1 : -1));
}

/** The query of one page; `before` is the start time of the oldest event that is shown. */
export function query(filter, before) {
  const given = FILTERS.filter((name) => filter[name]).map((name) => [name, filter[name]]);
  return new URLSearchParams([...given, ["limit", PAGE], ...(before ? [["before", before]] : [])]);
}
