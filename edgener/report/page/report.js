"use strict";
const form = document.getElementById("filter");
const parts = [...document.querySelectorAll("#changes > ul")];

function filter() {
  const asked = new FormData(form);
  const kinds = new Set(asked.getAll("kind"));
  const label = asked.get("label");
  const variant = asked.get("variant");
  let count = 0;
  let all = 0;
  for (const part of parts) {
    let kept = 0;
    for (const change of part.children) {
      const { kind, label: own, variant: of } = change.dataset;
      const keep = kinds.has(kind) && (label === "" || label === own) && (variant === "" || variant === of);
      change.hidden = !keep;
      kept += keep;
    }
    part.hidden = kept === 0;
    part.style.containIntrinsicHeight = `auto ${8 * kept}rem`;
    count += kept;
    all += part.children.length;
  }
  document.getElementById("count").value = `${count} of ${all} changes`;
}

if (form) {
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();
}
