// The page's script: keys of the list, the slider of a threshold, labels of a review. Text from documents is only ever set as
// textContent. Requests go to this page's own folder, which holds the token.
"use strict";

const $ = (id) => document.getElementById(id);
const count = (n) => n.toLocaleString("en-US");
const size = (n) => {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let power = 0;
  while (power < units.length - 1 && Number(n.toPrecision(3)) >= 1000) { n /= 1000; power += 1; }
  return `${power ? Number(n.toPrecision(3)) : n} ${units[power]}`;
};
const short = (x) => Number(Number(x).toPrecision(4)).toLocaleString("en-US", { maximumSignificantDigits: 4 });

async function ask(address, method = "GET") {
  const answer = await fetch(address, { method, headers: { accept: "application/json" } });
  const made = await answer.json().catch(() => ({ error: `the page's server answered ${answer.status}` }));
  if (!answer.ok) throw new Error(made.error || `the page's server answered ${answer.status}`);
  return made;
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// ---- keys

function keys() {
  const links = [...document.querySelectorAll("a.open")];
  const page = (rel) => document.querySelector(`a[rel=${rel}]`)?.click();
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    const at = links.indexOf(document.activeElement);
    const known = {
      j: () => links[Math.min(at + 1, links.length - 1)]?.focus(),
      k: () => links[Math.max(at - 1, 0)]?.focus(),
      n: () => page("next"),
      p: () => page("prev"),
      "/": () => ($("search") || $("goto")).focus(),
      r: () => document.querySelector("[data-answer=right]")?.click(),
      w: () => document.querySelector("[data-answer=wrong]")?.click(),
      s: () => $("skip")?.click(),
      b: () => $("back")?.click(),
    }[event.key];
    if (known) { event.preventDefault(); known(); }
  });
}

// ---- the slider

function slider(root) {
  const key = root.dataset.key;
  const others = new URLSearchParams(location.search).getAll("set").filter((one) => !one.startsWith(`${key}=`));
  let range, charts = [], asked = 0, timer, sampled;

  const sets = (value) => {
    const made = new URLSearchParams();
    for (const one of others) made.append("set", one);
    if (value !== null) made.append("set", `${key}=${value}`);
    return made.toString();
  };
  const fail = (error) => { $("state").textContent = error.message; };

  // The value in force: null is the plan's own.
  let value = root.dataset.now === "" ? null : root.dataset.now;

  async function show() {
    const mine = ++asked;
    const query = sets(value);
    for (const chart of charts) chart.at(value === null ? range.value : Number(value));
    try {
      const found = await ask(`effect?${query}`);
      if (mine !== asked) return;
      for (const [id, now, before, write] of [
        ["documents", found.documents, found.before, count], ["bytes", found.n_bytes, found.bytes_before, size],
        ["tokens", found.tokens, found.tokens_before, count],
      ]) {
        $(id).textContent = write(now);
        $(`${id}-before`).textContent = now === before ? "as the plan" : `plan: ${write(before)}`;
      }
      $("enter").textContent = (found.enter ? "+" : "") + count(found.enter);
      $("leave").textContent = (found.leave ? "−" : "") + count(found.leave);
      if ($("unscored")) { $("unscored").textContent = count(found.unscored); $("unscored-line").hidden = !found.unscored; }
      if ($("uncompared")) { $("uncompared").textContent = count(found.enter); $("dedup-line").hidden = !found.enter; }
      $("later").hidden = !found.enter;
      $("state").textContent = value === null ? "the plan's value" : "";
      carry(query);
      clearTimeout(sampled);
      sampled = setTimeout(() => samples(mine, query), 150);
    } catch (error) { if (mine === asked) fail(error); }
  }

  async function samples(mine, query) {
    try {
      const found = await ask(`samples?key=${encodeURIComponent(key)}&${query}`);
      if (mine !== asked) return;
      for (const side of ["enter", "leave"]) {
        const list = $(`sample-${side}`);
        list.replaceChildren();
        for (const one of found[side]) {
          const item = element("li");
          const link = element("a", one.ref, "open");
          link.href = one.address;
          item.append(link, element("p", `${range.names.map((name, k) => `${name} ${one.values[k]}`).join(", ")}; id ${one.id}`, "facts"));
          const text = element("p", one.text, "excerpt");
          text.dir = "auto";
          item.append(text);
          list.append(item);
        }
        if (!found[side].length) list.append(element("li", "None.", "none"));
      }
    } catch (error) { fail(error); }
  }

  function carry(query) {
    const here = new URLSearchParams(query);
    here.set("key", key);
    history.replaceState(null, "", `threshold?${here}`);
    $("all").href = `thresholds?${query}`;
    const chosen = new URLSearchParams(query).getAll("set");
    $("chosen").hidden = !chosen.length;
    $("chosen").querySelector("ul").replaceChildren(...chosen.map((one) => {
      const item = element("li");
      item.append(element("code", one.replace("=", " = ")));
      return item;
    }));
    $("download").href = `plan.yaml?${query}`;
    if ($("save")) $("save").dataset.sets = query;
  }

  function put(next, from) {
    value = next;
    const number = value === null ? range.value : Number(value);
    if (from !== "slider" && number !== null) $("slider").value = nearest(range.stops, number);
    if (from !== "value") $("value").value = number === null ? "" : String(number);
    $("slider").setAttribute("aria-valuetext", number === null ? "chosen by the filter" : String(number));
    clearTimeout(timer);
    timer = setTimeout(show, 25);
  }

  function stop(index) {
    const chosen = range.stops[index];
    put(chosen === range.value ? null : String(chosen), "slider");
  }

  $("slider").addEventListener("input", () => stop(Number($("slider").value)));
  $("value").addEventListener("input", () => {
    const text = $("value").value.trim();
    if (/^-?[0-9]*\.?[0-9]+(e-?[0-9]+)?$/i.test(text)) put(Number(text) === range.value ? null : text, "value");
  });
  $("reset").addEventListener("click", () => put(null));
  $("score")?.addEventListener("click", async () => {
    $("score").disabled = true;
    $("scoring").textContent = "scoring…";
    try {
      const done = await ask(`score?${sets(value)}`, "POST");
      $("scoring").textContent = `${count(done.scored)} scored, kept in memory while this page runs`;
      await show();
    } catch (error) { $("scoring").textContent = error.message; }
    $("score").disabled = false;
  });

  ask(`range?key=${encodeURIComponent(key)}`).then((found) => {
    range = found;
    range.names = Object.keys(found.histograms);
    $("slider").max = String(Math.max(1, found.stops.length - 1));
    for (const id of ["slider", "value", "reset"]) $(id).disabled = false;
    charts = range.names.map((name) => chart($("charts"), name, found.histograms[name], root.dataset.least !== ""));
    put(value);
  }).catch(fail);
}

