// Attributes on the page of their detector: which there are, and the way to them.
import { standing } from "./attributewords.js";
import { Failure, Loading, State, api, html, useLoad } from "./ui.js";

export function AttributeCard({ detector }) {
  const list = useLoad(() => api(`/detectors/${detector.id}/attributes`), [detector.id]);
  const path = `/detectors/${detector.id}/attributes`;
  if (list.error) return html`<${Failure} error=${list.error} retry=${list.reload} />`;
  if (!list.value) return html`<${Loading} />`;
  const { attributes } = list.value;
  if (!attributes.length) {
    return html`<div class="stack tight"><p class="muted">What things are like: diet or regular, full or empty. Told from a handful of crops.</p>
      <div><a class="button" href=${path}>Add an attribute</a></div></div>`;
  }
  return html`<ul class="plain stack tight">${attributes.map((one) => html`<li key=${one.slug}>
    <a href=${`${path}#${one.slug}`}>${one.name}</a>: ${one.values.map((value) => value.name).join(", ")}<br /><${State} ...${standing(one)}>${standing(one).words}<//>
  </li>`)}</ul>`;
}
