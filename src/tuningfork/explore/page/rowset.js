// A set of row numbers, one bit each (as the server sends them): a million rows are 125 kB.

const POPULATION = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let bits = byte; bits; bits >>= 1) count += bits & 1;
  return count;
});

export class RowSet {
  constructor(rows, bits = new Uint8Array(Math.ceil(rows / 8))) {
    this.rows = rows;
    this.bits = bits;
    this.size = 0;
    for (const byte of bits) this.size += POPULATION[byte];
  }

  has(row) {
    return (this.bits[row >> 3] >> (row & 7)) & 1;
  }

  /** A new set with these rows added (or, with `present` false, taken out). */
  with(rows, present = true) {
    const bits = this.bits.slice();
    for (const row of rows) {
      if (present) bits[row >> 3] |= 1 << (row & 7);
      else bits[row >> 3] &= ~(1 << (row & 7));
    }
    return new RowSet(this.rows, bits);
  }

  inverted() {
    const bits = this.bits.map((byte) => ~byte);
    const over = bits.length * 8 - this.rows;
    if (over) bits[bits.length - 1] &= 0xff >> over;
    return new RowSet(this.rows, bits);
  }

  toArray() {
    const listed = new Uint32Array(this.size);
    let at = 0;
    for (let byte = 0; byte < this.bits.length; byte++) {
      for (let bit = 0, value = this.bits[byte]; value; bit++, value >>= 1) {
        if (value & 1) listed[at++] = byte * 8 + bit;
      }
    }
    return listed;
  }
}
