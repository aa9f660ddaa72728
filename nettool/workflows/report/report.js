"use strict";
// Tables are sorted by a click on a header: numbers as numbers, words as words, what is missing last. A second click
// turns the order round; rows that are equal keep theirs.
for (const table of document.querySelectorAll("table")) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => header.querySelector("button").addEventListener("click", () => {
    const sign = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const isMissing = (row) => "empty" in row.cells[column].dataset;
    const isNumeric = rows.every((row) => isMissing(row) || "value" in row.cells[column].dataset);
    const compare = isNumeric
      ? (a, b) => (Number(a.dataset.value) > Number(b.dataset.value)) - (Number(a.dataset.value) < Number(b.dataset.value))
      : (a, b) => a.textContent.localeCompare(b.textContent, undefined, { numeric: true });
    rows.sort((a, b) => isMissing(a) - isMissing(b)
      || (isMissing(a) ? 0 : sign * compare(a.cells[column], b.cells[column])));
    body.append(...rows);
    headers.forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
  }));
}
// On paper nothing can be unfolded.
const folded = [...document.querySelectorAll("details:not([open])")];
addEventListener("beforeprint", () => folded.forEach((each) => each.setAttribute("open", "")));
addEventListener("afterprint", () => folded.forEach((each) => each.removeAttribute("open")));
