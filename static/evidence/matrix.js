// The case matrix by keyboard, as a grid: arrows move, Enter opens the case. What a cell says stands below the matrix too,
// for whoever points at it, reaches it or taps it. Without this script the headings of the columns are the way in.
(() => {
  "use strict";

  const cellOf = (event) => event.target.closest && event.target.closest("table.cells tbody td");

  function columnOf(cell) {
    return cell.closest("table").tHead.rows[0].cells[cell.cellIndex];
  }

  function say(cell) {
    const line = cell.closest("section").querySelector(".cell-words");
    const words = cell.querySelector("i").textContent;
    const label = cell.parentElement.cells[0].textContent.replace(/ [↑↓]$/, "");
    line.textContent = `${columnOf(cell).textContent} · ${label}: ${words}`;
  }

  // One cell of each matrix is reached by Tab, the others by arrows.
  function prepare(root) {
    for (const table of root.querySelectorAll("table.cells")) {
      const first = table.querySelector("tbody td");
      if (first && !table.querySelector("td[tabindex]")) first.tabIndex = 0;
    }
  }

  function moveTo(from, to) {
    if (!to || to.tagName !== "TD") return;
    from.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
    to.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    const cell = cellOf(event);
    if (!cell || event.target !== cell) return;
    const row = cell.parentElement;
    const below = (line) => line && line.cells[cell.cellIndex];
    const targets = {
      ArrowLeft: () => cell.previousElementSibling,
      ArrowRight: () => cell.nextElementSibling,
      ArrowUp: () => below(row.previousElementSibling),
      ArrowDown: () => below(row.nextElementSibling),
      Home: () => row.cells[1],
      End: () => row.cells[row.cells.length - 1],
    };
    if (targets[event.key]) {
      event.preventDefault();
      moveTo(cell, targets[event.key]());
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      columnOf(cell).querySelector("a").click();
    }
  });

  document.addEventListener("click", (event) => {
    const cell = cellOf(event);
    if (!cell) return;
    say(cell);
    // A finger asks what a cell says; a second tap, or a mouse, opens the case.
    const asked = cell.classList.contains("asked");
    for (const other of document.querySelectorAll("td.asked")) other.classList.remove("asked");
    cell.classList.add("asked");
    if (asked || matchMedia("(hover: hover)").matches) columnOf(cell).querySelector("a").click();
  });

  for (const name of ["pointerover", "focusin"]) {
    document.addEventListener(name, (event) => {
      const cell = cellOf(event);
      if (cell) say(cell);
    });
  }

  prepare(document);
  document.addEventListener("htmx:afterSettle", () => prepare(document));
})();
