/** Builds routes: parses matches, expands groups, resolves services and policies. */
import type { NormalizeEntry } from '../../bundle/types.js';
import { languageWith } from '../../expression/check.js';
import { Decoder, type ExpressionLanguage, type Origin } from '../../schema/decoder.js';
import type { Diagnostic, Span } from '../../schema/diagnostic.js';
import { parseTemplate } from '../../schema/template.js';
import type { TableNode, TomlNode } from '../../schema/tree.js';
import { readAction } from '../actions.js';
import { applyWithout, fromDefaults, isComplete, type Known, readListeners, type Surroundings } from '../inherit.js';
import type { ExpressionModel, PolicyUse, RouteModel, ServiceModel } from '../model.js';
import { type DeclaredNames, GeneratedNames, unresolved } from '../names.js';
import { readPolicyList } from '../policies.js';
import { groupShape, routeShape } from '../shapes.js';
import type { Sources } from '../source.js';
import { onScheme } from './conditions.js';
import { MatchReader } from './match.js';
import { rewriteProblems } from './rewrite.js';

type Report = (diagnostic: Diagnostic) => void;

interface ReadPolicies {
  readonly uses: readonly PolicyUse[];
  /** Whether every item was valid. */
  readonly complete: boolean;
}

export class RouteReader {
  readonly routes: RouteModel[] = [];
  /** Span of each name; of a derived name, span of the match. */
  readonly #named = new Map<string, Span>();
  readonly #made = new GeneratedNames(' #');
  readonly #known: Known;
  readonly #matches: MatchReader;
  /** Of conditions in the configs of actions. */
  readonly #language: ExpressionLanguage;

  constructor(
    names: Pick<Known, 'policies' | 'listeners'>,
    readonly services: DeclaredNames<ServiceModel>,
    readonly rules: NormalizeEntry,
    readonly sources: Sources,
    readonly report: Report,
    /** The policies that services have for their routes. */
    readonly ofServices: ReadonlyMap<ServiceModel, readonly PolicyUse[]> = new Map(),
  ) {
    this.#known = { ...names, inPlace: new GeneratedNames('-'), sources };
    this.#matches = new MatchReader(rules, sources);
    this.#language = languageWith((span, text, start, end) => sources.valueSpan(span, text, start, end));
  }

  /** The names of all routes, also of those with errors. */
  get names(): Iterable<string> {
    return this.#named.keys();
  }

  /** The routes and groups of a whole spec. */
  read(tree: TableNode): void {
    this.#items(tree, fromDefaults(tree, this.#known, this.report));
  }

