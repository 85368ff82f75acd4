// A picture to point at. Python gives image, overlay, rows, columns, step, label and alt; the reader moves row and column.
// A mouse over the picture tries places out and a click keeps one; touch and arrow keys keep each. The cross follows at
// once; Python is told once an animation frame at most, and by ipywidgets only after it has dealt with the move before.

const MOVES = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
  PageUp: [-4, 0], PageDown: [4, 0], Home: [0, -Infinity], End: [0, Infinity],
};
const clamp = (value, last) => Math.min(Math.max(value, 0), last);

function render({ model, el }) {
  const [box, canvas, spoken] = ["div", "canvas", "p"].map((tag) => document.createElement(tag));
  box.className = "pfs-pointer";
  if (model.get("reachable")) {
    Object.assign(canvas, { tabIndex: 0, role: "application", ariaRoleDescription: "picture, moved by arrow keys" });
    spoken.ariaLive = "polite";
  } else canvas.role = "img";
  el.append(box);
  box.append(canvas, spoken);

  const pictures = {}; // "image" and "overlay", decoded
  let place = ["row", "column"].map((name) => model.get(name));
  let [kept, frame] = [[...place], 0]; // where the place returns to when the mouse leaves; an awaited animation frame

  function draw() {
    const [rows, columns] = [model.get("rows"), model.get("columns")];
    const width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
    const height = Math.max(1, Math.round((width * rows) / columns));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.clearRect(0, 0, width, height);
    for (const name of ["image", "overlay"]) if (pictures[name]) context.drawImage(pictures[name], 0, 0, width, height);
    drawCross(context, width / columns);
  }

  // Four strokes around the cell of `step` pixels that is pointed at, which itself stays visible.
  function drawCross(context, pixel) {
    const step = model.get("step");
    const [y, x] = place.map((value) => (Math.floor(value / step) * step + step / 2) * pixel);
    const [inner, outer] = [1, 10].map((margin) => (step / 2) * pixel + margin * devicePixelRatio);
    for (const [colour, line] of [["white", 4.5], ["black", 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = line * devicePixelRatio;
      context.beginPath();
      for (const [dy, dx] of [[-1, 0], [1, 0], [0, -1], [0, 1]]) {
        context.moveTo(x + dx * inner, y + dy * inner);
        context.lineTo(x + dx * outer, y + dy * outer);
      }
      context.rect(x - inner, y - inner, 2 * inner, 2 * inner);
      context.stroke();
    }
  }

  function move(row, column) {
    place = [clamp(row, model.get("rows") - 1), clamp(column, model.get("columns") - 1)];
    frame ||= requestAnimationFrame(() => {
      draw();
      model.set({ row: place[0], column: place[1] });
      model.save_changes();
      frame = 0;
    });
  }

  function movedTo(event) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const [y, x] = [(event.clientY - top) / height, (event.clientX - left) / width];
    move(Math.floor(y * model.get("rows")), Math.floor(x * model.get("columns")));
    if (event.buttons) kept = [...place];
  }

  canvas.addEventListener("pointerdown", (event) => (canvas.setPointerCapture(event.pointerId), movedTo(event)));
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" || event.buttons) movedTo(event);
  });
  canvas.addEventListener("pointerleave", () => move(...kept));
  canvas.addEventListener("keydown", (event) => {
    const direction = MOVES[event.key];
    if (!direction || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation(); // the notebook's own keys would move to another cell
    const step = model.get("step");
    move(kept[0] + direction[0] * step, kept[1] + direction[1] * step);
    kept = [...place];
  });

  async function decode(name) {
    const given = model.get(name); // a PNG's bytes, or pixels from a page without Python
    const source = given instanceof ImageData ? given : given?.byteLength && new Blob([given]);
    const decoded = source && (await createImageBitmap(source));
    if (given !== model.get(name)) return; // a newer one has come in the meantime
    pictures[name] = decoded;
    draw();
  }

  let speaking;
  function describe() {
    canvas.ariaLabel = `${model.get("label")}. ${model.get("alt")}`;
    clearTimeout(speaking); // it is spoken once the pointer rests
    speaking = setTimeout(() => (spoken.textContent = model.get("alt")), 500);
  }

  for (const name of ["image", "overlay"]) model.on(`change:${name}`, () => decode(name));
  for (const name of ["rows", "columns", "step"]) model.on(`change:${name}`, draw);
  for (const name of ["label", "alt"]) model.on(`change:${name}`, describe);
  for (const [index, name] of ["row", "column"].entries())
    model.on(`change:${name}`, () => {
      if (frame) return; // it was the reader who moved
      place[index] = kept[index] = model.get(name);
      draw();
    });
  describe();
  ["image", "overlay"].forEach(decode);
  const resized = new ResizeObserver(draw);
  resized.observe(box);
  return () => resized.disconnect();
}

export default { render };
