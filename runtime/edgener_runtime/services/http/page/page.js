"use strict";
// A text goes to /predict and comes back with its entities marked. Texts are only ever set as text, never as markup.

const COLOURS = 6;
const form = document.querySelector("form");
const at = (name) => document.getElementById(name);
const [model, text, token, marked, count, problem] = ["model", "text", "token", "marked", "count", "problem"].map(at);
const table = document.querySelector("table");
const button = document.querySelector("button");

function element(tag, content, properties = {}) {
  return Object.assign(document.createElement(tag), { textContent: content }, properties);
}

function mark(sentence, entities) {
  const labels = [...new Set(entities.map((entity) => entity.label))];
  const parts = [];
  let end = 0;
  for (const entity of entities) {
    parts.push(sentence.slice(end, entity.start));
    const found = element("mark", sentence.slice(entity.start, entity.end));
    found.className = `c${labels.indexOf(entity.label) % COLOURS}`;
    found.dataset.label = entity.label;
    parts.push(found);
    end = entity.end;
  }
  marked.replaceChildren(...parts, sentence.slice(end));
}

function list(sentence, entities) {
  const characters = (units) => [...sentence.slice(0, units)].length;
  table.tBodies[0].replaceChildren(...entities.map((entity) => {
    const row = document.createElement("tr");
    const cells = [entity.label, entity.text, characters(entity.start), characters(entity.end), entity.score.toFixed(3)];
    row.append(...cells.map((cell) => element("td", cell)));
    return row;
  }));
}

function show(sentence, entities) {
  mark(sentence, entities);
  list(sentence, entities);
  count.textContent = entities.length === 1 ? "1 entity" : `${entities.length} entities`;
}

async function ask(sentence) {
  const headers = { "Content-Type": "application/json" };
  if (token.value) headers.Authorization = `Bearer ${token.value}`;
  // slices of a JavaScript string count UTF-16 units
  const body = JSON.stringify({ model: model.value, text: sentence, offsets: "utf16" });
  const response = await fetch("predict", { method: "POST", headers, body });
  if (response.status === 401) at("secret").hidden = false;
  const answer = await response.json();
  if (!response.ok) throw new Error([answer.error, answer.hint].filter(Boolean).join(". "));
  return answer.entities;
}

async function submit(event) {
  event.preventDefault();
  const sentence = text.value;
  let error = "";
  button.disabled = true;
  try {
    show(sentence, await ask(sentence));
  } catch (caught) {
    error = caught.message;
  }
  button.disabled = false;
  problem.textContent = error;
  problem.hidden = !error;
  for (const answer of [marked, count]) answer.hidden = Boolean(error);
  table.hidden = Boolean(error) || !table.tBodies[0].rows.length;
}

form.addEventListener("submit", submit);
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
