// The grid of a study in work: keys, pasting, autosave. Without this file it is an ordinary form.
"use strict";

const form = document.getElementById("bench");
const grid = document.getElementById("grid");
const AUTOSAVE = 1200; // ms after the last change
const POLL = 4000; // ms
const NO_ANSWER = 60000; // ms; a large block takes the server seconds
const NR = "NR", UNREADABLE = "unreadable";

const bench = {
  version: Number(form.dataset.version),
  base: Number(form.dataset.version), // of the version the cells were worked on
  dirty: new Map(), // key -> text that is not saved
  errors: new Map(), // key -> text that could not be read
  clashes: new Map(), // key -> what somebody else wrote
  newRows: new Set(),
  waiting: [], // blocks that were pasted and rows that were taken away, of which the server does not know
  offered: null, // what an earlier page kept, until it is taken or dropped
  saving: null,
  timer: 0,
  place: "",
  placing: null, // until the server has a new place
  isLost: false,
};
let editing = false; // whether keys belong to the text of the cell
let before = ""; // what the cell said when it was entered
let pending = ""; // a letter that has just been taken for a state
let last = null; // the cell that was in use last, for buttons
const mayEnter = "mayEnter" in form.dataset;
const placeInput = document.getElementById("place");
const storeName = `casebook-grid:${form.dataset.key}`;

// ---- cells

const CELL = "[name^='cell|']";
const keyOf = (cell) => cell.name.slice("cell|".length);
const idOf = (key) => "cell-" + key.replaceAll(" ", "");
const cellOf = (key) => document.getElementById(idOf(key));
const rowOf = (key) => key.slice(0, key.lastIndexOf("|"));
const fieldOf = (key) => key.slice(key.lastIndexOf("|") + 1);
const cellsOf = (row) => [...row.querySelectorAll(CELL)];
const rows = () => [...grid.tBodies[0].rows].filter((row) => !row.hidden && cellsOf(row).length);

function element(name, attributes = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...inside);
  return made;
}

function status(...inside) {
  document.getElementById("status").replaceChildren(...inside);
}

function move(cell, down, right) {
  const all = rows();
  const place = all.indexOf(cell.closest("tr"));
  const column = cellsOf(all[place]).indexOf(cell);
  const row = all[Math.min(Math.max(place + down, 0), all.length - 1)];
  const inRow = cellsOf(row);
  go(inRow[Math.min(Math.max(column + right, 0), inRow.length - 1)]);
}

function go(cell) {
  if (!cell) return;
  cell.focus();
  cell.select();
  editing = false;
}

function set(cell, text) {
  if (!mayEnter || cell.readOnly) return;
  cell.value = text;
  changed(cell);
}

function changed(cell) {
  const key = keyOf(cell);
  if (bench.clashes.has(key)) return; // decided by its buttons
  if (cell.value.trim() === cell.defaultValue.trim()) bench.dirty.delete(key);
  else bench.dirty.set(key, cell.value.trim());
  if (bench.errors.get(key) !== cell.value.trim()) {
    bench.errors.delete(key);
    unmark(cell);
  }
  keep();
  schedule(AUTOSAVE);
}

function mark(cell, problem, ...more) {
  unmark(cell);
  const id = `${cell.id}-error`;
  cell.setAttribute("aria-invalid", "true");
  cell.setAttribute("aria-describedby", id);
  cell.after(element("p", { class: "cell-error", id }, problem, ...more));
}

function unmark(cell) {
  cell.removeAttribute("aria-invalid");
  cell.removeAttribute("aria-describedby");
  cell.parentElement.querySelector(".cell-error")?.remove();
}

const withNearest = (problem, nearest) =>
  problem + (nearest.length ? ` Nearest: ${nearest.join("; ")}.` : "");

// ---- keys

function keydown(event) {
  const cell = event.target.closest(CELL);
  if (!cell) return;
  const done = !event.isComposing && keys(cell, nameOf(event), event);
  if (done) event.preventDefault();
}

