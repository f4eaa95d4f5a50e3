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

// As in edgener/report/bench/recommend.py; a test holds the two against each other.
function kept({ lost, low, high }, p99, f1) {
  if (f1 !== null && (lost === undefined || Number(lost) > f1 + SAME)) return "breaks";
  if (p99 === null || high === undefined || Number(high) <= p99) return "keeps";
  return Number(low) > p99 ? "breaks" : "may";
}

function sentence(candidates, p99, f1) {
  const oneByOne = candidates.length === 0 || candidates.some((each) => "high" in each);
  const parts = [p99 !== null && oneByOne && `p99 under ${p99} ms`, f1 !== null && `F1 within ${f1}`].filter(Boolean);
  const asked = parts.join(", ") || "without a bound";
  for (const [verdict, words] of [["keeps", ""], ["may", "cannot be told, nearest is "]]) {
    const found = candidates.filter((each) => kept(each, p99, f1) === verdict);
    if (found.length === 0) continue;
    const best = found.reduce((one, other) => (Number(other.cost) < Number(one.cost) ? other : one));
    const doubt = "doubtful" in best ? "; its figures are marked" : "";
    return [`${asked}: ${words}${best.name} (${best.told}${doubt})`, verdict];
  }
  return [`${asked}: nothing here keeps that`, "breaks"];
}

function recommend() {
  const [p99, f1] = [bound("p99"), bound("f1")];
  choices.forEach((choice, group) => {
    const all = rows.filter((row) => row.dataset.group === String(group));
    const shown = all.filter((row) => !row.hidden);
    choice.hidden = all.length > 0 && shown.length === 0;
    const [text, verdict] = sentence(shown.map((row) => row.dataset), p99, f1);
    choice.querySelector(".sentence").textContent = text;
    choice.classList.toggle("none", verdict !== "keeps");
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

// Numbers before texts, so that what has no figure is last whichever way the rest runs.
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
