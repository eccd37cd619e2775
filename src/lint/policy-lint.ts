/** Runs the lint part of each policy and action, and locates its findings in the spec. */
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import type { Model, PolicyModel, RouteModel } from '../spec/model.js';
import { pathKeyOf } from '../spec/route/path-key.js';
import { listenersOf, schemesTaken } from '../spec/route/schemes.js';
import { spanOfPart, spanWithin } from './edits.js';
import { modelIndexOf, paramsOf, policyEntity, routeEntity } from './model-index.js';

/** What a policy is given to check its config. */
export type PolicyContext = Parameters<PolicyModel['declaration']['compile']>[1];

const consumersKnown = new WeakMap<Model, PolicyContext['consumers']>();

function consumersOf(model: Model): PolicyContext['consumers'] {
  let consumers = consumersKnown.get(model);
  if (!consumers) {
    const own = model.consumers.map(({ name, plan, config, credentials }) => ({
      name,
      ...(plan ? { plan: plan.name } : {}),
      groups: config.groups,
      credentials: credentials.map(({ entry }) => entry.kind),
    }));
    const stored = Array.from(model.stored.entries(), ({ name, plan, groups, credentials }) => ({
      name,
      ...(plan === undefined ? {} : { plan }),
      groups,
      credentials: credentials.map(({ kind }) => kind),
    }));
    consumers = stored.length === 0 ? own : [...own, ...stored];
    consumersKnown.set(model, consumers);
  }
  return consumers;
}

const plansOf = (model: Model): PolicyContext['plans'] => model.plans.map(({ name }) => name);

/** A route as its policies and its action know it. */
const routeContextOf = (model: Model, route: RouteModel): PolicyContext['routes'][number] => ({
  name: route.name,
  params: paramsOf(route),
  methods: route.match.methods,
  path: route.match.text.slice(route.match.text.indexOf('/')),
  schemes: schemesTaken(model, route),
  hosts: route.match.hosts,
  listeners: listenersOf(model, route),
  ...(route.service === undefined ? {} : { service: route.service.name }),
  ...(pathKeyOf(route) === undefined ? {} : { pathKey: pathKeyOf(route)! }),
});

export function contextOf(model: Model, policy: PolicyModel): PolicyContext {
  const { routesByPolicy, servicesByPolicy } = modelIndexOf(model);
  const routes = routesByPolicy.get(policy) ?? [];
  const services = servicesByPolicy.get(policy);
  return {
    name: policy.name,
    routes: routes.map((route) => routeContextOf(model, route)),
    ...(services === undefined ? {} : { services }),
    serviceNames: model.services.map(({ name }) => name),
    consumers: consumersOf(model),
    moreConsumers: model.stored.size > 0,
    plans: plansOf(model),
    readFile: model.policyFiles.read,
  };
}

/** What lint() of a kind reports. */
type PolicyProblem = Parameters<Parameters<NonNullable<PolicyModel['declaration']['lint']>>[2]>[0];
type ConfigPath = PolicyProblem['at'];

export function lintPolicies(model: Model): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const policy of modelIndexOf(model).policies) {
    const { at, declaration, nameSpan } = policy;
    declaration.lint?.(policy.config, contextOf(model, policy), (problem) => {
      const locate = (path: ConfigPath): Span => (path.length === 0 ? nameSpan : at.spanOf(...path));
      found.push(diagnosticOf(model, problem, locate, policyEntity(model, policy)));
    });
  }
  return found;
}

export function lintActions(model: Model): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const route of model.routes) {
    const { declaration, config, key } = route.action;
    if (declaration.lint === undefined) continue;
    declaration.lint(config, actionContextOf(model, route), (problem) => {
      const locate = (path: ConfigPath): Span =>
        path.length === 0 ? route.at.keySpanOf(key) : route.at.spanOf(key, ...path);
      found.push(diagnosticOf(model, problem, locate, routeEntity(route)));
    });
  }
  return found;
}

function actionContextOf(model: Model, route: RouteModel): PolicyContext {
  const routes = [routeContextOf(model, route)];
  return {
    name: route.name,
    routes,
    consumers: consumersOf(model),
    plans: plansOf(model),
    readFile: model.policyFiles.read,
  };
}

function diagnosticOf(
  model: Model,
  { at, code, help, message, part, related, sensitive, severity }: PolicyProblem,
  locate: (path: ConfigPath) => Span,
  entity: string,
): Diagnostic {
  const named = locate(at);
  const span = part === undefined ? named : spanOf(model, named, part);
  const places = (related ?? []).map((one) => ({ span: locate(one.at), message: one.message }));
  if (span.file !== named.file) places.push({ span: named, message: 'the spec names the file here' });
  return {
    code,
    severity,
    span,
    message,
    entity,
    ...(places.length === 0 ? {} : { related: places }),
    ...(help === undefined ? {} : { help }),
    ...(sensitive === true ? { sensitive } : {}),
  };
}

function spanOf(model: Model, named: Span, part: NonNullable<PolicyProblem['part']>): Span {
  if (typeof part === 'string') return spanWithin(model, named, part);
  const { end, file, start, text } = part;
  if (file === undefined) return spanOfPart(model, named, text, start, end);
  return model.policyFiles.spanOf(file, start, end) ?? named;
}