function nearest(stops, value) {
  let best = 0;
  stops.forEach((stop, k) => { if (Math.abs(stop - value) < Math.abs(stops[best] - value)) best = k; });
  return best;
}

// ---- a histogram with the threshold drawn

function chart(parent, name, data, least) {
  const figure = element("figure");
  const unit = data.whole ? "count" : Math.max(...data.edges) <= 1 && Math.min(...data.edges) >= 0 ? "share or score, 0 to 1" : "a ratio, no unit";
  const caption = element("figcaption");
  const box = element("div", undefined, "chart");
  figure.append(caption, box);
  parent.append(figure);
  const bins = data.counts.length;
  const xs = data.counts.map((_, k) => k + 0.5);
  let limit = null;

  // Where a value stands on the axis: bins are equally wide.
  const place = (v) => {
    if (v <= data.edges[0]) return v < data.edges[0] ? -0.01 : 0;
    for (let k = 0; k < bins; k += 1) {
      if (v <= data.edges[k + 1]) return k + (v - data.edges[k]) / (data.edges[k + 1] - data.edges[k]);
    }
    return bins + 0.01;
  };
  const edge = (x) => data.edges[Math.round(x)];
  const label = (x) => {
    const k = Math.round(x);
    if (k < 0 || k > bins) return "";
    return short(data.whole && edge(k) % 1 ? Math.ceil(edge(k)) : edge(k));
  };
  const colour = (variable) => getComputedStyle(document.documentElement).getPropertyValue(variable).trim();

  function draw() {
    box.replaceChildren();
    const wide = Math.max(240, box.clientWidth);
    const ticks = Math.max(2, Math.min(bins, Math.floor(wide / 80)));
    const splits = Array.from({ length: ticks + 1 }, (_, k) => Math.round((k * bins) / ticks));
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif" };
    const log = $("log").checked;
    const put = (counts) => (log ? counts.map((n) => Math.log10(1 + n)) : counts);
    const powers = [0, 1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9].filter((n, k) => k < 2 || n <= 2 * Math.max(...data.counts));
    const y = log
      ? { splits: () => powers.map((n) => Math.log10(1 + n)), values: () => powers.map(short), label: "documents (logarithmic)" }
      : { values: (_, at) => at.map((v) => (v % 1 ? "" : short(v))), label: "documents" };
    const bars = uPlot.paths.bars({ size: [0.92, 60] });
    made = new uPlot({
      width: wide, height: 240, cursor: { show: false }, legend: { show: false },
      scales: { x: { time: false, range: [-0.4, bins + 0.4] }, y: { range: (_, low, high) => [0, Math.max(1, high) * 1.08] } },
      axes: [
        { ...axis, splits: () => splits, values: (_, at) => at.map(label), label: `${name} (${unit}${data.log ? ", bins grow by a factor" : ""})`, labelSize: 22 },
        { ...axis, ...y, labelSize: 20, size: 64 },
      ],
      series: [
        {},
        { label: "all", stroke: colour("--bar-edge"), width: 1, paths: bars, points: { show: false } },
        { label: "this threshold decides", stroke: colour("--kept"), fill: colour("--kept"), width: 0, paths: bars, points: { show: false } },
      ],
      hooks: { draw: [line] },
    }, [xs, put(data.counts), put(data.left)], box);
  }

  function line(plot) {
    if (limit === null) return;
    const { ctx, bbox } = plot;
    const at = place(limit);
    const x = Math.round(plot.valToPos(Math.min(bins + 0.3, Math.max(-0.3, at)), "x", true));
    const scale = devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour("--ink");
    ctx.lineWidth = 2 * scale;
    ctx.setLineDash([6 * scale, 3 * scale]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.font = `600 ${12 * scale}px system-ui, sans-serif`;
    const beyond = at < 0 || at > bins;
    const words = `${beyond ? "beyond: " : ""}${least ? "passes from " : "passes up to "}${short(limit)}`;
    const right = x > bbox.left + bbox.width / 2;
    ctx.textAlign = right ? "right" : "left";
    ctx.textBaseline = "top";
    const across = ctx.measureText(words).width;
    const start = x + (right ? -8 : 8) * scale;
    ctx.fillStyle = colour("--sheet");
    ctx.fillRect(right ? start - across - 3 * scale : start - 3 * scale, bbox.top, across + 6 * scale, 17 * scale);
    ctx.fillStyle = colour("--ink");
    ctx.fillText(words, start, bbox.top + 2 * scale);
    ctx.restore();
  }

  const total = data.counts.reduce((a, b) => a + b, 0);
  caption.textContent = `${name}: ${count(total)} documents${data.nulls ? `, ${count(data.nulls)} without a value` : ""}`;
  box.setAttribute("role", "img");
  let made;
  const filled = data.counts.filter((n) => n).sort((a, b) => a - b);
  if (filled.length && filled.at(-1) > 50 * filled[filled.length >> 1]) $("log").checked = true;
  draw();
  $("log").addEventListener("change", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let wide = box.clientWidth;
  new ResizeObserver(() => { if (box.clientWidth !== wide) { wide = box.clientWidth; draw(); } }).observe(figure);
  return {
    at(next) {
      limit = next;
      box.setAttribute("aria-label", `Histogram of ${name}; threshold ${next === null ? "chosen by the filter" : next}`);
      made.redraw(false);
    },
  };
}

// ---- labels, and the plan

function judge(root) {
  for (const button of root.querySelectorAll("[data-answer]")) {
    button.addEventListener("click", async () => {
      const { reason, generation, ref, skipped } = root.dataset;
      try {
        await ask(`label?${new URLSearchParams({ reason, generation, ref, answer: button.dataset.answer })}`, "POST");
        location.assign(`review?${new URLSearchParams({ reason, skipped, last: ref })}`);
      } catch (error) { $("judged").textContent = error.message; }
    });
  }
}

function save(button) {
  button.addEventListener("click", async () => {
    try {
      const done = await ask(`save?${button.dataset.sets}`, "POST");
      $("saved").textContent = `saved to ${done.file}`;
    } catch (error) { $("saved").textContent = error.message; }
  });
}

keys();
if ($("threshold")) slider($("threshold"));
if ($("judge")) judge($("judge"));
if ($("save")) save($("save"));