// A key with what is held beside it. Letters beside Alt by their place: some systems write signs there.
function nameOf(event) {
  if (event.getModifierState("AltGraph")) return event.key;
  const control = event.ctrlKey || event.metaKey;
  let key = event.key;
  if (event.altKey && event.code.startsWith("Key")) key = event.code.slice(3).toLowerCase();
  else if (control && key.length === 1) key = key.toLowerCase();
  return (event.altKey ? "Alt+" : "") + (control ? "Ctrl+" : "") + key;
}

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const COMMANDS = {
  "Ctrl+d": (cell) => copyAbove(cell),
  "Alt+n": (cell) => fillColumn(cell),
  "Alt+p": (cell) => placeHere(cell),
  "Alt+ArrowDown": (cell) => addRow(cell),
  "Alt+ArrowUp": (cell) => go(cellsOf(rows()[0])[cellsOf(cell.closest("tr")).indexOf(cell)]),
  "Alt+Delete": (cell) => removeRow(cell),
  F2: (cell) => {
    editing = true;
    cell.setSelectionRange(cell.value.length, cell.value.length);
  },
  Escape: (cell) => {
    set(cell, before);
    go(cell);
  },
};
const WHEN_MOVING = {
  "Ctrl+z": () => undo(),
  Delete: (cell) => set(cell, ""),
  Backspace: (cell) => set(cell, ""),
};

function keys(cell, name, event) {
  const typed = pending;
  pending = "";
  const command = COMMANDS[name] || (!editing && WHEN_MOVING[name]);
  if (command) {
    command(cell);
    return true;
  }
  if (name === "Enter") {
    move(cell, event.shiftKey ? -1 : 1, 0);
    return true;
  }
  if (!editing && ARROWS[name]) {
    move(cell, ...ARROWS[name]);
    return true;
  }
  if (name.length !== 1 || editing || !mayEnter) return false;
  if (typed) { // a text that begins with the letter of a state
    set(cell, typed + name);
    editing = true;
    return true;
  }
  const state = stateOf(cell, name);
  if (state) {
    set(cell, state);
    cell.select();
    pending = name;
    return true;
  }
  editing = true; // the text is selected, so that typing replaces it
  return false;
}

function stateOf(cell, key) {
  const stateable = "stateable" in cell.dataset;
  if (key === "n") return stateable && NR;
  if (key === "?") return stateable && UNREADABLE;
  return key === "0" && cell.dataset.kind !== "number" && cell.dataset.none;
}

function copyAbove(cell) {
  const all = rows(), place = all.indexOf(cell.closest("tr"));
  const column = cellsOf(all[place]).indexOf(cell);
  if (place > 0) set(cell, cellsOf(all[place - 1])[column].value);
  move(cell, 1, 0);
}

function fillColumn(cell) {
  if (!("stateable" in cell.dataset)) return;
  const column = cellsOf(cell.closest("tr")).indexOf(cell);
  for (const row of rows()) {
    const one = cellsOf(row)[column];
    if (!one.value.trim() && !row.classList.contains("offered")) set(one, NR);
  }
}

// The value as it is, in the place that is said now.
function placeHere(cell) {
  if (!mayEnter || !cell.value.trim() || !("placed" in cell.dataset)) return;
  if (!bench.place) {
    status("Say first where it stands.");
    return;
  }
  bench.dirty.set(keyOf(cell), cell.value.trim());
  keep();
  schedule(AUTOSAVE);
}

// ---- rows

