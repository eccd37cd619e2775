/** Compile part of security-headers. */
import { declarePolicy } from '../compile-kit.js';
import type { PolicyProblem } from '../contract.js';
import { checkCsp } from './csp.js';
import { checkPermissions } from './permissions.js';
import { PRESETS } from './presets.js';
import { type HstsConfig, type SecurityHeadersConfig, type SecurityHeadersSettings, schema } from './schema.js';

type Report = (problem: PolicyProblem) => void;

export default declarePolicy<SecurityHeadersConfig, SecurityHeadersSettings>({
  use: 'security-headers',
  summary: 'Sets the fields by which browsers protect pages, and removes those that name software',
  phase: 'guard',
  // They belong on every reply, also on a 401.
  replyPhase: 'fields',
  replyOnly: () => true,
  stateful: false,
  schema,
  codes: [
    {
      code: 'security-headers/csp',
      severity: 'error',
      summary: 'A part of a Content-Security-Policy is unknown or has no effect',
    },
    {
      code: 'security-headers/weak-csp',
      severity: 'warning',
      summary: 'A Content-Security-Policy allows what it should prevent',
    },
    { code: 'security-headers/permissions', severity: 'error', summary: 'A Permissions-Policy cannot be read' },
    {
      code: 'security-headers/preload',
      severity: 'warning',
      summary: 'A domain cannot be in the preload list with these settings',
    },
  ],
  lint(config, _context, report) {
    for (const key of ['csp', 'csp_report_only'] as const) lintCsp(key, config[key], report);
    lintPermissions(config.permissions_policy, report);
    const { hsts } = config;
    if (hsts !== undefined && hsts !== false && hsts.preload && (hsts.days < 365 || !hsts.subdomains))
      report({
        code: 'security-headers/preload',
        severity: 'warning',
        at: ['hsts', 'preload'],
        message: 'The preload list takes only domains with `subdomains = true` and at least 365 `days`.',
        help: 'Set both, once every subdomain is served over HTTPS, or remove `preload`.',
      });
  },
  compile(config) {
    const preset = PRESETS[config.preset];
    const of = <Key extends keyof typeof preset>(key: Key) => config[key] ?? preset[key];
    const fields = [
      field('content-security-policy', of('csp')),
      field('content-security-policy-report-only', of('csp_report_only')),
      field('x-content-type-options', of('no_sniff') === true && 'nosniff'),
      field('referrer-policy', of('referrer_policy')),
      field('permissions-policy', of('permissions_policy')),
      field('x-frame-options', of('frame_options')),
      field('cross-origin-opener-policy', of('opener_policy')),
      field('cross-origin-resource-policy', of('resource_policy')),
      field('cross-origin-embedder-policy', of('embedder_policy')),
    ].flat();
    const hsts = of('hsts');
    return {
      fields,
      secure: hsts === undefined || hsts === false ? [] : field('strict-transport-security', hstsValue(hsts)),
      replace: config.replace,
      remove: [...new Set(config.remove.map((name) => name.toLowerCase()))],
    };
  },
});

const field = (name: string, value: string | false | undefined) =>
  value === undefined || value === false ? [] : [{ name, value }];

/** RFC 6797 section 6.1. */
const hstsValue = ({ days, subdomains, preload }: HstsConfig): string =>
  `max-age=${days * 86_400}${subdomains ? '; includeSubDomains' : ''}${preload ? '; preload' : ''}`;

function lintCsp(key: 'csp' | 'csp_report_only', text: string | false | undefined, report: Report): void {
  if (text === undefined || text === false) return;
  for (const { kind, message, help, start, end } of checkCsp(text))
    report({
      ...(kind === 'error'
        ? { code: 'security-headers/csp', severity: 'error' }
        : { code: 'security-headers/weak-csp', severity: 'warning' }),
      at: [key],
      part: { text, start, end },
      message,
      help,
    });
}

function lintPermissions(text: string | false | undefined, report: Report): void {
  const fault = text === undefined || text === false ? undefined : checkPermissions(text);
  if (typeof text !== 'string' || fault === undefined) return;
  const { message, start, end } = fault;
  report({
    code: 'security-headers/permissions',
    severity: 'error',
    at: ['permissions_policy'],
    part: { text, start, end },
    message,
    help: 'Write features with the origins that may use them: `camera=(), geolocation=(self "https://maps.example")`.',
  });
}
