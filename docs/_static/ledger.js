// The ledger's table: a search box, choices of section and verdict, and headings that sort. Without this script the table is whole.
document.addEventListener("DOMContentLoaded", () => {
  const table = document.getElementById("ledger");
  const controls = document.querySelector(".ledger-controls");
  if (!table || !controls) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heading = (name) => [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent === name);
  const text = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));

  const labelled = (name, element) => {
    const label = document.createElement("label");
    label.append(name, element);
    controls.append(label);
    return element;
  };
  const choice = (name, column) => {
    const select = labelled(name, document.createElement("select"));
    const values = new Set(rows.map((row) => row.cells[column].textContent));
    select.append(new Option("all", ""), ...[...values].map((value) => new Option(value, value)));
    select.addEventListener("change", filter);
    return (row) => !select.value || row.cells[column].textContent === select.value;
  };
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      row.hidden = !(choices.every((fits) => fits(row)) && words.every((word) => text.get(row).includes(word)));
    }
    count.value = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  };
  const search = labelled("Search", Object.assign(document.createElement("input"), { type: "search" }));
  const choices = [choice("Section", heading("section")), choice("Verdict", heading("verdict on the print"))];
  const count = labelled("Shown", document.createElement("output"));
  search.addEventListener("input", filter);

  [...table.tHead.rows[0].cells].forEach((cell, column) => {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.append(...cell.childNodes);
    cell.append(button);
    button.addEventListener("click", () => {
      const up = cell.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => row.cells[column].textContent;
      const sorted = [...rows].sort((a, b) => key(a).localeCompare(key(b), "en", { numeric: true }));
      body.append(...(up ? sorted : sorted.reverse()));
    });
  });
  controls.hidden = false;
  filter();
});