function newName(cell) {
  const name = form.dataset.grid;
  const known = rows().map((row) => row.dataset.row);
  const numbered = (begin) => {
    const numbers = known.filter((row) => row.startsWith(begin))
      .map((row) => Number(row.slice(begin.length))).filter(Number.isInteger);
    return begin + (Math.max(0, ...numbers) + 1);
  };
  if (name === "patients") return numbered(form.dataset.patient);
  if (name === "totals") return numbered("");
  if (name === "groups") {
    const input = document.getElementById("new-row");
    const given = input.value.trim().toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
    input.value = "";
    if (!given || known.includes(given)) {
      status("Write a name for the new group first, such as placebo.");
      input.focus();
      return "";
    }
    return given;
  }
  const row = cell?.closest("tr")?.dataset.row ?? known.at(-1);
  if (!row) {
    status("There is nothing it could belong to yet.");
    return "";
  }
  return numbered(row.slice(0, row.lastIndexOf(" / ")) + " / ");
}

function addRow(cell, given = "") {
  const spare = grid.querySelector("tr.spare");
  const name = spare && mayEnter && (given || newName(cell));
  if (!name) return null;
  const row = spare.cloneNode(true);
  row.className = "added";
  row.hidden = false;
  row.dataset.row = name;
  const head = row.querySelector("th");
  head.textContent = name;
  head.id = idOf(`${name}|`);
  for (const input of row.querySelectorAll("[name^='new|']")) {
    const field = input.name.slice(input.name.lastIndexOf("|") + 1);
    input.name = `cell|${name}|${field}`;
    input.id = idOf(`${name}|${field}`);
    const label = input.getAttribute("aria-label");
    input.setAttribute("aria-label", `${form.dataset.noun} ${name}${label.slice(label.indexOf(","))}`);
  }
  bench.newRows.add(name);
  const isLast = ["patients", "totals"].includes(form.dataset.grid);
  const after = !given && cell && !isLast ? cell.closest("tr") : null;
  if (after) after.after(row);
  else spare.before(row);
  if (!given) go(cellsOf(row)[0]);
  return row;
}

function removeRow(cell) {
  if (!grid.querySelector("tr.spare") || !mayEnter) return;
  const row = cell.closest("tr"), name = row.dataset.row;
  const next = row.nextElementSibling ?? row.previousElementSibling;
  for (const one of cellsOf(row)) {
    for (const kept of [bench.dirty, bench.errors, bench.clashes]) kept.delete(keyOf(one));
  }
  const isNew = bench.newRows.delete(name);
  if (next) go(cellsOf(next)[0]);
  row.remove();
  keep();
  if (!isNew) saveWith({ removed: [name] });
}

// ---- saving

class SessionEnded extends Error {}
class NoLongerThere extends Error {}

async function ask(address, body) {
  const options = {
    headers: { Accept: "application/json" },
    credentials: "same-origin",
    signal: AbortSignal.timeout(NO_ANSWER),
  };
  if (body) {
    options.method = "POST";
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
    options.headers["X-CSRFToken"] = form.elements.csrfmiddlewaretoken.value;
  }
  const response = await fetch(address + (body ? location.search : ""), options);
  if (!response.headers.get("Content-Type")?.startsWith("application/json")) {
    if (response.status === 404) throw new NoLongerThere();
    if (response.status < 500) throw new SessionEnded();
    throw new Error(`The server answered ${response.status}.`);
  }
  const answer = await response.json();
  if (!response.ok) answer.problem ??= `The server answered ${response.status}.`;
  return answer;
}

function schedule(after) {
  clearTimeout(bench.timer);
  bench.timer = setTimeout(save, after);
}

function toSave() {
  return [...bench.dirty].filter(
    ([key, text]) => !bench.clashes.has(key) && bench.errors.get(key) !== text,
  );
}

const hasWork = () => Boolean(toSave().length || bench.waiting.length);

// Sends what is entered, and the oldest of what else waits.
async function save() {
  clearTimeout(bench.timer);
  while (bench.saving) await bench.saving;
  if (!mayEnter || !hasWork()) return true;
  status("Saving…");
  bench.saving = send(toSave(), bench.waiting[0]).finally(() => { bench.saving = null; });
  const done = await bench.saving;
  if (done && hasWork()) schedule(bench.waiting.length ? 0 : AUTOSAVE);
  return done;
}

