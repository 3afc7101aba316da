// What the server and the exported file hold: a header in JSON, then arrays, little-endian.

const TYPES = { float32: Float32Array, int32: Int32Array, uint16: Uint16Array, uint8: Uint8Array };

/** A reading from its bytes: four bytes of header length, the header, the arrays at multiples of four. */
export function decodeReading(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return withArrays(header, buffer, 4 + length);
}

/** The arrays in place of their descriptions `{type, shape, at, low, high}`. */
function withArrays(header, buffer, start) {
  const array = (described) => {
    const count = described.shape.reduce((product, size) => product * size, 1);
    const stored = new TYPES[described.type](buffer, start + described.at, count);
    return described.low === undefined ? stored : restored(stored, described);
  };
  const gates = header.gates.map((gate) => ({ ...gate, values: array(gate.values), before: gate.before && array(gate.before) }));
  const reading = { ...header, gates, after: array(header.after), order: array(header.order) };
  if (header.written?.attention) reading.written = { ...header.written, attention: array(header.written.attention) };
  if (header.series) reading.series = { ...header.series, values: array(header.series.values) };
  reading.length = header.steps.length;
  reading.units = header.order.shape[0];
  reading.rowOf = inverse(reading.order);
  return reading;
}

/** Levels back to values between low and high. */
function restored(levels, { type, low, high }) {
  const most = type === "uint16" ? 65535 : 255;
  const values = new Float32Array(levels.length);
  const scale = (high - low) / most;
  for (let place = 0; place < levels.length; place += 1) values[place] = low + levels[place] * scale;
  return values;
}

/** The row of the map in which each unit stands. */
function inverse(order) {
  const rows = new Int32Array(order.length);
  order.forEach((unit, row) => { rows[unit] = row; });
  return rows;
}

/** Bytes of a base64 text, inflated where the file was written so. */
export async function unpacked(text, compressed) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  if (!compressed) return bytes.buffer;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}
