// What every page does: theme, zone, keys that lead to pages, and copying.

const root = document.documentElement;

/** @param {string} name @param {string} value */
function remember(name, value) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${name}=${encodeURIComponent(value)}; Path=/; Max-Age=31536000; SameSite=Strict${secure}`;
}

/** @param {string} name */
function remembered(name) {
  const found = document.cookie.split("; ").find((each) => each.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

root.classList.add("scripted");

const pages = /** @type {HTMLElement | null} */ (document.querySelector(".top nav"));
const current = /** @type {HTMLElement | null} */ (pages?.querySelector("[aria-current]"));
if (pages && current) pages.scrollLeft = current.offsetLeft - pages.offsetLeft - (pages.clientWidth - current.offsetWidth) / 2;

document.getElementById("theme")?.addEventListener("click", () => {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const chosen = (root.dataset.theme ?? system) === "dark" ? "light" : "dark";
  if (chosen === system) delete root.dataset.theme; // from then on as the system
  else root.dataset.theme = chosen;
  remember("theme", root.dataset.theme ?? "");
});

const browserZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const here = new URL(location.href);
if (!remembered("zone") && browserZone) {
  remember("zone", browserZone);
  if (root.dataset.zone !== browserZone && !here.searchParams.has("zone") && navigator.cookieEnabled) {
    location.replace(location.href); // once: from then on the server knows the zone
  }
}
// A zone chosen in the menu is kept for all pages once the server has shown that it knows it.
const zones = document.getElementById("zone-menu");
if (sessionStorage.getItem("zone") === root.dataset.zone) remember("zone", root.dataset.zone ?? "");
sessionStorage.removeItem("zone");
zones?.addEventListener("submit", (event) => {
  const sent = new FormData(/** @type {HTMLFormElement} */ (event.target));
  sessionStorage.setItem("zone", String(sent.get("zone")).trim());
});
for (const each of zones?.querySelectorAll("a") ?? []) {
  const zone = new URL(each.href).searchParams.get("zone") ?? "";
  each.addEventListener("click", () => sessionStorage.setItem("zone", zone));
}
document.querySelector("[data-zone-of-browser]")?.addEventListener("click", (event) => {
  event.preventDefault();
  remember("zone", browserZone);
  here.searchParams.delete("zone");
  location.assign(here);
});

/** @param {EventTarget | null} target */
export function typing(target) {
  if (target instanceof HTMLInputElement && target.type === "checkbox") return false;
  return target instanceof HTMLElement && (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName));
}

let leading = 0;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const keys = /** @type {HTMLDialogElement} */ (document.getElementById("keys"));
  if (event.key === "?") {
    event.preventDefault();
    if (!keys.open) keys.showModal();
  } else if (event.key === "/") {
    const search = /** @type {HTMLInputElement | null} */ (document.querySelector("input[data-search]"));
    if (search) event.preventDefault();
    search?.select();
  } else if (event.key === "g") {
    leading = event.timeStamp;
  } else if (event.timeStamp - leading < 1500) {
    leading = 0;
    const links = [...document.querySelectorAll(".top nav a")].filter((link) => link.textContent?.trim().toLowerCase().startsWith(event.key));
    const found = links[(links.findIndex((link) => link.hasAttribute("aria-current")) + 1) % links.length]; // Calendar, Catalog
    if (found) location.assign(/** @type {HTMLAnchorElement} */ (found).href);
  }
});

/** Forms that wait for the server, or are about to be sent. @type {Map<HTMLFormElement, boolean>} */
const sent = new Map();

const PATIENCE = 10_000;
/** Statuses of a proxy without a server behind it, and of a server that takes no calls now. */
const AWAY = [429, 502, 503, 504];

// A form is sent once the server answers: what was entered would be gone with the page.
document.addEventListener("submit", async (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (form.getAttribute("method") !== "post" || sent.get(form)) return;
  event.preventDefault();
  if (sent.has(form)) return;
  sent.set(form, false);
  const away = await fetch("/livez", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) }).then(
    (answer) => AWAY.includes(answer.status), () => true,
  );
  form.querySelector("[data-unsent]")?.remove();
  if (!away) {
    sent.set(form, true);
    form.requestSubmit(event.submitter);
  } else {
    const said = document.createElement("p");
    said.className = "notice bad";
    said.setAttribute("role", "alert");
    said.dataset.unsent = "";
    said.textContent = "The server does not answer. Nothing was sent, and what you entered stays here: try again.";
    if (form.hidden) document.querySelector("main")?.prepend(said);
    else form.append(said);
  }
  sent.delete(form);
});

/** @param {ParentNode} within */
export function complete(within) {
  for (const each of within.querySelectorAll("pre[data-host], pre[data-curl]")) {
    const text = each.textContent ?? "";
    const address = location.origin + text;
    if (!text.startsWith("/")) continue;
    const token = "known" in root.dataset ? `-H "Authorization: Bearer $TRACKER_TOKEN"` : "";
    const said = ["curl", token, each.getAttribute("data-curl"), `'${address}'`].filter(Boolean).join(" ");
    each.textContent = each.hasAttribute("data-curl") ? said : address;
  }
  for (const each of within.querySelectorAll("pre[data-server]")) {
    each.textContent = (each.textContent ?? "").replaceAll(each.getAttribute("data-server") ?? "", location.origin);
  }
}
complete(document);

document.addEventListener("copy", (event) => {
  const selection = getSelection();
  if (!selection?.rangeCount || selection.isCollapsed || typing(event.target)) return;
  const range = selection.getRangeAt(0);
  const inside = range.commonAncestorContainer instanceof Element ? range.commonAncestorContainer : range.commonAncestorContainer.parentElement;
  const copied = document.createElement("div");
  copied.append(range.cloneContents());
  const times = copied.querySelectorAll("time[datetime]");
  const only = inside?.closest("time[datetime]");
  if (!times.length && only?.textContent !== selection.toString()) return;
  for (const each of times) each.textContent = each.getAttribute("datetime");
  copied.className = "visually-hidden copied";
  document.body.append(copied);
  const text = only?.getAttribute("datetime") ?? copied.innerText;
  copied.remove();
  event.clipboardData?.setData("text/plain", text); // moments to read elsewhere, whatever the zone here
  event.preventDefault();
});

/**
 * Copies the text of an element, also on pages without TLS, which have no clipboard: there it is selected first.
 * @param {Element | null | undefined} from
 */
async function copied(from) {
  if (!from) return false;
  if (navigator.clipboard) return navigator.clipboard.writeText(from.textContent ?? "").then(() => true, () => false);
  getSelection()?.selectAllChildren(from);
  return document.execCommand("copy");
}

document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
  if (!menu) return;
  event.stopImmediatePropagation();
  menu.removeAttribute("open");
  menu.querySelector("summary")?.focus();
});

document.addEventListener("click", async (event) => {
  const target = event.target instanceof Element ? event.target : null;
  const button = target?.closest("[data-copy]");
  if (button) {
    button.textContent = (await copied(button.parentElement?.querySelector("pre"))) ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(target)) menu.removeAttribute("open");
  }
});
