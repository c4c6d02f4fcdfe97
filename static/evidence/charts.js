// Draws every chart of the page from the numbers in it. Plotly is fetched only where there is a chart, after the page is
// there, and draws one chart at a time, those in view first, so that the page never stops answering.
(() => {
  "use strict";
  const source = document.currentScript.dataset.plotly;
  let plotly;

  function load() {
    plotly ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = source;
      script.onload = () => resolve(window.Plotly);
      script.onerror = reject;
      document.head.append(script);
    });
    return plotly;
  }

  function themed(layout) {
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--ink").trim();
    const grid = style.getPropertyValue("--grid").trim();
    const axis = (given) => ({ gridcolor: grid, linecolor: grid, zerolinecolor: ink, ...given });
    return {
      ...layout,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", size: 12, color: ink },
      xaxis: axis(layout.xaxis),
      yaxis: axis(layout.yaxis),
    };
  }

  function draw(Plotly, canvas) {
    const figure = JSON.parse(document.getElementById(canvas.dataset.chart).textContent);
    const config = {
      responsive: true,
      displaylogo: false,
      displayModeBar: false,
      toImageButtonOptions: { filename: canvas.dataset.file },
    };
    const ink = getComputedStyle(document.documentElement).getPropertyValue("--soft").trim();
    for (const trace of figure.data) if (trace.type === "bar" && trace.error_x) trace.error_x.color = ink;
    canvas.replaceChildren();
    return Plotly.newPlot(canvas, figure.data, themed(figure.layout), config);
  }

  const loaded = new Promise((done) => {
    if (document.readyState === "complete") done();
    else addEventListener("load", done, { once: true });
  });

  const idle = () => new Promise((done) => (window.requestIdleCallback ? requestIdleCallback(done, { timeout: 200 }) : setTimeout(done, 1)));

  function inView(canvas) {
    const box = canvas.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight;
  }

  async function drawAll(root) {
    const canvases = [...root.querySelectorAll("[data-chart]")];
    if (!canvases.length) return;
    try {
      await loaded;
      const Plotly = await load();
      for (const canvas of [...canvases.filter(inView), ...canvases.filter((each) => !inView(each))]) {
        await idle();
        if (canvas.isConnected) await draw(Plotly, canvas);
      }
    } catch {
      // The sentence and the table carry the same numbers; the page is complete without the picture.
    }
  }

  drawAll(document);
  document.addEventListener("htmx:afterSettle", (event) => drawAll(event.detail.elt));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(document));
})();
