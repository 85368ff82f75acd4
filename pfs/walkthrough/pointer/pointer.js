// A picture to point at. Python gives image, overlay, rows, columns, step, label and alt; the reader moves row and
// column. A mouse over the picture tries places out and a click keeps one; touch and arrow keys keep each. The cross
// follows at once; Python is told at most once an animation frame, and ipywidgets holds a message back while the one
// before it is not answered.

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
  box.append(canvas, spoken);
  el.append(box);

  const pictures = {}; // by "image" and "overlay": the decoded PNG
  let place = [model.get("row"), model.get("column")];
  let kept = [...place]; // where the place returns to when the mouse leaves
  let frame = 0;

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
    const [inner, outer] = [(step / 2) * pixel + devicePixelRatio, (step / 2) * pixel + 10 * devicePixelRatio];
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
      frame = 0;
      draw();
      model.set({ row: place[0], column: place[1] });
      model.save_changes();
    });
  }

  function movedTo(event) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const row = Math.floor(((event.clientY - top) / height) * model.get("rows"));
    move(row, Math.floor(((event.clientX - left) / width) * model.get("columns")));
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
    const bytes = model.get(name);
    const decoded = bytes?.byteLength ? await createImageBitmap(new Blob([bytes])) : null;
    if (bytes !== model.get(name)) return; // a newer one has come in the meantime
    pictures[name] = decoded;
    draw();
  }

  let speaking = 0;
  function describe() {
    canvas.ariaLabel = `${model.get("label")}. ${model.get("alt")}`;
    clearTimeout(speaking);
    speaking = setTimeout(() => (spoken.textContent = model.get("alt")), 500); // once the pointer rests
  }

  for (const name of ["image", "overlay"]) model.on(`change:${name}`, () => decode(name));
  for (const name of ["rows", "columns", "step"]) model.on(`change:${name}`, draw);
  for (const name of ["label", "alt"]) model.on(`change:${name}`, describe);
  for (const [index, name] of ["row", "column"].entries())
    model.on(`change:${name}`, () => {
      if (frame) return; // the reader is moving
      place[index] = kept[index] = model.get(name);
      draw();
    });
  const resized = new ResizeObserver(draw);
  resized.observe(box);
  describe();
  for (const name of ["image", "overlay"]) decode(name);
  return () => resized.disconnect();
}

export default { render };
