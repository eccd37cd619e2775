/** Addresses that listeners bind. */

/** Splits `host:port`, `[v6]:port` or `:port`. Throws for anything else. */
export function splitAddress(address: string): { host: string; port: number } {
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(address);
  const port = Number(found?.[3]);
  if (!found || port > 65_535) throw new Error(`Not an address to listen on: ${address}`);
  return { host: found[1] ?? found[2] ?? '', port };
}
