import { expect, test } from "vitest";
import { checksumOf } from "./dataset.js";

test("a checksum is of all bytes, one array after another", () => {
  // SHA-256 of "abc", as FIPS 180-2 prints it.
  const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  expect(checksumOf(Buffer.from("abc"))).toBe(abc);
  expect(checksumOf(Buffer.from("a"), new Uint8Array(0), Buffer.from("xbcx").subarray(1, 3))).toBe(abc);
  // "abcd" as two words of 16 bits.
  expect(checksumOf(Uint16Array.of(0x6261, 0x6463))).toBe(checksumOf(Buffer.from("abcd")));
});

test("a checksum is of 2 GiB and more, which Node refuses to hash at once", () => {
  // head -c 2147483653 /dev/zero | sha256sum
  expect(checksumOf(new Uint8Array(2 ** 31 + 5))).toBe(
    "68bdfcb656af3067b8110b5cc839b4e12b180ef11e86011b8df4a709fe2c2f67",
  );
});
