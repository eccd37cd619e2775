/** security-headers: presets, fields of targets, and the checks of CSP and Permissions-Policy. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { PolicyInstance, Reply } from '../../src/policies/contract.js';
import { checkCsp } from '../../src/policies/security-headers/csp.js';
import { checkPermissions } from '../../src/policies/security-headers/permissions.js';
import { PRESETS } from '../../src/policies/security-headers/presets.js';
import { create, decode, exchange, lint, targetReply } from './support.js';

function fields(
  keys = '',
  given: readonly (readonly [string, string])[] = [],
  scheme: 'http' | 'https' = 'http',
): { readonly [name: string]: string } {
  const policy: PolicyInstance = create('security-headers', keys);
  const reply: Reply = targetReply(given);
  policy.after!(Object.assign(exchange(), { scheme }), reply);
  return Object.fromEntries(reply.headers.entries());
}

test('the presets', () => {
  assert.equal(
    fields('', [
      ['server', 'x/1'],
      ['X-Powered-By', 'y'],
      ['x-own', 'z'],
    ]),
    {
      'x-own': 'z',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
      'cross-origin-resource-policy': 'same-site',
    },
  );
  assert.equal(Object.keys(fields('preset = "web"', [], 'https')), [
    'content-security-policy',
    'x-content-type-options',
    'referrer-policy',
    'permissions-policy',
    'x-frame-options',
    'cross-origin-opener-policy',
    'cross-origin-resource-policy',
    'strict-transport-security',
  ]);
  assert.equal(fields('preset = "none"'), {});
});

test('the presets pass their own checks', () => {
  for (const { csp, permissions_policy: permissions } of Object.values(PRESETS)) {
    if (typeof csp === 'string') assert.equal(checkCsp(csp), []);
    if (typeof permissions === 'string') assert.is(checkPermissions(permissions), undefined);
  }
});

test('HSTS only over HTTPS', () => {
  const keys = 'hsts = { days = 730, subdomains = true, preload = true }';
  assert.is(fields(keys)['strict-transport-security'], undefined);
  const value = 'max-age=63072000; includeSubDomains; preload';
  assert.is(fields(keys, [], 'https')['strict-transport-security'], value);
  assert.is(fields('hsts = false', [], 'https')['strict-transport-security'], undefined);
});

test('values of a target stay, or are replaced', () => {
  const own = [['content-security-policy', "default-src 'self'"]] as const;
  assert.is(fields('', own)['content-security-policy'], "default-src 'self'");
  assert.is(fields('replace = true', own)['content-security-policy'], "default-src 'none'; frame-ancestors 'none'");
});

test('false sets no field', () => {
  const keys = 'csp = false\nno_sniff = false\nreferrer_policy = false\nframe_options = false\nresource_policy = false';
  assert.equal(fields(keys), {});
  assert.equal(decode('security-headers', 'csp = true').errors, ['Expected a text, or `false` for none.']);
  assert.is(decode('security-headers', 'referrer_policy = "none"').errors.length, 1);
});

test('a switch of protocols is left alone', () => {
  const reply = Object.assign(targetReply(), { status: 101 });
  create('security-headers', '').after!(exchange(), reply);
  assert.equal([...reply.headers.entries()], []);
});

// ---------------------------------------------------------------- CSP

/** `kind text` of each fault. */
const faults = (text: string): string[] =>
  checkCsp(text).map(({ kind, start, end }) => `${kind} ${text.slice(start, end)}`);

test('what is a valid policy', () => {
  for (const text of [
    "default-src 'self'",
    "DEFAULT-SRC 'Self' ; script-src 'self' https://cdn.example:443/a/ *.x.example https://*:8443;",
    "script-src 'sha256-abc+/=' 'strict-dynamic' 'unsafe-inline'",
    "img-src 'self' data: blob: https:; style-src 'self' 'unsafe-inline'",
    'upgrade-insecure-requests; sandbox allow-scripts; report-to main; report-uri /csp',
    "trusted-types default 'allow-duplicates'; require-trusted-types-for 'script'",
    "frame-ancestors 'none'",
    'script-src',
  ])
    assert.equal(faults(text), [], text);
});

test('what is wrong, and where', () => {
  assert.equal(faults("default-src 'self'; scrpt-src 'self'"), ['error scrpt-src']);
  assert.equal(faults("default-src self 'none-x'"), ['error self', "error 'none-x'"]);
  assert.equal(faults("img-src 'none' https://a.example"), ["error 'none'"]);
  assert.equal(faults("img-src 'self'; img-src https:"), ['error img-src']);
  assert.equal(faults("default-src 'self', img-src a.example"), ['error ,']);
  assert.equal(faults('plugin-types a/b'), ['error plugin-types']);
  assert.equal(faults('default-src “self”')[0], 'error “');
  assert.equal(faults(' ; '), ['error  ; ']);
  assert.equal(faults('img-src http://x.example:99999999 //y'), ['error http://x.example:99999999', 'error //y']);
});

test('what is weak', () => {
  assert.equal(faults("script-src 'self' 'unsafe-inline'"), ["weak 'unsafe-inline'"]);
  assert.equal(faults('default-src *'), ['weak *']);
  assert.equal(faults("script-src-elem https: 'self'"), ['weak https:']);
  assert.equal(faults("script-src 'nonce-abc'"), ["weak 'nonce-abc'"]);
});

test('Permissions-Policy', () => {
  for (const text of ['camera=()', 'geolocation=(self "https://maps.example"), usb=*', 'a=self,b=( )'])
    assert.is(checkPermissions(text), undefined, text);
  for (const text of [
    'camera',
    "camera 'none'",
    'camera=(https://x.example)',
    'camera=();geo=()',
    'camera=(),',
    'a=(), a=(self)',
  ])
    assert.ok(checkPermissions(text), text);
});

test('lint', () => {
  assert.equal(lint('security-headers', ''), []);
  assert.equal(lint('security-headers', 'csp = "x-src"'), ['security-headers/csp csp']);
  assert.equal(lint('security-headers', 'csp_report_only = "script-src *"'), [
    'security-headers/weak-csp csp_report_only',
  ]);
  assert.equal(lint('security-headers', 'permissions_policy = "x"'), [
    'security-headers/permissions permissions_policy',
  ]);
  assert.equal(lint('security-headers', 'hsts = { preload = true }'), ['security-headers/preload hsts.preload']);
  assert.equal(lint('security-headers', 'hsts = { preload = true, subdomains = true }'), []);
});

test.run();
