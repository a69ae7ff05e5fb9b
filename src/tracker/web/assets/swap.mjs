// Replaces parts of a page by what the same address gives, and keeps the address and Back true.
import { complete } from "./frame.mjs";

/** @type {AbortController | undefined} */
let underWay;

/** @param {string} href @param {string} part */
function partOf(href, part) {
  const url = new URL(href, location.href);
  url.searchParams.set("part", part);
  return url;
}

/** @param {string} html */
function replaceRegions(html) {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  const focused = document.activeElement?.id;
  for (const fresh of parsed.querySelectorAll("[data-region]")) {
    const old = document.getElementById(fresh.id);
    if (!old) continue;
    const input = /** @type {HTMLInputElement | null} */ (old.querySelector("input:focus"));
    const written = input?.value;
    const selected = [...old.querySelectorAll("td input:checked")].map((each) => each.getAttribute("name"));
    const node = document.importNode(fresh, true);
    complete(node);
    if (node.isEqualNode(old)) continue;
    old.replaceWith(node);
    for (const each of node.querySelectorAll("td input")) {
      if (selected.includes(each.getAttribute("name"))) /** @type {HTMLInputElement} */ (each).checked = true;
    }
    if (input?.id) {
      const again = /** @type {HTMLInputElement | null} */ (document.getElementById(input.id));
      if (again && written !== undefined && document.activeElement === document.body) again.focus();
    }
  }
  if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus();
  document.dispatchEvent(new CustomEvent("swapped"));
}

/**
 * Loads parts of an address, each as soon as it is there, and returns whether they are all there. What can't be
 * loaded leads to a page that says why, unless that is to be quiet.
 * @param {string} href @param {string[]} parts @param {{ quietly?: boolean }} [how]
 */
export async function load(href, parts, { quietly = false } = {}) {
  underWay?.abort();
  const { signal } = (underWay = new AbortController());
  const there = await Promise.all(parts.map(async (part) => {
    try {
      const answer = await fetch(partOf(href, part), { signal, headers: { accept: "text/html" } });
      const html = await answer.text();
      if (html.includes("data-region")) {
        replaceRegions(html);
        return true;
      }
      if (!quietly) location.assign(href); // an error has a page of its own
    } catch (error) {
      if (!signal.aborted && !quietly) location.assign(href);
    }
    return false;
  }));
  return there.every(Boolean);
}

/** @param {string} href @param {string[]} parts */
export async function visit(href, parts) {
  history.pushState(null, "", href);
  await load(href, parts);
}
