/** The TLS policies of a listener in one generation: which one is for a name, and which server begins the handshake. */
import { constants, createHash } from 'node:crypto';
import type { TlsOptions, Server as TlsServer } from 'node:tls';
import type { ListenerEntry, ListenerTls, TlsPolicyEntry } from '../../../bundle/types.js';
import { TICKET_LIFETIME_S, type TicketKeys } from '../../../state/ticket-keys.js';
import type { ClientRules } from '../../exchange/client-certificate.js';
import type { PresentTlsPolicy, TlsPolicyLookup } from '../../exchange/peer.js';
import type { Protocol } from '../connection/client-connection.js';
import type { ClientHello } from './client-hello.js';
import { clientRules, pairOf, policyOptions } from './options.js';
import { type Pair, SessionNames } from './session-names.js';
import { type CertificateStore, NameMap, type SuppliedCertificate } from './supplied.js';

/** TLS of a listener in one generation. */
export interface TlsSettings {
  readonly entry: ListenerEntry;
  /** Offered by ALPN, in order of preference. */
  readonly protocols: readonly Protocol[];
}

/** What the policies of all listeners share. */
export interface TlsSources {
  readonly tickets: TicketKeys;
  readonly certificates: CertificateStore;
}

/** Creates a server. `rules`: of the client certificates that it asks for. `challenge`: its connections end after the handshake. */
export type CreateServer = (
  options: TlsOptions,
  rules: ClientRules | undefined,
  purpose: 'requests' | 'challenge',
) => TlsServer;

interface Policy {
  readonly present: PresentTlsPolicy;
  /** Without certificate and key. */
  readonly options: TlsOptions;
  readonly own: Pair | undefined;
  readonly supplied: WeakMap<SuppliedCertificate, Pair>;
  /** What sessions belong to; undefined: they are not resumed. */
  readonly identity: string | undefined;
}

export class TlsPolicies implements TlsPolicyLookup {
  readonly several: boolean;
  /** Whether requests are checked by them: there are several, or one asks for client certificates. */
  readonly needed: boolean;
  /** Of the settings: policies for equal settings have the same. */
  readonly key: string;
  /** The rules for client certificates, for the policies of the next generation. */
  readonly rules: readonly ClientRules[];
  readonly #sources: TlsSources;
  readonly #create: CreateServer;
  readonly #default: Policy;
  readonly #names = new NameMap<Policy>();
  readonly #sessions: SessionNames;
  readonly #challenges = new WeakMap<SuppliedCertificate, TlsServer>();

  /** Throws if a certificate, key or list is not valid. `known`: rules whose objects are used again. */
  constructor(
    settings: TlsSettings,
    tls: ListenerTls,
    sources: TlsSources,
    known: readonly ClientRules[],
    create: CreateServer,
  ) {
    this.key = keyOf(settings);
    this.#sources = sources;
    this.#create = create;
    const rules: ClientRules[] = [];
    const presents = new Map<string, PresentTlsPolicy>();
    const policyOf = (entry: TlsPolicyEntry, names: readonly string[]): Policy => {
      const present = this.#present(entry, presents, rules, known);
      return this.#policy(settings, entry, names, present);
    };
    const { hosts = [], ...others } = tls;
    this.#default = policyOf(others, []);
    const exact = new Set<string>();
    for (const { names = [], ...entry } of hosts) {
      const policy = policyOf(entry, names);
      for (const name of names) {
        this.#names.add(name, policy);
        exact.add(name);
      }
    }
    this.#sessions = new SessionNames((name) => exact.has(name));
    this.rules = rules;
    this.several = presents.size > 1;
    this.needed = this.several || rules.length > 0;
  }

