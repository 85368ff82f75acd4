// A row of buttons of which one is pressed: the browser's own radio buttons, so that keyboards and screen readers know
// the group's name and which button is pressed.

function render({ model, el }) {
  const group = document.createElement("fieldset");
  const legend = document.createElement("legend");
  const name = `pfs-buttons-${Math.random()}`; // radio buttons of one name are one group, all over the page
  group.className = "pfs-buttons";
  group.append(legend, ...model.get("words").map(button));
  el.append(group);

  function button(word, index) {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "radio", name, value: index });
    input.addEventListener("change", () => {
      model.set("index", index);
      model.save_changes();
    });
    label.append(input, Object.assign(document.createElement("span"), { textContent: word }));
    return label;
  }

  function show() {
    legend.textContent = model.get("description");
    group.querySelectorAll("input").forEach((input, index) => { input.checked = index === model.get("index"); });
  }

  group.addEventListener("keydown", (event) => event.stopPropagation()); // the notebook's own keys
  for (const trait of ["description", "index"]) model.on(`change:${trait}`, show);
  show();
}

export default { render };
