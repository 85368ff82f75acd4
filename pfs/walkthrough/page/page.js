// Walkthrough 1 without Python. The numbers are those of pfs.losses: see pfs/losses/definition.py for the formulas.

const data = JSON.parse(document.getElementById("data").textContent);
const [H, W] = data.size;
const [h, w] = data.grid;
const N = h * w;
const STUDENTS = ["ce", "pfs"];
const FLOOR = 1e-4; // a vector is divided by at least this much of the root mean square length: pfs.losses.pfs_kernels
const [DIVERGING, SEQUENTIAL] = data.colours.map(bytesOf);
const labels = bytesOf(data.labels);
const form = document.getElementById("controls");
const at = (id) => document.getElementById(id);

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

// A number in half precision, from its 16 bits.
function half(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : (2 ** -14 * fraction) / 1024);
}

function cached(compute) {
  const results = new Map();
  return (...key) => {
    const name = key.join();
    if (!results.has(name)) results.set(name, compute(...key));
    return results.get(name);
  };
}

const features = cached((network, step) => {
  const bytes = new DataView(bytesOf(data.features[network][step].fp16).buffer);
  return Float64Array.from({ length: bytes.byteLength / 2 }, (_, index) => half(bytes.getUint16(2 * index, true)));
});

// The rows f_i (N, C) of an image's features, centred or not, each of length 1: products of rows are the similarities.
const rows = cached((network, step, image, center) => {
  const C = data.features[network][step].channels;
  const all = features(network, step);
  const f = Float64Array.from({ length: N * C }, (_, index) => all[(image * C + (index % C)) * N + Math.floor(index / C)]);
  for (let c = 0; center && c < C; c++) {
    let mean = 0;
    for (let i = 0; i < N; i++) mean += f[i * C + c] / N;
    for (let i = 0; i < N; i++) f[i * C + c] -= mean;
  }
  const lengths = Array.from({ length: N }, (_, i) => Math.hypot(...f.subarray(i * C, (i + 1) * C)));
  const floor = FLOOR * Math.sqrt(lengths.reduce((sum, length) => sum + length ** 2 / N, 0));
  return f.map((value, index) => value / Math.max(lengths[Math.floor(index / C)], floor, Number.MIN_VALUE));
});

// The map P_i (N) of location i.
function mapOf(network, i, { image, step, center }) {
  const own = network === "teacher" ? "end" : step;
  const f = rows(network, own, image, center);
  const C = data.features[network][own].channels;
  const P = new Float64Array(N);
  for (let j = 0; j < N; j++) for (let c = 0; c < C; c++) P[j] += f[i * C + c] * f[j * C + c];
  return P;
}

const squares = (P, Q) => P.map((value, j) => (value - Q[j]) ** 2);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const loss = cached((network, image, step, center) => {
  const state = { image, step, center };
  const losses = Array.from({ length: N }, (_, i) => mean(squares(mapOf(network, i, state), mapOf("teacher", i, state))));
  return mean(losses);
});

function number(value) {
  return value.toPrecision(3).replace("-", "−");
}

// Pixels (h, w) of a share of the way through a table of colours.
function pixels(shares, table) {
  const picture = new ImageData(w, h);
  shares.forEach((share, j) => {
    const colour = 3 * Math.round(255 * Math.min(Math.max(share, 0), 1));
    picture.data.set([...table.subarray(colour, colour + 3), 255], 4 * j);
  });
  return picture;
}

// What the pointer's script takes for ipywidgets' model: values, and who is told of their change.
class Model {
  constructor(values) {
    Object.assign(this, { values: { rows: H, columns: W, row: data.start[1], column: data.start[2], step: H / h, alt: "", ...values } });
    this.listeners = {};
  }
  get(name) {
    return this.values[name];
  }
  set(values) {
    for (const [name, value] of Object.entries(values)) {
      if (this.values[name] === value) continue;
      this.values[name] = value;
      for (const listener of this.listeners[`change:${name}`] ?? []) listener();
    }
  }
  on(event, listener) {
    (this.listeners[event] ??= []).push(listener);
  }
  save_changes() {
    moved(this.values.row, this.values.column);
  }
}

