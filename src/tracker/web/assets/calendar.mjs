// The Calendar: a click opens a day of a month, a drag over days plans work for them, and keys.
import { arrangeHours, plan } from "./calendar_hours.mjs";
import { typing } from "./frame.mjs";
import { navigate } from "./nav.mjs";
import { completeQuery } from "./query_bar.mjs";

/** @type {{ from: HTMLElement, to: HTMLElement } | undefined} */
let drag;

/** @param {string} id */
function at(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** @param {Element | null} element */
function dayOf(element) {
  return /** @type {HTMLElement | null} */ (element?.closest(".calendar:not(.week) td") ?? null);
}

function days() {
  return /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".calendar:not(.week) td")]);
}

function chosen() {
  const all = days();
  const ends = drag ? [all.indexOf(drag.from), all.indexOf(drag.to)].sort((a, b) => a - b) : [];
  return all.slice(ends[0] ?? 0, (ends[1] ?? -1) + 1);
}

function show() {
  const marked = drag && drag.from !== drag.to ? chosen() : [];
  for (const day of days()) day.classList.toggle("chosen", marked.includes(day));
}

document.addEventListener("pointerdown", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  const day = dayOf(target);
  if (!day || event.button !== 0 || event.pointerType === "touch" || target?.closest("a")) return;
  event.preventDefault();
  drag = { from: day, to: day };
});
document.addEventListener("pointermove", (event) => {
  if (!drag || !at("calendar").hasAttribute("data-plan")) return;
  drag.to = dayOf(document.elementFromPoint(event.clientX, event.clientY)) ?? drag.to;
  show();
});
document.addEventListener("pointerup", () => {
  if (!drag) return;
  const [all, { from, to }] = [chosen(), drag];
  drag = undefined;
  show();
  if (from === to) {
    from.querySelector("a")?.click();
    return;
  }
  plan(all[0].dataset.since ?? "", all[all.length - 1].dataset.until ?? "");
});
document.addEventListener("pointercancel", () => {
  drag = undefined;
  show();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    drag = undefined;
    show();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
  const link = { ArrowLeft: "earlier", ArrowRight: "later", 0: "today", m: "month", w: "week" }[event.key];
  if (event.key === "/") at("q").focus();
  else if (link) at(link).click();
  else return;
  event.preventDefault();
});

/** Shows today first where the days of a month stand below each other, unless the reader comes back to a place. */
function showToday() {
  const today = document.querySelector(".calendar:not(.week) td.today");
  if (today && getComputedStyle(today).display === "block" && scrollY === 0) today.scrollIntoView();
}

function arrange() {
  completeQuery(/** @type {HTMLInputElement} */ (at("q")));
  arrangeHours();
}
document.addEventListener("swapped", arrange);
navigate(["main"]);
arrange();
if (/** @type {PerformanceNavigationTiming} */ (performance.getEntriesByType("navigation")[0])?.type === "navigate") showToday();
