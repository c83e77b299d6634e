"""The preview's page: one picture, counts, events; no outside resources."""

from __future__ import annotations

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>elfowl preview</title>
<style>
  :root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
  body { font: 16px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 76rem; }
  header { display: flex; gap: 1rem; align-items: baseline; flex-wrap: wrap; }
  h1 { font-size: 1.2rem; margin: 0; }
  main { display: grid; gap: 1rem; margin-top: 1rem; }
  main { grid-template-columns: minmax(0, 3fr) minmax(14rem, 1fr); }
  @media (max-width: 50rem) { main { grid-template-columns: 1fr; } }
  img { width: 100%; border-radius: .5rem; background: #222; min-height: 12rem; }
  h2 { font-size: 1rem; margin: 0 0 .4rem; }
  section { border: 1px solid var(--line); border-radius: .5rem; padding: .8rem; margin-bottom: 1rem; }
  ul { list-style: none; margin: 0; padding: 0; }
  li { display: flex; justify-content: space-between; gap: 1rem; }
  #counts b { font-size: 1.5rem; font-variant-numeric: tabular-nums; }
  small { opacity: .75; }
</style>
</head>
<body>
<header><h1>elfowl preview</h1><span id="source"></span> <small id="status" role="status"></small></header>
<main>
  <img src="/stream.mjpg" alt="Live picture with boxes around what the detector sees">
  <div>
    <section><h2>In view now</h2><ul id="counts"></ul></section>
    <section><h2>Lately</h2><ul id="events"></ul></section>
    <small id="speed"></small>
  </div>
</main>
<script>
  const put = (id, text) => { document.getElementById(id).textContent = text; };
  const list = (id, rows) => document.getElementById(id).replaceChildren(...rows.map((cells) => {
    const item = document.createElement("li");
    cells.forEach(([tag, text]) => {
      const cell = document.createElement(tag);
      cell.textContent = text;
      item.append(cell);
    });
    return item;
  }));
  async function refresh() {
    try {
      const state = await (await fetch("/state.json")).json();
      put("source", state.source);
      put("status", state.status);
      list("counts", Object.entries(state.counts).map(([name, n]) => [["span", name], ["b", n]]));
      list("events", state.events.map((line) => [["span", line]]));
      const look = state.inference_ms === null ? "" : ` · ${state.inference_ms} ms a look`;
      put("speed", `${state.fps} pictures a second${look}`);
    } catch {
      put("status", "elfowl-agent has stopped");
    }
    setTimeout(refresh, 1000);
  }
  refresh();
</script>
</body>
</html>
"""
