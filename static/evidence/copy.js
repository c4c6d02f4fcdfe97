// Copies the address of a link instead of following it. Without this script, or where the browser does not let it, the
// link is followed, and the address stands in the address bar.
(() => {
  "use strict";
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-copy]");
    if (!link || !navigator.clipboard || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    try {
      await navigator.clipboard.writeText(link.href);
    } catch {
      location.assign(link.href);
      return;
    }
    const said = link.textContent;
    link.textContent = "Copied";
    document.getElementById("announce").textContent = link.dataset.copy;
    setTimeout(() => (link.textContent = said), 2000);
  });

  // An address that is to be copied by hand is shown whole.
  const showWhole = () => {
    for (const link of document.querySelectorAll("[data-whole-address]")) link.textContent = link.href;
  };
  showWhole();
  document.addEventListener("htmx:afterSettle", showWhole);
})();
