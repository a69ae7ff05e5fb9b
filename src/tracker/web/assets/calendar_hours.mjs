// The week by hours: a drag over free time plans work for it, a drag of planned work moves it.
const HOUR = 3_600_000;
const PIXELS = 48;
/** Where a drag stops, in milliseconds: at quarters of an hour. */
const STEP = HOUR / 4;
const SVG = "http://www.w3.org/2000/svg";

/**
 * Times in milliseconds since the epoch. What is moved has the link of its event.
 * @typedef {{ link: HTMLElement | null, from: number, to: number, low: number, high: number }} Drag
 * @type {Drag | undefined}
 */
let drag;
let ended = 0;

/** @returns {HTMLElement[]} */
function columns() {
  return [...document.querySelectorAll(/** @type {"td"} */ ("td.hours"))].filter((each) => each.offsetParent !== null);
}

/** @param {HTMLElement} column @returns {[number, number]} */
function bounds(column) {
  return [Date.parse(column.dataset.since ?? ""), Date.parse(column.dataset.until ?? "")];
}

/** The time under a pointer; beyond the columns, that of the nearest one. @param {PointerEvent} event */
function timeAt(event) {
  const all = columns();
  const under = all.find((each) => event.clientX < each.getBoundingClientRect().right) ?? all[all.length - 1];
  const [since, until] = bounds(under);
  const y = event.clientY - under.getBoundingClientRect().top;
  return Math.min(until, Math.max(since, since + (y / PIXELS) * HOUR));
}

/** @param {number} time */
function stepped(time) {
  return Math.round(time / STEP) * STEP;
}

/** @param {number} time */
function text(time) {
  const zone = document.documentElement.dataset.zone;
  return new Date(time).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone });
}

/** The begin and end that a drag has chosen. @param {Drag} given */
function chosen({ link, from, to, low, high }) {
  if (link) return [low + stepped(to - from), high + stepped(to - from)];
  const [first, last] = [Math.min(from, to), Math.max(from, to)];
  return [Math.floor(first / STEP) * STEP, Math.ceil(last / STEP) * STEP];
}

function draw() {
  for (const each of document.querySelectorAll(".chosen-hours, .chosen-text")) each.remove();
  for (const each of document.querySelectorAll(".moving")) each.classList.remove("moving");
  if (!drag || Math.abs(drag.to - drag.from) < STEP / 3) return;
  drag.link?.classList.add("moving");
  const [begin, end] = chosen(drag);
  let labelled = false;
  for (const column of columns()) {
    const [since, until] = bounds(column);
    const [top, bottom] = [Math.max(begin, since), Math.min(end, until)];
    if (bottom <= top) continue;
    const rect = document.createElementNS(SVG, "rect");
    const y = ((top - since) / HOUR) * PIXELS;
    const shape = { class: "chosen-hours", x: "0", y: `${y}`, width: "100%", height: `${((bottom - top) / HOUR) * PIXELS}` };
    for (const [name, value] of Object.entries(shape)) rect.setAttribute(name, value);
    column.querySelector("svg")?.append(rect);
    if (labelled) continue;
    const label = document.createElementNS(SVG, "text");
    for (const [name, value] of Object.entries({ class: "chosen-text", x: "6", y: `${y + 14}` })) label.setAttribute(name, value);
    label.textContent = `${text(begin)} to ${text(end)}`;
    column.querySelector("svg")?.append(label);
    labelled = true;
  }
}

/** @param {number} time */
function utc(time) {
  return new Date(time).toISOString().replace(".000", "");
}

/** Opens the form for planned work, in the zone of this page. @param {string} start @param {string} end */
export function plan(start, end) {
  const zone = new URL(location.href).searchParams.get("zone");
  location.assign(`/record?${new URLSearchParams({ status: "planned", start, end, ...(zone && { zone }) })}`);
}

/** @param {HTMLElement} link @param {number} begin */
function move(link, begin) {
  const form = /** @type {HTMLFormElement} */ (document.getElementById("move"));
  const sent = { id: link.dataset.move, was: link.dataset.start, start: utc(begin) };
  for (const [name, value] of Object.entries(sent)) {
    /** @type {HTMLInputElement} */ (form.elements.namedItem(name)).value = value ?? "";
  }
  form.requestSubmit();
}

function stop() {
  drag = undefined;
  draw();
}

document.addEventListener("pointerdown", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  const column = target?.closest("td.hours");
  if (!column || event.button !== 0 || !column.closest("[data-plan]")) return;
  const link = /** @type {HTMLElement | null} */ (target?.closest("[data-move]") ?? null);
  if (!link && (target?.closest("a") || event.pointerType === "touch")) return;
  event.preventDefault();
  const at = timeAt(event);
  drag = { link, from: at, to: at, low: Date.parse(link?.dataset.start ?? ""), high: Date.parse(link?.dataset.end ?? "") };
});
document.addEventListener("pointermove", (event) => {
  if (!drag) return;
  drag.to = timeAt(event);
  draw();
});
document.addEventListener("pointerup", (event) => {
  if (!drag) return;
  drag.to = timeAt(event);
  const [{ link, from, to, low }, [begin, end]] = [drag, chosen(drag)];
  stop();
  if (Math.abs(to - from) < STEP / 3) return; // a click
  ended = event.timeStamp;
  if (!link) plan(utc(begin), utc(end));
  else if (begin !== low) move(link, begin);
});
document.addEventListener("click", (event) => {
  if (event.timeStamp - ended < 100) event.preventDefault(); // the end of a drag over a link
}, { capture: true });
document.addEventListener("pointercancel", stop);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") stop();
});
document.addEventListener("dragstart", (event) => {
  if (event.target instanceof Element && event.target.closest("td.hours")) event.preventDefault();
});

/** Moves the line of the present, and shows the hours of work first. */
export function arrangeHours() {
  const scroll = document.getElementById("hours");
  if (scroll && !scroll.dataset.arranged) {
    scroll.dataset.arranged = "1";
    scroll.scrollTop = 7 * PIXELS - 12; // above the name of the hour
  }
  tick();
}

function tick() {
  const line = document.querySelector(".now-line");
  const column = /** @type {HTMLElement | null} */ (line?.closest("td.hours") ?? null);
  if (!line || !column) return;
  const y = `${((Date.now() - bounds(column)[0]) / HOUR) * PIXELS}`;
  line.setAttribute("y1", y);
  line.setAttribute("y2", y);
}
setInterval(tick, 60_000);
