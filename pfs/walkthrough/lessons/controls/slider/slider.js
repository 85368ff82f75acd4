// A labelled slider over a list of values: the browser's own, which keyboards and screen readers know.

function render({ model, el }) {
  const label = document.createElement("label");
  const name = document.createElement("span");
  const input = Object.assign(document.createElement("input"), { type: "range", min: 0, step: 1 });
  const shown = document.createElement("output");
  label.className = "pfs-slider";
  label.append(name, input, shown);
  el.append(label);

  function show() {
    const words = model.get("words");
    name.textContent = model.get("description");
    input.max = words.length - 1;
    input.value = model.get("index");
    input.disabled = model.get("disabled");
    shown.textContent = words[model.get("index")];
    input.setAttribute("aria-label", model.get("description"));
    input.setAttribute("aria-valuetext", shown.textContent);
  }

  input.addEventListener("input", () => {
    model.set("index", Number(input.value));
    show();
    model.save_changes();
  });
  input.addEventListener("keydown", (event) => event.stopPropagation()); // the notebook's own keys
  for (const trait of ["description", "words", "index", "disabled"]) model.on(`change:${trait}`, show);
  show();
}

export default { render };
