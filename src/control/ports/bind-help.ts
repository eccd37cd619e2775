/** What to do when the system refuses an address. */
import { runningGateways } from '../../telemetry/running-gateways.js';
import { overlap } from './addresses.js';

/** By the code of the system's refusal. */
const HELP: { readonly [code: string]: string } = {
  EADDRINUSE: 'Another process uses this address. Stop it, or choose another port.',
  EADDRNOTAVAIL: 'Use an address of this machine, or leave the host empty for all of them.',
  EACCES:
    'Ports below 1024 need a privilege that gw does not have here. Choose another port, or grant CAP_NET_BIND_SERVICE.',
  ENOTFOUND: 'Check the name, or write an IP address.',
};

/**
 * Names the program that has an address in use where it is a gateway of this account.
 * @param code of the system's refusal
 * @param at the refused address, `127.0.0.1:80`; '' where it is not known
 * @param source the spec or bundle that wants the address
 * @param runtimeDir where running gateways are found
 */
export async function bindHelp(
  code: string,
  at: string,
  source: string,
  runtimeDir: string,
): Promise<string | undefined> {
  if (code !== 'EADDRINUSE' || !/:\d+$/.test(at)) return HELP[code];
  const others = (await runningGateways(runtimeDir)).filter(({ pid }) => pid !== process.pid);
  const holder = others.find(({ listeners }) => listeners.some((listener) => overlap(listener, at)));
  if (holder === undefined) return HELP[code];
  const stop = `Ctrl-C in its terminal, or \`kill ${holder.pid}\``;
  if (holder.spec === source) {
    return `This spec is already served by process ${holder.pid}. To restart it, stop that process: ${stop}.`;
  }
  return `The gateway of ${holder.spec} uses this address. Stop it (${stop}), or choose another port.`;
}
