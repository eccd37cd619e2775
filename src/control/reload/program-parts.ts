/** Parts of a resolved program, for the steps of a load. */
import type { ListenerEntry, Program } from '../../bundle/types.js';
import type { TcpAccess } from '../admin/server.js';
import { plain } from '../references/pems.js';
import { diffPrograms, type MatchTexts, type ProgramDiff } from './diff.js';

/** The TCP address of the admin API; undefined without an address or a token. */
export function accessOf({ admin }: Program): TcpAccess | undefined {
  if (admin.address === undefined || admin.token === undefined) return undefined;
  const address = plain(admin.address);
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  return {
    host: host === '' ? '::' : host,
    port: Number(address.slice(colon + 1)),
    token: plain(admin.token),
    hosts: admin.hosts ?? [],
  };
}

/** The part of a program that workers use: consumers are in a table that they share, origins only explain. */
export function forWorkers(program: Program): Program {
  const policies = program.policies.map((policy) => ({ ...policy, config: {}, origins: {} }));
  // Only control logs in at Vault and orders certificates.
  const { vault: _vault, acme: _acme, ...rest } = program;
  return { ...rest, consumers: [], policies, provenance: { files: [], origins: {} } };
}

/** The listener with this address, or the only one with its port or host. */
export function listenerAt({ listeners }: Program, place: string): ListenerEntry | undefined {
  const colon = place.lastIndexOf(':');
  const [host, port] = colon < 0 ? [place, ''] : [place.slice(0, colon), place.slice(colon + 1)];
  const having = (test: (host: string, port: string) => boolean): ListenerEntry[] =>
    listeners.filter(({ address }) => {
      const text = plain(address);
      const at = text.lastIndexOf(':');
      return test(text.slice(0, at).replace(/^\[|\]$/g, '') || '::', text.slice(at + 1));
    });
  const exact = having((one, its) => one === host && its === port);
  const samePort = having((_one, its) => its === port);
  const sameHost = having((one) => one === place);
  return exact[0] ?? [samePort, sameHost].find(({ length }) => length === 1)?.[0];
}

/** The entity that a message of the data plane names; '' if it names none. */
export function entityIn({ policies, listeners, services, consumers }: Program, message: string): string {
  const kinds = { listener: listeners, service: services, consumer: consumers, policy: policies };
  // One entity may have the name of another kind, or begin with the name of another one.
  const all = Object.entries(kinds)
    .flatMap(([kind, entities]) => entities.map(({ name }) => ({ kind, name })))
    .sort((a, b) => b.name.length - a.name.length);
  const found =
    all.find(({ kind, name }) => message.includes(`${kind} ${name}`)) ??
    all.find(({ name }) => message.includes(`\`${name}\``));
  return found === undefined ? '' : `${found.kind}.${found.name}`;
}

interface Described {
  readonly program: Program;
  readonly matchTexts: MatchTexts;
}

/** What two programs have different; `before`: undefined for the first one. */
export function differenceOf(before: Described | undefined, after: Described): ProgramDiff {
  const { program, matchTexts } = after;
  const nothing: Program = {
    ...program,
    routes: [],
    services: [],
    policies: [],
    consumers: [],
    plans: [],
    listeners: [],
  };
  const old = before ?? { program: nothing, matchTexts: new Map<string, string>() };
  return diffPrograms(old.program, program, { before: old.matchTexts, after: matchTexts });
}
