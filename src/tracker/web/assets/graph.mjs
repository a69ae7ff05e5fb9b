// The graph of dependencies: sizes by wheel and keys, moved by dragging, and the neighbours of a node lit.
const view = document.getElementById("graph");
const svg = view?.querySelector("svg");

if (view && svg) {
  const natural = Number(svg.dataset.width);
  const [, , width, height] = (svg.getAttribute("viewBox") ?? "").split(" ").map(Number);
  const fit = () => Math.min(1, (view.clientWidth - 2) / natural);
  let scale = svg.clientWidth / natural;

  /** @param {number} wanted @param {number} [x] @param {number} [y] a place in the view that stays where it is */
  const resize = (wanted, x = view.clientWidth / 2, y = view.clientHeight / 2) => {
    const before = scale;
    scale = Math.max(Math.min(fit(), 0.2), Math.min(4, wanted));
    svg.setAttribute("width", String(Math.round(width * scale)));
    svg.setAttribute("height", String(Math.round(height * scale)));
    view.scrollLeft = (view.scrollLeft + x) * (scale / before) - x;
    view.scrollTop = (view.scrollTop + y) * (scale / before) - y;
  };

  view.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls as ever
    event.preventDefault();
    const { left, top } = view.getBoundingClientRect();
    resize(scale * Math.exp(-event.deltaY / 300), event.clientX - left, event.clientY - top);
  }, { passive: false });

  view.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") resize(scale * 1.25);
    else if (event.key === "-") resize(scale / 1.25);
    else if (event.key === "0") resize(fit());
    else return;
    event.preventDefault();
  });

  for (const link of document.querySelectorAll("[data-zoom]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const chosen = /** @type {HTMLAnchorElement} */ (link);
      resize(chosen.dataset.zoom === "fit" ? fit() : Number(chosen.dataset.zoom) / 100);
      history.replaceState(null, "", chosen.href.split("#")[0]);
      for (const each of document.querySelectorAll("[data-zoom]")) each.removeAttribute("aria-current");
      chosen.setAttribute("aria-current", "true");
    });
  }

  let dragged = 0;
  view.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "mouse" || event.buttons !== 1) return;
    dragged += Math.abs(event.movementX) + Math.abs(event.movementY);
    if (dragged < 5) return;
    view.classList.add("dragged");
    view.scrollBy(-event.movementX, -event.movementY);
  });
  view.addEventListener("pointerdown", () => { dragged = 0; });
  addEventListener("pointerup", () => view.classList.remove("dragged"));
  view.addEventListener("dragstart", (event) => event.preventDefault());
  view.addEventListener("click", (event) => { if (dragged >= 5) event.preventDefault(); }, { capture: true });

  /** @param {Event} event */
  const light = (event) => {
    const node = event.target instanceof Element ? event.target.closest("[data-node]") : null;
    svg.classList.toggle("lit", Boolean(node));
    for (const each of svg.querySelectorAll(".near")) each.classList.remove("near");
    if (!node) return;
    const id = node.getAttribute("data-node");
    node.classList.add("near");
    for (const edge of svg.querySelectorAll(`[data-from="${id}"], [data-to="${id}"]`)) {
      edge.classList.add("near");
      for (const end of ["data-from", "data-to"]) {
        svg.querySelector(`[data-node="${edge.getAttribute(end)}"]`)?.classList.add("near");
      }
    }
  };
  svg.addEventListener("pointerover", light);
  svg.addEventListener("pointerleave", light);
  svg.addEventListener("focusin", light);
  svg.addEventListener("focusout", light);

  const first = document.getElementById("first");
  if (first) {
    const [node, place] = [first.getBoundingClientRect(), view.getBoundingClientRect()];
    view.scrollBy((node.left + node.right - place.left - place.right) / 2, (node.top + node.bottom - place.top - place.bottom) / 2);
  }
}
