// Draws the charts of the page from the numbers in it, each when it comes near the view, one at a time, so that the page
// never stops answering. Charts that stand at an address of their own are fetched when their place comes near; Plotly,
// with the first of them. Marks that ask something are links: by pointer, and by keyboard.
(() => {
  "use strict";
  const source = document.currentScript.dataset.plotly;
  const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
  const SIZE = 12; // pixels of letters in a chart
  const AXIS = /^[xy]axis\d*$/;
  const ON_PAPER = { ink: "#1c2430", grid: "#e3e7ec", soft: "#55606e", ground: "#ffffff" };
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
    return { ink: named("ink"), grid: named("grid"), soft: named("soft"), ground: named("ground") };
  }

  // Letters with an outline: they are read on a dark bar and on the ground alike.
  const outlined = (colour) => Array(4).fill(`0 0 2px ${colour}`).join(", ");

  function themed(layout, { ink, grid, ground }) {
    const made = { ...layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: FONT, size: SIZE, color: ink } };
    for (const name of Object.keys({ xaxis: 1, yaxis: 1, ...layout })) {
      if (AXIS.test(name)) made[name] = { gridcolor: grid, linecolor: grid, zerolinecolor: ink, ...layout[name] };
    }
    made.annotations = layout.annotations.map((each) => ({ ...each, font: { ...each.font, color: ink, shadow: outlined(ground) } }));
    return made;
  }

  function inked(data, { ink, soft }) {
    for (const trace of data) {
      if (trace.type !== "bar") continue;
      if (trace.marker.pattern && trace.marker.pattern.shape) trace.insidetextfont = { color: ink }; // the ground shows through
      for (const bars of ["error_x", "error_y"]) if (trace[bars]) trace[bars].color = soft;
    }
    return data;
  }

  const read = (canvas) => JSON.parse(document.getElementById(canvas.dataset.chart).textContent);

  // Margins are worked out from the length of the labels before anything is drawn: Plotly would draw a chart, look how
  // much room its labels take, and draw it again.

  const pen = document.createElement("canvas").getContext("2d");
  const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };
  const linesOf = (text) => String(text).replace(/&\w+;/g, (each) => ENTITIES[each] || each).split("<br>");

  function widthOf(text, size = SIZE) {
    pen.font = `${size}px ${FONT}`;
    return Math.max(...linesOf(text).map((line) => pen.measureText(line).width));
  }

  // A text in lines that are no wider than this many pixels.
  function wrapped(text, room, size = SIZE) {
    const lines = [""];
    for (const word of text.replaceAll("<br>", " ").split(" ")) {
      const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
      if (lines.at(-1) && widthOf(longer, size) > room) lines.push(word);
      else lines[lines.length - 1] = longer;
    }
    return lines.join("<br>");
  }

  const labelsOf = (axis) => axis.categoryarray || axis.ticktext;

  function roomOfValues(axis, values) {
    const longest = Math.max(...values.map(Math.abs).filter(Number.isFinite), 10);
    return widthOf(String(Math.round(longest))) + 16 + (axis.title && axis.title.text ? 22 : 0);
  }

  // How many lines the legend takes in this width.
  function linesOfLegend({ data, layout }, width) {
    const names = data.filter((trace) => trace.name && trace.showlegend !== false).map((trace) => trace.name);
    if (layout.showlegend === false || names.length < 2) return 0;
    const widths = names.map((name) => widthOf(name) + 45);
    if (widths.reduce((sum, each) => sum + each, 0) <= width) return 1;
    return Math.ceil(names.length / Math.max(1, Math.floor(width / Math.max(...widths)))); // columns, as wide as the widest
  }

  // On a narrow screen long labels of rows stand above their marks instead of beside them; beside bars, in more lines.
  function shortened(axis, { data }, layout, width) {
    const labels = labelsOf(axis);
    const places = axis.tickvals || labels;
    if (data.some((trace) => trace.type === "bar")) {
      const size = layout.height / labels.length < 44 ? 10 : 11;
      const room = layout.height / labels.length < 30 ? Infinity : width * 0.4; // one line, where rows are close
      Object.assign(axis, { tickvals: places, ticktext: labels.map((label) => wrapped(label, room, size)), tickfont: { size } });
      return Math.max(...axis.ticktext.map((label) => widthOf(label, size))) + 14;
    }
    axis.showticklabels = false;
    const above = { xref: "paper", x: 0, xanchor: "left", yref: "y", yanchor: "bottom", yshift: 7, align: "left", showarrow: false, font: { size: 11 } };
    layout.annotations = [...labels.map((label, i) => ({ ...above, text: wrapped(label, width - 16, 11), y: places[i] })), ...layout.annotations];
    return 8;
  }

  function fitted(figure, width) {
    const layout = structuredClone(width > 520 ? figure.layout : { ...figure.layout, ...figure.narrow });
    const axes = Object.keys(layout).filter((name) => AXIS.test(name));
    let left = 0;
    for (const name of axes) {
      const axis = layout[name];
      Object.assign(axis, { automargin: false, ticklabeloverflow: "allow" });
      if (axis.title) axis.title = { ...axis.title, font: { size: SIZE } };
      if (!name.startsWith("y")) continue;
      const labels = labelsOf(axis);
      const room = labels ? Math.max(...labels.map((label) => widthOf(label))) + 14 : roomOfValues(axis, figure.data.flatMap((trace) => trace.y || []));
      if (labels && room > width * 0.45) left = Math.max(left, shortened(axis, figure, layout, width));
      else left = Math.max(left, room);
    }
    const { margin, xaxis } = layout;
    margin.l = left;
    margin.t = 12 + 20 * linesOfLegend(figure, width);
    if (figure.data.some((trace) => trace.textposition === "outside")) margin.r += 20;
    const inside = width - margin.l - margin.r;
    if (xaxis.type === "category" && figure.data[0].x.length * 44 > inside) {
      xaxis.tickvals = figure.data[0].x;
      xaxis.ticktext = xaxis.tickvals.map((label) => label.replace("–", "–<br>"));
    }
    if (xaxis.ticktext) {
      const pitch = inside / xaxis.ticktext.length;
      Object.assign(xaxis, { tickangle: 0, ticktext: xaxis.ticktext.map((label) => wrapped(label, pitch - 4)) });
      if (pitch < 16) xaxis.tickfont = { size: 9 };
    }
    const ticks = Math.max(1, ...(xaxis.ticktext || []).map((label) => linesOf(label).length));
    let titled = 0;
    if (xaxis.title && xaxis.title.text) {
      xaxis.title = { ...xaxis.title, text: wrapped(xaxis.title.text, Math.max(inside, 150)), font: { size: SIZE }, standoff: 6 };
      titled = linesOf(xaxis.title.text).length;
    }
    margin.b = 12 + 15 * ticks + (titled ? 8 + 16 * titled : 0);
    return { data: figure.data.map((trace) => legible(trace, figure, inside)), layout };
  }

  // Numbers that do not fit into their part of a bar are left out; dots of a grid do not run into each other.
  function legible(trace, { data, layout }, inside) {
    if (trace.yaxis === "y2" && trace.mode === "markers") {
      const pitch = inside / layout.xaxis.tickvals.length;
      return { ...trace, marker: { ...trace.marker, size: Math.min(trace.marker.size, pitch * 0.75) } };
    }
    if (trace.textposition !== "inside") return trace;
    const totals = trace.x.map((_, i) => data.reduce((sum, each) => sum + (each.x[i] || 0), 0));
    const unit = inside / (1.05 * Math.max(...totals));
    return { ...trace, text: trace.text.map((text, i) => (trace.x[i] * unit > widthOf(text) + 4 ? text : "")) };
  }

  async function draw(Plotly, canvas) {
    const figure = read(canvas);
    canvas.replaceChildren();
    canvas.removeAttribute("tabindex");
    const { data, layout } = fitted(figure, canvas.clientWidth);
    const theme = colours();
    layout.width = canvas.clientWidth;
    layout.height = Math.min(Math.max(canvas.clientHeight, layout.height), 2 * layout.height); // as tall as its neighbour
    await Plotly.newPlot(canvas, inked(data, theme), themed(layout, theme), { displaylogo: false, displayModeBar: false });
    for (const picture of canvas.querySelectorAll(".main-svg")) picture.setAttribute("viewBox", `0 0 ${layout.width} ${layout.height}`); // paper is narrower
    if (figure.links.some((links) => links.some(Boolean))) link(canvas, figure);
    offer(Plotly, canvas);
  }

  // Marks as links

  function follow(canvas, href) {
    const chart = canvas.closest(".chart");
    const going = new CustomEvent("casebook:ask", { detail: { href, from: chart && chart.id }, cancelable: true });
    if (/\/(patients|studies)\/[^?]/.test(href) || document.dispatchEvent(going)) location.assign(href);
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
    const said = trace.customdata ? [trace.customdata[i]] : [...place, trace.name];
    return said.filter((part) => part !== "" && part !== undefined).flatMap(linesOf).join(" ");
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
    const { data, layout } = fitted(figure, width);
    // Whoever meets the picture alone must see of whom it is: the question, how many, of which release, and where.
    const letters = Math.floor(width / 6.5);
    const lines = [canvas.dataset.question, `Casebook · ${canvas.dataset.release} · ${decodeURI(location.href.split("#")[0])}`]
      .flatMap((text) => broken(text, letters));
    const top = 52 + 13 * lines.length;
    const height = figure.layout.height + top;
    Object.assign(layout, themed(layout, ON_PAPER), {
      paper_bgcolor: "#ffffff",
      width,
      height,
      title: { text: "simulated" in canvas.dataset ? `${figure.title} · SIMULATED, not evidence` : figure.title, x: 0.01, xanchor: "left", yref: "container", y: 1, yanchor: "top", pad: { t: 12 }, subtitle: { text: lines.map(escaped).join("<br>"), font: { size: 10 } } },
      margin: { ...layout.margin, t: layout.margin.t + top },
      legend: { ...layout.legend, y: 1 - top / height },
    });
    return Plotly.downloadImage({ data: inked(data, ON_PAPER), layout }, { format, filename: canvas.dataset.file, width, height, scale: 2 });
  }

  // What comes near the view: places that charts are fetched into, and charts to be drawn

  const PLACE = ".chart-section[hx-get]";
  const waiting = new Set();
  let drawing = false;

  const loaded = new Promise((done) => {
    if (document.readyState === "complete") done();
    else addEventListener("load", done, { once: true });
  });

  const idle = () => new Promise((done) => (window.requestIdleCallback ? requestIdleCallback(done, { timeout: 200 }) : setTimeout(done, 1)));

  function distance(canvas) {
    const box = canvas.getBoundingClientRect();
    return Math.max(box.top - innerHeight, -box.bottom, 0);
  }

  async function drawWaiting() {
    if (drawing) return;
    drawing = true;
    try {
      await loaded;
      const Plotly = await load();
      while (waiting.size) {
        await idle();
        const [canvas] = [...waiting].sort((one, other) => distance(one) - distance(other));
        waiting.delete(canvas);
        if (canvas.isConnected) await draw(Plotly, canvas);
      }
    } catch {
      // The sentence and the table carry the same numbers; the page is complete without the picture.
    } finally {
      drawing = false;
    }
  }

  // Looks at elements until they are as near to the view as this, and says so once.
  function nearing(pixels, reached) {
    const observer = new IntersectionObserver((entries) => {
      for (const { target } of entries.filter((each) => each.isIntersecting)) {
        observer.unobserve(target);
        reached(target);
      }
    }, { rootMargin: `${pixels}px 0px` });
    return observer;
  }

  const places = nearing(400, (place) => {
    if (!window.htmx) return;
    htmx.trigger(place, "near");
    if ("draws" in place.dataset) load().catch(() => {}); // both are on their way at once
  });
  const charts = nearing(200, (canvas) => {
    waiting.add(canvas);
    drawWaiting();
  });

  function watch(root) {
    for (const each of root.querySelectorAll("[data-chart]")) charts.observe(each);
    for (const each of root.querySelectorAll(PLACE)) places.observe(each);
  }

  // Charts of another question take about the same room: the page keeps its height, and the reader their place. Charts
  // that were asked for by a link come again.
  let room = 0;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const place = document.getElementById("charts");
    if (event.detail.target.id === "view") room = place && place.querySelector(".chart") ? place.offsetHeight : 0;
  });
  document.addEventListener("htmx:afterSwap", () => {
    const kept = document.querySelector("#charts > .room");
    if (kept && room) kept.style.minHeight = `${room}px`;
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    const link = room && event.detail.target.id === "view" && document.querySelector("#charts a[hx-get]");
    if (link) htmx.trigger(link, "click");
  });
  for (const failure of ["htmx:responseError", "htmx:sendError"]) {
    document.addEventListener(failure, ({ detail: { target, requestConfig } }) => {
      if (target.id !== "charts") return;
      target.removeAttribute("hx-get"); // its link stays
      if (requestConfig.elt.href) location.assign(requestConfig.elt.href);
    });
  }

  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return; // a telephone hides its address bar
    width = innerWidth;
    watch(document);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => watch(document));
  document.addEventListener("htmx:afterSettle", (event) => watch(event.detail.elt));
  loaded.then(() => watch(document));
})();
