// The page of `zarrds serve`: a tree, and for the chosen node its facts, its chunks and a part of its values.
// All text of the store goes into the page as text, never as HTML.
"use strict";

const byId = (name) => document.getElementById(name);
// colours from dark violet over green to yellow, for values from low to high
const COLOURS = [[68, 1, 84], [65, 68, 135], [42, 120, 142], [34, 168, 132], [122, 209, 81], [253, 231, 37]];

async function ask(question, given) {
  const response = await fetch(`/.zarrds/${question}?${new URLSearchParams(given)}`);
  if (!response.ok) throw new Error((await response.text()).trim() || response.statusText);
  return response.json();
}

function made(name, text, className) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

// what would steer or hide text is shown as an escape, as on the command line
function visible(text) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u${char.codePointAt(0).toString(16).padStart(4, "0")}`);
}

function report(error) {
  byId("problem").textContent = visible(error.message);
  byId("problem").hidden = false;
}

// --- the tree --------------------------------------------------------------------------------------------------------

let chosen = 0; // grows with each choice, so that late answers to earlier ones are dropped

async function fill(list, path) {
  const found = await ask("members", { path });
  list.replaceChildren();
  for (const member of found.members) list.append(branch(member));
  if (found.more) list.append(made("li", `and ${found.more} more`, "more"));
}

function branch(member) {
  const item = made("li");
  const button = made("button", (member.type === "group" ? "▸ " : "") + visible(member.name), member.type);
  button.type = "button";
  button.append(made("small", visible(member.note)));
  item.append(button);
  if (member.type === "error") return item;
  button.dataset.path = member.path;
  const below = made("ul");
  below.hidden = true;
  item.append(below);
  button.addEventListener("click", () => {
    location.hash = encodeURIComponent(member.path);
    unfold();
  });
  function unfold() {
    if (member.type !== "group") return;
    below.hidden = !below.hidden;
    button.firstChild.textContent = (below.hidden ? "▸ " : "▾ ") + visible(member.name);
    if (!below.hidden && !below.childElementCount) fill(below, member.path).then(mark).catch(report);
  }
  if (!member.path) unfold();
  return item;
}

// --- one node --------------------------------------------------------------------------------------------------------

function rows(table, pairs) {
  const body = table.tBodies[0];
  body.replaceChildren();
  for (const [name, value] of pairs) {
    const row = body.insertRow();
    row.append(made("th", visible(name)), made("td", visible(value)));
  }
}

function mark() {
  const path = decodeURIComponent(location.hash.slice(1));
  for (const button of document.querySelectorAll(".tree button")) {
    button.setAttribute("aria-current", String(button.dataset.path === path));
  }
}

async function show() {
  const mine = ++chosen;
  const path = decodeURIComponent(location.hash.slice(1));
  byId("problem").hidden = true;
  mark();
  const node = await ask("node", { path });
  if (mine !== chosen) return;
  byId("store").textContent = visible(node.store);
  document.title = visible(`${node.path || node.store} - zarrds`);
  byId("title").textContent = visible(`/${node.path}`);
  rows(byId("facts"), node.facts);
  const attributes = Object.entries(node.attributes);
  byId("more").hidden = !attributes.length;
  rows(byId("attributes"), attributes.map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]));
  byId("drawing").hidden = byId("texts").hidden = byId("map-of-chunks").hidden = true;
  if (node.type !== "array") return;
  selectors(node, mine);
  await Promise.all([drawPart(node, mine), drawChunks(node, mine)]);
}

// --- values ----------------------------------------------------------------------------------------------------------

function selectors(node, mine) {
  const form = byId("selectors");
  form.replaceChildren();
  node.shape.slice(0, -2).forEach((length, axis) => {
    const label = made("label", visible(node.dimensions[axis]));
    const input = made("input");
    Object.assign(input, { type: "range", min: 0, max: Math.max(0, length - 1), value: 0, name: String(axis) });
    const output = made("output", "0");
    label.append(input, output);
    input.addEventListener("input", () => { output.textContent = input.value; });
    input.addEventListener("change", () => drawPart(node, mine).catch(report));
    form.append(label);
  });
}

async function drawPart(node, mine) {
  const indexes = [...byId("selectors").elements].filter((one) => one.name).map((one) => one.value);
  const at = node.shape.length > 2 ? indexes.join(",") : "";
  const part = await ask("part", { path: node.path, at });
  if (mine !== chosen) return;
  if (!node.drawable) {
    byId("values").textContent = part.values.map(visible).join("\n") + (part.more ? "\n..." : "");
    byId("texts").hidden = false;
    return;
  }
  byId("drawing").hidden = false;
  const numbers = new Float32Array(Uint8Array.from(atob(part.data), (char) => char.charCodeAt(0)).buffer);
  const number = (value) => (value === null ? "" : Number(value.toPrecision(6)).toString());
  byId("low").textContent = number(part.min);
  byId("high").textContent = number(part.max);
  byId("scale").hidden = part.shape.length === 1;
  const sides = part.axes.map(({ name, values }) => `${name} ${number(values[0])} to ${number(values.at(-1))}`).join(", ");
  const under = `${part.label}: ${sides}` + (part.step > 1 ? `, 1 of ${part.step} values along each dimension` : "");
  byId("under").textContent = visible(under);
  (part.shape.length === 1 ? drawLine : drawMap)(part, numbers);
  byId("map").onmousemove = (event) => {
    const box = byId("map").getBoundingClientRect();
    const place = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width].slice(-part.shape.length);
    const index = place.map((share, axis) => Math.min(part.shape[axis] - 1, Math.max(0, Math.floor(share * part.shape[axis]))));
    if (part.up) index[0] = part.shape[0] - 1 - index[0];
    const value = numbers[index.reduce((sum, i, axis) => sum * part.shape[axis] + i, 0)];
    const where = index.map((i, axis) => `${part.axes[axis].name} ${number(part.axes[axis].values[i])}`).join(", ");
    byId("under").textContent = visible(`${where}: ${Number.isNaN(value) ? "missing" : number(value)}`);
  };
  byId("map").onmouseleave = () => { byId("under").textContent = visible(under); };
  byId("map").dataset.drawn = node.path;
}

function colour(share) {
  const at = Math.min(Math.max(share, 0), 1) * (COLOURS.length - 1);
  const low = Math.min(Math.floor(at), COLOURS.length - 2);
  return COLOURS[low].map((channel, i) => Math.round(channel + (COLOURS[low + 1][i] - channel) * (at - low)));
}

function drawMap(part, numbers) {
  const [height, width] = part.shape;
  const canvas = byId("map");
  canvas.width = width;
  canvas.height = height;
  canvas.style.aspectRatio = `${Math.min(Math.max(width / height, 0.8), 4)}`;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const span = part.max - part.min || 1;
  for (let i = 0; i < numbers.length; i++) {
    const row = Math.floor(i / width);
    const at = part.up ? (height - 1 - row) * width + (i % width) : i;
    if (Number.isFinite(numbers[i])) image.data.set([...colour((numbers[i] - part.min) / span), 255], 4 * at);
  }
  context.putImageData(image, 0, 0);
  const bar = byId("bar").getContext("2d");
  for (let y = 0; y < 200; y++) {
    bar.fillStyle = `rgb(${colour(1 - y / 199).join(",")})`;
    bar.fillRect(0, y, 14, 1);
  }
}

function drawLine(part, numbers) {
  const canvas = byId("map");
  canvas.width = 800;
  canvas.height = 320;
  canvas.style.aspectRatio = "2.5";
  const style = getComputedStyle(document.body);
  const context = canvas.getContext("2d");
  context.font = "13px system-ui, sans-serif";
  context.fillStyle = style.getPropertyValue("--quiet");
  context.fillText(part.max === null ? "" : String(Number(part.max.toPrecision(6))), 6, 16);
  context.fillText(part.min === null ? "" : String(Number(part.min.toPrecision(6))), 6, 312);
  context.strokeStyle = style.getPropertyValue("--accent");
  context.lineWidth = 2;
  context.beginPath();
  const span = part.max - part.min || 1;
  let down = false;
  numbers.forEach((value, i) => {
    if (!Number.isFinite(value)) { down = false; return; }
    const x = 8 + (784 * i) / Math.max(1, numbers.length - 1);
    const y = 292 - (264 * (value - part.min)) / span;
    if (down) context.lineTo(x, y); else context.moveTo(x, y);
    if (numbers.length === 1) context.arc(x, y, 2, 0, 7);
    down = true;
  });
  context.stroke();
}

// --- chunks ----------------------------------------------------------------------------------------------------------

async function drawChunks(node, mine) {
  const map = await ask("chunks", { path: node.path });
  if (mine !== chosen) return;
  byId("map-of-chunks").hidden = false;
  const counted = map.stored === null ? "The store cannot list its keys." :
    `${map.more ? "more than " : ""}${map.stored} of ${map.total} stored (grid ${map.grid.join(" x ") || 1})`;
  byId("counted").textContent = counted;
  const canvas = byId("chunks");
  canvas.hidden = !map.cells;
  if (!map.cells) return;
  const cell = Math.max(3, Math.floor(220 / Math.max(map.rows, map.columns)));
  canvas.width = map.columns * cell;
  canvas.height = map.rows * cell;
  const context = canvas.getContext("2d");
  const style = getComputedStyle(document.body);
  map.cells.forEach((row, y) => row.forEach((share, x) => {
    context.globalAlpha = 1;
    context.fillStyle = style.getPropertyValue("--empty");
    context.fillRect(x * cell, y * cell, cell, cell);
    context.globalAlpha = share;
    context.fillStyle = style.getPropertyValue("--accent");
    context.fillRect(x * cell, y * cell, cell - 1, cell - 1);
  }));
}

window.addEventListener("hashchange", () => show().catch(report));
byId("links").hidden = true;
byId("tree").append(branch({ name: "/", path: "", type: "group", note: "" }));
show().then(() => document.body.setAttribute("data-ready", "yes")).catch(report);
