// The way back after logging in, and names of browsers: pure modules, run by Node.
import assert from "node:assert/strict";
import { test } from "node:test";
import { browserWords } from "./static/browsers.js";
import { wayBack, wayIn } from "./static/way.js";

test("login leads back to the page that was asked for", () => {
  assert.equal(wayBack("?next=/events%3Flabel%3Dcup"), "/events?label=cup");
  assert.equal(wayBack(wayIn("/events", "?label=a&camera=b").replace("/login", "")), "/events?label=a&camera=b");
  assert.equal(wayIn("/", ""), "/login");
});

test("login never leads to a page of another site", () => {
  for (const next of ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/\t/evil.example", "", "evil"]) {
    assert.equal(wayBack(`?next=${encodeURIComponent(next)}`), "/", next);
  }
  assert.equal(wayBack(""), "/");
});

test("browsers are named by what they are, not by what else they claim to be", () => {
  assert.equal(browserWords("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"), "Chrome on Linux");
  assert.equal(browserWords("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0"), "Edge on Windows");
  assert.equal(browserWords("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1"), "Safari on iPhone");
  assert.equal(browserWords(""), "A program");
});
