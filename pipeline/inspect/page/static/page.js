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
    for (const chart of charts) chart.at(range.kind === "number" ? (value === null ? range.line : Number(value)) : null);
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

  // Whether a value is the plan's own: not where the plan leaves it to the filter, which may choose by document.
  const same = (text) => !range.by.length && (range.kind === "number" ? Number(text) === range.line : text === range.now);

  function put(next, from) {
    value = next !== null && same(next) ? null : next;
    const text = value === null ? range.now : value;
    if (from !== "slider") $("slider").value = range.kind === "number" ? nearest(range.stops, Number(text)) : range.stops.map(String).indexOf(text);
    if (from !== "value") $("value").value = text;
    $("slider").setAttribute("aria-valuetext", text);
    clearTimeout(timer);
    timer = setTimeout(show, 25);
  }

  $("slider").addEventListener("input", () => put(String(range.stops[Number($("slider").value)]), "slider"));
  $("value").addEventListener("input", () => {
    const text = $("value").value.trim();
    if (range.kind === "number" ? /^-?[0-9]*\.?[0-9]+(e-?[0-9]+)?$/i.test(text) : text) put(text, "value");
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

  const wide = matchMedia("(min-width: 700px)");
  wide.addEventListener("change", () => location.reload());  // the address holds the value
  ask(`range?${new URLSearchParams({ key, wide: wide.matches })}`).then((found) => {
    range = found;
    range.names = Object.keys(found.histograms);
    $("slider").max = String(Math.max(1, found.stops.length - 1));
    $("slider").hidden = !found.stops.length;
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

// ---- a histogram, drawn by the server, with the threshold laid over it

const SVG = "http://www.w3.org/2000/svg";

function shape(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function chart(parent, name, data, least) {
  const figure = element("figure");
  const caption = element("figcaption");
  const box = element("div", undefined, "chart");
  figure.append(caption, box);
  parent.append(figure);
  const bins = data.counts.length;
  const [left, top, right, bottom] = data.frame;
  let limit = null;

  // Where a value stands on the axis, in bars: they are equally wide.
  const place = (v) => {
    if (v <= data.edges[0]) return v < data.edges[0] ? -0.01 : 0;
    for (let k = 0; k < bins; k += 1) {
      if (v <= data.edges[k + 1]) return k + (v - data.edges[k]) / (data.edges[k + 1] - data.edges[k]);
    }
    return bins + 0.01;
  };

  function draw() {
    const made = new DOMParser().parseFromString(data.drawn[$("log").checked ? "log" : "linear"], "text/html");
    const drawing = document.importNode(made.querySelector("svg"), true);
    drawing.append(shape("g", { class: "limit" }));
    box.replaceChildren(drawing);
    line();
  }

  function line() {
    const over = box.querySelector(".limit");
    over.replaceChildren();
    if (limit === null) return;
    const at = place(limit);
    const near = Math.min(bins + 0.75 * data.beside, Math.max(-0.75 * data.beside, at));
    const x = left + ((near + data.beside) / (bins + 2 * data.beside)) * (right - left);
    const beyond = at < 0 || at > bins;
    const words = `${beyond ? "beyond: " : ""}${least ? "passes from " : "passes up to "}${short(limit)}`;
    const before = x > (left + right) / 2;
    over.append(
      shape("line", { x1: x, x2: x, y1: top, y2: bottom }),
      shape("text", { x: x + (before ? -4 : 4), y: top + 8, "text-anchor": before ? "end" : "start" }, words),
    );
  }

  const total = data.counts.reduce((a, b) => a + b, 0);
  caption.textContent = `${name}: ${count(total)} documents${data.nulls ? `, ${count(data.nulls)} without a value` : ""}`;
  box.setAttribute("role", "img");
  const filled = data.counts.filter((n) => n).sort((a, b) => a - b);
  if (filled.length && filled.at(-1) > 50 * filled[filled.length >> 1]) $("log").checked = true;
  draw();
  $("log").addEventListener("change", draw);
  return {
    at(next) {
      limit = next;
      box.setAttribute("aria-label", `Histogram of ${name}${next === null ? "" : `; threshold ${next}`}`);
      line();
    },
  };
}

// ---- labels, and the plan

function judge(root) {
  for (const button of root.querySelectorAll("[data-answer]")) {
    button.addEventListener("click", async () => {
      const { reason, order, generation, ref, skipped } = root.dataset;
      try {
        await ask(`label?${new URLSearchParams({ reason, order, generation, ref, answer: button.dataset.answer })}`, "POST");
        location.assign(`review?${new URLSearchParams({ reason, order, skipped, last: ref })}`);
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
