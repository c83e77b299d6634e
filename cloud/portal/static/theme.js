// Runs before the first paint, so that a page never flashes in the wrong theme.
(() => {
  const kept = localStorage.getItem("theme");
  if (kept) document.documentElement.dataset.theme = kept;
  addEventListener("DOMContentLoaded", () => {
    // On a phone the pages are a strip: the one that is open may lie outside.
    const [strip, open] = ["nav", "nav [aria-current]"].map((what) => document.querySelector(what));
    if (open) strip.scrollLeft = open.offsetLeft - (strip.clientWidth - open.clientWidth) / 2;
    document.getElementById("theme").addEventListener("click", () => {
      const dark = matchMedia("(prefers-color-scheme: dark)").matches;
      const now = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
      const next = now === "dark" ? "light" : "dark";
      document.documentElement.dataset.theme = next;
      localStorage.setItem("theme", next);
    });
  });
})();
