// Draws every chart of the page from the numbers in it. Plotly is fetched only where there is a chart, after the page is
// there, and draws one chart at a time, those in view first, so that the page never stops answering. Marks that ask
// something are links: by pointer, and by keyboard.
(() => {
  "use strict";
  const source = document.currentScript.dataset.plotly;
  const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
  const ON_PAPER = { ink: "#1c2430", grid: "#e3e7ec", soft: "#55606e" };
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

  function colours() {
    const style = getComputedStyle(document.documentElement);
    const named = (name) => style.getPropertyValue(`--${name}`).trim();
    return { ink: named("ink"), grid: named("grid"), soft: named("soft") };
  }

  function themed(layout, { ink, grid }) {
    const made = { ...layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: FONT, size: 12, color: ink } };
    for (const name of Object.keys({ xaxis: 1, yaxis: 1, ...layout })) {
      if (/^[xy]axis\d*$/.test(name)) made[name] = { gridcolor: grid, linecolor: grid, zerolinecolor: ink, ...layout[name] };
    }
    return made;
  }

  function inked(data, { soft }) {
    for (const trace of data) {
      if (trace.type !== "bar") continue;
      for (const bars of ["error_x", "error_y"]) if (trace[bars]) trace[bars].color = soft;
    }
    return data;
  }

  const read = (canvas) => JSON.parse(document.getElementById(canvas.dataset.chart).textContent);

  // On a narrow screen a chart may place its labels otherwise, and titles of axes are broken into lines, since nothing may
  // be cut off.
  function fitted(figure, width) {
    const layout = width > 520 ? figure.layout : { ...figure.layout, ...figure.narrow };
    const room = Math.max(Math.floor(width / 14), 16); // letters beside the labels of the rows
    const axis = layout.xaxis;
    if (width > 520 || !axis || !axis.title || axis.title.text.length <= room) return layout;
    const lines = [""];
    for (const word of axis.title.text.split(" ")) {
      if (lines.at(-1) && (lines.at(-1) + word).length >= room) lines.push("");
      lines[lines.length - 1] += `${lines.at(-1) ? " " : ""}${word}`;
    }
    const more = 14 * (lines.length - 1);
    return { ...layout, margin: { ...layout.margin, b: layout.margin.b + more }, xaxis: { ...axis, title: { text: lines.join("<br>"), font: { size: 11 } } } };
  }

  async function draw(Plotly, canvas) {
    const figure = read(canvas);
    figure.layout = fitted(figure, canvas.clientWidth);
    const theme = colours();
    canvas.replaceChildren();
    canvas.removeAttribute("tabindex");
    await Plotly.newPlot(canvas, inked(figure.data, theme), themed(figure.layout, theme), { responsive: true, displaylogo: false, displayModeBar: false });
    if (figure.links.some((links) => links.some(Boolean))) link(canvas, figure);
    offer(Plotly, canvas);
  }

  // Marks as links

  function follow(canvas, href) {
    const chart = canvas.closest(".chart");
    const going = new CustomEvent("casebook:ask", { detail: { href, from: chart && chart.id }, cancelable: true });
    if (/\/(patients|studies)\/[^/?]+\/$/.test(href) || document.dispatchEvent(going)) location.assign(href);
  }

  function link(canvas, figure) {
    const led = (trace, point) => (figure.links[trace] || [])[point] || null;
    canvas.setAttribute("role", "group"); // its marks are reached one by one
    canvas.classList.add("leads");
    canvas.on("plotly_click", (event) => {
      for (const point of event.points) {
        const href = led(point.curveNumber, point.pointNumber);
        if (href) return follow(canvas, href);
      }
      return undefined;
    });
    const marks = () => reach(canvas, figure, led);
    canvas.on("plotly_afterplot", marks);
    marks();
  }

  function reach(canvas, figure, led) {
    const bars = [...canvas.querySelectorAll(".barlayer .trace")].flatMap((trace) => [...trace.querySelectorAll(".point")]);
    const points = [...canvas.querySelectorAll(".scatterlayer .trace .points path.point")];
    for (const mark of [...bars, ...points]) {
      const datum = mark.__data__;
      const trace = datum && (datum.trace || (mark.closest(".trace").__data__ || [{}])[0].trace);
      const href = trace && led(trace.index, datum.i);
      if (!href || mark.dataset.href === href) continue;
      mark.dataset.href = href;
      mark.setAttribute("tabindex", "0");
      mark.setAttribute("role", "link");
      mark.setAttribute("aria-label", spoken(figure.data[trace.index], datum.i));
      mark.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        follow(canvas, mark.dataset.href);
      });
    }
  }

  function spoken(trace, i) {
    const place = trace.orientation === "h" ? [trace.y[i], trace.x[i]] : [trace.x[i], trace.y[i]];
    const said = trace.customdata ? [trace.orientation === "h" ? trace.y[i] : "", trace.customdata[i]] : [...place, trace.name];
    return said.filter((part) => part !== "" && part !== undefined).join(", ").replaceAll("<br>", " ");
  }

  // Pictures to take away: on white paper, with their title, whatever the screen looks like

  function offer(Plotly, canvas) {
    const line = canvas.closest(".chart").querySelector(".take");
    if (!line || line.querySelector("button")) return;
    for (const format of ["png", "svg"]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `Picture as ${format.toUpperCase()}`;
      button.addEventListener("click", () => take(Plotly, canvas, format));
      line.append(button);
    }
  }

  const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

  // Lines of at most so many letters; what has no space to break at is cut where it is full.
  function broken(text, letters) {
    const lines = [""];
    for (const word of text.split(" ").flatMap((part) => part.match(new RegExp(`.{1,${letters}}`, "gu")) || [])) {
      if (lines.at(-1) && lines.at(-1).length + 1 + word.length > letters) lines.push("");
      lines[lines.length - 1] += `${lines.at(-1) ? " " : ""}${word}`;
    }
    return lines;
  }

  function take(Plotly, canvas, format) {
    const figure = read(canvas);
    const width = Math.max(canvas.clientWidth, 640);
    const layout = themed(figure.layout, ON_PAPER);
    // Whoever meets the picture alone must see of whom it is: the question, how many, of which release, and where.
    const letters = Math.floor(width / 6.5);
    const lines = [canvas.dataset.question, `Casebook · ${canvas.dataset.release} · ${decodeURI(location.href.split("#")[0])}`]
      .flatMap((text) => broken(text, letters));
    const top = 84 + 13 * lines.length;
    Object.assign(layout, {
      paper_bgcolor: "#ffffff",
      width,
      height: figure.layout.height + top - figure.layout.margin.t,
      title: { text: "simulated" in canvas.dataset ? `${figure.title} · SIMULATED, not evidence` : figure.title, x: 0.01, xanchor: "left", yref: "container", y: 1, yanchor: "top", pad: { t: 12 }, subtitle: { text: lines.map(escaped).join("<br>"), font: { size: 10 } } },
      margin: { ...layout.margin, t: top },
    });
    return Plotly.downloadImage({ data: inked(figure.data, ON_PAPER), layout }, { format, filename: canvas.dataset.file, width, height: layout.height, scale: 2 });
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