const models = { image: new Model({ label: "The image: point at a location", reachable: true }) };
for (const [network, heading] of Object.entries(data.headings)) models[`map-${network}`] = new Model({ label: heading });
for (const network of STUDENTS) {
  models[`difference-${network}`] = new Model({ label: `${data.headings[network]}: squared difference` });
}

function moved(row, column) {
  for (const model of Object.values(models)) model.set({ row, column });
  show();
}

function state() {
  const chosen = new FormData(form);
  return { image: Number(chosen.get("image")), step: chosen.get("step"), center: chosen.has("center") };
}

function write(id, value, text = number(value)) {
  at(id).textContent = text;
  at(id).dataset.value = value;
}

function show() {
  const now = state();
  const { row, column } = models.image.values;
  const place = [Math.floor((row * h) / H), Math.floor((column * w) / W)];
  const i = place[0] * w + place[1];
  const P = Object.fromEntries(Object.keys(data.headings).map((network) => [network, mapOf(network, i, now)]));
  const terms = Object.fromEntries(STUDENTS.map((network) => [network, squares(P[network], P.teacher)]));
  const top = Math.max(...STUDENTS.flatMap((network) => [...terms[network]])) || 1;
  for (const [network, map] of Object.entries(P)) showMap(network, map, place);
  for (const network of STUDENTS) showTerms(network, P, terms[network], top, now);
  write("top", top);
  at("here").textContent = `i = (${place})`.replace(",", ", ");
  describeImage(now.image, row, column, terms);
}

function showMap(network, map, place) {
  const alike = map.filter((value) => value > 0.5).length;
  const alt = `Row ${place[0]}, column ${place[1]}: ${alike} of ${N} locations have a similarity above 0.5.`;
  models[`map-${network}`].set({ image: pixels(map.map((value) => (value + 1) / 2), DIVERGING), alt });
}

function showTerms(network, P, terms, top, now) {
  const j = terms.indexOf(Math.max(...terms));
  const pair = `(${Math.floor(j / w)}, ${j % w})`;
  const teacher = P.teacher[j] < 0 ? `(${number(P.teacher[j])})` : number(P.teacher[j]);
  const difference = `(${number(P[network][j])} − ${teacher})²`.replaceAll(" ", "\u00a0"); // on one line
  write(`pair-${network}`, terms[j], `j = ${pair}: ${difference} = ${number(terms[j])}`);
  write(`row-${network}`, mean(terms));
  write(`loss-${network}`, loss(network, now.image, now.step, now.center));
  const alt = `The mean is ${number(mean(terms))}; the largest, ${number(terms[j])}, is at ${pair}.`;
  models[`difference-${network}`].set({ image: pixels(terms.map((value) => value / top), SEQUENTIAL), alt });
}

function describeImage(image, row, column, terms) {
  const place = `Image ${image + 1}, row ${row}, column ${column}: ${classOf(labels[(image * H + row) * W + column])}`;
  const losses = STUDENTS.map((network) => `${data.headings[network]} ${number(mean(terms[network]))}`).join(", ");
  models.image.set({ alt: `${place}. The loss of this map: ${losses}.` });
  at("place").textContent = place;
}

// What a pixel shows, in words.
function classOf(label) {
  const name = data.classes[label] ?? "not scored";
  return /^\d+$/.test(name) ? `class ${name}` : name;
}

function showImage() {
  const thumbnail = form.querySelectorAll(".images img")[state().image];
  models.image.set({ image: new DataView(bytesOf(thumbnail.src.split(",")[1]).buffer) });
  show();
}

for (const [id, model] of Object.entries(models)) render({ model, el: at(id) });
for (const count of document.querySelectorAll(".count")) count.textContent = N;
form.addEventListener("change", showImage);
showImage();
