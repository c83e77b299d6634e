// The name of a browser out of what it says of itself. Pure functions.

// The order counts: many claim to be another one, too.
const KNOWN = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"], ["curl/", "curl"], ["python-httpx/", "a Python program"]];
const SYSTEMS = [["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS X", "macOS"], ["Linux", "Linux"]];

const named = (table, text) => table.find(([part]) => text.includes(part))?.[1];

/** "Firefox on Linux", or what else can be told. */
export function browserWords(agent) {
  const system = named(SYSTEMS, agent);
  return `${named(KNOWN, agent) ?? "A program"}${system ? ` on ${system}` : ""}`;
}
