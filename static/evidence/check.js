// Checking value by value: Enter agrees and goes on, w marks as wrong, b goes back. Without this file
// each button sends its form.
"use strict";

const sayForm = document.getElementById("say");
const rows = [...document.querySelectorAll("tr[data-cell]")];
const agreeOf = (row) => row.querySelector("button.agree");

function tell(text) {
  document.getElementById("status").textContent = text;
}

function go(row) {
  const button = row && agreeOf(row);
  if (!button) return;
  button.focus();
  row.scrollIntoView({ block: "nearest" });
}

const beside = (row, step) => rows[rows.indexOf(row) + step];

let last = Promise.resolve();

// What is said goes to the server one after the other, so that no answer overtakes a later one.
function say(row, said, remark) {
  last = last.then(() => send(row, said, remark));
}

// The row says what has been kept.
async function send(row, said, remark) {
  const data = new FormData(sayForm);
  data.set("cell", row.dataset.cell);
  data.set("said", said);
  data.set("remark", remark);
  let answer;
  try {
    const response = await fetch(sayForm.action, {
      method: "POST", body: data, headers: { Accept: "application/json" }, credentials: "same-origin",
    });
    if (!response.headers.get("Content-Type")?.startsWith("application/json")) {
      throw new Error(response.status < 500 ? "your session has ended, log in again" : "the server failed");
    }
    answer = await response.json();
  } catch (error) {
    refuse(row, `Not kept: ${error.message}.`);
    return;
  }
  if (answer.problem) {
    refuse(row, `Not kept: ${answer.problem}`);
    return;
  }
  row.dataset.said = said;
  row.querySelector(".word").textContent = said === "wrong" ? `wrong: ${remark}` : "agrees";
  for (const place of document.querySelectorAll("[data-count]")) {
    place.textContent = answer[place.dataset.count];
  }
  const remarks = document.getElementById("remark");
  if (remarks && remarks.value.trim() === remarks.defaultValue.trim()) remarks.value = remarks.defaultValue = answer.remarks;
  const although = document.getElementById("although");
  if (although && answer.agreed === answer.total) {
    although.required = false;
    although.closest("p").hidden = true;
  }
  const counts = `${answer.agreed} of ${answer.total} agree, ${answer.wrong} wrong.`;
  const stale = answer.version > Number(sayForm.elements.based_on.value)
    ? ` Version ${answer.version} was written meanwhile: load the page again to see it.` : "";
  tell(counts + stale);
}

function refuse(row, text) {
  row.querySelector(".word").textContent = text;
  row.dataset.said = "refused";
  tell(text);
  go(row);
}

function agree(row) {
  go(beside(row, 1) ?? row);
  say(row, "agrees", "");
}

function openWrong(row) {
  const details = row.querySelector("details.wrong");
  details.open = true;
  details.querySelector("[name=remark]").focus();
}

function keydown(event) {
  const row = event.target.closest("tr[data-cell]");
  if (!row || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (event.target.name === "remark") {
    if (event.key !== "Escape") return;
    row.querySelector("details.wrong").open = false;
    go(row);
  } else if (event.key === "w") openWrong(row);
  else if (event.key === "b") go(beside(row, -1));
  else if (event.key === "Enter" && event.repeat) return event.preventDefault();
  else return;
  event.preventDefault();
}

sayForm.addEventListener("submit", (event) => {
  event.preventDefault();
  agree(event.submitter.closest("tr"));
});
for (const row of rows) {
  row.querySelector("details.wrong form")?.addEventListener("submit", (event) => {
    event.preventDefault();
    const remark = event.target.elements.remark.value.trim();
    if (!remark) return;
    row.querySelector("details.wrong").open = false;
    go(beside(row, 1) ?? row);
    say(row, "wrong", remark);
  });
}
document.addEventListener("keydown", keydown);
