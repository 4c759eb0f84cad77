/** What happens to files: bits, lengths and pieces of bytes; tokens of JSON. */

/** Sizes and numbers at which readers go wrong. */
const words = [0, 1, 2, 0x7f, 0x80, 0xff, 0xffff, 2 ** 24, 2 ** 30, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

const byteMutations = {
  flip(bytes, random) {
    const at = random.integer(0, bytes.length - 1);
    bytes[at] ^= 1 << random.integer(0, 7);
    return bytes;
  },
  set(bytes, random) {
    bytes[random.integer(0, bytes.length - 1)] = random.pick([0, 0x0a, 0x1b, 0x22, 0x7f, 0x80, 0xc3, 0xff]);
    return bytes;
  },
  /** A length field: 32 bits of either order, or the upper or lower half of 64. */
  length(bytes, random) {
    if (bytes.length < 4) return bytes;
    const last = (bytes.length >> 2) - 1;
    const at = 4 * random.integer(0, random.chance(0.7) ? Math.min(3, last) : last);
    const word = random.pick(words);
    if (random.chance(0.5)) bytes.writeUInt32BE(word, at);
    else bytes.writeUInt32LE(word, at);
    return bytes;
  },
  truncate: (bytes, random) => bytes.subarray(0, random.integer(0, bytes.length - 1)),
  remove: (bytes, random) => splice(bytes, random, Buffer.alloc(0)),
  insert: (bytes, random) => splice(bytes, random, random.bytes(random.integer(1, 16)), 0),
  /** A piece of the file, or of another valid one, in another place. */
  splice(bytes, random, others) {
    const other = random.pick([bytes, ...others]);
    const from = random.integer(0, other.length);
    return splice(bytes, random, Buffer.from(other.subarray(from, from + random.integer(1, 64))));
  },
  exchange: (bytes, random, others) => Buffer.from(random.pick([bytes, ...others])),
  noise: (_, random) => random.bytes(random.integer(0, 200)),
};

/** Replaces a piece of random place and length. */
function splice(bytes, random, piece, most = 64) {
  const at = random.integer(0, bytes.length);
  return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + random.integer(0, most))]);
}

/** Bytes after a few accidents; `others` are whole files that pieces may come from. */
export function mutateBytes(bytes, random, others = []) {
  let result = Buffer.from(bytes);
  for (let i = random.integer(1, random.chance(0.8) ? 2 : 8); i > 0; i--) {
    if (result.length === 0) return result;
    result = byteMutations[random.pick(Object.keys(byteMutations))](result, random, others);
  }
  return result;
}

const deep = (open, close) => (random) => {
  const depth = random.pick([10, 1000, 100_000]);
  return open.repeat(depth) + "1" + close.repeat(depth);
};
/** Sizes that are well-formed and far more than a file of so many bytes can need. */
const sizes = ["500", "4096", "65536", "1000000", "100000000", "1099511627776"];
const values = [
  ...sizes,
  ...["0", "-0", "1", "-1", "2", "0.5", "1e15", "4294967296", "9007199254740993", "1e308", "1e999", "-1e999"],
  ...[
    "NaN",
    "Infinity",
    "-Infinity",
    "undefined",
    "null",
    "true",
    "false",
    "{}",
    "[]",
    "[1,2]",
    '""',
    "01",
    "+1",
  ],
  ...['"__proto__"', '"constructor"', '"toString"', '"hasOwnProperty"', '"\\u0000"', '"\\n"', '"\\u001b[2J"'],
  ...[
    '"\\u009b2J"',
    '"\\u2028"',
    '"\\u202e"',
    '"\\ud800"',
    '"lenet5\\n"',
    '"/dev/null"',
    '{"__proto__":null}',
  ],
];
const makers = [
  deep("[", "]"),
  deep('{"a":', "}"),
  (random) => JSON.stringify("x".repeat(random.pick([100, 10_000, 1_000_000]))),
  (random) => `[${"1,".repeat(random.pick([10, 10_000]))}1]`,
];

/** A JSON text whose tokens were lost, doubled, exchanged or replaced. */
export function mutateJson(text, random) {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[-+.\w]+|\s+|[^\s]/g) ?? [text];
  const solid = tokens.flatMap((token, i) => (/\S/.test(token) ? [i] : []));
  if (solid.length === 0) return random.pick(values);
  const isValue = (i) => !/^[\s{}[\],:]/.test(tokens[i]) && tokens[i + 1]?.trim() !== ":";
  const isKey = (i) => tokens[i + 1]?.trim() === ":";
  const among = (test) => {
    const found = solid.filter(test);
    return random.pick(found.length === 0 ? solid : found);
  };
  for (let i = random.integer(1, random.chance(0.7) ? 1 : 4); i > 0; i--) {
    const at = random.pick(solid);
    const mutations = {
      value: () => (tokens[among(isValue)] = random.pick(values)),
      made: () => (tokens[among(isValue)] = random.pick(makers)(random)),
      number() {
        const number = among((k) => /^-?\d/.test(tokens[k]));
        tokens[number] = String(Number(tokens[number]) + random.pick([-1, 1, 0.5, 2 ** 32, -(2 ** 31)]));
      },
      key: () =>
        (tokens[among(isKey)] = random.pick(['"__proto__"', '"constructor"', '"a"', '"\\u001b"', '""'])),
      /** One key twice. */
      repeat: () => (tokens[among(isKey)] = tokens[among(isKey)]),
      exchange() {
        const other = random.pick(solid);
        [tokens[at], tokens[other]] = [tokens[other], tokens[at]];
      },
      remove: () => (tokens[at] = ""),
      double: () => (tokens[at] += tokens[at]),
      cut: () => tokens.fill("", at),
    };
    mutations[random.pick(["value", "value", ...Object.keys(mutations)])]();
  }
  return tokens.join("");
}

/** Tokens or, less often, bytes; invalid UTF-8 comes from the latter. */
export function mutateText(bytes, random, others = []) {
  return random.chance(0.8)
    ? Buffer.from(mutateJson(bytes.toString("utf8"), random))
    : mutateBytes(bytes, random, others);
}
