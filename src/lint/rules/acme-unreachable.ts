import type { AcmeChallenge } from '../../bundle/acme-entry.js';
import { acmeChallenges, acmeHosts, answersAt, usesAcme } from '../../spec/acme-hosts.js';
import type { Rule } from '../rule.js';

const PORTS: Readonly<Record<AcmeChallenge, string>> = {
  'tls-alpn-01': 'port 443 with TLS',
  'http-01': 'port 80 without TLS',
};

const rule: Rule = {
  code: 'acme/unreachable',
  severity: 'info',
  summary: 'No listener is at a port where an ACME authority looks for the proof',
  partial: false,
  check(model, report) {
    if (acmeHosts(model).length === 0) return;
    const challenges = acmeChallenges(model);
    if (challenges.some((one) => answersAt(model, one))) return;
    const listener = model.listeners.find(usesAcme);
    if (listener === undefined) return;
    const ports = challenges.map((one) => PORTS[one]).join(' or ');
    report({
      span: listener.at.spanOf('address'),
      entity: `listener.${listener.name}`,
      message: `An authority looks for the proof of a name at ${ports}, and no listener of the spec is there: something else must forward that port to gw.`,
      help: 'Listen there, or let a load balancer or the container runtime forward the port, unchanged.',
    });
  },
};
export default rule;
