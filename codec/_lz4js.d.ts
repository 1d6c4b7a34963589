/** What the tests use of `lz4js`, which has no types. */
declare const lz4js: {
  compressBound(length: number): number;
  compressBlock(
    source: Uint8Array,
    into: Uint8Array,
    from: number,
    length: number,
    table: Uint32Array,
  ): number;
  decompressBlock(source: Uint8Array, into: Uint8Array, from: number, length: number, at: number): number;
};
export default lz4js;