  #items(table: TableNode, around: Surroundings): void {
    for (const item of itemsOf(table, 'route')) this.#route(item, around);
    for (const item of itemsOf(table, 'group')) this.#group(item, around);
  }

  #group(node: TableNode, around: Surroundings): void {
    const decoder = new Decoder(node, node.headSpan);
    const { values, valid } = groupShape.decodePartial(node, decoder);
    const name = values.name ?? values.prefix ?? values.host?.join(',') ?? 'group';
    const entity = `group.${name}`;
    const prefix = values.prefix === undefined ? [] : this.#matches.prefix(values.prefix, decoder);
    const hosts = values.host === undefined ? undefined : this.#matches.hosts(values.host, ['host'], decoder);
    const listeners = readListeners(values.listeners, this.#known, decoder);
    const { kept, removed } = applyWithout(values.without ?? [], around, this.#known, decoder);
    const failed = this.#flush(decoder, entity);
    const policies = this.#policies(node, name, entity, 'group');
    this.#items(node, {
      prefix: [...around.prefix, ...prefix],
      prefixText: around.prefixText + (values.prefix ?? ''),
      hosts: hosts ?? around.hosts,
      scheme: values.scheme === undefined ? around.scheme : onScheme(values.scheme, decoder.spanOf('scheme')),
      listeners: values.listeners === undefined ? around.listeners : (listeners ?? []),
      origins: {
        ...around.origins,
        ...(hosts === undefined ? {} : { host: ofGroup(decoder.originOf('host')) }),
        ...(values.scheme === undefined ? {} : { scheme: ofGroup(decoder.originOf('scheme')) }),
        ...(values.listeners === undefined ? {} : { listeners: ofGroup(decoder.originOf('listeners')) }),
        ...(values.prefix === undefined ? {} : { prefix: ofGroup(decoder.originOf('prefix')) }),
      },
      policies: [...kept, ...policies.uses],
      without: [...around.without, ...removed],
      groups: [...around.groups, name],
      tags: [...around.tags, ...(values.tags ?? [])],
      sound: around.sound && valid && !failed && policies.complete && listeners !== undefined,
    });
  }

  #route(node: TableNode, around: Surroundings): void {
    const decoder = new Decoder(node, node.headSpan, this.#language);
    const { values, valid } = routeShape.decodePartial(node, decoder);
    const match = values.match === undefined ? undefined : this.#matches.match(values.match, around, decoder);
    const listeners = readListeners(values.listeners, this.#known, decoder);
    const { kept, removed } = applyWithout(values.without ?? [], around, this.#known, decoder);
    inheritOrigins(node, around, decoder);
    const nameSpan = values.name === undefined ? decoder.spanOf('match') : decoder.spanOf('name');
    const unique = this.#name(values.name, match ? label(match) : writtenMatch(node), nameSpan);
    const name = unique ?? values.name ?? '';
    const entity = `route.${name}`;
    const own = this.#policies(node, name, entity, 'spec');
    const action = readAction(node, values, valid, entity, decoder, this.sources.custom, this.report);
    const wanted = action?.declaration.service?.(action.config);
    checkPath(node, decoder);
    if (values.rewrite !== undefined) this.#checkRewrite(values.rewrite, decoder);
    const service = wanted && this.#service(wanted.name, decoder.spanOf(action!.key, ...wanted.at), decoder);
    const failed = this.#flush(decoder, entity);
    const found = (wanted === undefined || service !== undefined) && listeners !== undefined;
    if (!match || !valid || !action || unique === undefined || failed || !own.complete || !found || !around.sound)
      return;
    const policies = [...kept, ...own.uses];
    for (const use of (service && this.ofServices.get(service)) ?? [])
      if (policies.every(({ policy }) => policy !== use.policy)) policies.push(use);
    this.routes.push({
      name,
      nameSpan,
      span: node.span,
      match,
      action,
      expressions: this.#expressions(decoder),
      service,
      policies,
      without: [...around.without, ...removed].filter((gone) => policies.every(({ policy }) => policy !== gone)),
      listeners: values.listeners === undefined ? around.listeners : listeners,
      rewrite: values.rewrite,
      stripPrefix: values.strip_prefix,
      timeout: values.timeout ?? 0,
      maxBody: values.max_body,
      stream: values.stream,
      streamIdleTimeout: values.stream_idle_timeout,
      webSocket: values.websocket,
      at: decoder,
      tags: [...new Set([...around.tags, ...(values.tags ?? [])])],
      groups: around.groups,
    });
  }

  #expressions({ expressions }: Decoder): readonly ExpressionModel[] {
    return expressions.map(({ expression, path, span }): ExpressionModel => {
      const { source } = expression.entry;
      return { path, span, expression, spanOf: (start, end) => this.sources.valueSpan(span, source, start, end) };
    });
  }

  #policies(node: TableNode, name: string, entity: string, from: PolicyUse['from']): ReadPolicies {
    const list = node.entries.get('policies')?.value;
    const uses = readPolicyList(list, name, entity, from, this.#known, this.report);
    return { uses, complete: isComplete(list, uses) };
  }

  /** Written names must be unique; derived names are made unique. */
  #name(given: string | undefined, made: string, span: Span): string | undefined {
    const first = given === undefined ? undefined : this.#named.get(given);
    if (given !== undefined && first) {
      this.report({
        code: 'name/duplicate',
        severity: 'error',
        span,
        message: `Route name \`${given}\` is used twice.`,
        related: [{ span: first, message: 'first used here' }],
        help: 'Rename one of them; logs, metrics and limits identify routes by name.',
        entity: `route.${given}`,
      });
      return undefined;
    }
    const name = given ?? this.#made.make(made);
    if (given !== undefined) this.#made.add(given);
    this.#named.set(name, span);
    return name;
  }

  #service(name: string, span: Span, decoder: Decoder): ServiceModel | undefined {
    const service = this.services.get(name);
    if (!service && !this.services.isKnown(name)) {
      decoder.diagnostics.push(unresolved('service', name, span, this.services));
    }
    return service;
  }

  #checkRewrite(text: string, decoder: Decoder): void {
    const span = decoder.spanOf('rewrite');
    const parsed = parseTemplate(text);
    if ('error' in parsed) {
      const at = this.sources.valueSpan(span, text, parsed.offset, parsed.offset + 1);
      decoder.error('template/syntax', at, parsed.error, {
        help: 'Write path parameters and other variables in braces: `/v2/orders/{id}`.',
      });
      return;
    }
    for (const { start, end, message, help } of rewriteProblems(text, parsed, this.rules)) {
      decoder.error('route/rewrite', this.sources.valueSpan(span, text, start, end), message, { help });
    }
  }

  /** Reports the diagnostics of the decoder; true if there is an error. */
  #flush(decoder: Decoder, entity: string): boolean {
    for (const diagnostic of decoder.diagnostics) this.report({ ...diagnostic, entity });
    return decoder.diagnostics.some(({ severity }) => severity === 'error');
  }
}

