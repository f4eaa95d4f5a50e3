"use strict";
const bounds = document.getElementById("bounds");
const filters = document.getElementById("filter");
const table = document.getElementById("matrix");
const heads = [...table.tHead.rows[0].cells];
const rows = [...table.tBodies[0].rows];
const choices = [...document.getElementById("choices").children];
const SAME = 1e-12;

function bound(name) {
  const value = bounds.elements[name].valueAsNumber;
  return Number.isFinite(value) && value >= 0 ? value : null;
}

// The same as in edgener/report/bench/recommend.py; a test compares both.
function meets({ lost, low, high }, p99, f1) {
  if (f1 !== null && (lost === undefined || Number(lost) > f1 + SAME)) return "misses";
  if (p99 === null || high === undefined || Number(high) <= p99) return "meets";
  return Number(low) > p99 ? "misses" : "may meet";
}

function advise(candidates, name, p99, f1) {
  const oneByOne = candidates.length === 0 || candidates.some((each) => "high" in each);
  const parts = [p99 !== null && oneByOne && `p99 under ${p99} ms`, f1 !== null && `F1 within ${f1}`].filter(Boolean);
  const asked = parts.join(", ");
  for (const verdict of ["meets", "may meet"]) {
    const found = candidates.filter((each) => meets(each, p99, f1) === verdict);
    if (found.length === 0) continue;
    const best = found.reduce((one, other) => (Number(other.cost) < Number(one.cost) ? other : one));
    const figures = `${best.summary}${"doubtful" in best ? "; its figures are marked" : ""}`;
    if (verdict === "may meet") return [`Nothing surely meets ${asked}; the nearest is ${best[name]}: ${figures}.`, verdict];
    return [`Recommended: ${best[name]}, the fastest${asked && ` with ${asked}`}: ${figures}.`, verdict];
  }
  return [asked ? `Nothing here meets ${asked}.` : "There is no row to recommend.", "misses"];
}

function show(element, [text, verdict]) {
  element.textContent = text;
  element.classList.toggle("pass", verdict === "meets");
}

function recommend() {
  const [p99, f1] = [bound("p99"), bound("f1")];
  const shown = rows.filter((row) => !row.hidden).map((row) => row.dataset);
  show(document.getElementById("advice"), advise(shown.filter((row) => "leading" in row), "leading", p99, f1));
  choices.forEach((choice, group) => {
    const all = rows.filter((row) => row.dataset.group === String(group));
    const candidates = shown.filter((row) => row.group === String(group));
    choice.hidden = all.length > 0 && candidates.length === 0;
    show(choice.querySelector(".advice"), advise(candidates, "name", p99, f1));
  });
}

function filter() {
  const asked = [...filters.querySelectorAll("select")].filter((select) => select.value !== "");
  const front = filters.elements.front.checked;
  for (const row of rows) {
    const wanted = asked.every((select) => row.dataset[select.name] === select.value);
    row.hidden = !wanted || (front && !("front" in row.dataset));
  }
  const count = rows.filter((row) => !row.hidden).length;
  document.getElementById("count").value = `${count} of ${rows.length} rows`;
  recommend();
}

function key(row, column) {
  const { value } = row.cells[column].dataset;
  return value === undefined ? row.cells[column].textContent : Number(value);
}

// Numbers before texts, so that rows without a figure are last in both directions.
function compare(one, other, down) {
  if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
  const order = typeof one === "number" ? one - other : one.localeCompare(other);
  return down ? -order : order;
}

function sort(column) {
  const down = heads[column].ariaSort === "ascending";
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[column].ariaSort = down ? "descending" : "ascending";
  const keyed = rows.map((row) => [key(row, column), row]);
  keyed.sort(([one], [other]) => compare(one, other, down));
  table.tBodies[0].append(...keyed.map(([, row]) => row));
}

heads.forEach((head, column) => {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  button.addEventListener("click", () => sort(column));
  head.append(button);
});
for (const [form, update] of [[bounds, recommend], [filters, filter]]) {
  form.hidden = false;
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
}
filter();