// A block or a row taken away: kept like a cell until the server has it.
function saveWith(more) {
  bench.waiting.push(more);
  keep();
  return save();
}

async function send(sent, more) {
  const isSent = (row) => row === more?.at?.[0] || sent.some(([key]) => rowOf(key) === row);
  const newRows = [...bench.newRows].filter(isSent);
  let answer;
  try {
    answer = await ask(form.dataset.enter, {
      based_on: bench.base,
      place: bench.place,
      cells: sent.map(([key, text]) => [rowOf(key), fieldOf(key), text]),
      new_rows: newRows,
      ...more,
    });
  } catch (error) {
    notSaved(error);
    return false;
  }
  if (answer.problem) {
    if (more) return refused(more, answer.problem);
    status(`Not saved: ${answer.problem} It is kept in this browser. `, again());
    return false;
  }
  bench.isLost = false;
  if (more) bench.waiting.shift();
  for (const [key, text] of sent) {
    if (bench.dirty.get(key) === text) bench.dirty.delete(key);
    const cell = cellOf(key);
    if (cell) cell.dataset.sent = text;
  }
  for (const row of newRows) bench.newRows.delete(row);
  rename(answer.renamed);
  takeIn(answer);
  for (const [row, field, text, problem, nearest] of answer.errors) {
    unread(answer.renamed[row] ?? row, field, text, withNearest(problem, nearest));
  }
  for (const [row, field, theirs, ours] of answer.clashes) clash(`${row}|${field}`, theirs, ours, "somebody else");
  keep();
  const said = answer.said.map((text) => (/[.!?]$/.test(text) ? text : `${text}.`));
  const told = [`Saved ${answer.at} (version ${answer.version}).`, ...said];
  if (bench.errors.size) told.push(`${bench.errors.size} cells could not be read: they are marked.`);
  status(told.join(" "));
  return true;
}

// The server does not take a block, or lets a row stay: nothing of it is tried again, nor lost.
async function refused(more, problem) {
  bench.waiting.shift();
  keep();
  const block = document.getElementById("block");
  if ("block" in more && block) {
    block.value = more.block;
    status(`Not saved: ${problem} It stands below the grid, to be mended.`);
    return false;
  }
  status(`Not saved: ${problem}`);
  try {
    takeIn(await ask(`${form.dataset.head}?since=0`));
  } catch (error) {
    notSaved(error);
  }
  return false;
}

// Somebody else took the name of a new row: what was entered into it meanwhile goes along, and so
// does whoever is in one of its cells.
function rename(renamed) {
  const names = (key) => `${renamed[rowOf(key)] ?? rowOf(key)}|${fieldOf(key)}`;
  for (const kept of ["dirty", "errors"]) {
    bench[kept] = new Map([...bench[kept]].map(([key, text]) => [names(key), text]));
  }
  for (const cell of grid.querySelectorAll(CELL)) {
    const key = keyOf(cell);
    if (!(rowOf(key) in renamed)) continue;
    cell.name = `cell|${names(key)}`;
    cell.id = idOf(names(key));
  }
}

function unread(row, field, text, problem) {
  const key = `${row}|${field}`;
  let cell = cellOf(key);
  if (!cell && addRow(null, row)) cell = cellOf(key);
  if (!cell) return;
  if (!bench.dirty.has(key)) cell.value = text;
  if (cell.value.trim() !== text) return; // another text stands there by now, and is sent next
  bench.errors.set(key, text);
  bench.dirty.set(key, text);
  mark(cell, problem);
}

// What was entered before stands in the place before; the next page shows the new one.
async function keepPlace() {
  await save();
  bench.place = placeInput.value.trim();
  await ask(form.dataset.enter, { based_on: bench.base, place: bench.place, cells: [] }).catch(notSaved);
  bench.placing = null;
}

