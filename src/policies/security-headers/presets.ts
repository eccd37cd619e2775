/** What the presets set. */
import type { HstsConfig, SecurityHeadersConfig } from './schema.js';

type Values = Omit<SecurityHeadersConfig, 'preset' | 'replace' | 'remove'>;

const NONE: Values = {
  hsts: undefined,
  csp: undefined,
  csp_report_only: undefined,
  no_sniff: undefined,
  referrer_policy: undefined,
  permissions_policy: undefined,
  frame_options: undefined,
  opener_policy: undefined,
  resource_policy: undefined,
  embedder_policy: undefined,
};

const HSTS: HstsConfig = { days: 365, subdomains: false, preload: false };

export const PRESETS: { readonly [name in SecurityHeadersConfig['preset']]: Values } = {
  /** Nothing in a reply is for a browser to run or to show in a frame. */
  api: {
    ...NONE,
    hsts: HSTS,
    csp: "default-src 'none'; frame-ancestors 'none'",
    no_sniff: true,
    referrer_policy: 'no-referrer',
    frame_options: 'DENY',
    resource_policy: 'same-site',
  },
  /** Pages with scripts and styles in files of their own. */
  web: {
    ...NONE,
    hsts: HSTS,
    csp: "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'; object-src 'none'",
    no_sniff: true,
    referrer_policy: 'strict-origin-when-cross-origin',
    permissions_policy: 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
    frame_options: 'SAMEORIGIN',
    opener_policy: 'same-origin',
    resource_policy: 'same-origin',
  },
  none: NONE,
};
