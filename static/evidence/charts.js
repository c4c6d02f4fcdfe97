// Draws every chart of the page from the numbers in it. Plotly is fetched only where there is a chart, and after the text.
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

  async function drawAll(root) {
    const canvases = [...root.querySelectorAll("[data-chart]")];
    if (!canvases.length) return;
    try {
      const Plotly = await load();
      for (const canvas of canvases) if (canvas.isConnected) await draw(Plotly, canvas);
    } catch {
      // The sentence and the table carry the same numbers; the page is complete without the picture.
    }
  }

  drawAll(document);
  document.addEventListener("htmx:afterSettle", (event) => drawAll(event.detail.elt));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(document));
})();
