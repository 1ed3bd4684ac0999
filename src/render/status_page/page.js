"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const main = document.getElementById("main");
  const STEP = 50;
  const words = new Map(data.states.map((one, rank) => [one.state, { word: one.word, rank }]));
  const text = (value) => document.createTextNode(value);
  const make = (tag, attributes, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== undefined && value !== null) element.setAttribute(name, value);
    }
    for (const child of children) element.append(typeof child === "string" || typeof child === "number" ? text(String(child)) : child);
    return element;
  };
  const moment = (at) => new Date(at * 1000).toISOString().slice(0, 16).replace("T", " ");
  const days = (seconds) => Math.floor(seconds / 86400);
  const plural = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
  const severity = (row) => (row.x ? "bad" : ["failing", "stuck", "overdue", "in-progress", "due", "no-value"].includes(row.s) ? "warn" : row.s === "ok" ? "good" : "dim");

  // What is asked for stays in the address, so that a view can be sent to somebody.
  const asked = new URLSearchParams(location.hash.slice(1));
  const view = { state: asked.get("state") || "", target: asked.get("target") || "", find: asked.get("find") || "", by: asked.get("by") || "state", down: asked.get("down") === "1", shown: STEP };
  const remember = () => {
    const now = new URLSearchParams();
    for (const key of ["state", "target", "find"]) if (view[key]) now.set(key, view[key]);
    if (view.by !== "state") now.set("by", view.by);
    if (view.down) now.set("down", "1");
    history.replaceState(null, "", "#" + now.toString());
  };

  // The verdict
  const troubled = data.secrets.filter((row) => row.x).length;
  const broken = data.functions.filter((row) => row.trouble).length;
  const verdict = troubled || broken
    ? `${plural(troubled, "secret")} of ${data.secrets.length} and ${plural(broken, "function")} of ${data.functions.length} don't do as they should`
    : `All ${plural(data.secrets.length, "secret")} that were asked about rotate as they should`;
  const late = data.targets.some((target) => target.late) ? "; lists may be five minutes late" : "";
  main.append(
    make("h1", {}, "Rotation of secrets"),
    make("p", { class: "dim" }, `Read at ${moment(data.read_at)} UTC${late}; ${data.targets.map((target) => target.name).join(", ")}`),
    make("p", { class: "verdict" + (troubled || broken ? " bad" : ""), role: "status" }, verdict),
  );
  if (data.unread.length) {
    const list = make("ul", {});
    for (const one of data.unread) list.append(make("li", {}, `${one.what}: ${one.why}`));
    main.append(make("h2", {}, "Not known"), list);
  }

  // States: one press shows those secrets alone
  const states = make("ul", { class: "states", "aria-label": "States" });
  const buttons = new Map();
  for (const { state, word } of data.states) {
    const rows = data.secrets.filter((row) => row.s === state);
    if (!rows.length) continue;
    const button = make("button", { type: "button", "aria-pressed": "false" }, make("b", { class: severity(rows.find((row) => row.x) || rows[0]) }, rows.length), word);
    button.addEventListener("click", () => { view.state = view.state === state ? "" : state; view.shown = STEP; draw(); });
    buttons.set(state, button);
    states.append(make("li", {}, button));
  }
  main.append(states);

  const age = (row) => (row.u === undefined ? -1 : data.read_at - row.u);

  // Functions: those with a fault at once, the others on request
  const table = (some) => {
    const rows = make("tbody", {});
    for (const one of some) {
      const cell = one.faults.length ? one.faults.join("; ") : "ok";
      rows.append(make("tr", {}, make("td", { class: one.trouble ? "bad" : one.faults.length ? "warn" : "good", "data-name": "Health" }, cell),
        make("td", { "data-name": "Function" }, one.arn), make("td", { "data-name": "Runtime" }, one.runtime || ""), make("td", { "data-name": "Secrets" }, one.secrets)));
    }
    const titles = ["Health", "Function", "Runtime", "Secrets"].map((title) => make("th", { scope: "col" }, title));
    return make("table", {}, make("thead", {}, make("tr", {}, ...titles)), rows);
  };
  if (data.functions.length) {
    const faulty = data.functions.filter((one) => one.faults.length);
    const well = data.functions.filter((one) => !one.faults.length);
    main.append(make("h2", {}, "Functions"));
    if (faulty.length) main.append(table(faulty));
    if (well.length) main.append(make("details", {}, make("summary", {}, `${plural(well.length, "function")} without a fault`), table(well)));
  }

  // Ages against limits
  const buckets = [["below half", 0, 0.5], ["half to nine tenths", 0.5, 0.9], ["up to the limit", 0.9, 1], ["past the limit", 1, Infinity]];
  const measured = data.secrets.filter((one) => one.l && one.u !== undefined).map((one) => age(one) / (one.l * 3600));
  if (measured.length) {
    const bars = make("ul", { class: "bars" });
    for (const [title, from, to] of buckets) {
      const number = measured.filter((part) => part >= from && part < to).length;
      bars.append(make("li", {}, make("span", {}, title), make("progress", { max: measured.length, value: number, "aria-label": title }), make("span", {}, number)));
    }
    main.append(make("h2", {}, "Ages, of the most that the rules leave"), bars);
  }

  // The table
  const find = make("input", { type: "search", id: "find", autocomplete: "off", spellcheck: "false" });
  find.value = view.find;
  find.addEventListener("input", () => { view.find = find.value; view.shown = STEP; draw(); });
  const tools = make("div", { class: "tools" }, make("label", { for: "find" }, "Name, reason or function holds", find));
  if (data.targets.length > 1) {
    const select = make("select", { id: "target" }, make("option", { value: "" }, "all"));
    data.targets.forEach((target, index) => select.append(make("option", { value: String(index) }, target.name)));
    select.value = view.target;
    select.addEventListener("change", () => { view.target = select.value; view.shown = STEP; draw(); });
    tools.append(make("label", { for: "target" }, "Target", select));
  }
  const columns = [
    { key: "state", title: "State", value: (row) => (row.x ? 0 : 100) + words.get(row.s).rank },
    { key: "name", title: "Secret", value: (row) => row.a || row.n },
    { key: "why", title: "Why", value: (row) => row.w },
    { key: "age", title: "Age and limit", value: age },
    { key: "next", title: "Next, by", value: (row) => (row.d === undefined ? Infinity : row.d) },
  ];
  const heads = new Map();
  const row = make("tr", {});
  for (const column of columns) {
    const button = make("button", { type: "button" }, column.title);
    button.addEventListener("click", () => { view.down = view.by === column.key ? !view.down : false; view.by = column.key; draw(); });
    const head = make("th", { scope: "col", "aria-sort": "none" }, button);
    heads.set(column.key, head);
    row.append(head);
  }
  const body = make("tbody", {});
  const counted = make("p", { class: "dim", "aria-live": "polite" });
  const more = make("button", { type: "button", class: "more" });
  more.addEventListener("click", () => { view.shown += STEP; draw(); });
  main.append(make("h2", {}, "Secrets"), tools, counted, make("table", { class: "secrets" }, make("thead", {}, row), body), more);

  const line = (one) => {
    const cells = [
      make("td", { class: `state ${severity(one)}`, "data-name": "State" }, words.get(one.s).word),
      make("td", { "data-name": "Secret" }, one.a || one.n),
      make("td", { "data-name": "Why" }, one.w),
      make("td", { "data-name": "Age and limit" }),
      make("td", { "data-name": "Next, by" }, one.d === undefined ? "" : moment(one.d)),
    ];
    if (one.a && !one.a.endsWith("." + one.n)) cells[1].append(make("div", { class: "dim" }, one.n));
    if (data.targets.length > 1) cells[1].append(make("div", { class: "dim" }, data.targets[one.t].name));
    if (one.u !== undefined) {
      const has = plural(days(age(one)), "day");
      if (one.l) {
        const limit = one.l * 3600;
        cells[3].append(make("meter", { min: 0, max: limit, high: limit * 0.95, optimum: 0, value: Math.min(age(one), limit), "aria-label": `${has} of ${days(limit)}` }), ` ${has} of ${days(limit)}`);
      } else cells[3].append(has);
    }
    return make("tr", {}, ...cells);
  };

  function draw() {
    const wanted = view.find.toLowerCase();
    const column = columns.find((one) => one.key === view.by) || columns[0];
    const rows = data.secrets.filter((one) => (!view.state || one.s === view.state) && (view.target === "" || one.t === Number(view.target)) &&
      (!wanted || [one.n, one.a, one.w, one.f].some((value) => value && value.toLowerCase().includes(wanted))));
    const keyed = rows.map((one) => [column.value(one), one]);
    keyed.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    if (view.down) keyed.reverse();
    body.replaceChildren(...keyed.slice(0, view.shown).map(([, one]) => line(one)));
    const shown = Math.min(view.shown, rows.length);
    counted.textContent = `${shown} of ${rows.length} shown` + (rows.length < data.secrets.length ? `, ${data.secrets.length} in all` : "");
    more.hidden = shown >= rows.length;
    more.textContent = `Show ${Math.min(STEP, rows.length - shown)} more`;
    for (const [key, head] of heads) head.setAttribute("aria-sort", key !== column.key ? "none" : view.down ? "descending" : "ascending");
    for (const [state, button] of buttons) button.setAttribute("aria-pressed", String(view.state === state));
    remember();
  }
  draw();

  // The calendar
  if (data.calendar.some((day) => day.total)) {
    const most = Math.max(...data.calendar.map((day) => day.peak));
    const list = make("ul", { class: "days", "aria-label": "Coming windows" });
    for (const day of data.calendar) {
      const name = new Date(day.date + "T00:00:00Z").toLocaleDateString("en", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
      const item = make("li", { class: day.total && day.peak === most && most > 1 ? "heavy" : "" }, name);
      if (day.total) item.append(make("b", {}, day.total), make("span", { class: "dim" }, `${day.peak} at ${String(day.hour).padStart(2, "0")}:00`));
      list.append(item);
    }
    main.append(make("h2", {}, "Windows of the coming days (UTC)"), make("p", { class: "dim" }, "How many secrets' windows open on a day, and how many at the same hour."), list);
  }
})();
