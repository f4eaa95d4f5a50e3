"use strict";
const form = document.getElementById("filter");
const changes = [...document.querySelectorAll("#changes > li")];

function filter() {
  const asked = new FormData(form);
  const kinds = new Set(asked.getAll("kind"));
  const label = asked.get("label");
  const variant = asked.get("variant");
  let count = 0;
  for (const change of changes) {
    const { kind, label: own, variant: of } = change.dataset;
    const keep = kinds.has(kind) && (label === "" || label === own) && (variant === "" || variant === of);
    change.hidden = !keep;
    count += keep;
  }
  document.getElementById("count").value = `${count} of ${changes.length} changes`;
}

if (form) {
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();
}
