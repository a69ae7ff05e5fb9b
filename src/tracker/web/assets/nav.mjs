// Links and forms with `data-nav`: the parts of the page that they change are replaced in place.
import { load, visit } from "./swap.mjs";

/** @param {HTMLFormElement} form */
function addressOf(form) {
  const data = new URLSearchParams(/** @type {any} */ (new FormData(form)));
  for (const [name, value] of [...data]) if (!value) data.delete(name);
  return `${form.getAttribute("action")}?${data}`;
}

/** @param {string[]} parts */
export function navigate(parts) {
  document.addEventListener("click", (event) => {
    const modified = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;
    const link = event.target instanceof Element ? event.target.closest("a[data-nav]") : null;
    if (!link || event.defaultPrevented || event.button !== 0 || modified) return;
    const href = link.getAttribute("href") ?? "";
    if (new URL(href, location.href).pathname !== location.pathname) return; // a page of its own
    event.preventDefault();
    visit(href, parts);
  });
  document.addEventListener("submit", (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (!form.hasAttribute("data-nav")) return;
    event.preventDefault();
    visit(addressOf(form), parts);
  });
  addEventListener("popstate", () => load(location.href, parts));
}
