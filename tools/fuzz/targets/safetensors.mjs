/** The safetensors reader, and the checkpoints and weights on top of it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readCheckpoint, readWeights } from "../../../dist/run-folder/checkpoint.js";
import { decodeTensors, encodeTensors, readTensorHeader } from "../../../dist/run-folder/safetensors.js";
import { mutateBytes, mutateText } from "../mutate.mjs";
import { must, outcomeOf } from "../outcome.mjs";
import * as run from "./run-files.mjs";

export async function prepare(folder) {
  const path = join(folder, "file.safetensors");
  const plain = encodeTensors({
    tensors: {
      scale: { data: Float32Array.of(0.5), shape: [] },
      codes: { data: Int8Array.of(-1, 1, 1, -1, 1, 1), shape: [2, 3] },
      sums: { data: Float64Array.of(1, 2), shape: [2, 1] },
      none: { data: new Uint16Array(0), shape: [4, 0] },
    },
    metadata: { format: "pt", note: 'a \u00e9 " \\ \n' },
  });
  await run.write(join(folder, "run"));
  const stored = ["checkpoint", "best"].map((name) =>
    readFileSync(join(folder, "run", `${name}.safetensors`)),
  );
  const originals = [Buffer.from(plain), ...stored];
  return {
    make: (random) => ({ "file.safetensors": mutate(random.pick(originals), random, originals) }),
    async check({ "file.safetensors": bytes }) {
      const file = await outcomeOf(() => decodeTensors(bytes, "file"));
      if (file !== undefined) checkFile(file, bytes);
      writeFileSync(path, bytes);
      const header = await outcomeOf(() => readTensorHeader(path));
      must(header !== undefined || file === undefined, "a file whose header alone is refused");
      const checkpoint = await outcomeOf(() => readCheckpoint(path, run.owner, run.expected));
      if (checkpoint !== undefined) checkCheckpoint(checkpoint);
      const weights = await outcomeOf(() => readWeights(path, run.owner, run.expected.values));
      if (weights !== undefined) {
        checkArrays(weights.weights.parameters, run.expected.values.parameters);
        must(Number.isSafeInteger(weights.epoch) && weights.epoch >= 0, `weights of epoch ${weights.epoch}`);
      }
    },
  };
}

/** Bytes anywhere; or the header alone, with its length mended and, mostly, without its checksum. */
function mutate(bytes, random, others) {
  if (random.chance(0.4)) return mutateBytes(bytes, random, others);
  const end = 8 + Number(bytes.readBigUInt64LE());
  const text = bytes.subarray(8, end).toString("utf8").trimEnd();
  const unsealed = random.chance(0.9) ? text.replace(/"sha256":"\w*",?/, "").replace(/,}/, "}") : text;
  const header = mutateText(Buffer.from(unsealed), random, others);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const data = random.chance(0.9) ? bytes.subarray(end) : mutateBytes(bytes.subarray(end), random, others);
  return Buffer.concat([length, header, data]);
}

function checkFile({ tensors, metadata }, bytes) {
  let total = 0;
  for (const { data, shape } of Object.values(tensors)) {
    must(
      shape.reduce((n, extent) => n * extent, 1) === data.length,
      "a tensor of another size than its shape's",
    );
    total += data.byteLength;
  }
  const headerBytes = Number(bytes.readBigUInt64LE());
  must(8 + headerBytes + total === bytes.length, "tensors that are not all of the file");
  const header = JSON.parse(bytes.subarray(8, 8 + headerBytes).toString("utf8"));
  const named = Object.keys(header).filter((name) => name !== "__metadata__");
  must(
    named.every((name) => Object.hasOwn(tensors, name)),
    "a tensor of the header is not there",
  );
  must(
    Object.values(metadata).every((value) => typeof value === "string"),
    "metadata that are no texts",
  );
  const again = decodeTensors(encodeTensors({ tensors, metadata }), "again");
  must(
    JSON.stringify(again.tensors) === JSON.stringify(sorted(tensors, again.tensors)),
    "another file when written again",
  );
}

const sorted = (tensors, like) => Object.fromEntries(Object.keys(like).map((name) => [name, tensors[name]]));

function checkCheckpoint({ values, epoch, step, sums, signs }) {
  checkArrays(values.parameters, run.expected.values.parameters);
  for (const count of [epoch, step])
    must(Number.isSafeInteger(count) && count >= 0, `a position of ${count}`);
  for (const key of ["images", "loss", "top1", "top5"])
    must(Number.isFinite(sums?.[key]), `sums without ${key}`);
  for (const [name, wanted] of Object.entries(run.expected.signs)) {
    must(signs[name]?.length === wanted.length, `signs of ${name} of another length`);
  }
}

function checkArrays(arrays, wanted) {
  must(Object.keys(arrays).join() === Object.keys(wanted).join(), "other arrays than asked for");
  for (const [name, { data, shape }] of Object.entries(wanted)) {
    const found = arrays[name];
    must(found.data.constructor === data.constructor && found.data.length === data.length, `another ${name}`);
    must(found.shape.join() === shape.join(), `another shape of ${name}`);
  }
}
