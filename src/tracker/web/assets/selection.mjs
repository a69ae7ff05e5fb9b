// The selected events of this tab, on whatever page of the list, until an action deletes them or they are unselected.

const KEY = "selected";

/** @returns {Set<string>} */
function selected() {
  return new Set((sessionStorage.getItem(KEY) ?? "").split(" ").filter(Boolean));
}

/** @param {Set<string>} ids */
function keep(ids) {
  sessionStorage.setItem(KEY, [...ids].join(" "));
}

/** @param {Element} box */
function idOf(box) {
  return box.closest("tr")?.getAttribute("data-event") ?? "";
}

/** @returns {HTMLInputElement[]} */
function boxes() {
  return [...document.querySelectorAll("td.select input")].map((each) => /** @type {HTMLInputElement} */ (each));
}

export function showSelection() {
  const form = /** @type {HTMLFormElement | null} */ (document.getElementById("selection"));
  if (!form) return;
  const ids = selected();
  const here = boxes();
  for (const box of here) box.checked = ids.has(idOf(box));
  const shown = new Set(here.map(idOf));
  const others = [...ids].filter((id) => !shown.has(id));
  form.classList.toggle("some", ids.size > 0);
  const all = /** @type {HTMLInputElement | null} */ (document.getElementById("select-all"));
  if (all) {
    all.checked = here.length > 0 && here.every((box) => box.checked);
    all.indeterminate = !all.checked && here.some((box) => box.checked);
  }
  /** @type {HTMLInputElement} */ (form.querySelector("[data-others]")).value = others.join(" ");
  const said = `${ids.size.toLocaleString("en")} selected${others.length ? `, ${others.length.toLocaleString("en")} of them not on this page` : ""}`;
  const state = form.querySelector("[data-selected]");
  if (state && state.textContent !== said) state.textContent = said;
}

document.addEventListener("change", (event) => {
  const box = /** @type {HTMLInputElement} */ (event.target);
  const changed = box.id === "select-all" ? boxes() : box.matches("td.select input") ? [box] : [];
  if (!changed.length) return;
  const ids = selected();
  for (const each of changed) {
    if (box.checked) ids.add(idOf(each));
    else ids.delete(idOf(each));
  }
  keep(ids);
  showSelection();
});

document.addEventListener("click", (event) => {
  if (!(event.target instanceof Element) || !event.target.closest("[data-unselect]")) return;
  keep(new Set());
  showSelection();
});

const gone = document.querySelector("[data-gone]")?.getAttribute("data-gone")?.split(" ") ?? [];
if (gone.length) keep(new Set([...selected()].filter((id) => !gone.includes(id))));