const isSettled = () => !hasWork() && !bench.placing;

async function settle() {
  await save();
  await bench.placing;
}

function again() {
  return element("button", { type: "button", onclick: saveAgain }, "Save again");
}

async function saveAgain() {
  try {
    const answer = await ask(`${form.dataset.head}?since=${bench.version}`);
    if (answer.csrf) form.elements.csrfmiddlewaretoken.value = answer.csrf;
  } catch (error) {
    notSaved(error);
    return;
  }
  save();
}

function notSaved(error) {
  bench.isLost = true;
  if (error instanceof SessionEnded) {
    const login = element("a", { href: form.dataset.login, target: "_blank", rel: "opener" });
    login.append("Log in in another tab");
    const lost = hasWork() ? "Not saved: it is kept in this browser, " : "";
    status(`${lost}${lost ? "but y" : "Y"}our session has ended. `, login, ", then ", again());
  } else if (error instanceof NoLongerThere) {
    status(`This study is no longer here: somebody has given it up.${hasWork() ? " What you entered is kept in this browser." : ""}`);
  } else {
    status("Not saved: the server does not answer. It is kept in this browser and tried again. ", again());
    schedule(POLL);
  }
}

// What the server says now, where nothing here is waiting to be saved.
function takeIn(answer) {
  bench.version = bench.base = answer.version;
  if (answer.table !== undefined) replaceTable(answer.table);
  for (const [row, field, text, place] of answer.cells ?? []) {
    const cell = cellOf(`${row}|${field}`);
    if (!cell) continue;
    cell.closest("tr").classList.remove("offered", "added");
    const isWaiting = bench.dirty.has(keyOf(cell)) || bench.clashes.has(keyOf(cell));
    const isTyped = editing && cell === document.activeElement;
    cell.defaultValue = text;
    if (!isWaiting && !isTyped) {
      cell.value = text;
      if (cell === document.activeElement) cell.select();
    }
    if (place) cell.dataset.place = place;
    else delete cell.dataset.place;
    const hasValue = text && text !== NR && text !== UNREADABLE;
    const isPlaced = "placed" in cell.dataset;
    cell.parentElement.classList.toggle("unplaced", Boolean(isPlaced && hasValue && !place));
  }
  for (const cell of grid.querySelectorAll(`${CELL}[aria-invalid]`)) {
    if (!bench.errors.has(keyOf(cell)) && !bench.clashes.has(keyOf(cell))) unmark(cell);
  }
  for (const [row, field, problem, nearest] of answer.faulty ?? []) {
    const cell = cellOf(`${row}|${field}`);
    if (cell && !bench.errors.has(keyOf(cell)) && !cell.hasAttribute("aria-invalid")) {
      mark(cell, withNearest(problem, nearest));
    }
  }
  document.getElementById("faults").innerHTML = answer.faults; // escaped by the server
  document.getElementById("progress").textContent = answer.progress;
  document.getElementById("tabs").innerHTML = answer.tabs; // escaped by the server
  const unplaced = document.getElementById("unplaced");
  if (unplaced) unplaced.textContent = answer.unplaced;
  if (document.activeElement?.matches(CELL)) tellPlace(document.activeElement);
}

function replaceTable(html) {
  const focused = document.activeElement?.matches(CELL) ? document.activeElement.id : "";
  const box = grid.closest(".grid-box"), { scrollLeft, scrollTop } = box;
  const waiting = new Map(bench.dirty);
  grid.innerHTML = html; // escaped by the server
  setUpRows();
  for (const [key, text] of waiting) {
    if (!cellOf(key) && bench.newRows.has(rowOf(key))) addRow(null, rowOf(key));
    const cell = cellOf(key);
    if (cell) cell.value = text;
    else bench.dirty.delete(key);
  }
  box.scrollTo(scrollLeft, scrollTop);
  const cell = focused && document.getElementById(focused);
  if (cell) go(cell);
  last = cell || null;
}

