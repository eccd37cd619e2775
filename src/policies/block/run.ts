/** block at run time: tests the address, the user agent and the referer of a request against lists. */
import type { Exchange, Json, PolicyHost, PolicyInstance, Reply } from '../contract.js';
import { AddressSet } from '../kits/addresses.js';
import { problem, runPolicy } from '../run-kit.js';
import { entryOf, type ListEntry, type ListKind } from './entries.js';
import { PROBLEMS } from './problems.js';
import type { BlockSettings } from './schema.js';

/** Milliseconds until the duty is asked again for lists that no fetch has brought. */
const ASK_AGAIN = 10_000;
/** Agents whose result is remembered. Longer ones are not. */
const REMEMBERED = 1000;
const LONGEST_AGENT = 512;

export const create = runPolicy<BlockSettings>((settings, host) => new BlockPolicy(settings, host));

interface Lists {
  readonly addresses: { readonly name: string; readonly set: AddressSet }[];
  readonly agents: { readonly name: string; readonly texts: readonly string[] }[];
  readonly referers: { readonly name: string; readonly hosts: ReadonlySet<string> }[];
}

class BlockPolicy implements PolicyInstance {
  readonly #settings: BlockSettings;
  readonly #host: PolicyHost;
  #lists: Lists;
  /** By user agent: the name of the list, or null. The oldest is dropped first. */
  #agents = new Map<string, string | null>();
  /** Monotonic milliseconds; undefined: nothing is missing. */
  #askAt: number | undefined;
  #blocked = 0;
  #observed = 0;

  constructor(settings: BlockSettings, host: PolicyHost) {
    this.#settings = settings;
    this.#host = host;
    this.#lists = listsOf(settings, {});
    this.#askAt = settings.fetched.length === 0 ? undefined : Number.NEGATIVE_INFINITY;
  }

  /** `{ lists: { NAME: { entry } } }` of the duty; by hand, an array of entries in place of `{ entry }`. */
  published(value: Json): void {
    const lists = isRecord(value) ? value['lists'] : undefined;
    if (!isRecord(lists)) throw new TypeError('The value has no `lists`: { "lists": { "NAME": ["ENTRY"] } }.');
    this.#lists = listsOf(this.#settings, lists);
    this.#agents = new Map();
    this.#askAt = undefined;
  }

  before(exchange: Exchange): Reply | undefined | Promise<Reply | undefined> {
    if (this.#askAt === undefined || this.#askAt > this.#host.clock.monotonic()) return this.#test(exchange);
    this.#askAt = this.#host.clock.monotonic() + ASK_AGAIN;
    // Without an answer, the request goes on without the lists.
    return this.#host.ask(null).then(
      () => this.#test(exchange),
      () => this.#test(exchange),
    );
  }

  #test(exchange: Exchange): Reply | undefined {
    const name = this.#listWith(exchange);
    if (name === undefined) return undefined;
    const { observe } = this.#settings;
    const cause = `in the list ${name}`;
    exchange.rule = `${this.#host.name}/${name}`;
    exchange.decisions?.push({
      step: this.#host.name,
      use: 'block',
      outcome: observe ? 'pass' : 'answer',
      why: observe ? `would be blocked: ${cause}` : cause,
      details: { rule: name },
    });
    if (observe) {
      this.#observed++;
      return undefined;
    }
    this.#blocked++;
    return problem(exchange, { ...PROBLEMS.blocked, cause });
  }

  /** The name of the first list with the request; undefined for none. */
  #listWith({ headers, remoteAddress }: Exchange): string | undefined {
    const { addresses, agents, referers } = this.#lists;
    for (let at = 0; at < addresses.length; at++) if (addresses[at]!.set.has(remoteAddress)) return addresses[at]!.name;
    if (agents.length > 0 || this.#settings.withoutAgent) {
      const agent = headers.get('user-agent') ?? '';
      const name = agent === '' ? (this.#settings.withoutAgent ? 'without-agent' : null) : this.#agentList(agent);
      if (name !== null) return name;
    }
    if (referers.length === 0) return undefined;
    const referer = headers.get('referer');
    return referer === undefined ? undefined : refererList(referer, referers);
  }

  #agentList(agent: string): string | null {
    const known = this.#agents.get(agent);
    if (known !== undefined) return known;
    const text = agent.toLowerCase();
    const found = this.#lists.agents.find(({ texts }) => texts.some((part) => text.includes(part)));
    const name = found === undefined ? null : found.name;
    if (agent.length > LONGEST_AGENT) return name;
    if (this.#agents.size >= REMEMBERED)
      for (const oldest of this.#agents.keys()) {
        this.#agents.delete(oldest);
        break;
      }
    this.#agents.set(agent, name);
    return name;
  }

  stats(): Json {
    return { blocked: this.#blocked, observed: this.#observed };
  }
}

/** Looks for the host of a URL and the domains above it. */
function refererList(referer: string, lists: Lists['referers']): string | undefined {
  if (!URL.canParse(referer)) return undefined;
  let host = new URL(referer).hostname.replace(/\.$/, '');
  while (host !== '') {
    for (let at = 0; at < lists.length; at++) if (lists[at]!.hosts.has(host)) return lists[at]!.name;
    const dot = host.indexOf('.');
    host = dot < 0 ? '' : host.slice(dot + 1);
  }
  return undefined;
}

const isRecord = (value: unknown): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function listsOf({ lists, fetched }: BlockSettings, published: { readonly [name: string]: Json }): Lists {
  const all: Lists = { addresses: [], agents: [], referers: [] };
  for (const { name, of, entry } of lists) add(all, name, of, entry);
  for (const { name, of } of fetched) {
    const value = Object.hasOwn(published, name) ? published[name] : undefined;
    if (Array.isArray(value)) add(all, name, of, entryOf(value.map(String), of));
    else if (isRecord(value)) add(all, name, of, value['entry'] as ListEntry);
  }
  return all;
}

function add(all: Lists, name: string, of: ListKind, entry: ListEntry): void {
  if (of === 'addresses' && 'v4' in entry) all.addresses.push({ name, set: new AddressSet(entry) });
  if (of === 'agents' && 'texts' in entry) all.agents.push({ name, texts: entry.texts });
  if (of === 'referers' && 'texts' in entry) all.referers.push({ name, hosts: new Set(entry.texts) });
}
