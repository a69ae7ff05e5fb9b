// The Explorer: parts swapped in place, keys, brushing of the chart, and the live list.
import { typing } from "./frame.mjs";
import { completeQuery } from "./query_bar.mjs";
import { follow } from "./live.mjs";
import { showSelection } from "./selection.mjs";
import { load, visit } from "./swap.mjs";

const ALL = ["main", "chart", "facets"];

/** @param {string} [named] */
function parts(named) {
  return named ? [named] : ALL;
}

/** @param {string} id */
function at(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** Shows the layout that the open event needs, and keeps its row in sight. */
function arrange() {
  const open = at("panel").dataset.open ?? "";
  at("explorer").classList.toggle("open", open !== "");
  if (open && innerWidth < 1200) at("panel").scrollIntoView({ block: "start" });
  completeQuery(/** @type {HTMLInputElement} */ (at("q")));
  showSelection();
  follow(document.getElementById("live-state"));
}

/** @param {HTMLFormElement} form */
function addressOf(form) {
  const data = new URLSearchParams(/** @type {any} */ (new FormData(form)));
  const columns = data.getAll("cols");
  if (columns.length) data.set("cols", columns.join(","));
  for (const [name, value] of [...data]) if (!value) data.delete(name);
  return `${form.getAttribute("action")}?${data}`;
}

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button !== 0) return;
  const link = event.target instanceof Element ? event.target.closest("a[data-nav]") : null;
  if (!link) return;
  const exclude = link.getAttribute("data-exclude");
  const modified = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;
  if (modified && !exclude) return;
  event.preventDefault();
  visit((modified && exclude) || (link.getAttribute("href") ?? ""), parts(link.getAttribute("data-nav") ?? ""));
});

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (!form.hasAttribute("data-nav")) return;
  event.preventDefault();
  visit(addressOf(form), ALL);
});

addEventListener("popstate", () => load(location.href, ALL));
document.addEventListener("swapped", arrange);

document.addEventListener("input", (event) => {
  const input = /** @type {HTMLInputElement} */ (event.target);
  if (!input.hasAttribute("data-facet-search")) return;
  for (const item of input.closest("details")?.querySelectorAll("li") ?? []) {
    item.hidden = !(item.textContent ?? "").toLowerCase().includes(input.value.toLowerCase());
  }
});

/** @param {number} step */
function move(step) {
  const rows = [...document.querySelectorAll(".events tbody tr")];
  const now = rows.findIndex((row) => row.classList.contains("cursor") || row.contains(document.activeElement));
  const next = rows[Math.min(rows.length - 1, Math.max(0, now + step))];
  if (!next) return;
  for (const row of rows) row.classList.toggle("cursor", row === next);
  const link = /** @type {HTMLElement | null} */ (next.querySelector("a"));
  link?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && !document.querySelector("dialog[open], .suggestions")) {
    if (typing(event.target)) /** @type {HTMLElement} */ (event.target).blur();
    else document.getElementById("close")?.click();
  }
  if (typing(event.target)) return;
  if (event.key === "/") {
    event.preventDefault();
    at("q").focus();
  } else if (event.key === "j" || event.key === "k") {
    move(event.key === "j" ? 1 : -1);
  } else if (event.key === "x") {
    const row = document.querySelector("tr.cursor") ?? document.activeElement?.closest("tr[data-event]");
    /** @type {HTMLElement | null | undefined} */ (row?.querySelector("td.select input"))?.click();
  } else if (event.key === "o") {
    const row = document.activeElement?.closest("tr[data-event]");
    if (row) location.assign(`/events/${encodeURIComponent(row.getAttribute("data-event") ?? "")}`);
  }
});

/** @type {{ from: Element, to: Element, box: SVGRectElement } | undefined} */
let brush;

/** @param {PointerEvent} event */
function barAt(event) {
  return document.elementsFromPoint(event.clientX, event.clientY).find((each) => each.closest("#chart a"))?.closest("a");
}

document.addEventListener("pointerdown", (event) => {
  const bar = event.target instanceof Element && event.pointerType === "mouse" ? event.target.closest("#chart .chart a") : null;
  if (!bar) return;
  event.preventDefault();
  const box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  box.setAttribute("class", "brush");
  box.setAttribute("height", "100");
  bar.closest("svg")?.append(box);
  brush = { from: bar, to: bar, box };
});
document.addEventListener("pointermove", (event) => {
  if (!brush) return;
  brush.to = barAt(event) ?? brush.to;
  const edges = [brush.from, brush.to].map((bar) => bar.querySelector("rect")).map((rect) => Number(rect?.getAttribute("x")));
  const width = Number(brush.from.querySelector("rect")?.getAttribute("width"));
  brush.box.setAttribute("x", String(Math.min(...edges)));
  brush.box.setAttribute("width", String(Math.abs(edges[0] - edges[1]) + width));
});
document.addEventListener("pointerup", () => {
  if (!brush) return;
  const { from, to, box } = brush;
  brush = undefined;
  box.remove();
  if (from === to) return; // a click, which the link handles
  const ordered = [from, to].sort((a, b) => ((a.getAttribute("data-since") ?? "") < (b.getAttribute("data-since") ?? "") ? -1 : 1));
  const url = new URL(from.getAttribute("href") ?? "", location.href);
  url.searchParams.set("from", ordered[0].getAttribute("data-since") ?? "");
  url.searchParams.set("to", ordered[1].getAttribute("data-until") ?? "");
  document.addEventListener("click", (event) => { event.preventDefault(); event.stopPropagation(); }, { capture: true, once: true });
  setTimeout(() => visit(url.pathname + url.search, ALL));
});

arrange();
const pending = [...document.querySelectorAll("[data-pending]")].map((each) => each.id);
if (pending.length) load(location.href, pending);