function clash(key, theirs, ours, who) {
  const cell = cellOf(key);
  if (!cell) return;
  bench.dirty.delete(key);
  bench.clashes.set(key, theirs);
  cell.value = ours;
  cell.defaultValue = theirs;
  cell.readOnly = true;
  const decide = (text) => () => {
    bench.clashes.delete(key);
    cell.readOnly = false;
    unmark(cell);
    cell.value = text;
    changed(cell);
    go(cell);
  };
  mark(
    cell,
    `${who} wrote “${theirs || "untouched"}”; you have “${ours || "untouched"}”. `,
    element("button", { type: "button", onclick: decide(theirs) }, `Take “${theirs || "untouched"}”`),
    " ",
    element("button", { type: "button", onclick: decide(ours) }, `Keep “${ours || "untouched"}”`),
  );
}

async function undo() {
  if (!(await save())) return;
  try {
    const answer = await ask(form.dataset.undo, { based_on: bench.version });
    if (answer.problem) status(answer.problem);
    else {
      takeIn(answer);
      status(`Taken back (version ${answer.version}).`);
    }
  } catch (error) {
    notSaved(error);
  }
}

// ---- what others do

async function poll() {
  const since = bench.version;
  if (bench.saving || document.hidden) return;
  let answer;
  try {
    answer = await ask(`${form.dataset.head}?${query({ since })}`);
  } catch (error) {
    if (error instanceof SessionEnded || error instanceof NoLongerThere || hasWork()) notSaved(error);
    return;
  }
  if (answer.csrf) form.elements.csrfmiddlewaretoken.value = answer.csrf;
  if (bench.isLost && hasWork()) schedule(0);
  if (bench.saving || since !== bench.version || !(answer.version > since)) return;
  const both = answer.changes.filter(
    ([row, field, , after]) => bench.dirty.has(`${row}|${field}`) && bench.dirty.get(`${row}|${field}`) !== after,
  );
  const mine = new Map(bench.dirty);
  takeIn(answer);
  for (const [row, field, , after] of both) {
    const key = `${row}|${field}`;
    clash(key, after, mine.get(key), answer.by);
  }
  for (const [row, field] of answer.changes) cellOf(`${row}|${field}`)?.parentElement.classList.add("theirs");
  tellChanges(answer);
  keep();
}

function tellChanges(answer) {
  const list = element("ul");
  for (const [row, field, was, is] of answer.changes.slice(0, 20)) {
    const label = cellOf(`${row}|${field}`)?.getAttribute("aria-label") ?? `${row}, ${field}`;
    list.append(element("li", {}, `${label}: “${was || "untouched"}” → “${is || "untouched"}”`));
  }
  const count = answer.changes.length;
  const elsewhere = answer.changed > count ? " Other grids of this study have changed too." : "";
  offer(
    `${answer.by} has changed ${count} cell${count === 1 ? "" : "s"} here.${elsewhere}`,
    list,
    element("button", { type: "button", onclick: (event) => event.target.closest(".offer").remove() }, "Seen"),
  );
  status(`Version ${answer.version}.`);
}

function offer(text, ...inside) {
  const box = document.getElementById("offers");
  box.append(element("div", { class: "offer" }, element("p", {}, text), ...inside));
}

const query = (more) => {
  const all = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(more)) all.set(name, value);
  return all;
};

// ---- what this browser keeps until the server has it

function keep() {
  try {
    if (!bench.dirty.size && !bench.clashes.size && !bench.waiting.length && !bench.offered) {
      localStorage.removeItem(storeName);
      return;
    }
    const before = bench.offered ?? { cells: [], newRows: [], waiting: [] };
    const clashing = [...bench.clashes.keys()].map((key) => [key, cellOf(key)?.value ?? ""]);
    localStorage.setItem(
      storeName,
      JSON.stringify({
        user: form.dataset.user,
        base: before.base || bench.base,
        place: bench.place,
        at: before.at || new Date().toTimeString().slice(0, 5),
        cells: [...new Map([...before.cells, ...bench.dirty, ...clashing])],
        newRows: [...before.newRows, ...bench.newRows],
        waiting: [...before.waiting, ...bench.waiting],
      }),
    );
  } catch {
    // A browser that keeps nothing: the server has it a second later.
  }
}

