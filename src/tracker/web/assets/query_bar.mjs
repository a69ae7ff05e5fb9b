// Completion in the query: names of fields, and their values with counts.

/** @type {AbortController | undefined} */
let asking;

/** @param {HTMLInputElement} input */
export function completeQuery(input) {
  if (input.dataset.completes) return;
  input.dataset.completes = "1";
  const list = document.createElement("ul");
  list.className = "suggestions";
  list.id = "suggestions";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Suggestions");
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", list.id);
  input.setAttribute("aria-expanded", "false");

  /** @type {number | undefined} */
  let soon;

  /** Close the list, which an answer under way does not open again. */
  function close() {
    clearTimeout(soon);
    asking?.abort();
    list.remove();
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  /** @param {Element | undefined} item */
  function choose(item) {
    for (const each of list.children) each.setAttribute("aria-selected", String(each === item));
    if (item) {
      input.setAttribute("aria-activedescendant", item.id);
      item.scrollIntoView({ block: "nearest" });
    }
  }

  /** @param {Element} item */
  function take(item) {
    const start = Number(list.dataset.start);
    const end = input.selectionStart ?? input.value.length;
    const text = item.getAttribute("data-text") ?? "";
    input.setRangeText(text, start, end, "end");
    close();
    if (text.endsWith(":")) ask();
  }

  async function ask() {
    asking?.abort();
    const { signal } = (asking = new AbortController());
    const asked = new URLSearchParams(location.search);
    asked.set("q", input.value);
    asked.set("at", String(input.selectionStart ?? input.value.length));
    try {
      const answer = await fetch(`/events/suggestions?${asked}`, { signal });
      if (!answer.ok || document.activeElement !== input) return close();
      const { start, suggestions } = await answer.json();
      if (signal.aborted) return;
      if (!suggestions.length) return close();
      const chosen = list.querySelector('[aria-selected="true"]')?.getAttribute("data-text");
      list.dataset.start = start;
      list.replaceChildren(...suggestions.map((/** @type {{text: string, shown: string, count: number | null}} */ each, /** @type {number} */ n) => {
        const item = document.createElement("li");
        item.id = `suggestion-${n}`;
        item.setAttribute("role", "option");
        item.setAttribute("aria-selected", "false");
        item.dataset.text = each.text;
        const shown = document.createElement("span");
        shown.textContent = each.shown;
        item.append(shown);
        if (each.count !== null) {
          const count = document.createElement("span");
          count.className = "muted";
          count.textContent = each.count.toLocaleString("en");
          item.append(count);
        }
        return item;
      }));
      choose([...list.children].find((each) => chosen && each.getAttribute("data-text") === chosen));
      input.parentElement?.append(list);
      input.setAttribute("aria-expanded", "true");
    } catch {
      if (!signal.aborted) close();
    }
  }

  input.addEventListener("input", () => { clearTimeout(soon); soon = setTimeout(ask, 80); });
  input.addEventListener("blur", () => setTimeout(() => { if (document.activeElement !== input) close(); }, 150));
  list.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    const item = event.target instanceof Element ? event.target.closest("li") : null;
    if (item) take(item);
  });
  input.addEventListener("keydown", (event) => {
    const items = [...list.children];
    if (!list.isConnected) {
      if (event.key === "Enter" || event.key === "Escape") close();
      return;
    }
    const now = items.findIndex((each) => each.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      choose(items[(now + step + items.length + (now < 0 && step < 0 ? 1 : 0)) % items.length]);
    } else if ((event.key === "Enter" || event.key === "Tab") && now >= 0) {
      event.preventDefault();
      take(items[now]);
    } else if (event.key === "Escape") {
      event.stopPropagation();
      close();
    } else if (event.key === "Enter") {
      close();
    }
  });
}