  #present(
    { minVersion, ciphers, client }: TlsPolicyEntry,
    presents: Map<string, PresentTlsPolicy>,
    rules: ClientRules[],
    known: readonly ClientRules[],
  ): PresentTlsPolicy {
    const key = JSON.stringify([minVersion, ciphers, client]);
    const before = presents.get(key);
    if (before !== undefined) return before;
    const clients = client === undefined ? undefined : clientRules(client, [...rules, ...known]);
    if (clients !== undefined) rules.push(clients);
    const present = { clients, forwards: client?.forward === true };
    presents.set(key, present);
    return present;
  }

  #policy(
    { entry, protocols }: TlsSettings,
    policy: TlsPolicyEntry,
    names: readonly string[],
    present: PresentTlsPolicy,
  ): Policy {
    const { minVersion, ciphers, client } = policy;
    const identity = digest([entry.name, names, minVersion, ciphers]);
    const options: TlsOptions = {
      ...policyOptions(policy),
      ALPNProtocols: [...protocols],
      // The gate has a deadline for the whole handshake.
      handshakeTimeout: 0,
      sessionTimeout: TICKET_LIFETIME_S,
      sessionIdContext: identity.slice(0, 32),
    };
    const made = {
      present,
      options,
      supplied: new WeakMap<SuppliedCertificate, Pair>(),
      identity: client === undefined ? identity : undefined,
    };
    const pair = pairOf(policy);
    return { ...made, own: pair === undefined ? undefined : this.#pair(made, pair, '') };
  }

  /** Throws if the certificate or key is not valid. `supplied`: the names of a supplied certificate. */
  #pair(
    { options, present, identity }: Pick<Policy, 'options' | 'present' | 'identity'>,
    { cert, key }: { readonly cert: string; readonly key: string },
    supplied: string,
  ): Pair {
    const own = { ...options, cert, key };
    const secureOptions = (options.secureOptions ?? 0) | constants.SSL_OP_NO_TICKET;
    return {
      shared: this.#create({ ...own, secureOptions }, present.clients, 'requests'),
      identity: identity && `${identity} ${supplied}`,
      create: (ticketKeys) => this.#create({ ...own, ticketKeys }, present.clients, 'requests'),
    };
  }

  of(name: string | undefined): PresentTlsPolicy {
    return this.#policyOf(name).present;
  }

  #policyOf(name: string | undefined): Policy {
    return (name === undefined ? undefined : this.#names.get(name)) ?? this.#default;
  }

  /**
   * The server that begins a handshake at `now`, monotonic milliseconds; undefined: there is no certificate for the name. Throws
   * if a supplied one is not valid.
   */
  serverFor({ serverName, challenge, ticketName }: ClientHello, now: number): TlsServer | undefined {
    const { certificates, tickets } = this.#sources;
    if (challenge && serverName !== undefined) {
      const answer = certificates.challenge(serverName);
      if (answer !== undefined) return this.#challengeServer(answer);
    }
    const policy = this.#policyOf(serverName);
    const pair = policy.own ?? this.#suppliedPair(policy, serverName);
    return pair && this.#sessions.serverFor(pair, serverName, ticketName, tickets, now);
  }

  #suppliedPair(policy: Policy, name: string | undefined): Pair | undefined {
    const supplied = name === undefined ? undefined : this.#sources.certificates.certificate(name);
    if (supplied === undefined) return undefined;
    const known = policy.supplied.get(supplied);
    if (known !== undefined) return known;
    const pair = this.#pair(policy, supplied, supplied.names.join());
    policy.supplied.set(supplied, pair);
    return pair;
  }

  #challengeServer(answer: SuppliedCertificate): TlsServer {
    const known = this.#challenges.get(answer);
    if (known !== undefined) return known;
    const { cert, key } = answer;
    const options = { ...policyOptions({}), cert, key, ALPNProtocols: ['acme-tls/1'], handshakeTimeout: 0 };
    const server = this.#create(options, undefined, 'challenge');
    this.#challenges.set(answer, server);
    return server;
  }

  /** Forgets ticket keys that are not valid any more. */
  prune(): void {
    this.#sessions.prune(this.#sources.tickets);
  }
}

/** Differs if the settings need other policies. */
export const keyOf = ({ entry, protocols }: TlsSettings): string => JSON.stringify([entry.name, protocols, entry.tls]);

const digest = (parts: unknown): string => createHash('sha256').update(JSON.stringify(parts)).digest('hex');