const counted = (n, what, more = "") => (n ? `${n} ${what}${n === 1 ? "" : "s"}${more}` : "");

function offerKept() {
  let kept;
  try {
    kept = JSON.parse(localStorage.getItem(storeName));
  } catch {
    return;
  }
  if (!kept || kept.user !== form.dataset.user) return;
  kept.waiting ??= [];
  const differing = kept.cells.filter(([key, text]) => cellOf(key)?.value.trim() !== text);
  if (!differing.length && !kept.waiting.length) {
    localStorage.removeItem(storeName);
    return;
  }
  bench.offered = { ...kept, cells: differing };
  const close = (event) => {
    bench.offered = null;
    event.target.closest(".offer").remove();
  };
  const take = (event) => {
    close(event);
    bench.base = kept.base || bench.base;
    for (const [key, text] of differing) {
      if (!cellOf(key) && kept.newRows.includes(rowOf(key))) addRow(null, rowOf(key));
      const cell = cellOf(key);
      if (!cell) continue;
      cell.value = text;
      bench.dirty.set(key, text);
    }
    bench.waiting.push(...kept.waiting);
    keep();
    save();
  };
  const drop = (event) => {
    close(event);
    keep();
  };
  offer(
    `Entered here at ${kept.at} and not saved: ${[
      counted(differing.length, "cell"),
      counted(kept.waiting.filter((one) => "block" in one).length, "pasted block"),
      counted(kept.waiting.filter((one) => one.removed).length, "row", " taken away"),
    ].filter(Boolean).join(", ")}. `,
    element("button", { type: "button", onclick: take }, "Save again"),
    " ",
    element("button", { type: "button", onclick: drop }, "Drop them"),
  );
}

// ---- lists of terms: what is offered follows what stands before the last semicolon

const terms = element("datalist", { id: "terms-now" });

function offerTerms(cell) {
  const known = document.getElementById(cell.dataset.list);
  if (!known) return;
  const cut = cell.value.lastIndexOf(";") + 1;
  const begin = cut ? `${cell.value.slice(0, cut)} ` : "";
  terms.replaceChildren(
    ...[...known.options].map((one) => element("option", { value: begin + one.value, label: begin + one.label })),
  );
  cell.setAttribute("list", terms.id);
}

// ---- the page

function tellPlace(cell) {
  const box = document.getElementById("cell-place");
  const hasPlace = "placed" in cell.dataset && cell.value.trim();
  box.textContent = cell.dataset.place
    ? `Stands in: ${cell.dataset.place}`
    : hasPlace ? "No place said." : "";
}

function setUpRows() {
  for (const row of grid.querySelectorAll("tr.spare")) row.hidden = true;
}

