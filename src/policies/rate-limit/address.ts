/**
 * What of an address names one client. IPv4: all of it. IPv6: its /64 network, since that is what one subscriber has;
 * counting by the whole address would give each of them 2^64 counts. `::ffff:192.0.2.1` is the IPv4 address.
 */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = '', tail] = address.split('%', 1)[0]!.split('::');
  const left = head === '' ? [] : head.split(':');
  if (tail !== undefined && left.length < 4) {
    const right = tail === '' ? [] : tail.split(':');
    // A dotted tail stands for two groups.
    const groups = right.length + (tail.includes('.') ? 1 : 0);
    const filled = [...left, ...new Array<string>(Math.max(0, 8 - left.length - groups)).fill('0'), ...right];
    return networkText(filled);
  }
  return networkText(left);
}

const networkText = (groups: readonly string[]): string =>
  `${groups
    .slice(0, 4)
    .map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
