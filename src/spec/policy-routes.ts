/** The routes for the paths that policies answer themselves: a login has a callback, a protected API a document about it. */
import type { NormalizeEntry } from '../bundle/types.js';
import type { ActionDeclaration, PolicyPath } from '../policies/contract.js';
import { s } from '../schema/declare.js';
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import type { ListenerModel, PolicyModel, PolicyRouteModel, PolicyUse, RouteModel, SegmentModel } from './model.js';
import { GeneratedNames } from './names.js';
import { parseMatchText } from './route/match-text.js';
import { parsePath } from './route/path-pattern.js';

type Report = (diagnostic: Diagnostic) => void;
type Members = ReadonlyMap<PolicyModel, readonly PolicyModel[]>;

/** The action of such a route. The spec cannot name it: the compiler gives the route the policy that answers. */
const ANSWER: ActionDeclaration<AnswerConfig> = {
  use: 'policy',
  summary: 'Answered by a policy',
  schema: s.object({ path: s.string(), policy: s.string() }),
  describe: ({ policy }) => `answered by policy ${policy}`,
  compile: () => null,
};

type AnswerConfig = { readonly path: string; readonly policy: string };

/** Reports paths that cannot be matched. `routes` and `members`: of the spec. */
export function policyRoutes(
  { routes, members }: { readonly routes: readonly RouteModel[]; readonly members: Members },
  rules: NormalizeEntry,
  report: Report,
): PolicyRouteModel[] {
  const names = new GeneratedNames(' #');
  for (const { name } of routes) names.add(name);
  const found: PolicyRouteModel[] = [];
  for (const [owner, carriers] of carriersOf(routes, members)) {
    const paths = owner.declaration.paths?.(owner.config) ?? [];
    if (paths.length === 0) continue;
    const around = surroundings(owner, carriers);
    for (const path of paths) {
      const span = spanOf(owner, path);
      const match = matchOf(path, rules);
      if (match === undefined) report(unusable(owner, path, span));
      else
        found.push({
          ...around,
          name: names.make(`${owner.name}/${path.name}`),
          nameSpan: span,
          span,
          match: { ...match(span), hosts: around.hosts },
          expressions: [],
          action: {
            declaration: ANSWER as ActionDeclaration,
            config: { path: path.name, policy: owner.name },
            key: 'action',
          },
          maxBody: path.maxBody,
          owner,
        });
    }
  }
  return found;
}

/** The policies with paths of their own, with the routes that use them, also as members of other policies. */
function carriersOf(routes: readonly RouteModel[], members: Members): Map<PolicyModel, RouteModel[]> {
  const carriers = new Map<PolicyModel, RouteModel[]>();
  for (const route of routes) {
    for (const { policy } of route.policies) {
      for (const used of [policy, ...(members.get(policy) ?? [])]) {
        if (used.declaration.paths === undefined) continue;
        const known = carriers.get(used);
        if (known === undefined) carriers.set(used, [route]);
        else if (known.at(-1) !== route) known.push(route);
      }
    }
  }
  return carriers;
}

/** What the routes of a policy have in common with those for its paths. */
function surroundings(owner: PolicyModel, carriers: readonly RouteModel[]) {
  return {
    hosts: unionOf(carriers.map(({ match }) => match.hosts)),
    listeners: unionOf<ListenerModel>(carriers.map(({ listeners }) => listeners)),
    policies: guardsOf(owner, carriers),
    service: undefined,
    without: [],
    rewrite: undefined,
    stripPrefix: undefined,
    timeout: 0,
    at: owner.at,
    tags: [],
    groups: [],
  };
}

/** All items, each once; none, which stands for every one, if one of the lists is empty. */
function unionOf<T>(lists: readonly (readonly T[])[]): readonly T[] {
  return lists.some(({ length }) => length === 0) ? [] : [...new Set(lists.flat())];
}

/**
 * The policies that apply: those of all its routes which need no identity. They guard against callers (addresses, rates), or
 * edit every reply (fields, error pages).
 */
function guardsOf(owner: PolicyModel, [first, ...others]: readonly RouteModel[]): readonly PolicyUse[] {
  return (first?.policies ?? []).filter(
    ({ policy }) =>
      policy !== owner &&
      (policy.phase === 'guard' || policy.declaration.replyPhase !== undefined) &&
      others.every((route) => route.policies.some((use) => use.policy === policy)),
  );
}

/** Where the config sets the path; the name of the policy if it is a default. */
function spanOf({ at, nameSpan }: PolicyModel, path: PolicyPath): Span {
  return path.at.length === 0 || at.originOf(...path.at).from === 'default' ? nameSpan : at.spanOf(...path.at);
}

type Located = (span: Span) => Omit<RouteModel['match'], 'hosts'>;

/** Undefined if it is not a method and a path without parameters. */
function matchOf({ match }: PolicyPath, rules: NormalizeEntry): Located | undefined {
  const { methods, path, problems } = parseMatchText(match);
  const parsed = parsePath(path, rules);
  const faulty = [...problems, ...parsed.problems].some(({ severity }) => severity === 'error');
  const literals = parsed.segments.flatMap((one) => (one.kind === 'literal' ? [one.text] : []));
  if (faulty || methods.length === 0 || literals.length < parsed.segments.length) return undefined;
  return (span) => ({
    text: `${methods.join(',')} ${path}`,
    span,
    segments: literals.map((text): SegmentModel => ({ kind: 'literal', text, span })),
    methods,
    conditions: [],
  });
}

const unusable = ({ name }: PolicyModel, { match }: PolicyPath, span: Span): Diagnostic => ({
  code: 'policy/path',
  severity: 'error',
  span,
  message: `Policy \`${name}\` answers \`${match}\`, which is not a method and a path without parameters.`,
  help: 'Write it like `GET /oauth2/callback`.',
  entity: `policy.${name}`,
});
