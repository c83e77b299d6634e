// A wrong address: says so, and where what was meant may be.
import { html, mount } from "./ui.js";

function Nothing({ path, nearest, name }) {
  return html`<section class="card stack">
    <p>There is no page at <code class="clip">${path}</code>.</p>
    <div class="row">
      ${nearest && html`<a class="button primary" href=${nearest}>Go to ${name}</a>`}
      <a class="button" href="/">All detectors</a>
    </div>
  </section>`;
}

mount(Nothing);
