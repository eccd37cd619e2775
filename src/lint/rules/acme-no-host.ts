import { acmeHosts, acmeRoutes, usesAcme, whyNotOrdered } from '../../spec/acme-hosts.js';
import type { Model, RouteModel } from '../../spec/model.js';
import type { Rule } from '../rule.js';

const WILDCARD =
  'Wildcards need a proof by DNS, which gw does not do. List the names in `hosts` of `[acme]`, or use `cert` and `key`.';
const PRIVATE = 'Use a public name, or set `directory` of `[acme]` to a private authority that certifies it.';
const NONE = 'Add `host = "shop.example.com"` to routes, or list the names in `hosts` of `[acme]`.';

/** The hosts of the route that get no certificate, with the reason. */
const without = (route: RouteModel, model: Model, hosts: ReadonlySet<string>) =>
  route.match.hosts.flatMap((host) => {
    const why = hosts.has(host) ? undefined : whyNotOrdered(host, model);
    return why === undefined ? [] : [{ host, why }];
  });

const rule: Rule = {
  code: 'acme/no-host',
  severity: 'warning',
  summary: 'No certificate is ordered for a host that is served with certificates by ACME',
  partial: false,
  check(model, report) {
    if (model.acme === undefined) return;
    const hosts = new Set(acmeHosts(model));
    if (hosts.size === 0)
      for (const listener of model.listeners.filter(usesAcme))
        report({
          span: listener.at.spanOf('tls'),
          entity: `listener.${listener.name}`,
          message: `Listener \`${listener.name}\` gets its certificates by ACME, but no route names a host that one can be ordered for: all handshakes are refused.`,
          help: NONE,
        });
    if (model.acme.hosts !== undefined) return;
    const reported = new Set<string>();
    for (const route of acmeRoutes(model))
      for (const { host, why } of without(route, model, hosts)) {
        if (reported.has(host)) continue;
        reported.add(host);
        const reason = why === 'wildcard' ? 'it is a wildcard' : 'no public authority certifies it';
        report({
          span: route.match.span,
          entity: `route.${route.name}`,
          message: `No certificate is ordered for \`${host}\`: ${reason}. Handshakes for it are refused on listeners with \`tls = "acme"\`.`,
          help: why === 'wildcard' ? WILDCARD : PRIVATE,
        });
      }
  },
};
export default rule;
