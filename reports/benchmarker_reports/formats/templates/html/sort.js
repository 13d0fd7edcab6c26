"use strict";
// Turns the headings of sortable tables into buttons that sort by their column; a second press reverses the order. Long
// tables get a box that hides the rows without the words typed.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = Array.from(table.tHead.rows[table.tHead.rows.length - 1].cells);
  const key = (row, column) => {
    const cell = row.cells[column];
    const number = cell.dataset.sort;
    return number === undefined ? cell.textContent.trim().toLowerCase() : number === "" ? null : Number(number);
  };
  const sort = (head, column) => {
    const descending = head.getAttribute("aria-sort") === "ascending" ||
      (!head.hasAttribute("aria-sort") && head.classList.contains("num") && head.dataset.ascending === undefined);
    const sign = descending ? -1 : 1;
    const rows = Array.from(body.rows).map((row, place) => ({ row, place, value: key(row, column) }));
    rows.sort((a, b) => {
      if (a.value === b.value) return a.place - b.place;
      if (a.value === null || b.value === null) return a.value === null ? 1 : -1;
      return sign * (a.value < b.value ? -1 : 1);
    });
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    body.append(...rows.map((entry) => entry.row));
  };
  heads.forEach((head, column) => {
    if (head.dataset.fixed !== undefined || !head.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(head, column));
  });
  if (body.rows.length >= 12) {
    const box = document.createElement("input");
    box.type = "search";
    box.className = "filter";
    box.placeholder = "Filter";
    box.setAttribute("aria-label", "Show only rows that contain");
    box.addEventListener("input", () => {
      const wanted = box.value.trim().toLowerCase().split(/\s+/);
      for (const row of body.rows) row.hidden = !wanted.every((word) => row.textContent.toLowerCase().includes(word));
    });
    table.parentElement.before(box);
  }
}
