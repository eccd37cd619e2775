import { parseTemplate } from '../../schema/template.js';
import type { PolicyModel, RouteModel } from '../../spec/model.js';
import { accessRulesOf, mayAuthenticate } from '../access-index.js';
import { spanWithin } from '../edits.js';
import { conditionsOf, modelIndexOf, policyEntity } from '../model-index.js';
import type { Report, Rule } from '../rule.js';

/** Variables of templates that need a caller. */
const OF_CALLER = /^(consumer\.|claims\.)/;

const rule: Rule = {
  code: 'policy/no-caller',
  severity: 'warning',
  summary: 'A policy reads the consumer or claims on a route where nothing authenticates',
  partial: false,
  check(model, report) {
    const { policies, routesByPolicy } = modelIndexOf(model);
    for (const policy of policies) {
      // Those of the phases before are always too early, which is an error of its own.
      if (policy.phase === 'guard' || policy.phase === 'authenticate') continue;
      const route = routesByPolicy.get(policy)!.find((one) => !mayAuthenticate(one));
      if (route === undefined) continue;
      const entity = policyEntity(model, policy);
      const tell: Tell = (finding, what) => {
        report({
          ...finding,
          entity,
          message: `${what} is always empty on route \`${route.name}\`: none of its policies authenticates callers.`,
          related: [{ span: route.nameSpan, message: 'the route' }],
          help: 'Add an authenticating policy to the route, such as `api-key` or `jwt`.',
        });
      };
      inConditions(policy, tell);
      inTemplates(policy, (span, part) => (part === undefined ? span : spanWithin(model, span, part)), tell);
      inRules(policy, route, tell);
    }
  },
};

type Tell = (finding: Pick<Parameters<Report>[0], 'span'>, what: string) => void;
type Span = Parameters<Report>[0]['span'];

function inConditions(policy: PolicyModel, tell: Tell): void {
  for (const { expression, spanOf } of conditionsOf(policy)) {
    const read = expression.reads.find(({ name }) => name.startsWith('consumer.') || name === 'claims');
    if (read !== undefined) tell({ span: spanOf(read.start, read.end) }, `\`${read.name}\``);
  }
}

function inTemplates(policy: PolicyModel, narrow: (span: Span, part?: string) => Span, tell: Tell): void {
  const expressions = new Set(policy.expressions.map(({ path }) => path.join('\0')));
  visit(policy.config, [], (path, text) => {
    if (expressions.has(path.slice(0, -1).join('\0'))) return;
    const parsed = text.includes('{') ? parseTemplate(text) : undefined;
    if (parsed === undefined || 'error' in parsed) return;
    const variable = parsed.variables.find(({ name }) => OF_CALLER.test(name));
    if (variable === undefined) return;
    const written = text.slice(variable.offset, text.indexOf('}', variable.offset) + 1);
    tell({ span: narrow(policy.at.spanOf(...path), written) }, `\`${written}\``);
  });
}

/** One finding for each policy: its rules are about callers. */
function inRules(policy: PolicyModel, _route: RouteModel, tell: Tell): void {
  const needs = accessRulesOf(policy).find(
    ({ consumers, groups, readsClaims }) => consumers !== undefined || groups !== undefined || readsClaims,
  );
  if (needs === undefined) return;
  const span = needs.at.length === 0 ? policy.nameSpan : policy.at.spanOf(...needs.at);
  tell({ span }, `What rule \`${needs.name}\` asks about the caller`);
}

function visit(
  value: unknown,
  path: readonly (string | number)[],
  take: (path: readonly (string | number)[], text: string) => void,
): void {
  if (typeof value === 'string') take(path, value);
  else if (Array.isArray(value)) for (const [index, item] of value.entries()) visit(item, [...path, index], take);
  else if (typeof value === 'object' && value !== null)
    for (const [key, item] of Object.entries(value)) visit(item, [...path, key], take);
}

export default rule;
