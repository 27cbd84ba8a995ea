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