function checkPath(node: TableNode, decoder: Decoder): void {
  const strip = node.entries.get('strip_prefix');
  if (!strip || !node.entries.has('rewrite')) return;
  decoder.error('schema/one-of', strip.keySpan, 'A route has either `rewrite` or `strip_prefix`, not both.', {
    help: 'Remove one of them: `rewrite` already sets the whole path.',
  });
}

/** Records the origins of inherited values. */
function inheritOrigins(node: TableNode, { origins }: Surroundings, decoder: Decoder): void {
  const { host, scheme, prefix, listeners } = origins;
  if (host && !sets(node, 'host')) decoder.inherit('host', host);
  if (scheme && !sets(node, 'scheme')) decoder.inherit('scheme', scheme);
  if (prefix) decoder.inherit('prefix', prefix);
  if (listeners && !node.entries.has('listeners')) decoder.inherit('listeners', listeners);
}

/** Whether the match of a route sets a key itself. */
function sets(route: TableNode, key: 'host' | 'scheme'): boolean {
  const match = route.entries.get('match')?.value;
  return match?.kind === 'table' && match.entries.has(key);
}

/** A value from an overlay keeps that origin, also in a group. */
const ofGroup = (origin: Origin): Origin => (origin.from === 'overlay' ? origin : { ...origin, from: 'group' });

function label(match: RouteModel['match']): string {
  if (match.hosts.length === 0) return match.text;
  const at = match.text.indexOf('/');
  return `${match.text.slice(0, at)}${match.hosts.join(',')}${match.text.slice(at)}`;
}

/** A substitute for the name if the match has errors. */
function writtenMatch(node: TableNode): string {
  const match = node.entries.get('match')?.value;
  const path = match?.kind === 'table' ? match.entries.get('path')?.value : match;
  return path?.kind === 'string' ? path.value : '?';
}

function itemsOf(table: TableNode, key: string): TableNode[] {
  const list: TomlNode | undefined = table.entries.get(key)?.value;
  return list?.kind === 'array' ? list.items.filter((item) => item.kind === 'table') : [];
}