function toolbar() {
  const onCell = (what) => () => {
    if (last?.isConnected) what(last);
    else go(grid.querySelector(CELL));
  };
  const button = (label, key, what) =>
    element(
      "button",
      { type: "button", onclick: what, onmousedown: (event) => event.preventDefault() },
      label,
      element("kbd", {}, key),
    );
  const state = (key) => onCell((cell) => {
    const text = stateOf(cell, key);
    if (text) set(cell, text);
    cell.focus();
  });
  const bar = element(
    "div",
    { class: "grid-keys", role: "group", "aria-label": "What to do with the cell" },
    button("Not reported", "n", state("n")),
    button("None", "0", state("0")),
    button("Unreadable", "?", state("?")),
    button("Untouched", "Del", onCell((cell) => set(cell, ""))),
    button("As above", "Ctrl+D", onCell(copyAbove)),
    button("Change", "F2", onCell((cell) => {
      cell.focus();
      COMMANDS.F2(cell);
    })),
    button("NR in the column", "Alt+N", onCell(fillColumn)),
    button("In this place", "Alt+P", onCell(placeHere)),
    button("Undo", "Ctrl+Z", () => undo()),
  );
  if (grid.querySelector("tr.spare")) {
    if (form.dataset.grid === "groups") {
      const label = "Name of a new group";
      bar.append(element("input", { type: "text", id: "new-row", "aria-label": label, placeholder: "placebo" }));
    }
    bar.append(
      button("New row", "Alt+↓", () => addRow(last?.isConnected ? last : null)),
      button("Take row away", "Alt+Del", onCell(removeRow)),
    );
  }
  grid.closest(".grid-box").before(bar);
}

function start() {
  document.documentElement.classList.add("has-script");
  document.body.append(terms);
  setUpRows();
  bench.place = placeInput?.value.trim() ?? "";
  grid.addEventListener("keydown", keydown);
  grid.addEventListener("focusin", (event) => {
    const cell = event.target.closest(CELL);
    if (!cell) return;
    last = cell;
    before = cell.value;
    editing = false;
    pending = "";
    cell.select();
    if (cell.dataset.list) offerTerms(cell);
    tellPlace(cell);
  });
  grid.addEventListener("focusout", (event) => {
    const cell = event.target.closest(CELL);
    const isSaved = cell && !bench.dirty.has(keyOf(cell)) && !bench.errors.has(keyOf(cell));
    if (isSaved && cell.value.trim() === cell.dataset.sent) {
      cell.value = cell.defaultValue; // as the server spells it
      delete cell.dataset.sent;
    }
  });
  grid.addEventListener("mousedown", (event) => {
    const cell = event.target.closest(CELL);
    if (cell && cell === document.activeElement) editing = true; // a second click is for the text
  });
  grid.addEventListener("input", (event) => {
    const cell = event.target.closest(CELL);
    if (!cell) return;
    delete cell.dataset.sent;
    if (cell.dataset.list) offerTerms(cell);
    changed(cell);
  });
  grid.addEventListener("paste", (event) => {
    const cell = event.target.closest(CELL);
    const text = event.clipboardData.getData("text/plain");
    if (!cell || !mayEnter || !/[\t\n]/.test(text.trim())) return;
    event.preventDefault();
    const key = keyOf(cell);
    saveWith({ block: text, at: [rowOf(key), fieldOf(key)] });
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (event.submitter?.name === "paste") {
      const block = document.getElementById("block");
      const text = block.value;
      if (text.trim() && await saveWith({ block: text, at: ["", ""] }) && block.value === text) block.value = "";
    } else {
      bench.errors.clear(); // who presses it wants to be told again
      if (hasWork() || bench.saving) save();
      else status(`Nothing to save (version ${bench.version}).`);
    }
  });
  placeInput?.addEventListener("change", () => { bench.placing = keepPlace(); });
  placeInput?.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    placeInput.blur(); // where there is no cell to go to
    go(last?.isConnected ? last : grid.querySelector(CELL));
  });
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[href]");
    if (!link || link.target || event.ctrlKey || event.metaKey || event.shiftKey || isSettled()) return;
    if (link.getAttribute("href").startsWith("#")) return;
    event.preventDefault();
    await settle();
    location.assign(link.href);
  });
  document.querySelector("form.columns-asked")?.addEventListener("submit", async (event) => {
    if (isSettled()) return;
    event.preventDefault();
    await settle();
    event.target.submit();
  });
  if (mayEnter) {
    toolbar();
    offerKept();
  }
  const asked = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (asked?.matches(CELL)) go(asked);
  setInterval(poll, POLL);
  document.addEventListener("visibilitychange", poll);
}

if (form && grid) start();
