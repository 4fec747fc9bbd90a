"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const korean = (navigator.language || "").toLowerCase().startsWith("ko");
  const words = korean
    ? { search: "검색", none: "없음", every: "모두", only: "이것만", noise: "묶음 없음", zoomIn: "확대", zoomOut: "축소", reset: "처음 위치로", theme: "밝게/어둡게", legend: "범례", points: "점", of: "개 중", map: "지도", hint: "끌어서 옮기고 굴려서 확대합니다. 화살표, +, -, 0, / 키를 쓸 수 있습니다.", open: "누르면 원문이 열립니다" }
    : { search: "Search", none: "None", every: "All", only: "only", noise: "in no cluster", zoomIn: "Zoom in", zoomOut: "Zoom out", reset: "Reset view", theme: "Light or dark", legend: "Legend", points: "points", of: "of", map: "Map", hint: "Drag to move, scroll to zoom. Keys: arrows, +, -, 0, /.", open: "Click opens the source" };
  document.documentElement.lang = korean ? "ko" : "en";

  // --- Points -------------------------------------------------------------------------------------------------------
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  const xs = new Float32Array(bytes(data.x));
  const ys = new Float32Array(bytes(data.y));
  const labels = new Int32Array(bytes(data.cluster));
  const n = xs.length;
  const groups = data.clusters.map((c) => ({ ...c, shown: true }));
  groups.push({ id: -1, label: words.noise, size: data.none.size, color: data.none.color, shown: true });
  const placeOf = new Map(data.clusters.map((c, i) => [c.id, i]));
  const group = Uint16Array.from(labels, (l) => (placeOf.has(l) ? placeOf.get(l) : groups.length - 1));
  const rgb = groups.map((g) => [1, 3, 5].map((i) => parseInt(g.color.slice(i, i + 2), 16)));

  const box = (values) => {
    let low = Infinity, high = -Infinity;
    for (const v of values) { if (v < low) low = v; if (v > high) high = v; }
    return n ? [low, high] : [0, 1];
  };
  const [left, right] = box(xs), [bottom, top] = box(ys);
  const span = Math.max(right - left, top - bottom, 1e-9);

  // Cells of a grid, each with its points: what is under the pointer is found without a look at all.
  const cells = Math.max(1, Math.min(512, Math.round(Math.sqrt(n / 4))));
  const cellOf = (x, y) => {
    const at = (v, low) => Math.max(0, Math.min(cells - 1, Math.floor(((v - low) / span) * cells)));
    return at(y, bottom) * cells + at(x, left);
  };
  const starts = new Uint32Array(cells * cells + 1);
  const inCells = new Uint32Array(n);
  for (let i = 0; i < n; i++) starts[cellOf(xs[i], ys[i]) + 1]++;
  for (let c = 0; c < cells * cells; c++) starts[c + 1] += starts[c];
  const next = starts.slice();
  for (let i = 0; i < n; i++) inCells[next[cellOf(xs[i], ys[i])]++] = i;

  const median = (values) => { values.sort(); return values[values.length >> 1]; };
  for (const [at, g] of groups.entries()) {
    if (g.id < 0) continue;
    const own = [];
    for (let i = 0; i < n; i++) if (group[i] === at) own.push(i);
    if (own.length) g.middle = [median(Float32Array.from(own, (i) => xs[i])), median(Float32Array.from(own, (i) => ys[i]))];
  }

  // --- View ---------------------------------------------------------------------------------------------------------
  const stage = $("stage"), over = $("over");
  let canvas = $("points");
  let width = 1, height = 1, ratio = 1, scale = 1, originX = 0, originY = 0, fitted = 1;
  const toScreen = (x, y) => [(x - originX) * scale + width / 2, height / 2 - (y - originY) * scale];
  const toData = (px, py) => [(px - width / 2) / scale + originX, (height / 2 - py) / scale + originY];
  const fit = () => {
    const room = (px, extent) => Math.max(40, px - 56) / Math.max(extent, span * 0.05);
    scale = fitted = Math.min(room(width, right - left), room(height, top - bottom));
    originX = (left + right) / 2;
    originY = (bottom + top) / 2;
  };
  const zoom = (factor, px = width / 2, py = height / 2) => {
    const [x, y] = toData(px, py);
    scale = Math.max(fitted / 4, Math.min(fitted * 4000, scale * factor));
    originX = x - (px - width / 2) / scale;
    originY = y - (height / 2 - py) / scale;
    draw();
  };
  const pan = (dx, dy) => { originX -= dx / scale; originY += dy / scale; draw(); };
  const radius = () => Math.max(1.6, Math.min(7, (n > 20000 ? 1.7 : n > 2000 ? 2.4 : 3.6) * Math.pow(scale / fitted, 0.28)));

  // --- Drawing ------------------------------------------------------------------------------------------------------
  let found = null; // for each point whether it was found; null when nothing is searched
  let order = [], at = -1;
  const visible = (i) => groups[group[i]].shown;
  const painter = webgl() || plain();
  const pen = over.getContext("2d");
  let hovered = -1, queued = false;

  function webgl() {
    const gl = canvas.getContext("webgl", { antialias: false });
    if (!gl) return null;
    const shader = (type, source) => {
      const s = gl.createShader(type);
      gl.shaderSource(s, source);
      gl.compileShader(s);
      return s;
    };
    const program = gl.createProgram();
    gl.attachShader(program, shader(gl.VERTEX_SHADER, "attribute vec2 p; attribute vec4 c; uniform vec4 view; uniform float size; varying vec4 color; void main() { color = c; gl_Position = c.a == 0.0 ? vec4(2.0, 2.0, 2.0, 1.0) : vec4((p - view.xy) * view.zw, 0.0, 1.0); gl_PointSize = size; }"));
    gl.attachShader(program, shader(gl.FRAGMENT_SHADER, "precision highp float; varying vec4 color; uniform float size; void main() { float d = length(gl_PointCoord - 0.5) * size; float a = color.a * clamp(size * 0.5 - d, 0.0, 1.0); if (a == 0.0) discard; gl_FragColor = vec4(color.rgb * a, a); }"));
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null;
    gl.useProgram(program);
    // Around the middle, so that single precision is enough.
    const middleX = (left + right) / 2, middleY = (bottom + top) / 2;
    const positions = new Float32Array(2 * n);
    for (let i = 0; i < n; i++) { positions[2 * i] = xs[i] - middleX; positions[2 * i + 1] = ys[i] - middleY; }
    const attribute = (name, size, type, normal) => {
      const buffer = gl.createBuffer(), place = gl.getAttribLocation(program, name);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, size, type, normal, 0, 0);
      return buffer;
    };
    attribute("p", 2, gl.FLOAT, false);
    gl.bufferData(gl.ARRAY_BUFFER, positions, gl.STATIC_DRAW);
    const colorBuffer = attribute("c", 4, gl.UNSIGNED_BYTE, true);
    const uniform = (name) => gl.getUniformLocation(program, name);
    const view = uniform("view"), size = uniform("size");
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    return {
      colors(rgba) { gl.bindBuffer(gl.ARRAY_BUFFER, colorBuffer); gl.bufferData(gl.ARRAY_BUFFER, rgba, gl.DYNAMIC_DRAW); },
      paint() {
        gl.viewport(0, 0, canvas.width, canvas.height);
        gl.clearColor(0, 0, 0, 0);
        gl.clear(gl.COLOR_BUFFER_BIT);
        gl.uniform4f(view, originX - middleX, originY - middleY, (2 * scale) / width, (2 * scale) / height);
        gl.uniform1f(size, 2 * radius() * ratio);
        gl.drawArrays(gl.POINTS, 0, n);
      },
    };
  }

  function plain() {
    // A canvas that WebGL had once gives no other context.
    const fresh = canvas.cloneNode();
    canvas.replaceWith(fresh);
    canvas = fresh;
    const context = canvas.getContext("2d");
    let rgba = new Uint8Array(4 * n);
    return {
      colors(next) { rgba = next; },
      paint() {
        context.setTransform(ratio, 0, 0, ratio, 0, 0);
        context.clearRect(0, 0, width, height);
        const r = radius();
        for (let i = 0; i < n; i++) {
          if (!rgba[4 * i + 3]) continue;
          const [px, py] = toScreen(xs[i], ys[i]);
          if (px < -r || py < -r || px > width + r || py > height + r) continue;
          context.fillStyle = `rgba(${rgba[4 * i]},${rgba[4 * i + 1]},${rgba[4 * i + 2]},${rgba[4 * i + 3] / 255})`;
          if (r < 2.5) { context.fillRect(px - r, py - r, 2 * r, 2 * r); } else { context.beginPath(); context.arc(px, py, r, 0, 7); context.fill(); }
        }
      },
    };
  }

  const recolor = () => {
    const rgba = new Uint8Array(4 * n);
    const full = (n > 20000 ? 150 : 205) + (document.documentElement.dataset.theme === "dark" ? 45 : 0);
    for (let i = 0; i < n; i++) {
      const [r, g, b] = rgb[group[i]];
      rgba[4 * i] = r; rgba[4 * i + 1] = g; rgba[4 * i + 2] = b;
      rgba[4 * i + 3] = !visible(i) ? 0 : found && !found[i] ? 26 : found ? 245 : full;
    }
    painter.colors(rgba);
    draw();
  };

  const draw = () => {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => { queued = false; painter.paint(); overlay(); });
  };

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const overlay = () => {
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const ring = (i, color) => {
      const [px, py] = toScreen(xs[i], ys[i]);
      pen.beginPath();
      pen.arc(px, py, radius() + 3.5, 0, 7);
      pen.lineWidth = 2;
      pen.strokeStyle = color;
      pen.stroke();
    };
    if (hovered >= 0) ring(hovered, css("--ink"));
    if (at >= 0) ring(order[at], css("--accent"));
    pen.font = `600 13px ${getComputedStyle(document.body).fontFamily}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    const taken = [];
    const bySize = groups.filter((g) => g.middle && g.shown).sort((a, b) => b.size - a.size);
    for (const g of bySize) {
      const [px, py] = toScreen(...g.middle);
      const text = g.label.length > 34 ? g.label.slice(0, 33) + "…" : g.label;
      const half = pen.measureText(text).width / 2 + 4;
      const here = [px - half, py - 11, px + half, py + 11];
      if (!text || here[2] < 0 || here[0] > width || here[3] < 0 || here[1] > height) continue;
      if (taken.some((b) => here[0] < b[2] && here[2] > b[0] && here[1] < b[3] && here[3] > b[1])) continue;
      taken.push(here);
      pen.lineWidth = 4;
      pen.strokeStyle = css("--ground");
      pen.strokeText(text, px, py);
      pen.fillStyle = css("--ink");
      pen.fillText(text, px, py);
    }
  };

  // --- Pointing -----------------------------------------------------------------------------------------------------
  const nearest = (px, py) => {
    const reach = Math.max(9, radius() + 4);
    const [x0, y0] = toData(px - reach, py + reach), [x1, y1] = toData(px + reach, py - reach);
    const first = cellOf(x0, y0), last = cellOf(x1, y1);
    let best = -1, least = reach * reach;
    for (let row = Math.floor(first / cells); row <= Math.floor(last / cells); row++) {
      const from = starts[row * cells + (first % cells)], to = starts[row * cells + (last % cells) + 1];
      for (let k = from; k < to; k++) {
        const i = inCells[k];
        if (!visible(i)) continue;
        const [qx, qy] = toScreen(xs[i], ys[i]);
        // What was found comes before what is dimmed.
        const d = (qx - px) ** 2 + (qy - py) ** 2 + (found && !found[i] ? reach * reach * 0.5 : 0);
        if (d < least) { least = d; best = i; }
      }
    }
    return best;
  };

  const tip = $("tip");
  const link = (i) => {
    const source = data.sources[i];
    if (!source) return null;
    if (/^https?:\/\//i.test(source)) return source;
    // A drive's letter is no scheme; any other one is not opened.
    if (/^[a-z][a-z0-9+.-]+:/i.test(source)) return null;
    const path = /^([\\/]|[a-z]:[\\/])/i.test(source) || !data.base ? source : data.base.replace(/[\\/]+$/, "") + "/" + source;
    const parts = path.replace(/\\/g, "/").split("/").map(encodeURIComponent).join("/").replace(/^([a-z])%3A/i, "/$1:");
    return parts.startsWith("/") ? "file://" + parts : parts;
  };
  const hover = (i, px, py) => {
    if (i !== hovered) { hovered = i; overlay(); }
    stage.classList.toggle("pointing", i >= 0 && link(i) !== null);
    tip.hidden = i < 0;
    if (i < 0) return;
    tip.children[0].textContent = data.titles[i];
    tip.children[1].textContent = groups[group[i]].label;
    tip.children[2].textContent = data.texts[i];
    tip.children[3].textContent = data.sources[i] + (link(i) ? " · " + words.open : "");
    const w = tip.offsetWidth, h = tip.offsetHeight;
    tip.style.left = Math.max(6, Math.min(width - w - 6, px + 16 + w > width ? px - w - 12 : px + 16)) + "px";
    tip.style.top = Math.max(6, Math.min(height - h - 6, py + 16)) + "px";
  };

  const pointers = new Map();
  let travelled = 0;
  const place = (e) => { const r = stage.getBoundingClientRect(); return [e.clientX - r.left, e.clientY - r.top]; };
  stage.addEventListener("pointerdown", (e) => {
    if (e.button) return;
    stage.setPointerCapture(e.pointerId);
    if (!pointers.size) travelled = 0;
    pointers.set(e.pointerId, place(e));
    stage.classList.add("dragging");
  });
  stage.addEventListener("pointermove", (e) => {
    const now = place(e), before = pointers.get(e.pointerId);
    if (!before) return hover(nearest(...now), ...now);
    if (pointers.size === 2) {
      const other = [...pointers].find(([id]) => id !== e.pointerId)[1];
      const apart = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]) || 1;
      zoom(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    } else {
      pan(now[0] - before[0], now[1] - before[1]);
    }
    travelled += Math.hypot(now[0] - before[0], now[1] - before[1]);
    pointers.set(e.pointerId, now);
    hover(-1);
  });
  const release = (e) => {
    if (!pointers.delete(e.pointerId)) return;
    stage.classList.toggle("dragging", pointers.size > 0);
    if (e.type !== "pointerup" || pointers.size || travelled > 5) return;
    const now = place(e), i = nearest(...now);
    const known = hovered;
    hover(i, ...now);
    const target = i >= 0 && link(i);
    // A finger shows first and opens with the second touch.
    if (target && (e.pointerType === "mouse" || known === i)) window.open(target, "_blank", "noopener");
  };
  for (const type of ["pointerup", "pointercancel"]) stage.addEventListener(type, release);
  stage.addEventListener("pointerleave", () => hover(-1));
  stage.addEventListener("wheel", (e) => {
    e.preventDefault();
    zoom(Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.0016)), ...place(e));
    hover(nearest(...place(e)), ...place(e));
  }, { passive: false });
  stage.addEventListener("dblclick", (e) => zoom(2.2, ...place(e)));

  const keys = { ArrowLeft: () => pan(60, 0), ArrowRight: () => pan(-60, 0), ArrowUp: () => pan(0, 60), ArrowDown: () => pan(0, -60), "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), 0: () => { fit(); draw(); } };
  document.addEventListener("keydown", (e) => {
    const typing = e.target === $("search");
    if (e.key === "/" && !typing) { e.preventDefault(); $("search").focus(); return; }
    if (e.key === "Escape") { if (typing && $("search").value) { $("search").value = ""; search(); } else stage.focus(); drawer(false); return; }
    if (typing || e.ctrlKey || e.metaKey || e.altKey) return;
    const inLegend = $("legend").contains(e.target);
    if (keys[e.key] && !(inLegend && e.key.startsWith("Arrow"))) { e.preventDefault(); keys[e.key](); }
  });

  // --- Search -------------------------------------------------------------------------------------------------------
  let haystack = null;
  const fold = (text) => text.normalize("NFC").toLowerCase();
  const search = () => {
    const wanted = fold($("search").value.trim());
    order = []; at = -1;
    if (!wanted) { found = null; $("count").textContent = ""; return recolor(); }
    haystack ||= data.titles.map((title, i) => fold(title + "\n" + data.texts[i]));
    found = new Uint8Array(n);
    for (let i = 0; i < n; i++) if (haystack[i].includes(wanted)) { found[i] = 1; order.push(i); }
    $("count").textContent = korean ? `${order.length}개` : `${order.length} found`;
    recolor();
  };
  const step = (by) => {
    const shown = order.filter(visible);
    if (!shown.length) return;
    const now = shown.indexOf(order[at]);
    at = order.indexOf(shown[(now + by + shown.length) % shown.length]);
    const i = order[at];
    scale = Math.max(scale, fitted * 2.5);
    [originX, originY] = [xs[i], ys[i]];
    draw();
    const [px, py] = toScreen(xs[i], ys[i]);
    hover(i, px, py);
    $("count").textContent = `${shown.indexOf(i) + 1}/${shown.length}`;
  };
  $("search").addEventListener("input", search);
  $("search").addEventListener("keydown", (e) => { if (e.key === "Enter" && !e.isComposing) step(e.shiftKey ? -1 : 1); });

  // --- Legend -------------------------------------------------------------------------------------------------------
  const list = document.querySelector("#legend ul");
  const refresh = () => { for (const g of groups) if (g.button) g.button.setAttribute("aria-pressed", String(g.shown)); recolor(); };
  const show = (which) => { for (const g of groups) g.shown = which(g); refresh(); };
  const only = (g) => show(groups.every((o) => o.shown === (o === g)) ? () => true : (o) => o === g);
  for (const g of groups) {
    if (!g.size) continue;
    const item = document.createElement("li"), toggle = document.createElement("button"), single = document.createElement("button");
    const swatch = document.createElement("i"), label = document.createElement("b"), size = document.createElement("small");
    toggle.type = single.type = "button";
    toggle.className = "toggle";
    toggle.style.setProperty("--swatch", g.color);
    label.textContent = g.label || String(g.id);
    size.textContent = g.size.toLocaleString();
    toggle.append(swatch, label, size);
    toggle.title = g.label;
    single.className = "only";
    single.textContent = words.only;
    single.setAttribute("aria-label", `${words.only}: ${g.label}`);
    toggle.addEventListener("click", () => { g.shown = !g.shown; refresh(); });
    toggle.addEventListener("dblclick", () => only(g));
    single.addEventListener("click", () => only(g));
    g.button = toggle;
    item.append(toggle, single);
    list.append(item);
  }
  $("every").textContent = words.every;
  $("none").textContent = words.none;
  $("every").addEventListener("click", () => show(() => true));
  $("none").addEventListener("click", () => show(() => false));

  // --- The rest -----------------------------------------------------------------------------------------------------
  const dark = (on) => { document.documentElement.dataset.theme = on ? "dark" : "light"; recolor(); };
  const system = matchMedia("(prefers-color-scheme: dark)");
  const drawer = (open = !$("legend").classList.contains("open")) => {
    $("legend").classList.toggle("open", open);
    $("drawer").setAttribute("aria-expanded", String(open));
  };
  const name = (id, text) => { $(id).title = text; $(id).setAttribute("aria-label", text); };
  $("title").textContent = data.title;
  $("subtitle").textContent = data.subtitle;
  $("search").placeholder = words.search + "  ( / )";
  $("search").setAttribute("aria-label", words.search);
  name("in", words.zoomIn); name("out", words.zoomOut); name("reset", words.reset); name("theme", words.theme); name("drawer", words.legend);
  $("legend").setAttribute("aria-label", words.legend);
  stage.setAttribute("aria-label", `${words.map}. ${words.hint}`);
  canvas.setAttribute("aria-label", `${data.title}: ${n.toLocaleString()} ${words.points}, ${data.clusters.map((c) => `${c.label} (${c.size})`).join("; ")}`);
  $("in").addEventListener("click", () => zoom(1.5));
  $("out").addEventListener("click", () => zoom(1 / 1.5));
  $("reset").addEventListener("click", () => { fit(); draw(); });
  $("theme").addEventListener("click", () => dark(document.documentElement.dataset.theme !== "dark"));
  $("drawer").addEventListener("click", () => drawer());
  system.addEventListener("change", () => dark(system.matches));

  new ResizeObserver(() => {
    const before = scale / fitted, first = width === 1;
    width = Math.max(1, stage.clientWidth);
    height = Math.max(1, stage.clientHeight);
    ratio = window.devicePixelRatio || 1;
    for (const c of [canvas, over]) { c.width = Math.round(width * ratio); c.height = Math.round(height * ratio); }
    const [x, y] = [originX, originY];
    fit();
    if (!first) { scale = fitted * before; [originX, originY] = [x, y]; }
    painter.paint();
    overlay();
  }).observe(stage);
  dark(system.matches);
})();
