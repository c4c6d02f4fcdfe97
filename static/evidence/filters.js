// Makes the filter form answer in place. Without this script the form works by its button.
(() => {
  "use strict";
  document.documentElement.classList.add("scripted"); // buttons that only a page without script needs are hidden
  const open = new Map();
  const scrolled = new Map();
  let timer = 0; // change and submit come together when Enter is pressed; they are one question
  let asking = false;
  let again = false; // the question changed while an answer was on its way: that answer is not shown

  function ask() {
    if (asking) again = true;
    else {
      clearTimeout(timer);
      timer = setTimeout(() => {
        asking = true;
        htmx.trigger("#question", "ask");
      }, 20);
    }
  }

  document.addEventListener("change", (event) => {
    if (event.target.form && event.target.form.id === "question") ask();
  });

  document.addEventListener("submit", (event) => {
    if (event.target.id !== "question" || !window.htmx) return;
    event.preventDefault();
    ask();
  });

  // Links that ask something else of this page, in its place: chips, marks of charts, cells of their tables.
  let from = ""; // where the reader was, to be found there again

  function follow(href, place) {
    if (asking) return;
    from = place;
    asking = true;
    htmx.ajax("GET", href, { target: "#view", swap: "outerHTML show:none" });
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-ask]");
    if (!link || !window.htmx || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    follow(link.href, link.dataset.ask);
  });

  document.addEventListener("casebook:ask", (event) => {
    if (!window.htmx) return;
    event.preventDefault();
    follow(event.detail.href, event.detail.from);
  });

  // Charts come by themselves, into a place of their own.
  const isAnswer = (event) => event.detail.target.id === "view";

  document.addEventListener("htmx:afterRequest", (event) => {
    if (!isAnswer(event)) return;
    asking = false;
    if (!again) return;
    again = false;
    ask();
  });

  function tidy(parameters) {
    for (const name of [...new Set(parameters.keys())]) {
      const kept = parameters.getAll(name).filter((value) => value !== "");
      parameters.delete(name);
      for (const value of kept) parameters.append(name, value);
    }
  }

  // Empty fields do not belong in an address.
  document.addEventListener("htmx:configRequest", (event) => tidy(event.detail.formData));

  document.addEventListener("htmx:beforeSwap", (event) => {
    // A wrong question (400) has a page of its own, which says what is wrong; htmx would leave it out.
    if (isAnswer(event) && event.detail.xhr.status === 400 && event.detail.serverResponse.includes('<div id="view">')) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
    if (again && isAnswer(event)) event.detail.shouldSwap = false;
    for (const each of document.querySelectorAll("#view details[id]")) open.set(each.id, each.open);
    for (const each of document.querySelectorAll("#view details[id] ul")) scrolled.set(each.closest("details").id, each.scrollTop);
    const toggle = document.getElementById("show-filters");
    open.set("show-filters", toggle && toggle.checked);
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    for (const [id, state] of open) {
      const each = document.getElementById(id);
      if (!each) continue;
      if (id === "show-filters") each.checked = state;
      else if (state) each.open = true;
      const list = each.querySelector && each.querySelector("ul");
      if (list && scrolled.has(id)) list.scrollTop = scrolled.get(id);
    }
    if (from) {
      const place = document.getElementById(from);
      if (place) place.focus({ preventScroll: true }); // not where it has nothing to show now, and is folded
      const reached = document.activeElement === place ? place : document.getElementById("charts") || document.getElementById("answer");
      if (reached) reached.focus({ preventScroll: true });
      const comes = reached && (reached.matches("[hx-get]") || reached.querySelector("a[hx-get]")); // in a moment
      if (place || !comes) from = "";
    }
    if (!isAnswer(event)) return;
    const answer = document.getElementById("answer") || document.querySelector(".problem");
    if (answer) document.getElementById("announce").textContent = answer.textContent.trim();
  });

  // A failed request falls back to an ordinary page load, which shows what is wrong.
  for (const failure of ["htmx:responseError", "htmx:sendError"]) {
    document.addEventListener(failure, (event) => {
      if (!isAnswer(event)) return;
      const config = event.detail.requestConfig;
      if (config && config.elt && config.elt.id !== "question") location.assign(config.path);
      else document.getElementById("question").submit();
    });
  }
})();
