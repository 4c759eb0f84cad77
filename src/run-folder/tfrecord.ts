/**
 * The records that TensorBoard's event files consist of: eight bytes with the length (little endian),
 * four with a checksum of those, the contents, four with a checksum of the contents.
 * Source: https://www.tensorflow.org/tutorials/load_data/tfrecord, "TFRecords format details".
 */

/** Contents as a record. */
export function encodeRecord(contents: Uint8Array): Uint8Array {
  const record = new Uint8Array(16 + contents.length);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(contents.length), true);
  view.setUint32(8, masked(crc32c(record.subarray(0, 8))), true);
  record.set(contents, 12);
  view.setUint32(12 + contents.length, masked(crc32c(contents)), true);
  return record;
}

/** A checksum of data that may hold checksums themselves. */
const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;

/** Castagnoli's polynomial, lowest bit first. */
const polynomial = 0x82f63b78;
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
  return crc;
});

/** CRC-32C (RFC 3720, appendix B.4). */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = table[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
