/** The TLS policies of a listener in one generation: which one is for a name, and which server begins the handshake. */
import { createHash } from 'node:crypto';
import type { TlsOptions, Server as TlsServer } from 'node:tls';
import type { ListenerEntry, ListenerTls, TlsHostEntry, TlsPolicyEntry } from '../../../bundle/types.js';
import { TICKET_LIFETIME_S, type TicketKeys } from '../../../state/ticket-keys.js';
import type { ClientRules } from '../../exchange/client-certificate.js';
import type { PresentTlsPolicy, TlsPolicyLookup } from '../../exchange/peer.js';
import type { Protocol } from '../connection/client-connection.js';
import type { ClientHello } from './client-hello.js';
import { clientRules, pairOf, policyOptions } from './options.js';
import { CertificateServers } from './servers.js';
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
  readonly own: CertificateServers | undefined;
  readonly supplied: WeakMap<SuppliedCertificate, CertificateServers>;
  /** Undefined: sessions are not resumed. */
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
  readonly #all: readonly Policy[];
  readonly #challenges = new WeakMap<SuppliedCertificate, CertificateServers>();

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
    const named = hosts.map((host: TlsHostEntry): Policy => {
      const { names = [], ...entry } = host;
      const policy = policyOf(entry, names);
      for (const name of names) this.#names.add(name, policy);
      return policy;
    });
    this.#all = [this.#default, ...named];
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
      supplied: new WeakMap<SuppliedCertificate, CertificateServers>(),
      identity: client === undefined ? identity : undefined,
    };
    const pair = pairOf(policy);
    return { ...made, own: pair === undefined ? undefined : this.#servers(made, pair, '') };
  }

  #servers(
    { options, present, identity }: Pick<Policy, 'options' | 'present' | 'identity'>,
    pair: { readonly cert: string; readonly key: string },
    name: string,
  ): CertificateServers {
    const { cert, key } = pair;
    const create = (ticketKeys: Buffer | undefined): TlsServer =>
      this.#create(
        { ...options, cert, key, ...(ticketKeys === undefined ? {} : { ticketKeys }) },
        present.clients,
        'requests',
      );
    return new CertificateServers(create, identity && `${identity} ${name}`, this.#sources.tickets);
  }

  of(name: string | undefined): PresentTlsPolicy {
    return this.#policyOf(name).present;
  }

  #policyOf(name: string | undefined): Policy {
    return (name === undefined ? undefined : this.#names.get(name)) ?? this.#default;
  }

  /** The server that begins a handshake; undefined: there is no certificate for the name. Throws if a supplied one is not valid. */
  serverFor({ serverName, challenge, ticketName }: ClientHello): TlsServer | undefined {
    const { certificates, tickets } = this.#sources;
    if (challenge && serverName !== undefined) {
      const answer = certificates.challenge(serverName);
      if (answer !== undefined) return this.#challengeServer(answer);
    }
    const policy = this.#policyOf(serverName);
    return (policy.own ?? this.#suppliedServers(policy, serverName))?.serverFor(ticketName, tickets);
  }

  #suppliedServers(policy: Policy, name: string | undefined): CertificateServers | undefined {
    const supplied = name === undefined ? undefined : this.#sources.certificates.certificate(name);
    if (supplied === undefined) return undefined;
    const known = policy.supplied.get(supplied);
    if (known !== undefined) return known;
    const servers = this.#servers(policy, supplied, supplied.names.join());
    policy.supplied.set(supplied, servers);
    return servers;
  }

  #challengeServer(answer: SuppliedCertificate): TlsServer {
    const { cert, key } = answer;
    const known = this.#challenges.get(answer);
    const options = { ...policyOptions({}), cert, key, ALPNProtocols: ['acme-tls/1'], handshakeTimeout: 0 };
    const create = (): TlsServer => this.#create(options, undefined, 'challenge');
    const servers = known ?? new CertificateServers(create, undefined, this.#sources.tickets);
    if (known === undefined) this.#challenges.set(answer, servers);
    return servers.serverFor(undefined, this.#sources.tickets);
  }

  /** Forgets ticket keys that are not valid any more, of the certificates of the spec. */
  prune(): void {
    for (const { own } of this.#all) own?.prune(this.#sources.tickets);
  }
}

/** Differs if the settings need other policies. */
export const keyOf = ({ entry, protocols }: TlsSettings): string => JSON.stringify([entry.name, protocols, entry.tls]);

const digest = (parts: unknown): string => createHash('sha256').update(JSON.stringify(parts)).digest('hex');
