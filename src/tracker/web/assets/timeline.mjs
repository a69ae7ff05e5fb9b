// The Timeline: moved and zoomed in place, then loaded anew for the period that is in sight.
import { typing } from "./frame.mjs";
import { navigate } from "./nav.mjs";
import { completeQuery } from "./query_bar.mjs";
import { visit } from "./swap.mjs";

const SETTLED = 250;
/** How far the drawing is moved, in pixels, and stretched, since it was loaded. */
const moved = { shift: 0, scale: 1 };
/** @type {number | undefined} */
let frame;
/** @type {number | undefined} */
let soon;

/** @param {string} id */
function at(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** @param {Event} event */
function plotOf(event) {
  return event.target instanceof Element ? event.target.closest(".plot") : null;
}

function draw() {
  frame = undefined;
  at("lanes").classList.add("moving");
  const transform = `translateX(${moved.shift}px) scaleX(${moved.scale})`;
  for (const each of /** @type {NodeListOf<SVGElement>} */ (document.querySelectorAll(".moves"))) each.style.transform = transform;
}

/** Moves by pixels, and stretches around a place of the plot. @param {number} by @param {number} factor @param {number} around */
function move(by, factor = 1, around = 0) {
  const scale = Math.min(50, Math.max(0.02, moved.scale * factor));
  moved.shift = around - (around - moved.shift) * (scale / moved.scale) + by;
  moved.scale = scale;
  frame ??= requestAnimationFrame(draw);
}

/** Loads the period that is in sight. */
function settle() {
  clearTimeout(soon);
  soon = undefined;
  const { since, until } = at("lanes").dataset;
  const width = document.querySelector(".plot")?.clientWidth ?? 0;
  if (!since || !until || !width || (moved.scale === 1 && Math.abs(moved.shift) < 1)) return;
  const [low, high] = [Date.parse(since), Date.parse(until)];
  const start = low - ((high - low) * moved.shift) / (width * moved.scale);
  const end = start + (high - low) / moved.scale;
  const url = new URL(location.href);
  for (const [name, moment] of /** @type {[string, number][]} */ ([["from", start], ["to", Math.max(end, start + 300_000)]])) {
    url.searchParams.set(name, new Date(Math.round(moment / 1000) * 1000).toISOString().replace(".000", ""));
  }
  visit(url.pathname + url.search, ["main"]);
}

function settleSoon() {
  clearTimeout(soon);
  soon = setTimeout(settle, SETTLED);
}

/** @type {Map<number, number>} */
const fingers = new Map();
let travelled = 0;

document.addEventListener("pointerdown", (event) => {
  if (!plotOf(event) || event.button !== 0) return;
  if (event.pointerType === "mouse") event.preventDefault();
  fingers.set(event.pointerId, event.clientX);
  if (fingers.size === 1) travelled = 0;
});
document.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (before === undefined) return;
  const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
  fingers.set(event.pointerId, event.clientX);
  travelled += Math.abs(event.clientX - before);
  if (other === undefined) {
    if (travelled > 4) at("lanes").classList.add("dragged");
    move(event.clientX - before);
  } else {
    const left = document.querySelector(".plot")?.getBoundingClientRect().left ?? 0;
    const [was, is] = [Math.abs(before - other), Math.abs(event.clientX - other)];
    if (was > 20 && is > 20) move(0, is / was, other - left);
  }
});
/** @param {PointerEvent} event */
function lift(event) {
  if (!fingers.delete(event.pointerId) || fingers.size) return;
  at("lanes").classList.remove("dragged");
  if (travelled > 4) settle();
}
document.addEventListener("pointerup", lift);
document.addEventListener("pointercancel", lift);
document.addEventListener("click", (event) => {
  if (plotOf(event) && travelled > 4) event.preventDefault(); // the end of a drag over a bar
}, { capture: true });
document.addEventListener("dragstart", (event) => { if (plotOf(event)) event.preventDefault(); });

document.addEventListener("wheel", (event) => {
  const plot = plotOf(event);
  const zooms = event.ctrlKey || event.metaKey || Boolean(plot?.closest(".axis-lane"));
  if (!plot || !(zooms || Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey)) return;
  event.preventDefault();
  if (zooms) move(0, Math.exp(-Math.max(-50, Math.min(50, event.deltaY)) / 150), event.clientX - plot.getBoundingClientRect().left);
  else move(-(event.deltaX || event.deltaY));
  settleSoon();
}, { passive: false });

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
  const link = { ArrowLeft: "earlier", ArrowRight: "later", "+": "closer", "=": "closer", "-": "wider" }[event.key];
  if (event.key === "/") at("q").focus();
  else if (event.key === "0") at("usual").click();
  else if (link) at(link).click();
  else return;
  event.preventDefault();
});

function arrange() {
  moved.shift = 0;
  moved.scale = 1;
  completeQuery(/** @type {HTMLInputElement} */ (at("q")));
}
document.addEventListener("swapped", arrange);
navigate(["main"]);
arrange();
