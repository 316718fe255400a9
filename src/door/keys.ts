/**
 * A connection's key: 32 bits of its peer's address, its peer's port and our port. The loop makes it from a socket, the
 * thread from a row of the kernel's table; both by way of the same numbers, 32-bit words as the kernel prints them.
 */

/** Key of no connection. */
export const NO_KEY = 0;

/** The last word but one of an IPv4 address that is written as an IPv6 one (`::ffff:10.0.0.1`). */
const MAPPED = 0xffff0000;

/** @param words one for IPv4, four for IPv6; a mapped IPv4 address has the key of the plain one */
export function connectionKey(words: readonly number[], peerPort: number, ownPort: number): number {
  const isMapped = words.length === 4 && words[0] === 0 && words[1] === 0 && words[2] === MAPPED;
  let hash = 0;
  for (let i = isMapped ? 3 : 0; i < words.length; i++) hash = mix(hash, words[i]!);
  hash = mix(hash, peerPort * 0x10000 + ownPort);
  return hash >>> 0 || 1;
}

/** A round of MurmurHash3, and half of what it ends with. */
function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const h = hash ^ k;
  const mixed = Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64;
  return Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
}

/** An address as Node writes it, in the kernel's words; `undefined` where it is no IP address. */
export function addressWords(address: string): number[] | undefined {
  const groups = address.includes(':') ? groupsOfIPv6(address) : groupsOfIPv4(address);
  if (!groups?.every((group) => group <= 0xffff)) return undefined;
  const words: number[] = [];
  for (let i = 0; i < groups.length; i += 2) words.push(word(groups[i]!, groups[i + 1]!));
  return words;
}

/** Two groups of 16 bits in network order, as a processor with its lowest byte first reads them. */
function word(high: number, low: number): number {
  return ((high >>> 8) | ((high & 0xff) << 8) | ((low >>> 8) << 16) | ((low & 0xff) << 24)) >>> 0;
}

function groupsOfIPv4(address: string): number[] | undefined {
  const bytes = address.split('.').map(Number);
  if (bytes.length !== 4 || !bytes.every((byte) => byte >= 0 && byte <= 255)) return undefined;
  return [bytes[0]! * 256 + bytes[1]!, bytes[2]! * 256 + bytes[3]!];
}

function groupsOfIPv6(address: string): number[] | undefined {
  // "fe80::1%eth0": the zone is no part of what the kernel prints
  const [head, tail] = address.split('%', 1)[0]!.split('::').map(groupsOf);
  if (!head || (tail === undefined && head.length !== 8)) return undefined;
  const zeros = 8 - head.length - (tail?.length ?? 0);
  if (zeros < 0) return undefined;
  return [...head, ...new Array<number>(zeros).fill(0), ...(tail ?? [])];
}

/** Groups between colons; the last may be an IPv4 address. */
function groupsOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    const number = Number.parseInt(group, 16);
    return group.includes('.') ? (groupsOfIPv4(group) ?? [Number.NaN]) : [number];
  });
}
