"use strict";
// Tables of class "sortable": a click on a header sorts by its column, once more the other way, a third time as before.
// A cell sorts by its data-value if it has one, else by its text; what has no value stays last.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const headers = [...table.tHead.rows[0].cells];
  const numeric = (column) => original.some((row) => row.cells[column].dataset.value !== undefined);
  const value = (row, column) => {
    const cell = row.cells[column];
    return numeric(column) ? Number(cell.dataset.value ?? NaN) : cell.textContent.trim();
  };
  const compare = (one, other) => {
    if (typeof one === "string") return one.localeCompare(other, "en", { numeric: true });
    return one - other;
  };
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    // The largest number is what people look for first, the first letter of words.
    const first = numeric(column) ? "descending" : "ascending";
    const second = numeric(column) ? "ascending" : "descending";
    button.addEventListener("click", () => {
      const now = header.getAttribute("aria-sort");
      const next = now === null ? first : now === first ? second : null;
      for (const other of headers) other.removeAttribute("aria-sort");
      const rows = [...original];
      if (next !== null) {
        header.setAttribute("aria-sort", next);
        const sign = next === "ascending" ? 1 : -1;
        rows.sort((one, other) => {
          const [a, b] = [value(one, column), value(other, column)];
          if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
          return sign * compare(a, b);
        });
      }
      body.append(...rows);
    });
  });
}

// Before and after: the two pictures lie on top of one another, and a slider moves the line between them.
function slide(halves) {
  const slider = document.createElement("input");
  slider.type = "range";
  slider.setAttribute("aria-label", "left of the line before adaptation, right of it after");
  const move = () => {
    halves.style.setProperty("--at", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${slider.value} percent before adaptation`);
  };
  slider.addEventListener("input", move);
  move();
  halves.classList.add("slider");
  halves.append(slider);
}

// Every picture is enlarged by a button: in a dialog that the arrow keys leaf through and Escape closes.
const figures = [...document.querySelectorAll("figure:has(img)")];
const copies = figures.map((figure) => figure.cloneNode(true));
const dialog = document.createElement("dialog");
dialog.setAttribute("aria-label", "enlarged picture");
const bar = document.createElement("nav");
const place = document.createElement("span");
let shown = 0;

function button(text, act, style = "") {
  const made = document.createElement("button");
  made.type = "button";
  made.className = style;
  made.append(text);
  made.addEventListener("click", act);
  return made;
}

function enlarge(number) {
  shown = (number + figures.length) % figures.length;
  const figure = copies[shown].cloneNode(true);
  const halves = figure.querySelector(".halves");
  if (halves) slide(halves);
  const caption = figure.querySelector("figcaption") ?? figure.appendChild(document.createElement("figcaption"));
  caption.textContent = [caption.textContent.trim(), figure.dataset.name].filter(Boolean).join(" · ");
  place.textContent = `${shown + 1} of ${figures.length}`;
  dialog.querySelector("figure")?.remove();
  dialog.prepend(figure);
  if (dialog.open) return;
  dialog.showModal();
  (dialog.querySelector("input") ?? bar.lastChild).focus();
}

figures.forEach((figure, number) => {
  const halves = figure.querySelector(".halves");
  if (halves) {
    slide(halves);
    figure.querySelector("figcaption").append(button("Enlarge", () => enlarge(number), "zoom"));
  } else {
    const image = figure.querySelector("img");
    const around = button("", () => enlarge(number), "zoom");
    around.setAttribute("aria-label", `Enlarge: ${image.alt}`);
    image.replaceWith(around);
    around.append(image);
  }
});
dialog.addEventListener("keydown", (event) => {
  if (event.target.type === "range") return;
  if (event.key === "ArrowLeft") enlarge(shown - 1);
  if (event.key === "ArrowRight") enlarge(shown + 1);
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog || event.target.tagName === "IMG") dialog.close();
});
bar.append(
  button("\u2190 Previous", () => enlarge(shown - 1)), place, button("Next \u2192", () => enlarge(shown + 1)),
  button("Close", () => dialog.close()),
);
dialog.append(bar);
document.body.append(dialog);

// What is folded is printed, too.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const each of folded) each.open = true;
});
addEventListener("afterprint", () => {
  for (const each of folded) each.open = false;
});
