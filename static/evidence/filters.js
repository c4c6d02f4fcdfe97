// Makes the filter form answer in place. Without this script the form works by its button.
(() => {
  "use strict";
  let open = new Map();
  let scrolled = new Map();

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
    if (event.detail.xhr.status === 400) event.detail.shouldSwap = true;
    open = new Map([...document.querySelectorAll("#view details[id]")].map((each) => [each.id, each.open]));
    scrolled = new Map([...document.querySelectorAll("#view details[id] ul")].map((each) => [each.closest("details").id, each.scrollTop]));
    const toggle = document.getElementById("show-filters");
    open.set("show-filters", toggle && toggle.checked);
  });

  document.addEventListener("htmx:afterSwap", () => {
    for (const [id, state] of open) {
      const each = document.getElementById(id);
      if (!each) continue;
      if (id === "show-filters") each.checked = state;
      else if (state) each.open = true;
      const list = each.querySelector && each.querySelector("ul");
      if (list && scrolled.has(id)) list.scrollTop = scrolled.get(id);
    }
    const answer = document.getElementById("answer") || document.querySelector(".problem");
    if (answer) document.getElementById("announce").textContent = answer.textContent.trim();
  });

  // A failed request falls back to an ordinary page load, which shows what is wrong.
  for (const failure of ["htmx:responseError", "htmx:sendError"]) {
    document.addEventListener(failure, () => document.getElementById("question").submit());
  }
})();
