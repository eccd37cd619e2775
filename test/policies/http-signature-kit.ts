/** An http-signature policy under test, with a signer whose key it knows. */
import * as crypto from 'node:crypto';
import type { Authentication, CollectBody, Exchange, PolicyInstance } from '../../src/policies/contract.js';
import { type RequestToSign, Signer } from '../support/signer.js';
import { create, exchange, type Given, type World, world } from './support.js';

/** Seconds since 1970 of the test's clock. */
export const NOW = 1_800_000_000;

const pair = crypto.generateKeyPairSync('ed25519');
export const PUBLIC = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
export const signer = new Signer({ keyid: 'k1', key: pair.privateKey });
export const SECRET = 'a shared secret of at least 32 bytes';

export interface Bed {
  readonly policy: PolicyInstance;
  readonly around: World;
}

/** A policy with the key of `signer`, and these keys of its config. */
export function bed(keys = '', own = world()): Bed {
  const around = Object.assign(own, { wall: NOW * 1000 });
  const known = /^(keys|jwks)/m.test(keys) ? '' : `keys = [{ id = "k1", public_key = """${PUBLIC}""" }]\n`;
  return { policy: create('http-signature', `${known}${keys}`, around), around };
}

/** The URL that requests are signed for, unless a test says otherwise. */
export const URL_OF = 'https://api.example.com/orders/1';

export interface Sent extends Partial<RequestToSign> {
  /** What reaches gw, where it differs from what was signed. */
  readonly received?: Partial<{ method: string; target: string; body: string; headers: { [name: string]: string } }>;
  readonly by?: Signer;
  readonly collect?: CollectBody;
}

/** The request of a signer as an exchange. */
export function exchangeOf(sent: Sent): Exchange {
  const { received = {}, by = signer, url = URL_OF } = sent;
  const signed = by.request({ created: NOW, ...sent, url });
  const headers = { ...signed.headers, ...received.headers };
  const { pathname, search } = new URL(url);
  const target = received.target ?? pathname + search;
  const given: Given = {
    method: received.method ?? signed.method,
    path: target.split('?')[0]!,
    query: target.split('?')[1] ?? '',
    headers: Object.entries(headers),
  };
  const body = received.body ?? signed.body;
  return Object.assign(exchange(given), { scheme: 'https', hasBody: body !== undefined, receivedTarget: target });
}

export async function send({ policy }: Bed, sent: Sent = {}): Promise<Authentication> {
  const body = sent.received?.body ?? sent.body ?? '';
  return policy.authenticate!(exchangeOf(sent), sent.collect ?? (async () => Buffer.from(body)));
}

/** The outcome, or what a refusal says. */
export function said(found: Authentication): string {
  if (found.outcome === 'refused') return found.problem.detail ?? found.problem.title;
  return found.outcome;
}
