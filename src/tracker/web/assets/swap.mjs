// Replaces parts of a page by what the same address gives, and keeps the address and Back true.
import { complete } from "./frame.mjs";

/** @type {Map<string, AbortController>} */
const underWay = new Map();

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
    const node = document.importNode(fresh, true);
    complete(node);
    old.removeAttribute("aria-busy");
    if (node.isEqualNode(old)) continue;
    old.replaceWith(node);
    if (input?.id) {
      const again = /** @type {HTMLInputElement | null} */ (document.getElementById(input.id));
      if (again && written !== undefined && document.activeElement === document.body) again.focus();
    }
  }
  if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus();
  document.dispatchEvent(new CustomEvent("swapped"));
}

/** Loads all parts that could not be loaded: a load ends those before it. */
function retry() {
  const failed = [...document.querySelectorAll("[data-failed]")].map((each) => each.getAttribute("data-failed") ?? "");
  if (failed.length) load(location.href, failed);
}
addEventListener("online", retry);

/**
 * Says in place of a part, whose old content would be that of another address, that it can't be loaded.
 * @param {string} part @param {string} why
 */
function fail(part, why) {
  const at = part === "main" ? document.getElementById("list") ?? document.querySelector("main [data-region]") : document.getElementById(part);
  if (!at) return;
  const notice = document.createElement("div");
  notice.className = "notice bad";
  notice.setAttribute("role", "alert");
  const again = document.createElement("button");
  again.type = "button";
  again.textContent = "Try again";
  again.addEventListener("click", retry);
  notice.dataset.failed = part;
  notice.append(`This could not be loaded: ${why}. `, again);
  at.removeAttribute("aria-busy");
  at.removeAttribute("data-pending");
  at.replaceChildren(notice);
}

/**
 * Loads parts of an address, each as soon as it is there, and returns whether they are all there. A part that can't be
 * loaded says so in its place, unless that is to be quiet. Only a later request for the same part stops one under way.
 * @param {string} href @param {string[]} parts @param {{ quietly?: boolean }} [how]
 */
export async function load(href, parts, { quietly = false } = {}) {
  const there = await Promise.all(parts.map(async (part) => {
    underWay.get(part)?.abort();
    const asked = new AbortController();
    underWay.set(part, asked);
    const { signal } = asked;
    if (!quietly) document.getElementById(part === "main" ? "list" : part)?.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(partOf(href, part), { signal, headers: { accept: "text/html" } });
      const html = await answer.text();
      if (html.includes("data-region")) {
        replaceRegions(html);
        return true;
      }
      if (part === "main" && !quietly && answer.status < 500) {
        location.assign(href); // a refusal has a page of its own
        return false;
      }
      const said = new DOMParser().parseFromString(html, "text/html").querySelector("main [role=alert], main .notice, [role=alert]");
      if (!quietly) fail(part, said?.textContent?.trim() || `the server answered ${answer.status}`);
    } catch {
      if (!signal.aborted && !quietly) fail(part, "the server can't be reached");
    }
    return false;
  }));
  return there.every(Boolean);
}

/** @param {string} href @param {string[]} parts */
export async function visit(href, parts) {
  history.pushState(null, "", href);
  document.getElementById("ignored")?.remove();
  await load(href, parts);
}
